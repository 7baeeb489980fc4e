import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrous.data import open_split, splits_of
from atrous.data.annotations import AnnotatedImages, ellipse
from atrous.data.rasterizing import fill
from atrous.data.sources.labelme import LabelMeConfig
from atrous.errors import AtrousError, DatasetError
from atrous.images import read_mask, write_image
from tests.annotated_data import (
    BAR,
    NAMES,
    SIZE,
    SQUARE,
    expected_mask,
    labelme_json,
    labelme_object,
    labelme_xml,
    png,
    write_json,
    write_labelme_json_set,
    write_labelme_xml_set,
    write_pictures,
)
from tests.data.shapes_by_force import on_canvas
from tests.real import REAL, real
from tests.tiny_data import noise, one_sentence

SKYDIVING = LabelMeConfig(
    root=REAL / "skydiving",
    classes=("person", "airplane", "ground", "sky"),
    background="No-label",
    overlap="class_priority",
    priority=("sky", "ground", "airplane", "person"),
)


def xml(root: Path, objects: str | None = None, **choices: Any) -> AnnotatedImages:
    write_pictures(root)
    (root / "a.xml").write_text(labelme_xml("a.png", objects))
    return opened(root, **choices)


def json_of(root: Path, *shapes: dict[str, Any]) -> AnnotatedImages:
    write_pictures(root)
    write_json(root / "a.json", labelme_json("a.png", list(shapes)))
    return opened(root)


def opened(root: Path, **choices: Any) -> AnnotatedImages:
    ordered = {"classes": ("square", "bar"), "overlap": "drawing_order"}
    dataset = open_split(LabelMeConfig(**{"root": root, **ordered, **choices}), "all")
    assert isinstance(dataset, AnnotatedImages)
    return dataset


def test_a_deleted_object_is_not_drawn(tmp_path: Path) -> None:
    objects = labelme_object("square", SQUARE, 0) + labelme_object("bar", BAR, 1, deleted=1)
    assert set(np.unique(xml(tmp_path, objects)[0].mask)) == {0, 1}


def test_a_part_lies_above_what_it_is_a_part_of(tmp_path: Path) -> None:
    objects = labelme_object("bar", BAR, 0, part_of="1") + labelme_object("square", SQUARE, 1)
    assert np.array_equal(xml(tmp_path, objects)[0].mask, expected_mask())


def test_an_object_may_be_a_mask_in_a_file(tmp_path: Path) -> None:
    bits = expected_mask() == 2
    colors = np.where(bits[..., None], np.array([255, 203, 0], np.uint8), np.uint8(0))
    write_image(tmp_path / "Masks/a_mask_1.png", colors)
    segment = "<object><name>bar</name><deleted>0</deleted><segm><mask>a_mask_1.png</mask></segm></object>"
    dataset = xml(tmp_path, labelme_object("square", SQUARE, 0) + segment)
    assert np.array_equal(dataset[0].mask, expected_mask())
    (tmp_path / "Masks/a_mask_1.png").unlink()
    with pytest.raises(DatasetError, match=r"a\.xml names the picture a_mask_1\.png"):
        _ = dataset[0]


def test_lines_and_points_are_passed_over_and_counted(tmp_path: Path) -> None:
    drawing = xml(tmp_path, labelme_object("bar", BAR[:2], 0) + labelme_object("bar", BAR[:1], 1)).drawing(0)
    assert drawing.passed_over == 2
    assert not drawing.mask.any()


def test_pairs_are_made_by_the_name_in_the_annotation(tmp_path: Path) -> None:
    write_pictures(tmp_path / "Images")
    for number, name in enumerate(reversed(NAMES)):
        (tmp_path / f"item_{number:09}.xml").write_text(labelme_xml(f"{name}.png"))
    dataset = opened(tmp_path)
    assert [dataset[index].name for index in range(2)] == ["Images_b", "Images_a"]
    assert np.array_equal(dataset[0].image, noise(SIZE, 1))


def test_a_picture_in_two_folders_is_asked_for(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_pictures(tmp_path / folder)
    (tmp_path / "a.xml").write_text(labelme_xml("a.png"))
    with pytest.raises(DatasetError, match=r"could be one/a\.png or two/a\.png"):
        _ = opened(tmp_path)[0]


def test_classes_that_are_not_given_are_all_labels_in_alphabetical_order(tmp_path: Path) -> None:
    write_labelme_xml_set(tmp_path)
    assert opened(tmp_path, classes=()).labels.names == ("background", "bar", "square")
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nsquare\nbar\nother\n")
    dataset = opened(tmp_path, classes=())
    assert dataset.labels.names == ("_background_", "square", "bar", "other")
    assert np.array_equal(dataset[0].mask, expected_mask())


def test_folders_of_splits_are_splits(tmp_path: Path) -> None:
    for split in ("train", "Validation"):
        write_labelme_json_set(tmp_path / split)
    config = LabelMeConfig(root=tmp_path, classes=("square", "bar"))
    assert splits_of(config) == ("train", "val")
    assert "Validation" in open_split(config, "val").source_of(0)
    assert len(open_split(config, "all")) == 4


def test_circles_and_masks_of_json_are_drawn(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).random((3, 5)) < 0.5
    circle = {"label": "square", "points": [[5.5, 5], [8.5, 5]], "shape_type": "circle"}
    mask = {"label": "bar", "points": [[4, 2], [8, 4]], "shape_type": "mask", "mask": png(bits)}
    expected = on_canvas(fill([[ellipse(5.5, 5, 3, 3)]], SIZE), SIZE).astype(np.uint8)
    expected[2:5, 4:9][bits] = 2
    line = {"label": "bar", "points": [[0, 0], [9, 9]], "shape_type": "line"}
    drawing = json_of(tmp_path, circle, mask, line).drawing(0)
    assert np.array_equal(drawing.mask, expected)
    assert drawing.passed_over == 1


def test_an_embedded_picture_stands_in_for_a_missing_one(tmp_path: Path) -> None:
    write_image(tmp_path / "elsewhere.png", noise(SIZE, 5))
    content = labelme_json("C:\\Users\\me\\a.png")
    content["imageData"] = base64.b64encode((tmp_path / "elsewhere.png").read_bytes()).decode()
    write_json(tmp_path / "set/a.json", content)
    dataset = opened(tmp_path / "set")
    assert np.array_equal(dataset[0].image, noise(SIZE, 5))
    assert len(dataset.fingerprint()) == 16
    write_image(tmp_path / "set/a.png", noise(SIZE, 6))
    assert np.array_equal(dataset[0].image, noise(SIZE, 6))


@pytest.mark.parametrize("named", ["../pictures/a.png", "..\\pictures\\a.png", "/home/me/a.png", "a.png"])
def test_a_picture_is_found_from_the_annotation_or_by_its_name(tmp_path: Path, named: str) -> None:
    write_pictures(tmp_path / "pictures")
    write_json(tmp_path / "labels/a.json", labelme_json(named))
    assert np.array_equal(opened(tmp_path)[0].image, noise(SIZE, 0))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"label": "rod", "points": SQUARE}, "has a shape with the label 'rod'"),
        ({"label": "bar", "points": SQUARE[:2]}, "a polygon of 2 points"),
        ({"label": "bar", "points": SQUARE, "shape_type": "cube"}, "a cube of 4 points"),
        ({"label": "bar", "points": [[1, 2], [3, 4]], "shape_type": "mask"}, "a mask of 'bar' without its pixels"),
        ({"label": "bar", "points": [[1, 2], [3, 4]], "shape_type": "mask", "mask": "AAAA"}, "mask of bar"),
        ({"label": "bar", "points": [[1, 2, 3]]}, "`shapes.0.points.0`"),
        ({"points": SQUARE}, "`shapes.0.label` is missing"),
    ],
)
def test_a_faulty_shape_is_named_in_one_sentence(tmp_path: Path, shape: dict[str, Any], words: str) -> None:
    with pytest.raises(AtrousError) as caught:
        _ = json_of(tmp_path, shape)[0]
    assert words in one_sentence(caught.value)
    assert "a.json" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotations/>", "name the data set's own kind, such as cvat"),
        ("<annotation/>", "names no picture"),
        (labelme_xml("a.png").replace("<x>2.00</x>", "<x>two</x>"), "`x` cannot be read"),
        (labelme_xml("a.png").replace("<nrows>10", "<nrows>ten"), "`nrows` cannot be read"),
        (
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>',
            "no XML that can be read",
        ),
    ],
)
def test_a_faulty_xml_is_named_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    write_pictures(tmp_path)
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(DatasetError) as caught:
        _ = opened(tmp_path)[0]
    assert words in one_sentence(caught.value)
    assert "a.xml" in str(caught.value)


@real
@pytest.mark.skipif(not SKYDIVING.root.is_dir(), reason=f"there is no {SKYDIVING.root}")
def test_the_real_annotations_give_the_masks_that_lie_beside_them() -> None:
    means = []
    for split, count in (("train", 10), ("val", 2)):
        dataset = open_split(SKYDIVING, split)
        assert dataset.labels.names == ("No-label", "person", "airplane", "ground", "sky")
        assert len(dataset) == count
        for index in range(count):
            sample = dataset[index]
            truth = read_mask(SKYDIVING.root / split / "Labels" / f"{sample.name}.png")
            present = [label for label in range(5) if ((sample.mask == label) | (truth == label)).any()]
            both = [((sample.mask == label) & (truth == label)).sum() for label in present]
            either = [((sample.mask == label) | (truth == label)).sum() for label in present]
            means.append(np.mean(np.array(both) / np.array(either)))
    assert len(means) == 12
    assert np.mean(means) > 0.98


def test_the_smaller_shape_shows_whatever_the_order_unless_another_rule_is_chosen(tmp_path: Path) -> None:
    everything = [[0.0, 0.0], [12.0, 0.0], [12.0, 10.0], [0.0, 10.0]]  # as people draw the sky: last, and over all
    objects = labelme_object("square", SQUARE, 0) + labelme_object("bar", everything, 1)
    assert set(np.unique(xml(tmp_path / "order", objects)[0].mask)) == {2}
    config = LabelMeConfig(root=tmp_path / "order", classes=("square", "bar"))
    assert config.overlap == "smaller_on_top"
    assert np.count_nonzero(open_split(config, "all")[0].mask == 1) == 16


def test_files_of_other_formats_that_predict_writes_beside_are_passed_over(tmp_path: Path) -> None:
    dataset = json_of(tmp_path)
    (tmp_path / "annotations.xml").write_text("<annotations/>")
    write_json(tmp_path / "annotations.json", {"images": [], "annotations": []})
    assert len(opened(tmp_path)) == len(dataset)


def test_a_picture_called_annotations_keeps_its_annotation(tmp_path: Path) -> None:
    dataset = json_of(tmp_path)
    write_image(tmp_path / "annotations.png", noise(SIZE, 1))
    write_json(tmp_path / "annotations.json", labelme_json("annotations.png"))
    assert len(opened(tmp_path)) == len(dataset) + 1
