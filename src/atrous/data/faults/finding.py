"""What a check finds: each kind with its weight, and one finding with its file, pixel and value."""

from typing import Literal, NamedTuple

from atrous.config import Config

Severity = Literal["spoils training", "worth knowing"]

SPOILS: Severity = "spoils training"
NOTE: Severity = "worth knowing"


class Kind(NamedTuple):
    """One kind of fault."""

    title: str
    severity: Severity


KINDS = {
    "refused": Kind("Splits that cannot be opened", SPOILS),
    "other-classes": Kind("Splits with other classes", SPOILS),
    "unpaired": Kind("Files without a partner", SPOILS),
    "unreadable": Kind("Files that cannot be read", SPOILS),
    "sizes-differ": Kind("Mask and picture of different sizes", SPOILS),
    "exif-rotation": Kind("Masks that lie as the stored pixels, not as the picture is seen", SPOILS),
    "lossy-mask": Kind("Masks in a format that changes values", SPOILS),
    "colour-mask": Kind("Colours where class indices are meant", SPOILS),
    "grey-of-colours": Kind("Brightness of class colours where class indices are meant", SPOILS),
    "palette-order": Kind("Palettes in another order than the classes", SPOILS),
    "binary-255": Kind("Masks of 0 and 255, where 255 means ignore", SPOILS),
    "other-numbering": Kind("Classes in a numbering of another kind", SPOILS),
    "invented-values": Kind("Values invented along edges", SPOILS),
    "unknown-value": Kind("Values of no class", SPOILS),
    "swapped": Kind("Masks that fit another picture better", SPOILS),
    "leak": Kind("The same picture in two splits", SPOILS),
    "near-leak": Kind("Nearly the same picture in two splits", SPOILS),
    "disagreement": Kind("The same picture twice, with two different masks", SPOILS),
    "never-trained": Kind("Classes that are scored but not trained", NOTE),
    "unannotated": Kind("Pictures without an annotation", NOTE),
    "no-area": Kind("Objects without an area", NOTE),
    "undescribed": Kind("No dataset.yaml", NOTE),
    "duplicate": Kind("The same picture twice in a split", NOTE),
    "near-duplicate": Kind("Nearly the same picture twice in a split", NOTE),
    "void-only": Kind("Masks in which all is ignored", NOTE),
    "background-only": Kind("Masks in which all is the first class", NOTE),
    "absent-class": Kind("Classes that a split does not show", NOTE),
    "imbalance": Kind("Classes far rarer than others", NOTE),
}
"""All kinds, in the order in which they are shown."""


class Finding(Config):
    """One thing that was found."""

    kind: str
    """One of `KINDS`."""
    split: str
    files: tuple[str, ...]
    """The files that it is about, the one to look at first; empty where it is about the whole split."""
    sentence: str
    """What is wrong, in one sentence."""
    repair: str
    """What `--repair` does about it, or what the user can do."""
    pixel: tuple[int, int] | None = None
    """(x, y) of one pixel where it can be seen, from the top left of the mask."""
    value: int | None = None
    """The value in the mask file."""
    count: int | None = None
    """Pixels, unless the sentence counts something else."""
    sample: int | None = None
    """The index of the sample in its split."""
    other: tuple[str, int] | None = None
    """(split, index) of the sample that it is mixed up with."""

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return KINDS[self.kind].severity
