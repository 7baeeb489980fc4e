import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrous.data import open_split, splits_of
from atrous.data.sources.deepfashion2 import CATEGORIES, DeepFashion2Config
from atrous.errors import DatasetError
from tests.annotated_data import expected_mask, write_deepfashion2_set, write_json
from tests.tiny_data import one_sentence

FILE = "validation/annos/a.json"


def test_the_classes_are_the_background_and_13_kinds_of_clothes(tmp_path: Path) -> None:
    labels = open_split(write_deepfashion2_set(tmp_path), "validation").labels
    assert labels.names == ("background", *CATEGORIES)
    assert (labels.num_classes, labels.names[13]) == (14, "sling dress")


def test_the_smaller_item_shows_by_default(tmp_path: Path) -> None:
    write_deepfashion2_set(tmp_path)
    assert open_split(DeepFashion2Config(root=tmp_path), "val")[0].mask[4, 5] == 1


def test_items_are_drawn_by_their_numbers(tmp_path: Path) -> None:
    config = write_deepfashion2_set(tmp_path)
    content = json.loads((tmp_path / FILE).read_text())
    write_json(tmp_path / FILE, {"item10": content["item2"], "item9": content["item1"], "items": 5})
    assert np.array_equal(open_split(config, "val")[0].mask, expected_mask())


def test_a_folder_of_pictures_with_annos_alone_is_one_split(tmp_path: Path) -> None:
    write_deepfashion2_set(tmp_path)
    config = DeepFashion2Config(root=tmp_path / "validation")
    assert splits_of(config) == ("all",)
    assert len(open_split(config, "all")) == 2


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (
            {"category_id": 14, "segmentation": []},
            "`category_id` cannot be read: input should be less than or equal to 13",
        ),
        ({"category_id": 0, "segmentation": []}, "`category_id` cannot be read"),
        ({"category_id": 3, "segmentation": [[1.0, 2.0, 3.0]]}, "an odd number of coordinates"),
        ({"category_id": 3}, "`segmentation` is missing"),
        (5, "a table of fields was expected"),
    ],
)
def test_a_faulty_item_is_named_in_one_sentence(tmp_path: Path, item: Any, words: str) -> None:
    config = write_deepfashion2_set(tmp_path)
    write_json(tmp_path / FILE, {"item1": item})
    with pytest.raises(DatasetError) as caught:
        _ = open_split(config, "val")[0]
    assert words in one_sentence(caught.value)
    assert "annos/a.json" in str(caught.value)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    config = write_deepfashion2_set(tmp_path)
    write_json(tmp_path / FILE, [1, 2])
    with pytest.raises(DatasetError, match="a table with `item1` was expected"):
        _ = open_split(config, "val")[0]
