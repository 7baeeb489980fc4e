import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrous.data import open_split
from atrous.data.sources.coco_panoptic import CocoPanopticConfig
from atrous.errors import AtrousError
from atrous.images import write_image
from tests.annotated_data import SIZE, expected_mask, write_json, write_panoptic_set
from tests.tiny_data import noise, one_sentence

LIST = "annotations/panoptic_val2017.json"


def changed(root: Path, **segment: Any) -> None:
    """Change the first segment of every picture."""
    content = json.loads((root / LIST).read_text())
    for entry in content["annotations"]:
        entry["segments_info"][0].update(segment)
    write_json(root / LIST, content)


def test_what_is_unlabelled_is_ignored_by_default(tmp_path: Path) -> None:
    write_panoptic_set(tmp_path)
    dataset = open_split(CocoPanopticConfig(root=tmp_path), "val")
    assert dataset.labels.names == ("square", "bar")
    assert np.array_equal(dataset[0].mask, np.array([255, 0, 1])[expected_mask()])
    assert dataset.source_of(0).endswith("annotations/panoptic_val2017/a.png")


def test_a_crowd_is_ignored(tmp_path: Path) -> None:
    config = write_panoptic_set(tmp_path)
    changed(tmp_path, iscrowd=1)
    assert np.array_equal(open_split(config, "val")[0].mask, expected_mask(square=255))


def test_the_ignore_value_fits_many_categories(tmp_path: Path) -> None:
    write_panoptic_set(tmp_path)
    content = json.loads((tmp_path / LIST).read_text())
    content["categories"] += [{"id": 1000 + place, "name": f"class {place}"} for place in range(300)]
    write_json(tmp_path / LIST, content)
    changed(tmp_path, category_id=1299)
    mask = open_split(CocoPanopticConfig(root=tmp_path), "val")[0].mask
    assert mask.dtype == np.uint16
    assert sorted(np.unique(mask)) == [1, 301, 65535]


@pytest.mark.parametrize(
    ("segment", "words"),
    [
        ({"category_id": 77}, "a segment of the category 77, which is not in `categories`"),
        ({"id": 5}, "has the segment 197121 at x 2, y 1"),
        ({"id": "x"}, "`segments_info.0.id` cannot be read"),
    ],
)
def test_a_faulty_segment_is_named_in_one_sentence(tmp_path: Path, segment: dict[str, Any], words: str) -> None:
    config = write_panoptic_set(tmp_path)
    changed(tmp_path, **segment)
    with pytest.raises(AtrousError) as caught:
        _ = open_split(config, "val")[0]
    assert words in one_sentence(caught.value)
    assert "panoptic_val2017" in str(caught.value)


def test_pictures_and_annotations_must_pair(tmp_path: Path) -> None:
    config = write_panoptic_set(tmp_path)
    content = json.loads((tmp_path / LIST).read_text())
    content["annotations"].pop()
    write_json(tmp_path / LIST, content)
    with pytest.raises(AtrousError) as caught:
        open_split(config, "val")
    assert "2 images and 1 annotations that are not one of each" in one_sentence(caught.value)


def test_segments_of_another_size_or_missing_ones_are_named(tmp_path: Path) -> None:
    config = write_panoptic_set(tmp_path)
    write_image(tmp_path / "annotations/panoptic_val2017/a.png", noise((4, 5), 0))
    with pytest.raises(AtrousError, match=r"a\.png is 5x4, but its picture is 12x10"):
        _ = open_split(config, "val")[0]
    (tmp_path / "annotations/panoptic_val2017/a.png").unlink()
    with pytest.raises(AtrousError, match=r"names the picture a\.png, which is not in"):
        _ = open_split(config, "val")[0]
    assert open_split(config, "val")[1].image.shape == (*SIZE, 3)
