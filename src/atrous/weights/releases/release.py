"""What is known of released weights: where they lie, whose they are, what they score and how that was measured."""

from typing import NamedTuple


class Score(NamedTuple):
    """A published mean intersection over union, in percent, and how it was measured."""

    mean_iou: float
    data: str
    """Data set and split."""
    protocol: str


class ReleasedWeights(NamedTuple):
    """One file, or archive of files, of weights."""

    name: str
    what: str
    """The network, for people."""
    trained_on: str
    licence: str
    """Of the weights, or of the repository that releases them where it does not tell these apart."""
    page: str
    """Where they are described."""
    addresses: tuple[str, ...] = ()
    """The mirrors come after the first. None where no program can fetch it; then there is `by_hand`."""
    by_hand: str = ""
    """What to open in a browser."""
    megabytes: float | None = None
    """As published, about."""
    sha256: str | None = None
    """The hash or its first digits, where they are published."""
    member: str | None = None
    """A pattern of the names of the wanted files, where it is an archive."""
    labels: str | None = None
    """The set of classes, as `--labels` has it; none where the file names them or they are of ImageNet."""
    scores: tuple[Score, ...] = ()
    allow_partial: tuple[str, ...] = ()
    """Tensors that may be missing or left over."""
    not_read: str = ""
    """Why it cannot be imported, where that is so."""

    @property
    def file_name(self) -> str:
        """The last two parts of its address, as some files have a name that says nothing."""
        address = self.addresses[0] if self.addresses else f"{self.name}/weights"
        folder, name = address.split("?")[0].split("/")[-2:]
        return f"{folder}/{name}"
