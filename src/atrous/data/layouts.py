"""Where pictures and masks lie in a folder that nobody has described; what is not certain is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from atrous.data.file_tree import FileTree
from atrous.data.listed import JoinedPairs
from atrous.data.pairs import ImageMaskPair, Pairs, pair_by_stem
from atrous.data.pictures import is_picture, picture_folders
from atrous.data.seeded_split import DRAWN_SPLITS, draw_split
from atrous.data.split_names import find_split, usual_name
from atrous.errors import DatasetError, DatasetNotFoundError

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "photos", "pictures", "frames", "inputs")
MASK_FOLDERS = (
    "masks", "mask", "labels", "label", "annotations", "annots", "segmentationclass", "segmentations", "gt",
    "ground_truth", "groundtruth", "targets",
)  # fmt: skip
SPLIT_NAMES = ("train", "val", "test")
MASK_MARKS = ("annot", "_labels", "_label", "_masks", "_mask")
"""What people append to the name of a split's folder for that of its masks."""

MASK_ENDINGS = (
    "_mask", "_masks", "_label", "_labels", "_seg", "_segmentation", "_gt", "_L", "_annotation", "-mask", ".mask",
)  # fmt: skip
"""What people append to a picture's name for that of its mask."""

EXAMPLE = "images/train with masks/train, or images with masks"


@dataclass(frozen=True)
class Layout:
    """Folders that belong together."""

    tree: FileTree
    folders: Mapping[str, tuple[str, str]]
    """The folders of pictures and masks by the name of their split; by no name where there are no splits."""
    _known: dict[str, Pairs] = field(default_factory=dict, compare=False)

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits as the folders have them, or those that are drawn."""
        return DRAWN_SPLITS if "" in self.folders else tuple(self.folders)

    @property
    def is_drawn(self) -> bool:
        """Whether there are no splits, so that they are drawn."""
        return "" in self.folders

    def pairs(self, split: str, seed: int) -> Pairs:
        """Pair the files of a split.

        Raises:
            DatasetError: If there is no such split, or a file has no partner.
        """
        if self.is_drawn:
            pairs = self._paired("")
            return pairs.chosen(draw_split(pairs.image_names, split, seed, self.tree.place))
        return self._paired(find_split(split, self.folders, self.tree.place))

    def all_pairs(self) -> Sequence[ImageMaskPair]:
        """Pair the files of all splits.

        Raises:
            DatasetError: If a file has no partner.
        """
        return JoinedPairs(*(self._paired(split) for split in self.folders))

    def _paired(self, split: str) -> Pairs:
        if split not in self._known:
            images, masks = map(self.tree.below, self.folders[split])
            self._known[split] = pair_by_stem(images, masks, mask_ending=_common_ending(images, masks))
        return self._known[split]


def find_layout(tree: FileTree, images: str | None = None, masks: str | None = None) -> Layout:
    """Find the folders of pictures and masks.

    Understood are, with any of the usual names: `images/<split>` with `masks/<split>`, `<split>/images` with
    `<split>/masks`, `<split>` with `<split>_masks`, and `images` with `masks`, which have no splits.

    Args:
        tree: Everything.
        images: The name of the pictures' folder, if it is not one of the usual.
        masks: That of the masks.

    Raises:
        DatasetNotFoundError: If there are no pictures.
        DatasetError: If it is not certain which folders are which.
    """
    folders = picture_folders(tree)
    if not folders:
        raise DatasetNotFoundError(f"{tree.place} holds no pictures: give the folder that has {EXAMPLE}.")
    chosen = _roles({path.split("/")[0] for path in folders}, images, masks)
    if chosen is not None:
        return Layout(tree, _with_splits_below(tree, folders, *chosen))
    found = {split: roles for split in _top(folders) if (roles := _roles_of_split(folders, split, images, masks))}
    if found:
        return Layout(tree, dict(sorted(found.items())))
    raise DatasetError(
        f"{tree.place} has pictures in {_listed(folders)}, but which are pictures and which are masks is not certain: "
        f"name the folders as in {EXAMPLE}, or choose them with `images` and `masks`."
    )


def _roles(names: set[str], images: str | None, masks: str | None) -> tuple[str, str] | None:
    """The folder of the pictures and that of the masks; none unless there is one of each."""
    of_images = [name for name in names if (name == images if images else name.lower() in IMAGE_FOLDERS)]
    of_masks = [name for name in names if (name == masks if masks else name.lower() in MASK_FOLDERS)]
    return (of_images[0], of_masks[0]) if len(of_images) == len(of_masks) == 1 else None


def _with_splits_below(tree: FileTree, folders: list[str], images: str, masks: str) -> dict[str, tuple[str, str]]:
    below = [set(_top(folders, folder)) for folder in (images, masks)]
    splits = {name for name in below[0] | below[1] if usual_name(name) in SPLIT_NAMES}
    if not splits:
        return {"": (images, masks)}
    loose = [path for path in (images, masks) if path in folders]
    others = sorted((below[0] | below[1]) - splits)
    if loose or others or below[0] != below[1]:
        names = [*loose, *others, *sorted(below[0] ^ below[1])]
        raise DatasetError(
            f"{tree.place} has the splits {', '.join(sorted(splits))} below {images} or {masks}, but also {names[0]} "
            "with pictures that belong to none of them: move these into a split of both, or away."
        )
    return {split: (f"{images}/{split}", f"{masks}/{split}") for split in sorted(splits)}


def _roles_of_split(folders: list[str], split: str, images: str | None, masks: str | None) -> tuple[str, str] | None:
    """The folders of a split that stand beside those of the others."""
    if usual_name(split) not in SPLIT_NAMES:
        return None
    if roles := _roles(set(_top(folders, split)), images, masks):
        return f"{split}/{roles[0]}", f"{split}/{roles[1]}"
    marked = [f"{split}{mark}" for mark in MASK_MARKS if f"{split}{mark}" in _top(folders)]
    return (split, marked[0]) if len(marked) == 1 else None


def _top(folders: list[str], below: str = "") -> list[str]:
    """The first folders below one, of all that hold pictures."""
    prefix = f"{below}/" if below else ""
    inner = (path.removeprefix(prefix) for path in folders if path.startswith(prefix))
    return sorted({path.split("/")[0] for path in inner if path})


def _common_ending(images: FileTree, masks: FileTree) -> str:
    """What the name of every mask ends with beyond that of its picture; pairing finds out whether that is so."""
    endings = [ending for ending in MASK_ENDINGS if not any(stem.endswith(ending) for stem in _first_stem(images))]
    for name in filter(is_picture, masks.walk()):
        endings = [ending for ending in endings if name.rpartition(".")[0].endswith(ending)]
        if not endings:
            break
    return endings[0] if endings and any(_first_stem(masks)) else ""


def _first_stem(tree: FileTree) -> Iterator[str]:
    """The stem of one of the pictures, if there are any."""
    for name in filter(is_picture, tree.walk()):
        yield name.rpartition(".")[0]
        return


def _listed(folders: list[str]) -> str:
    shown = ", ".join(path or "the folder itself" for path in folders[:5])
    return f"{shown} and {len(folders) - 5} more folders" if len(folders) > 5 else shown
