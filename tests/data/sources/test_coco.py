from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrous.data import open_split, splits_of
from atrous.data.annotations import AnnotatedImages
from atrous.data.run_lengths import encode_runs, pack_runs
from atrous.data.sources.coco import CocoConfig
from atrous.errors import DatasetError
from atrous.images import write_image
from tests.annotated_data import SIZE, SQUARE, coco_content, expected_mask, write_coco_set, write_json, write_pictures
from tests.tiny_data import noise, one_sentence

FLAT_SQUARE = np.ravel(SQUARE).tolist()
BITS = np.random.default_rng(0).random(SIZE) < 0.5
RUNS = encode_runs(BITS, by_columns=True)


def opened(root: Path, *objects: dict[str, Any]) -> AnnotatedImages:
    config = write_coco_set(root)
    write_json(root / "annotations/instances_val2017.json", coco_content(list(objects)))
    dataset = open_split(config, "val")
    assert isinstance(dataset, AnnotatedImages)
    return dataset


def test_classes_are_the_categories_in_the_order_of_their_ids(tmp_path: Path) -> None:
    assert open_split(write_coco_set(tmp_path), "val2017").labels.names == ("background", "square", "bar")


@pytest.mark.parametrize("counts", [RUNS, pack_runs(RUNS)], ids=["numbers", "packed"])
def test_run_lengths_are_read_down_the_columns(tmp_path: Path, counts: object) -> None:
    thing = {"category_id": 5, "segmentation": {"size": list(SIZE), "counts": counts}, "iscrowd": 0}
    assert np.array_equal(opened(tmp_path, thing)[0].mask, 2 * BITS)


def test_a_crowd_is_ignored_where_no_object_stands(tmp_path: Path) -> None:
    crowd = {"category_id": 5, "segmentation": {"size": list(SIZE), "counts": RUNS}, "iscrowd": 1}
    mask = opened(tmp_path, {"category_id": 2, "segmentation": [FLAT_SQUARE]}, crowd)[0].mask
    expected = np.where(BITS, 255, 0)
    expected[expected_mask() == 2] = np.where(BITS, 255, 0)[expected_mask() == 2]
    expected[1:5, 2:6] = 1
    assert np.array_equal(mask, expected)


def test_several_polygons_are_one_object_and_boxes_are_passed_over(tmp_path: Path) -> None:
    far = [9.0, 7.0, 11.0, 7.0, 11.0, 9.0, 9.0, 9.0]
    box = {"category_id": 5, "bbox": [0, 0, 5, 5], "segmentation": []}
    drawing = opened(tmp_path, {"category_id": 2, "segmentation": [FLAT_SQUARE, far]}, box).drawing(0)
    assert (drawing.mask == 1).sum() == 16 + 4
    assert drawing.passed_over == 1


def test_objects_belong_to_the_picture_of_their_number(tmp_path: Path) -> None:
    write_coco_set(tmp_path)
    content = coco_content()
    content["annotations"] = [{"id": 1, "image_id": 3, "category_id": 2, "segmentation": [FLAT_SQUARE]}]
    write_json(tmp_path / "annotations/instances_val2017.json", content)
    dataset = open_split(CocoConfig(root=tmp_path), "val")
    assert [bool(dataset[index].mask.any()) for index in range(2)] == [False, True]  # a is 7, b is 3
    assert dataset[1].name == "b"


def test_the_pixels_of_a_polygon_are_nearly_those_of_pycocotools(tmp_path: Path) -> None:
    oracle = pytest.importorskip("pycocotools.mask")
    random = np.random.default_rng(0)
    for place in range(20):
        turn = np.sort(random.uniform(0, 2 * np.pi, 12))
        radius = random.uniform(30, 60, 12)
        ring = np.stack((70 + radius * np.cos(turn), 65 + radius * np.sin(turn)), axis=1).ravel().tolist()
        content = coco_content([{"category_id": 2, "segmentation": [ring]}])
        for image in content["images"]:
            image.update(height=130, width=140)
        root = tmp_path / str(place)
        for seed, name in enumerate("ab"):
            write_image(root / f"val2017/{name}.png", noise((130, 140), seed))
        write_json(root / "annotations/instances_val2017.json", content)
        ours = open_split(CocoConfig(root=root), "val")[0].mask > 0
        theirs = oracle.decode(oracle.merge(oracle.frPyObjects([ring], 130, 140))) > 0
        assert (ours & theirs).sum() / (ours | theirs).sum() > 0.98


def test_layouts_of_other_programs_are_read(tmp_path: Path) -> None:
    write_pictures(tmp_path / "roboflow/valid")
    write_json(tmp_path / "roboflow/valid/_annotations.coco.json", coco_content())
    write_pictures(tmp_path / "studio/images")
    write_json(tmp_path / "studio/result.json", coco_content())
    write_pictures(tmp_path / "cvat/images/Train")
    write_json(tmp_path / "cvat/annotations/instances_Train.json", coco_content())
    for folder, split in (("roboflow", "val"), ("studio", "all"), ("cvat", "train")):
        config = CocoConfig(root=tmp_path / folder, overlap="drawing_order")
        assert splits_of(config) == (split,)
        assert np.array_equal(open_split(config, split)[1].mask, expected_mask())


def test_two_years_of_a_split_are_asked_for(tmp_path: Path) -> None:
    config = write_coco_set(tmp_path)
    write_json(tmp_path / "annotations/instances_val2014.json", coco_content())
    with pytest.raises(DatasetError, match=r"several splits that `val` could be \(val2014, val2017\)"):
        open_split(config, "val")
    assert len(open_split(config, "val2017")) == 2


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        ({"category_id": 9, "segmentation": [FLAT_SQUARE]}, "of the category 9, which `categories` does not list"),
        ({"category_id": 2, "segmentation": [[1.0, 2.0, 3.0]]}, "an odd number of coordinates"),
        ({"category_id": 2, "segmentation": {"size": [10, 12], "counts": [5, 5]}}, "its runs fill 10 pixels"),
        ({"category_id": 2, "segmentation": {"size": [10, 12], "counts": "~~"}}, "`counts` cannot be read"),
        (
            {"category_id": 2, "segmentation": {"size": [12, 10], "counts": [120]}},
            "a mask of 10x12 pixels in a picture",
        ),
        ({"category_id": 2, "segmentation": "RLE"}, "`segmentation` cannot be read"),
        ({"segmentation": [FLAT_SQUARE]}, "`category_id` is missing"),
    ],
)
def test_a_faulty_object_is_named_in_one_sentence(tmp_path: Path, thing: dict[str, Any], words: str) -> None:
    with pytest.raises(DatasetError) as caught:
        _ = opened(tmp_path, thing)[0]
    assert words in one_sentence(caught.value)
    assert "instances_val2017.json (image a.png)" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"images": [{"id": 3, "file_name": "a.png", "height": 10, "width": 12}] * 2},
            "without a number `id` of their own",
        ),
        ({"annotations": [{"id": 1, "image_id": 4}]}, "1 annotation of no image (`image_id` is 4)"),
        ({"annotations": [{"id": 1}, {"id": 2}]}, "2 annotations of no image (`image_id` is no number)"),
        ({"annotations": 5}, "has no list `annotations`"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "two categories of the same id"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]}, "the class name 'a' stands 2 times"),
    ],
)
def test_a_faulty_list_is_named_in_one_sentence(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    config = write_coco_set(tmp_path)
    write_json(tmp_path / "annotations/instances_val2017.json", {**coco_content(), **change})
    with pytest.raises(DatasetError) as caught:
        open_split(config, "val")
    assert words in one_sentence(caught.value)
    assert "instances_val2017.json" in str(caught.value)
