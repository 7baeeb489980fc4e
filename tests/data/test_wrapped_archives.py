"""An archive in which one folder holds all else, as most programs pack a folder, is read like that folder."""

from pathlib import Path

import numpy as np
import pytest

from atrous.data import open_split, parse_dataset, splits_of
from atrous.data.check import check, open_to_check
from tests.annotated_data import expected_mask, labelme_json, write_json, write_pictures
from tests.data.sources.layouts import packed
from tests.tiny_data import write_pairs

DESCRIPTION = "{name: it, classes: [{name: ground}, {name: cat}, {name: dog}], splits: [train, val]}"


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("description", [DESCRIPTION, None], ids=["described", "undescribed"])
def test_a_folder_of_pictures_and_masks(description: str | None, kind: str, tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_pairs(tmp_path / "made/my data", split, 2)
    if description:
        (tmp_path / "made/my data/dataset.yaml").write_text(description)
    config = parse_dataset(packed(tmp_path / "made", kind))
    assert splits_of(config) == ("train", "val")
    assert len(open_split(config, "val")) == 2
    assert check(open_to_check(config)).report.pictures == {"train": 2, "val": 2}


def test_splits_of_labelme(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_pictures(tmp_path / f"made/export/{split}")
        for name in ("a", "b"):
            write_json(tmp_path / f"made/export/{split}/{name}.json", labelme_json(f"{name}.png"))
    choices = ["classes=[square,bar]", "overlap=drawing_order"]
    config = parse_dataset(f"labelme:{packed(tmp_path / 'made', 'zip')}", choices)
    assert splits_of(config) == ("train", "val")
    assert np.array_equal(open_split(config, "val")[0].mask, expected_mask())


def test_a_folder_with_the_name_of_a_split_is_one(tmp_path: Path) -> None:
    write_pictures(tmp_path / "made/train")
    write_json(tmp_path / "made/train/a.json", labelme_json("a.png"))
    assert splits_of(parse_dataset(f"labelme:{packed(tmp_path / 'made', 'zip')}")) == ("train",)
