"""The catalogue of released weights, by names that work wherever a MODEL is asked for.

Addresses, hashes, sizes and scores are those that the makers publish; what they do not publish is left out.
"""

import difflib

from atrous.errors import CheckpointError
from atrous.weights.bundled import bundled_names
from atrous.weights.releases import caffe_and_keras, pytorch, tensorflow
from atrous.weights.releases.release import ReleasedWeights, Score

__all__ = ["CATALOG", "ReleasedWeights", "Score", "released"]

CATALOG: tuple[ReleasedWeights, ...] = (*tensorflow.RELEASES, *pytorch.RELEASES, *caffe_and_keras.RELEASES)


def released(name: str) -> ReleasedWeights:
    """Return the entry of a name.

    Raises:
        CheckpointError: If there is none; it offers the nearest.
    """
    for entry in CATALOG:
        if entry.name == name:
            return entry
    close = difflib.get_close_matches(name, [*bundled_names(), *(entry.name for entry in CATALOG)], n=1, cutoff=0.5)
    hint = f"did you mean `{close[0]}`? " if close else ""
    raise CheckpointError(
        f"There is no model `{name}`, and no such file: {hint}`atrous models` lists all names, and a file is named by "
        "its path."
    )
