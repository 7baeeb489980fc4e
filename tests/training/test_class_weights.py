import math

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from atrous.data import open_split
from atrous.labels import LabelSpace
from atrous.progress import Silent
from atrous.training.class_weights import NOT_COUNTED, ClassPixels, ClassWeights, count_class_pixels, weights_of_classes
from tests.training.runs import small_recipe, write_data

LABELS = LabelSpace.from_names(["ground", "box", "stripe"])


def test_pixels_are_counted_over_all_masks_and_ignored_ones_left_out(tmp_path: object) -> None:
    split = open_split(small_recipe(write_data(tmp_path / "data")).data, "train")  # type: ignore[operator]
    masks = np.concatenate([split[index].mask.ravel() for index in range(len(split))])
    own, beside = count_class_pixels(split, Silent())
    assert own == [int((masks == k).sum()) for k in range(3)]
    assert (masks == 255).any()
    assert beside == [masks.size] * 3  # every picture shows every class


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    pixels = [70, 20, 10]
    expected = compute_class_weight("balanced", classes=np.arange(3), y=np.repeat(np.arange(3), pixels))
    found = weights_of_classes("balanced", LABELS, ClassPixels(pixels, pixels))
    assert found is not None
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_enet_weights_are_the_formula_of_the_paper_and_stay_between_its_bounds() -> None:
    found = weights_of_classes("enet", LABELS, ClassPixels([75, 25, 0], [100, 100, 0]))
    assert found is not None
    assert found.tolist() == pytest.approx([1 / math.log(1.02 + share) for share in (0.75, 0.25, 0)], rel=1e-5)
    assert 1.4 < float(found.min()) < float(found.max()) < 51


def test_median_frequencies_are_among_the_pictures_that_show_a_class() -> None:
    """By hand: frequencies 0.8, 0.2 and, in the one picture of four that shows it, 0.4; their median is 0.4."""
    found = weights_of_classes("median_frequency", LABELS, ClassPixels([320, 80, 40], [400, 400, 100]))
    assert found is not None
    assert found.tolist() == pytest.approx([0.5, 2.0, 1.0])


@pytest.mark.parametrize("choice", ["balanced", "median_frequency"])
def test_a_class_that_never_occurs_weighs_nothing_if_balanced(choice: ClassWeights) -> None:
    found = weights_of_classes(choice, LABELS, ClassPixels([60, 40, 0], [100, 100, 0]))
    assert found is not None
    assert torch.isfinite(found).all()
    assert found[2] == 0


def test_given_weights_are_taken_by_name_and_the_others_are_one() -> None:
    found = weights_of_classes({"stripe": 5.0}, LABELS, NOT_COUNTED)
    assert found is not None
    assert found.tolist() == [1, 1, 5]
    assert weights_of_classes("none", LABELS, NOT_COUNTED) is None
