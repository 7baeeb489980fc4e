"""Pictures that turn unreadable in the middle of a training: named, replaced, counted; and the same on resume."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch

from atrous.data.augmentation import AugmentationConfig
from atrous.data.loading import Fault, training_batches
from atrous.data.samples import Sample
from atrous.errors import ImageError, MaskError
from atrous.inference.predictor import load
from atrous.training.logs import read_log
from atrous.training.train import train
from tests.tiny_data import InMemory, noise, random_mask
from tests.training.runs import small_recipe, write_data
from tests.training.test_resume import SignalAfter, assert_same_run

STILL = AugmentationConfig(crop=(8, 12), scale=(1, 1), flip=False)
KEPT_OUT = {"cache_gigabytes": 0, "batch_size": 1, "steps": 12, "validate_every": 12}


class WithHoles(InMemory):
    """Some samples cannot be read."""

    holes: frozenset[int] = frozenset({2, 5})

    def __getitem__(self, index: int) -> Sample:
        if index in self.holes:
            raise ImageError(f"{index}.png cannot be read.")
        return super().__getitem__(index)


def with_holes(count: int = 8) -> WithHoles:
    return WithHoles([Sample(noise((8, 12), n), random_mask((8, 12), n), str(n)) for n in range(count)])


def batches(
    dataset: WithHoles, count: int, *, first: int = 0, workers: int = 0
) -> tuple[list[torch.Tensor], list[int]]:
    faults: list[Fault] = []
    loader = training_batches(dataset, STILL, batch_size=3, seed=4, first_batch=first, workers=workers, skipped=faults)
    taken = [next(loader).image for _ in range(count)]
    loader.close()
    return taken, [fault.sample for fault in faults]


def test_what_takes_the_place_of_a_broken_picture_depends_neither_on_workers_nor_on_a_resume() -> None:
    dataset = with_holes()
    taken, faults = batches(dataset, 8)
    assert set(faults) == {2, 5}
    by_two, faults_of_two = batches(dataset, 8, workers=2)
    assert faults_of_two[: len(faults)] == faults
    resumed, _ = batches(dataset, 5, first=3)
    for ours, theirs in (*zip(by_two, taken, strict=True), *zip(resumed, taken[3:], strict=True)):
        assert torch.equal(ours, theirs)
    assert not multiprocessing.active_children()


def test_every_place_is_taken_by_a_whole_sample_and_all_others_stay() -> None:
    dataset = with_holes()
    known = [sample.image for sample in dataset.samples]
    whole = InMemory(dataset.samples)
    before = next(training_batches(whole, STILL, batch_size=24, seed=4)).image
    after = torch.cat(batches(dataset, 8)[0])
    for old, new in zip(before.permute(0, 2, 3, 1).numpy(), after.permute(0, 2, 3, 1).numpy(), strict=True):
        number = next(n for n, image in enumerate(known) if np.array_equal(image, old))
        shown = next(n for n, image in enumerate(known) if np.array_equal(image, new))
        assert shown not in dataset.holes
        assert shown == number or number in dataset.holes


def test_where_everything_is_broken_the_error_comes_soon() -> None:
    dataset = with_holes()
    dataset.holes = frozenset(range(8))
    with pytest.raises(ImageError, match=r"\d\.png cannot be read"):
        batches(dataset, 1)


def broken(data: Path, *names: str, kind: str = "images") -> None:
    for name in names:
        path = data / kind / "train" / f"{name}.png"
        path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_broken_picture_is_named_once_and_the_run_ends_the_same_however_often_it_is_resumed(
    workers: int, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data")
    recipe = small_recipe(data, training={**KEPT_OUT, "workers": workers, "validate_every": 5})
    broken(data, "p1")
    whole = train(recipe, tmp_path / "whole")
    assert whole.finished
    for number, step in enumerate((3, 7, 9)):
        train(recipe, tmp_path / "parts", resume=number > 0, progress=SignalAfter(step))
    assert train(recipe, tmp_path / "parts", resume=True).finished
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    assert whole.state.skipped == [1]
    named = [row for row in read_log(whole.folder.jsonl) if "p1.png" in row.get("warning", "")]
    assert len(named) == 1
    assert "1 of at most 10, training.skip_pictures" in named[0]["warning"]


def test_one_picture_too_many_saves_the_run_which_goes_on_once_it_is_mended(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    mask = data / "masks" / "train" / "p3.png"
    whole = mask.read_bytes()
    recipe = small_recipe(data, training={**KEPT_OUT, "skip_pictures": 1})
    broken(data, "p1")
    broken(data, "p3", kind="masks")
    with pytest.raises((ImageError, MaskError), match=r"p[13]\.png.* one more than the 1 that training\.skip_pictures"):
        train(recipe, tmp_path / "run")
    assert load(tmp_path / "run" / "last.safetensors")
    mask.write_bytes(whole)
    assert train(recipe, tmp_path / "run", resume=True).finished


def test_a_resumed_run_bears_in_its_first_check_what_it_skips_later(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    recipe = small_recipe(data, training={**KEPT_OUT, "check_first": True})
    train(recipe, tmp_path / "run", progress=SignalAfter(2))
    broken(data, "p1")
    result = train(recipe, tmp_path / "run", resume=True)
    assert (result.finished, result.state.skipped) == (True, [1])
    with pytest.raises(ImageError, match=r"p1\.png"):
        train(recipe, tmp_path / "anew")


def test_a_validation_whose_picture_is_broken_is_left_out_but_the_last_one_is_an_error(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    recipe = small_recipe(data, training={"steps": 4, "validate_every": 2})
    picture = data / "images" / "val" / "p1.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:-200])
    with pytest.raises(ImageError, match=r"p1\.png"):
        train(recipe, tmp_path / "run")
    rows = read_log(tmp_path / "run" / "log.jsonl")
    assert [row["step"] for row in rows if "validation of step 2 is left out" in row.get("warning", "")] == [2]
    picture.write_bytes(whole)
    result = train(recipe, tmp_path / "run", resume=True)
    assert (result.finished, result.state.best_step) == (True, 4)
