from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrous.data import open_split, splits_of
from atrous.data.annotations import AnnotatedImages
from atrous.data.sources.supervisely import SuperviselyConfig
from atrous.errors import AtrousError
from tests.annotated_data import SIZE, png, supervisely_annotation, write_json, write_pictures, write_supervisely_set
from tests.tiny_data import one_sentence


def opened(root: Path, *objects: dict[str, Any]) -> AnnotatedImages:
    config = write_supervisely_set(root)
    write_json(root / "ds0/ann/a.png.json", supervisely_annotation(list(objects)))
    dataset = open_split(config, "all")
    assert isinstance(dataset, AnnotatedImages)
    return dataset


def polygon(exterior: list[list[int]], *holes: list[list[int]], label: str = "bar") -> dict[str, Any]:
    return {"classTitle": label, "geometryType": "polygon", "points": {"exterior": exterior, "interior": list(holes)}}


def square(first: int, last: int) -> list[list[int]]:
    return [[first, first], [last, first], [last, last], [first, last]]


def test_classes_have_the_order_and_the_colours_of_the_project(tmp_path: Path) -> None:
    dataset = open_split(write_supervisely_set(tmp_path), "ds0")
    assert dataset.labels.names == ("background", "square", "bar")
    assert dataset.labels.colors == ((0, 0, 0), (255, 0, 0), (0, 0, 255))


def test_a_polygon_takes_its_outline_and_a_hole_takes_its_own(tmp_path: Path) -> None:
    expected = np.zeros(SIZE, np.uint8)
    expected[1:9, 1:9] = 2
    expected[3:6, 3:6] = 0
    assert np.array_equal(opened(tmp_path, polygon(square(1, 8), square(3, 5)))[0].mask, expected)


def test_the_parts_of_a_multipolygon_are_one_object(tmp_path: Path) -> None:
    parts = [{"exterior": square(0, 5), "interior": [square(1, 4)]}, {"exterior": square(2, 3), "interior": []}]
    thing = {"classTitle": "bar", "geometryType": "multipolygon", "parts": parts}
    expected = np.zeros(SIZE, np.uint8)
    expected[:6, :6] = 2
    expected[1:5, 1:5] = 0
    expected[2:4, 2:4] = 2
    assert np.array_equal(opened(tmp_path, thing)[0].mask, expected)


def test_a_bitmap_lies_at_its_origin(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).random((4, 5)) < 0.5
    thing = {
        "classTitle": "bar",
        "geometryType": "bitmap",
        "bitmap": {"data": png(bits, packed=True), "origin": [9, 7]},
    }
    mask = opened(tmp_path, thing)[0].mask
    assert np.array_equal(mask[7:, 9:], 2 * bits[:3, :3])
    assert not mask[:7].any()


def test_the_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    # The string that developer.supervisely.com gives for [[1, 1, 1], [1, 0, 0], [1, 1, 1]].
    data = (
        "eJzrDPBz5+WS4mJgYOD19HAJAtLMIMwIInOeqf8BUmwBPiGuQPr///9Lb86/C2QxlgT5BTM4PLuRBuTwebo4hlTMSa44cOHAB6DqY0yORgq8YkAZBk"
        "9XP5d1TglNANAFGzA="
    )
    thing = {"classTitle": "bar", "geometryType": "bitmap", "bitmap": {"data": data, "origin": [0, 0]}}
    assert (opened(tmp_path, thing)[0].mask[:3, :3] // 2).tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 1]]


def test_what_has_no_area_is_passed_over_and_counted(tmp_path: Path) -> None:
    line = {"classTitle": "lane", "geometryType": "line", "points": {"exterior": [[0, 0], [9, 9]], "interior": []}}
    drawing = opened(tmp_path, line, {"classTitle": "x", "geometryType": "graph", "nodes": {}}).drawing(0)
    assert drawing.passed_over == 2
    assert not drawing.mask.any()


def test_the_data_sets_of_a_project_are_its_splits(tmp_path: Path) -> None:
    config = write_supervisely_set(tmp_path)
    (tmp_path / "ds0").rename(tmp_path / "valid")
    write_pictures(tmp_path / "train/img")
    write_json(tmp_path / "train/ann/a.json", supervisely_annotation())  # an old name, without the picture's suffix
    assert splits_of(config) == ("train", "val")
    assert open_split(config, "train")[0].name == "a"
    assert len(open_split(config, "all")) == 3


def test_a_project_is_found_in_the_folder_around_it(tmp_path: Path) -> None:
    write_supervisely_set(tmp_path / "download/project")
    assert len(open_split(SuperviselyConfig(root=tmp_path), "ds0")) == 2


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (polygon(square(1, 3), label="rod"), "has a shape with the label 'rod'"),
        ({"classTitle": "bar", "geometryType": "polygon"}, "a polygon of 'bar' without corners"),
        ({"classTitle": "bar", "geometryType": "bitmap"}, "a bitmap of 'bar' without its pixels"),
        ({"classTitle": "bar", "geometryType": "rectangle"}, "a rectangle of 'bar' without two corners"),
        ({"classTitle": "bar", "geometryType": "bitmap", "bitmap": {"data": "AAAA", "origin": [0, 0]}}, "are damaged"),
        ({"classTitle": "bar", "geometryType": "bitmap", "bitmap": {"data": "eJw=", "origin": [0, 0]}}, "cut off"),
        ({"classTitle": "bar", "geometryType": "bitmap", "bitmap": {"data": "!", "origin": [0]}}, "bitmap.origin"),
        ({"geometryType": "point"}, "`objects.0.classTitle` is missing"),
    ],
)
def test_a_faulty_object_is_named_in_one_sentence(tmp_path: Path, thing: dict[str, Any], words: str) -> None:
    with pytest.raises(AtrousError) as caught:
        _ = opened(tmp_path, thing)[0]
    assert words in one_sentence(caught.value)
    assert "a.png.json" in str(caught.value)
