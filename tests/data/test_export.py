import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from atrous.data import DataConfig, open_split, parse_dataset, splits_of
from atrous.data.export import ExportFormat, export_dataset
from atrous.data.labelled import LabelledImage
from atrous.data.samples import Sample
from atrous.data.sources.labelme import LabelMeConfig
from atrous.data.to_cvat import write_cvat
from atrous.data.to_labelme import write_labelme
from atrous.errors import ImageError, OutputError
from atrous.images import write_image
from atrous.labels import LabelSpace, Mask
from tests.tiny_data import InMemory, noise, one_sentence

FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
LABELS = LabelSpace(names=("background", "cat", "dög & <co>"), colors=((0, 0, 0), (1, 2, 3), (200, 100, 0)))
SIZE = (40, 50)


def blobs(seed: int) -> Mask:
    """Discs over each other, some with holes, and an ignored one."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    mask = np.zeros(SIZE, np.uint8)
    for label in (1, 2, 255, 1, 2, 0, 1):
        middle, radius = random.uniform(5, 40, 2), random.uniform(4, 14)
        mask[(x - middle[0]) ** 2 + (y - middle[1]) ** 2 < radius**2] = label
    return mask


def two_splits() -> list[InMemory]:
    return [
        InMemory(
            [Sample(noise(SIZE, place), blobs(place + 10 * part), f"{split}_{place}") for place in range(3)],
            LABELS,
            split,
        )
        for part, split in enumerate(("train", "val"))
    ]


def config_of(kind: ExportFormat, root: Path) -> DataConfig:
    return parse_dataset(f"{kind}:{root}")


@pytest.mark.parametrize("kind", FORMATS)
def test_without_tolerance_what_was_written_is_read_again(tmp_path: Path, kind: ExportFormat) -> None:
    written = two_splits()
    export_dataset(written, tmp_path, kind, tolerance=0)
    config = config_of(kind, tmp_path)
    assert splits_of(config) == ("train", "val")
    for split in written:
        read = open_split(config, split.split)
        assert read.labels.names == LABELS.names
        assert read.labels.colors == LABELS.colors or kind == "labelme"  # which has no place for colours
        for index in range(3):
            assert read[index].name == split[index].name
            assert np.array_equal(read[index].image, split[index].image)
            assert np.array_equal(read[index].mask, split[index].mask)


@pytest.mark.parametrize("kind", FORMATS)
def test_with_the_usual_tolerance_it_is_nearly_the_same(tmp_path: Path, kind: ExportFormat) -> None:
    train, _ = two_splits()
    export_dataset([train], tmp_path, kind)
    read = open_split(config_of(kind, tmp_path), "train")
    for label in (0, 1, 2, 255):
        both = sum(((read[i].mask == label) & (train[i].mask == label)).sum() for i in range(3))
        either = sum(((read[i].mask == label) | (train[i].mask == label)).sum() for i in range(3))
        assert both / either > 0.97


def test_pycocotools_reads_what_we_write_for_coco(tmp_path: Path) -> None:
    oracle = pytest.importorskip("pycocotools.coco")
    train, _ = two_splits()
    export_dataset([train], tmp_path, "coco", tolerance=0)
    coco = oracle.COCO(str(tmp_path / "annotations/instances_train.json"))
    names = {number: category["name"] for number, category in coco.cats.items()}
    assert names == {1: "cat", 2: "dög & <co>", 3: "ignore"}
    for number, sample in enumerate(train.samples, start=1):
        assert coco.imgs[number]["file_name"] == f"{sample.name}.png"
        mask = np.zeros(SIZE, np.int64)
        for entry in coco.imgToAnns[number]:
            mask[coco.annToMask(entry) > 0] = {1: 1, 2: 2, 3: 255}[entry["category_id"]]
            assert abs(entry["area"] - coco.annToMask(entry).sum()) <= 0.1 * entry["area"] + 4
        assert (mask != sample.mask).mean() < 0.02


def test_bounding_boxes_hold_their_polygons(tmp_path: Path) -> None:
    export_dataset(two_splits()[:1], tmp_path, "coco")
    content = json.loads((tmp_path / "annotations/instances_train.json").read_text())
    for entry in content["annotations"]:
        corners = np.array(entry["segmentation"][0]).reshape(-1, 2)
        left, top, width, height = entry["bbox"]
        assert np.allclose([*corners.min(axis=0), *corners.max(axis=0)], [left, top, left + width, top + height])
    assert len({entry["id"] for entry in content["annotations"]}) == len(content["annotations"])


def test_a_prediction_is_written_beside_its_picture(tmp_path: Path) -> None:
    write_image(tmp_path / "photo.jpg", noise(SIZE, 0))
    write_labelme(tmp_path / "photo.json", LabelledImage("photo.jpg", blobs(0)), LABELS, tolerance=0)
    sample = open_split(LabelMeConfig(root=tmp_path, classes=LABELS.names), "all")[0]
    assert (sample.name, np.array_equal(sample.mask, blobs(0))) == ("photo", True)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(OutputError) as caught:
        export_dataset(two_splits(), tmp_path, "cvat")
    assert f"{tmp_path} is not empty" in one_sentence(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


class Broken(InMemory):
    """A data set whose last picture is damaged."""

    def __getitem__(self, index: int) -> Sample:
        if index == len(self) - 1:
            raise ImageError("2.jpg is damaged: get a whole copy.")
        return super().__getitem__(index)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_fails_halfway_leaves_no_annotations(tmp_path: Path, kind: ExportFormat) -> None:
    with pytest.raises(ImageError):
        export_dataset([Broken(two_splits()[0].samples, LABELS)], tmp_path, kind)
    assert not list(tmp_path.rglob("annotations.xml"))
    assert not list(tmp_path.rglob("instances_*"))
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("name", ["a\x01b", "\udcff"])
def test_a_name_that_no_xml_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    image = LabelledImage(name, blobs(0))
    with pytest.raises(OutputError) as caught:
        write_cvat(tmp_path / "annotations.xml", "title", [image], LABELS)
    assert "cannot be written into XML: rename it" in one_sentence(caught.value)
    assert not list(tmp_path.iterdir())
