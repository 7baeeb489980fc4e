"""Values of masks that are neither a class nor the ignore value, and the words for both."""

from collections.abc import Mapping

import numpy as np

from atrous.labels import LabelSpace, Mask

MOST_NAMED = 8
"""Stray values in one sentence."""


def stray_labels(mask: Mask, labels: LabelSpace) -> dict[int, int]:
    """The values of a mask that are neither a class nor the ignore value, each with its number of pixels."""
    if int(mask.max(initial=0)) < labels.num_classes:
        return {}
    counts = np.bincount(mask.ravel())
    return {
        int(value): int(counts[value])
        for value in np.flatnonzero(counts)
        if value >= labels.num_classes and value != labels.ignore_index
    }


def describe_strays(source: str, strays: Mapping[int, int]) -> str:
    """Name a mask's stray labels: `masks/a.png has value 37 on 12 pixels`."""
    named = list(strays.items())[:MOST_NAMED]
    values = ", ".join(f"value {value} on {pixels} pixel{'s' * (pixels != 1)}" for value, pixels in named)
    others = len(strays) - len(named)
    return f"{source} has {values}" + (f" and {others} more value{'s' * (others > 1)}" if others else "")


def known_labels(labels: LabelSpace) -> str:
    """Name the values that a mask may have: `0..10 (sky to bicyclist) and 255 (ignore)`."""
    last = labels.num_classes - 1
    span = f"0..{last} ({labels.names[0]} to {labels.names[last]})" if last else f"0 ({labels.names[0]})"
    return f"{span} and {labels.ignore_index} (ignore)"
