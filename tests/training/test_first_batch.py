from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from atrous.data.loading import Batch
from atrous.images import read_image
from atrous.labels import LabelSpace
from atrous.networks.segmentation import PixelScale
from atrous.training.first_batch import MOST_DRAWN, as_entered, draw_batch
from atrous.training.train import train
from atrous.visualization import HATCH_COLOR, hatch_ignored
from tests.training.runs import small_recipe, write_data

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LABELS = LabelSpace.from_names(["ground", "box", "stripe"])


def random_batch(count: int, size: tuple[int, int] = (24, 32)) -> Batch:
    random = np.random.default_rng(0)
    image = torch.from_numpy(random.integers(0, 256, (count, 3, *size), np.uint8))
    return Batch(image, torch.from_numpy(random.choice(np.array([0, 1, 2, 255], np.uint8), (count, *size))))


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_pictures_that_entered_look_like_those_of_the_batch_to_the_byte(order: Literal["rgb", "bgr"]) -> None:
    image = random_batch(2).image
    assert np.array_equal(as_entered(PixelScale(*IMAGENET, order), image), image.permute(0, 2, 3, 1).numpy())


def test_a_scaling_that_is_wrong_is_seen() -> None:
    pixels = PixelScale(*IMAGENET, "rgb")
    pixels.forward = lambda image: image.flip(1)  # type: ignore[method-assign]
    image = random_batch(2).image
    assert not np.array_equal(as_entered(pixels, image), image.permute(0, 2, 3, 1).numpy())


@pytest.mark.parametrize("bands", [1, 5])
def test_other_numbers_of_bands_are_drawn_as_pictures(bands: int) -> None:
    pixels = PixelScale((0.5,) * bands, (0.25,) * bands, "rgb")
    assert as_entered(pixels, torch.zeros(1, bands, 8, 8, dtype=torch.uint8)).shape == (1, 8, 8, 3)


def test_a_sheet_shows_no_more_than_some_pictures() -> None:
    pixels = PixelScale(*IMAGENET, "rgb")
    many = draw_batch(random_batch(MOST_DRAWN + 5), pixels, LABELS)
    assert np.array_equal(many, draw_batch(random_batch(MOST_DRAWN + 5), pixels, LABELS))
    assert many.shape[0] > draw_batch(random_batch(2), pixels, LABELS).shape[0]


def test_ignored_pixels_are_hatched_and_no_others() -> None:
    image, mask = np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), np.uint8)
    mask[:10] = 255
    hatched = (hatch_ignored(image, mask, LABELS) == HATCH_COLOR).all(axis=-1)
    assert hatched[:10].any()
    assert not hatched[:10].all()
    assert not hatched[10:].any()


def test_a_training_draws_its_first_batch_once(tmp_path: Path) -> None:
    recipe = small_recipe(write_data(tmp_path / "data"), training={"steps": 2})
    folder = train(recipe, tmp_path / "run").folder
    sheet = read_image(folder.first_batch)
    assert sheet.ndim == 3
    folder.first_batch.unlink()
    train(recipe, tmp_path / "run", resume=True)
    assert not folder.first_batch.exists()
