"""Who goes where: a division into splits in which every class has about its share, and groups stay together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_ROUNDS = 20


def stratify(
    shows: NDArray[np.bool_], groups: NDArray[np.int64], fractions: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """Return the split of each picture.

    Source: iterative stratification, Sechidis, Tsoumakas and Vlahavas 2011, On the stratification of multi-label data,
    algorithm 1. The class of which fewest pictures are left is dealt out first, each picture to the split that lacks
    most of that class. What is dealt here are groups, the largest first, for these are the hardest to fit in.

    Args:
        shows: bool [N, K]: which classes each picture shows.
        groups: [N]: pictures of one number stay together.
        fractions: Of each split; they add up to 1.
        seed: Decides wherever splits lack equally much, and the order of groups of one size.

    Returns:
        int64 [N]: the place of the split in `fractions`.
    """
    numbers, group_of = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group_of)
    counts = np.zeros((len(numbers), shows.shape[1]), np.int64)
    np.add.at(counts, group_of, shows)
    shares, random = np.array(fractions), np.random.default_rng(seed)
    split = _dealt(counts, sizes, shares, random)
    if len(numbers) < len(shows):
        split = _improved(split, np.column_stack([counts, sizes]), shares, random)
    return split[group_of]


def _dealt(
    counts: NDArray[np.int64], sizes: NDArray[np.int64], fractions: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.int64]:
    """The split of each group, by how many of its pictures show each class [G, K] and how many it has [G]."""
    lacks_of_class = fractions[:, None] * counts.sum(axis=0)
    lacks = fractions * sizes.sum()
    split = np.full(len(counts), -1, np.int64)
    order = random.permutation(len(counts))
    order = order[np.argsort(-sizes[order], kind="stable")]
    left = counts.sum(axis=0)
    while (waiting := order[split[order] < 0]).size:
        rarest = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin()) if left.any() else None
        for group in waiting if rarest is None else waiting[counts[waiting, rarest] > 0]:
            lacking = lacks if rarest is None else lacks_of_class[:, rarest]
            split[group] = _neediest(lacking, lacks, random)
            lacks_of_class[split[group]] -= counts[group]
            lacks[split[group]] -= sizes[group]
            left -= counts[group]
    return split


def _improved(
    split: NDArray[np.int64], counts: NDArray[np.int64], fractions: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.int64]:
    """Move whole groups to other splits as long as that brings the shares of classes, and of pictures, nearer.

    Groups of many pictures are dealt out badly by a rule that looks at one class at a time.
    """
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    missing = np.stack([fraction - shares[split == place].sum(axis=0) for place, fraction in enumerate(fractions)])
    for _ in range(MOST_ROUNDS):
        moved = False
        for group in random.permutation(len(split)):
            here, share = split[group], shares[group]
            # What (missing - share)² - missing² adds there, and (missing + share)² - missing² here.
            costs = 2 * (share @ share) + 2 * ((missing[here] - missing) @ share)
            costs[here] = 0
            there = int(costs.argmin())
            if costs[there] < -1e-12 and (split == here).sum() > 1:
                missing[here] += share
                missing[there] -= share
                split[group] = there
                moved = True
        if not moved:
            break
    return split


def _neediest(lacking: NDArray[np.float64], lacks: NDArray[np.float64], random: np.random.Generator) -> int:
    """The split that lacks most of a class; of several, the one that lacks most pictures; of several, any."""
    best = np.flatnonzero(lacking >= lacking.max() - 1e-9)
    best = best[lacks[best] >= lacks[best].max() - 1e-9]
    return int(best[0] if len(best) == 1 else random.choice(best))
