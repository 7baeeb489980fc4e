import csv
import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from atrous.data.folder import FolderConfig, folder, write_folder
from atrous.data.samples import Sample
from atrous.data.seeded_split import stated
from atrous.data.sources.camvid import CamVidConfig, camvid
from atrous.data.sources.camvid_colours import CAMVID_LABELS
from atrous.data.splits import divide, groups_by_pattern, groups_by_table, parse_fractions, write_division
from atrous.data.stratification import stratify
from atrous.errors import ConfigError, DatasetError, OutputError
from atrous.images import read_image, write_image, write_mask
from tests.tiny_data import LABELS, InMemory, noise, one_sentence

FRACTIONS = [0.7, 0.2, 0.1]


def rare_classes(count: int, seed: int) -> np.ndarray:
    """Ten classes: the first in every picture, the last in few."""
    rarity = np.geomspace(1, 0.04, 10)
    return np.random.default_rng(seed).random((count, 10)) < rarity


def shares(shows: np.ndarray, split: np.ndarray, count: int) -> np.ndarray:
    counts = np.stack([shows[split == place].sum(axis=0) for place in range(count)])
    return np.asarray(counts / shows.sum(axis=0))


@pytest.mark.parametrize("seed", range(5))
def test_every_class_has_about_its_share_in_every_split(seed: int) -> None:
    shows = rare_classes(500, seed)
    split = stratify(shows, np.arange(500), FRACTIONS, seed)
    assert np.abs(shares(shows, split, 3) - np.array(FRACTIONS)[:, None]).max() < 0.05
    assert np.abs(np.bincount(split) / 500 - FRACTIONS).max() < 0.02


def test_a_division_by_class_is_far_nearer_than_one_by_chance() -> None:
    shows = rare_classes(300, 0)
    wanted = np.array(FRACTIONS)[:, None]
    ours = np.abs(shares(shows, stratify(shows, np.arange(300), FRACTIONS, 0), 3) - wanted).mean()
    random = np.random.default_rng(0)
    chances = [np.abs(shares(shows, random.choice(3, 300, p=FRACTIONS), 3) - wanted).mean() for _ in range(20)]
    assert ours < 0.5 * min(chances)


@pytest.mark.parametrize("seed", range(5))
def test_no_group_stands_in_two_splits_and_shares_stay_near(seed: int) -> None:
    shows = rare_classes(600, seed)
    groups = np.sort(np.random.default_rng(seed).integers(0, 60, 600))
    split = stratify(shows, groups, FRACTIONS, seed)
    assert all(len(set(split[groups == group])) == 1 for group in set(groups.tolist()))
    assert np.abs(shares(shows, split, 3) - np.array(FRACTIONS)[:, None]).max() < 0.12


def test_few_groups_are_divided_nearly_as_well_as_all_divisions_allow() -> None:
    shows = rare_classes(90, 3)
    shows[:, 0] = True
    groups = np.repeat(np.arange(9), [20, 18, 14, 10, 9, 8, 5, 4, 2])

    def error(split: np.ndarray) -> float:
        given = shares(shows, split, 2) - np.array([[0.75], [0.25]])
        return float(np.square(given).sum())

    best = min(error(np.array(each)[groups]) for each in itertools.product((0, 1), repeat=9) if len(set(each)) == 2)
    assert error(stratify(shows, groups, [0.75, 0.25], 0)) < 2 * best + 0.01


def test_the_same_seed_divides_the_same_way_and_another_one_differently() -> None:
    shows = rare_classes(200, 0)
    first, again, other = (stratify(shows, np.arange(200), FRACTIONS, seed) for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def frames(videos: int, count: int) -> InMemory:
    """Videos of frames, each video with one class of its own beside the ground."""
    samples = []
    for video, frame in itertools.product(range(videos), range(count)):
        mask = np.zeros((6, 8), np.uint8)
        mask[:3] = 1 + video % 2
        samples.append(Sample(noise((6, 8), 100 * video + frame), mask, f"clip{video:02}_{frame:03}"))
    return InMemory(samples)


def test_frames_of_one_video_stay_together_and_the_folder_can_be_used(tmp_path: Path) -> None:
    source = frames(10, 4)
    division = divide([source], parse_fractions("train=0.6,val=0.4"), group_of=groups_by_pattern(r"(clip\d+)_"))
    write_division(tmp_path, division, [source])
    seen = defaultdict(set)
    for name in ("train", "val"):
        split = folder(FolderConfig(root=tmp_path), name)
        for index in range(len(split)):
            sample = split[index]
            seen[sample.name[:6]].add(name)
            original = next(each for each in source.samples if each.name == sample.name)
            assert np.array_equal(sample.image, original.image)
            assert np.array_equal(sample.mask, original.mask)
        assert split.labels == LABELS
    assert len(seen) == 10
    assert all(len(names) == 1 for names in seen.values())
    assert sorted(names for names in map(min, seen.values())).count("train") == 6


def test_a_divided_data_set_is_named_by_its_new_splits_and_no_longer_by_a_drawn_one(tmp_path: Path) -> None:
    source = frames(5, 2)
    source.title = stated("Garments", seed=0)
    write_division(tmp_path, divide([source], parse_fractions("train=0.6,val=0.4")), [source])
    assert folder(FolderConfig(root=tmp_path), "val").title == "Garments (divided anew: 6 train, 4 val)"


def test_groups_may_stand_in_a_table(tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text(
        "".join(f"clip{video:02}_{frame:03},patient {video // 2}\n" for video in range(6) for frame in range(2))
    )
    division = divide([frames(6, 2)], parse_fractions("a=0.5,b=0.5"), group_of=groups_by_table(table))
    assert len(set(division.groups)) == 3
    for group in set(division.groups):
        places = [place for place, name in enumerate(division.groups) if name == group]
        assert len(set(division.split_of[places].tolist())) == 1


def test_files_are_linked_and_not_stored_again(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", [InMemory(frames(2, 3).samples, split=name) for name in ("train", "val")])
    sources = [folder(FolderConfig(root=tmp_path / "data"), name) for name in ("train", "val")]
    division = divide(sources, {"one": 0.5, "two": 0.5}, seed=1)
    write_division(tmp_path / "linked", division, sources)
    write_division(tmp_path / "copied", division, sources, copy=True)
    rows = list(csv.DictReader((tmp_path / "linked/split.csv").open()))
    assert len(rows) == 12
    for row in rows:
        linked, copied = (
            tmp_path / place / "masks" / row["split"] / f"{row['name']}.png" for place in ("linked", "copied")
        )
        assert linked.samefile(row["mask"])
        assert not copied.samefile(row["mask"])
        assert copied.read_bytes() == linked.read_bytes()
        assert row["name"].startswith(row["from"])  # both splits have pictures of the same names


def test_masks_whose_values_mean_something_else_are_written_anew(tmp_path: Path) -> None:
    for index in range(4):
        write_image(tmp_path / f"camvid/train/{index}.jpg", noise((4, 4), index))
        write_mask(tmp_path / f"camvid/trainannot/{index}.png", np.full((4, 4), 11 - index, np.uint8), CAMVID_LABELS)
    source = camvid(CamVidConfig(root=tmp_path / "camvid"), "train")
    write_division(tmp_path / "new", divide([source], {"train": 0.5, "val": 0.5}), [source])
    new = [folder(FolderConfig(root=tmp_path / "new"), name) for name in ("train", "val")]
    values = {sample.name: int(sample.mask[0, 0]) for split in new for sample in (split[0], split[1])}
    assert values == {"0": 255, "1": 10, "2": 9, "3": 8}
    picture = next((tmp_path / "new/images").rglob("2.jpg"))
    assert np.array_equal(read_image(picture), source[2].image)


def test_dividing_changes_nothing_in_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        write_division(tmp_path, divide([frames(2, 2)], {"a": 0.5, "b": 0.5}), [frames(2, 2)])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train=0.8,val=0.1", "add up to 0.9"),
        ("train", "`train` is no split"),
        ("train=x,val=0.2", "`train=x` is no split"),
        ("train=0,val=1", "`train=0` is no split"),
        ("train=nan,val=1", "`train=nan` is no split"),
        ("train=0.5,train=0.5", "`train=0.5` is no split"),
        ("../x=1", "`../x=1` is no split"),
        ("", "`` is no split"),
    ],
)
def test_fractions_that_mean_nothing_are_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_fractions(text)
    assert words in one_sentence(caught.value)


def test_groups_that_cannot_be_found_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        groups_by_pattern("(")
    assert "no regular expression" in one_sentence(caught.value)
    with pytest.raises(ConfigError) as caught:
        divide([frames(2, 2)], {"a": 0.5, "b": 0.5}, group_of=groups_by_pattern("film(.)"))
    assert "clip00_000 does not match" in one_sentence(caught.value)
    (tmp_path / "groups.csv").write_text("clip00_000,1\nclip00_001\n")
    with pytest.raises(ConfigError) as caught:
        groups_by_table(tmp_path / "groups.csv")
    assert "row 2 has 1 columns" in one_sentence(caught.value)
    (tmp_path / "groups.csv").write_text("clip00_000,1\n")
    with pytest.raises(ConfigError) as caught:
        divide([frames(2, 2)], {"a": 0.5, "b": 0.5}, group_of=groups_by_table(tmp_path / "groups.csv"))
    assert "no row for the picture clip00_001" in one_sentence(caught.value)


def test_fewer_groups_than_splits_are_one_sentence() -> None:
    with pytest.raises(DatasetError) as caught:
        divide([frames(1, 5)], {"a": 0.5, "b": 0.5}, group_of=groups_by_pattern("clip.."))
    assert "1 groups cannot be divided into 2 splits" in one_sentence(caught.value)
