"""Well-known numberings of classes that are mistaken for others, recognised by the set of all values of a data set."""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from atrous.labels import LabelSpace

CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The ids, in files named `_labelIds`, of the 19 classes that are trained, in their order: road to bicycle."""

COCO_THINGS = tuple(id_ for id_ in range(1, 91) if id_ not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83))
"""The ids of COCO's 80 things: ten of 1..90 are not used."""

COCO_STUFF = tuple(id_ - 1 for id_ in (*COCO_THINGS, *range(92, 183)))
"""The values, in COCO-Stuff's pixel maps, of its 171 classes: eleven of 0..181 are not used."""


class Numbering(NamedTuple):
    """What the values of mask files mean."""

    name: str
    values: Mapping[int, int]
    """The class index, or ignore value, of each value in the files."""
    certain: bool
    """Whether the values alone prove it, so that it may be mended."""


def recognise(values: Set[int], labels: LabelSpace) -> Numbering | None:
    """Return the numbering that a set of values must be of, if it is not the one that the classes ask for.

    Args:
        values: All values of all masks, without the ignore value.
        labels: The classes that they should be indices of.
    """
    count, ignore = labels.num_classes, labels.ignore_index
    strays = {value for value in values if value >= count}
    if not strays:
        return None
    if count == 19 and max(strays) <= 33 and _are(labels, "road", "bicycle"):
        return Numbering("Cityscapes' ids 0..33, not its 19 train ids", _compact(CITYSCAPES_IDS, 34, ignore), True)
    if count == 171 and strays <= set(COCO_STUFF):
        return _unless_in_a_hole(values, "COCO-Stuff's 0..181 with holes", _compact(COCO_STUFF, 182, ignore))
    if count == 80 and strays <= {0, *COCO_THINGS}:
        return _unless_in_a_hole(values, "COCO's 1..90 with holes", _compact(COCO_THINGS, 91, ignore))
    if strays == {count}:
        return _one_too_large(values, labels)
    return None


def _compact(numbers: Sequence[int], size: int, ignore: int) -> dict[int, int]:
    """Each number becomes its place; all else up to `size` is ignored."""
    return dict.fromkeys(range(size), ignore) | {number: place for place, number in enumerate(numbers)}


def _unless_in_a_hole(values: Set[int], name: str, meanings: Mapping[int, int]) -> Numbering | None:
    used = sum(1 for meaning in meanings.values() if meaning < 255)
    holes = {value for value, meaning in meanings.items() if meaning >= used and value > 0}
    return None if values & holes else Numbering(name, meanings, True)


def _one_too_large(values: Set[int], labels: LabelSpace) -> Numbering:
    """The values 1..K for K classes: what ADE20K has, whose 0 is no class but unlabelled."""
    count = labels.num_classes
    meanings = {value: value - 1 for value in range(1, count + 1)} | {0: labels.ignore_index}
    if count == 150 and _are(labels, "wall", "flag"):
        return Numbering("ADE20K's 0..150, whose 0 is unlabelled", meanings, True)
    return Numbering(f"1..{count} for the classes, one more than their indices", meanings, 0 not in values)


def _are(labels: LabelSpace, first: str, last: str) -> bool:
    return (labels.names[0].lower(), labels.names[-1].lower()) == (first, last)
