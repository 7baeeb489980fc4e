"""What is converted reads as its source does, whole or not at all, and goes on where it was interrupted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atrous.data.convert import STARTED, WrittenSplit, convert_dataset
from atrous.data.folder import FolderConfig, folder, folder_splits
from atrous.data.samples import Sample, SegmentationDataset
from atrous.data.shapes import GeneratedShapes, ShapesConfig
from atrous.data.sources.coco_stuff import CocoStuffConfig, coco_stuff
from atrous.data.sources.labelme import LabelMeConfig, labelme
from atrous.errors import DatasetError, ImageError, MaskError, OutputError
from atrous.images import write_image, write_mask
from atrous.labels import LabelSpace
from tests.data.sources.layouts import values_of, write_grey, write_picture
from tests.data.sources.test_coco_stuff import write_164k
from tests.real import REAL, real
from tests.tiny_data import LABELS, InMemory, noise, one_sentence, painted, random_mask


def write_mixed(root: Path) -> SegmentationDataset:
    """A split with pictures of several formats, one of them with the suffix of another."""
    for name in ("a.jpg", "b.png", "c.bmp", "d.webp", "e.JPEG", "f.tif"):
        write_image(root / "images/train" / name, noise((8, 12), ord(name[0])))
        write_mask(root / f"masks/train/{name[0]}.png", random_mask((8, 12), ord(name[0])), LABELS)
    Image.fromarray(noise((8, 12), 7)).save(root / "images/train/g.jpg", format="GIF")
    write_mask(root / "masks/train/g.png", random_mask((8, 12), 7), LABELS)
    text = "{name: mixed, classes: [{name: ground}, {name: cat}, {name: dog}], splits: [train]}"
    (root / "dataset.yaml").write_text(text)
    return folder(FolderConfig(root=root), "train")


def assert_same(one: SegmentationDataset, other: SegmentationDataset) -> None:
    assert len(one) == len(other)
    for index in range(len(one)):
        first, second = one[index], other[index]
        assert first.name == second.name
        assert np.array_equal(first.image, second.image)
        assert np.array_equal(first.mask, second.mask)


def test_what_was_converted_reads_as_its_source(tmp_path: Path) -> None:
    source = write_mixed(tmp_path / "source")
    assert convert_dataset([source], tmp_path / "out", "mixed") == [WrittenSplit("train", 7, None)]
    config = FolderConfig(root=tmp_path / "out")
    assert folder_splits(config) == ("train",)
    assert_same(source, folder(config, "train"))


def test_jpeg_and_png_are_copied_byte_for_byte_and_others_become_png(tmp_path: Path) -> None:
    convert_dataset([write_mixed(tmp_path / "source")], tmp_path / "out", "mixed")
    images = tmp_path / "out/images/train"
    assert sorted(path.name for path in images.iterdir()) == [
        "a.jpg", "b.png", "c.png", "d.png", "e.jpg", "f.png", "g.png"
    ]  # fmt: skip
    for name, copy in (("a.jpg", "a.jpg"), ("b.png", "b.png"), ("e.JPEG", "e.jpg")):
        assert (tmp_path / "source/images/train" / name).read_bytes() == (images / copy).read_bytes()


@pytest.mark.parametrize("count", [3, 300])
def test_masks_become_palette_or_16_bit_png_of_the_class_indices(tmp_path: Path, count: int) -> None:
    labels = LabelSpace.from_names([f"class {index}" for index in range(count)])
    convert_dataset([InMemory([painted(random_mask((5, 7), 0, labels), "a", labels)], labels)], tmp_path, "tiny")
    with Image.open(tmp_path / "masks/train/a.png") as mask:
        assert mask.mode == ("P" if count == 3 else "I;16")
        assert np.array_equal(np.asarray(mask), random_mask((5, 7), 0, labels))


def test_a_data_set_with_meanings_of_its_own_is_written_in_class_indices(tmp_path: Path) -> None:
    config = CocoStuffConfig(root=write_164k(tmp_path / "coco", "{}2017", "stuffthingmaps/{}2017", [0, 12, 181, 255]))
    sources = [coco_stuff(config, split) for split in ("train", "val")]
    convert_dataset(sources, tmp_path / "out", "coco")
    for source in sources:
        assert_same(source, folder(FolderConfig(root=tmp_path / "out"), source.split))


class Interrupted(InMemory):
    """A split that cannot be read beyond a sample, the first time."""

    until = 10**9

    def __getitem__(self, index: int) -> Sample:
        if index >= self.until:
            raise KeyboardInterrupt
        return super().__getitem__(index)


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("until", [0, 1, 4])
def test_an_interrupted_conversion_goes_on_and_ends_with_the_same_files(tmp_path: Path, until: int) -> None:
    samples = [painted(random_mask((5, 7), index), f"{index:02}") for index in range(5)]
    splits = [Interrupted(samples, split=split) for split in ("train", "val")]
    convert_dataset(splits, tmp_path / "whole", "tiny")
    splits[1].until = until
    with pytest.raises(KeyboardInterrupt):
        convert_dataset(splits, tmp_path / "out", "tiny")
    assert (tmp_path / "out" / STARTED).exists()
    assert not (tmp_path / "out/dataset.yaml").exists()
    half = files_of(tmp_path / "out")
    splits[1].until = 10**9
    splits[0].until = 0  # what is there is not read again
    convert_dataset(splits, tmp_path / "out", "tiny")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert half.keys() - {STARTED} <= files_of(tmp_path / "out").keys()


def refused(datasets: list[SegmentationDataset], place: Path, source: str = "tiny") -> str:
    with pytest.raises(OutputError) as caught:
        convert_dataset(datasets, place, source)
    return one_sentence(caught.value)


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    tiny: list[SegmentationDataset] = [InMemory([painted(random_mask((5, 7), 0), "a")])]
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    assert "is not empty (mine.txt)" in refused(tiny, tmp_path / "out")
    assert files_of(tmp_path / "out") == {"mine.txt": b"mine"}
    convert_dataset(tiny, tmp_path / "done", "tiny")
    assert "is not empty (dataset.yaml)" in refused(tiny, tmp_path / "done")
    assert "a file stands where" in refused(tiny, tmp_path / "done/dataset.yaml")


def test_the_beginning_of_another_conversion_is_not_continued(tmp_path: Path) -> None:
    split = Interrupted([painted(random_mask((5, 7), index), f"{index}") for index in range(3)])
    split.until = 1
    with pytest.raises(KeyboardInterrupt):
        convert_dataset([split], tmp_path, "tiny")
    assert "beginning of another conversion" in refused([split], tmp_path, "another")


def test_a_stray_label_stops_the_conversion_with_its_file(tmp_path: Path) -> None:
    strange = Sample(noise((2, 2), 0), np.full((2, 2), 37, np.uint8), "a")
    with pytest.raises(MaskError, match=r"a\.png has value 37 on 4 pixels"):
        convert_dataset([InMemory([strange])], tmp_path, "tiny")
    assert not (tmp_path / "dataset.yaml").exists()


def test_a_damaged_picture_stops_the_conversion_although_it_would_only_be_copied(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_picture(tmp_path / f"source/images/{name}.jpg")
        write_grey(tmp_path / f"source/masks/{name}.png", values_of([0, 1]))
    for name in ("a", "b"):
        path = tmp_path / f"source/images/{name}.jpg"
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ImageError, match="damaged or cut off"):
        convert_dataset([folder(FolderConfig(root=tmp_path / "source"), "train")], tmp_path / "out", "mine")


def test_splits_with_other_classes_are_not_mixed(tmp_path: Path) -> None:
    one, other = (InMemory([painted(random_mask((5, 7), 0), "a")]) for _ in range(2))
    other.labels, other.split = LabelSpace.from_names(["x", "y", "z"]), "val"
    with pytest.raises(DatasetError, match="name one of them alone"):
        convert_dataset([one, other], tmp_path, "tiny")
    assert not list(tmp_path.iterdir())


def test_generated_pictures_become_files(tmp_path: Path) -> None:
    config = ShapesConfig(height=32, width=40, train=2, val=1)
    splits = [GeneratedShapes(config, split) for split in ("train", "val")]
    convert_dataset(splits, tmp_path, "shapes")
    for split in splits:
        assert_same(split, folder(FolderConfig(root=tmp_path), split.split))


@real
def test_pixels_that_several_shapes_claim_are_told(tmp_path: Path) -> None:
    skydiving = labelme(LabelMeConfig(root=REAL / "skydiving"), "val")
    (written,) = convert_dataset([skydiving], tmp_path, "skydiving")
    assert written.overwritten
    assert_same(skydiving, folder(FolderConfig(root=tmp_path), "val"))
