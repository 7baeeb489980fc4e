from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.config import parse
from atrous.data.augmentation import LUMA, PADDING_COLOR, AugmentationConfig, View, augment, draw_view, jitter_color
from atrous.data.samples import Sample
from atrous.errors import ConfigError
from atrous.labels import LabelSpace, Mask
from tests.tiny_data import LABELS, noise, one_sentence, painted, random_mask

IGNORE = LABELS.ignore_index
MANY = LabelSpace.from_names([f"class {index}" for index in range(300)])


def sample_of(size: tuple[int, int], seed: int = 0) -> Sample:
    return Sample(noise(size, seed), random_mask(size, seed), "a")


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def places_of(view: View, size: tuple[int, int]) -> NDArray[np.float64]:
    """For each pixel of the crop its place (row, column) in the picture; no number where it shows padding."""
    places = np.full((*size, 2), np.nan)
    for axis, span in enumerate(view):
        window, shown = (part.stop - part.start for part in span[:2])
        for index in range(shown):
            place = span.source.start + (index + 0.5) * window / shown - 0.5
            at = span.target.start + index
            at = size[axis] - 1 - at if span.mirrored else at
            places.take(at, axis=axis)  # raises where it lies outside of the crop
            places[(slice(None),) * axis + (at,)][..., axis] = place
    places[np.isnan(places).any(axis=-1)] = np.nan
    return places


def view_by_hand(image: NDArray[np.uint8], view: View, size: tuple[int, int]) -> NDArray[np.float64]:
    """The four pixels around each place, those of the window alone; padding where there is none."""
    result = np.tile(np.array(PADDING_COLOR, float), (*size, 1))
    rows, columns = view.rows.source, view.columns.source
    places = places_of(view, size)
    for y, x in np.ndindex(size):
        if np.isnan(places[y, x]).any():
            continue
        v, u = places[y, x]
        top, left = int(np.floor(v)), int(np.floor(u))
        result[y, x] = 0
        for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
            weight = (1 - abs(u - column)) * (1 - abs(v - row))
            inside = min(max(row, rows.start), rows.stop - 1), min(max(column, columns.start), columns.stop - 1)
            result[y, x] += weight * image[inside]
    return result


@pytest.mark.parametrize("seed", range(8))
def test_the_picture_is_seen_as_by_hand(seed: int) -> None:
    sample, config = sample_of((15, 21), seed), AugmentationConfig(crop=(16, 18), flip_vertical=True)
    image = augment(sample, config, LABELS, generator(seed)).image
    view = draw_view((15, 21), config, generator(seed))
    assert np.abs(image - view_by_hand(sample.image, view, (16, 18))).max() <= 2  # OpenCV's weights have 11 bits


@pytest.mark.parametrize("seed", range(8))
def test_the_mask_is_seen_as_by_hand(seed: int) -> None:
    sample, config = sample_of((15, 21), seed), AugmentationConfig(crop=(16, 18), flip_vertical=True)
    mask = augment(sample, config, LABELS, generator(seed)).mask
    places = places_of(draw_view((15, 21), config, generator(seed)), (16, 18))
    for y, x in np.ndindex(mask.shape):
        if np.isnan(places[y, x]).any():
            assert mask[y, x] == IGNORE
        elif min(abs(places[y, x] % 1 - 0.5)) > 0.02:  # else as near to one pixel as to the next
            row, column = places[y, x].round().astype(int)
            assert mask[y, x] == sample.mask[row, column]


@pytest.mark.parametrize("seed", range(6))
def test_at_scale_1_the_crop_is_a_window_of_the_picture_bit_for_bit(seed: int) -> None:
    sample, config = sample_of((20, 24)), AugmentationConfig(crop=(9, 7), scale=(1, 1), flip=False)
    crop = augment(sample, config, LABELS, generator(seed))
    windows = [(y, x) for y in range(12) for x in range(18)]
    found = [(y, x) for y, x in windows if np.array_equal(sample.image[y : y + 9, x : x + 7], crop.image)]
    assert len(found) == 1
    y, x = found[0]
    assert np.array_equal(sample.mask[y : y + 9, x : x + 7], crop.mask)


def test_a_crop_of_the_pictures_own_size_is_the_picture() -> None:
    sample, config = sample_of((11, 13)), AugmentationConfig(crop=(11, 13), scale=(1, 1), flip=False)
    crop = augment(sample, config, LABELS, generator(0))
    assert np.array_equal(crop.image, sample.image)
    assert np.array_equal(crop.mask, sample.mask)
    assert crop.name == sample.name


def test_flip_mirrors_picture_and_mask_alike_in_half_of_the_cases() -> None:
    sample, config = sample_of((11, 13)), AugmentationConfig(crop=(11, 13), scale=(1, 1))
    flips = 0
    for seed in range(200):
        crop = augment(sample, config, LABELS, generator(seed))
        flipped = np.array_equal(crop.mask, sample.mask[:, ::-1])
        flips += flipped
        step = -1 if flipped else 1
        assert np.array_equal(crop.image, sample.image[:, ::step])
        assert np.array_equal(crop.mask, sample.mask[:, ::step])
    assert 75 < flips < 125


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_mask_holds_only_its_old_values_and_the_ignore_value(dtype: type[np.uint8 | np.uint16]) -> None:
    mask: Mask = np.where(random_mask((20, 20), 0) == 0, 7, 200).astype(dtype)
    labels = LabelSpace.from_names([str(index) for index in range(210)])
    config = AugmentationConfig(crop=(24, 24))
    for seed in range(30):
        crop = augment(Sample(noise((20, 20), 0), mask, "a"), config, labels, generator(seed))
        assert set(np.unique(crop.mask)) <= {7, 200, 255}
        assert crop.mask.dtype == dtype


def test_padding_of_an_8_bit_mask_is_no_class_when_there_are_more_than_255() -> None:
    sample = Sample(noise((4, 4), 0), np.full((4, 4), 7, np.uint8), "a")
    crop = augment(sample, AugmentationConfig(crop=(8, 8), scale=(1, 1)), MANY, generator(0))
    assert set(np.unique(crop.mask)) == {7, 65535}


def test_a_smaller_picture_lies_anywhere_in_the_crop_and_the_rest_is_padding() -> None:
    sample, config = sample_of((3, 4)), AugmentationConfig(crop=(5, 7), scale=(1, 1), flip=False)
    sample.mask[sample.mask == IGNORE] = 0
    places = set()
    for seed in range(150):
        crop = augment(sample, config, LABELS, generator(seed))
        inside = crop.mask != IGNORE
        y, x = np.argwhere(inside)[0]
        assert np.array_equal(crop.image[y : y + 3, x : x + 4], sample.image)
        assert np.array_equal(crop.mask[y : y + 3, x : x + 4], sample.mask)
        assert inside.sum() == sample.mask.size
        assert (crop.image[~inside] == PADDING_COLOR).all()
        places.add((y, x))
    assert places == {(y, x) for y in range(3) for x in range(4)}


def test_every_place_of_the_crop_is_as_likely_as_the_others() -> None:
    config = AugmentationConfig(crop=(4, 4), scale=(1, 1), flip=False)
    random = generator(0)
    lefts = [draw_view((4, 7), config, random).columns.source.start for _ in range(2000)]
    assert np.bincount(lefts, minlength=4) / 2000 == pytest.approx([0.25] * 4, abs=0.04)


def test_the_scale_is_even_on_a_logarithmic_axis() -> None:
    config, random = AugmentationConfig(crop=(400, 400), scale=(0.5, 2)), generator(0)
    rows = [draw_view((900, 900), config, random).rows for _ in range(2000)]
    scales = [400 / (row.source.stop - row.source.start) for row in rows]
    assert 0.5 <= min(scales) < 0.51
    assert 1.98 < max(scales) <= 2
    assert np.quantile(scales, [0.25, 0.5, 0.75]) == pytest.approx([2**-0.5, 1, 2**0.5], rel=0.06)


@pytest.mark.parametrize("seed", range(8))
def test_picture_and_mask_stay_aligned(seed: int) -> None:
    blocks = np.kron(random_mask((6, 6), seed), np.ones((10, 10), np.uint8))
    crop = augment(painted(blocks, "a"), AugmentationConfig(crop=(48, 40)), LABELS, generator(seed))
    shown = LABELS.color_table[crop.mask].astype(int)
    framed, kernel = np.pad(crop.mask, 1, constant_values=IGNORE), np.ones((5, 5), np.uint8)
    certain = (cv2.dilate(framed, kernel) == cv2.erode(framed, kernel))[1:-1, 1:-1] & (crop.mask != IGNORE)
    assert certain.sum() > 50
    assert np.abs(shown - crop.image)[certain].max() <= 1


def jittered_by_hand(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.float64]:
    brightness, contrast, saturation = (1 + random.uniform(-0.5, 0.5) for _ in range(3))
    pixels = image.astype(float)
    grey = (pixels @ LUMA)[..., None]
    pixels = grey + saturation * (pixels - grey)
    mean = (pixels @ LUMA).mean()
    pixels = mean + contrast * (pixels - mean)
    return np.asarray(np.clip(brightness * pixels, 0, 255), float)


@pytest.mark.parametrize("seed", range(5))
def test_jitter_is_saturation_contrast_and_brightness_one_after_the_other(seed: int) -> None:
    image = noise((10, 12), seed)
    config = AugmentationConfig(crop=(1, 1), brightness=0.5, contrast=0.5, saturation=0.5)
    expected = jittered_by_hand(image, generator(seed))
    assert np.abs(jitter_color(image, config, generator(seed)) - expected).max() <= 0.75  # 0.5 by rounding


def test_grey_pictures_have_no_saturation_to_change() -> None:
    grey = np.repeat(noise((6, 6), 0)[..., :1], 3, axis=2)
    config = AugmentationConfig(crop=(1, 1), saturation=1)
    assert np.abs(jitter_color(grey, config, generator(3)).astype(int) - grey).max() <= 1


def test_without_jitter_and_blur_no_colour_changes() -> None:
    image = noise((6, 6), 0)
    assert jitter_color(image, AugmentationConfig(crop=(1, 1)), generator(0)) is image


def test_blur_keeps_the_mean_and_the_mask_and_takes_the_contrast() -> None:
    sample = sample_of((32, 32))
    choices: dict[str, Any] = {"crop": (32, 32), "scale": (1, 1), "flip": False}
    sharp = augment(sample, AugmentationConfig(**choices), LABELS, generator(0))
    soft = augment(sample, AugmentationConfig(**choices, blur=1), LABELS, generator(0))
    assert np.array_equal(soft.mask, sharp.mask)
    assert soft.image.mean() == pytest.approx(sharp.image.mean(), rel=0.03)
    assert soft.image.std() < 0.8 * sharp.image.std()


def test_blur_happens_as_often_as_it_should() -> None:
    sample = sample_of((8, 8))
    config = AugmentationConfig(crop=(8, 8), scale=(1, 1), flip=False, blur=0.3)
    crops = (augment(sample, config, LABELS, generator(seed)).image for seed in range(300))
    assert 60 < sum(not np.array_equal(crop, sample.image) for crop in crops) < 120


def test_the_same_chance_gives_the_same_view_and_the_sample_stays_as_it_was() -> None:
    sample = sample_of((20, 20))
    before = sample.image.copy(), sample.mask.copy()
    for array in sample[:2]:
        array.flags.writeable = False
    config = AugmentationConfig(crop=(16, 16), brightness=0.4, contrast=0.4, saturation=0.4, blur=0.5)
    first, again = (augment(sample, config, LABELS, generator(5)) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.mask, again.mask)
    assert np.array_equal(sample.image, before[0])
    assert np.array_equal(sample.mask, before[1])


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
def test_pictures_and_crops_may_be_lines_and_points(size: tuple[int, int]) -> None:
    for crop in ((1, 1), (1, 9), (9, 1)):
        view = augment(sample_of(size), AugmentationConfig(crop=crop, blur=1), LABELS, generator(0))
        assert view.image.shape == (*crop, 3)
        assert view.mask.shape == crop


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({}, "`crop`: this key is missing"),
        ({"crop": [0, 4]}, "greater than or equal to 1"),
        ({"crop": [4, 4], "scale": [2, 0.5]}, "`scale` runs from 2.0 down to 0.5"),
        ({"crop": [4, 4], "scale": [0, 1]}, "greater than 0"),
        ({"crop": [4, 4], "scale": [1, float("nan")]}, "finite"),
        ({"crop": [4, 4], "blur_sigma": [1, 1e9]}, "less than or equal to 100"),
        ({"crop": [4, 4], "brightnes": 0.1}, "did you mean `brightness`"),
        ({"crop": [4, 4], "flip": 3}, "`flip`"),
        ({"crop": 4}, "`crop`"),
    ],
)
def test_an_impossible_choice_is_one_sentence(choices: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(AugmentationConfig, choices, "recipe.yaml")
    assert words in one_sentence(caught.value)


def test_a_vertical_flip_turns_half_of_the_pictures_upside_down_and_changes_nothing_else() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    mask = random.integers(0, 3, (6, 8), dtype=np.uint8)
    config = AugmentationConfig(crop=(6, 8), scale=(1, 1), flip=False, flip_vertical=True)
    seen = []
    for seed in range(20):
        sample = augment(Sample(image, mask, "a"), config, LABELS, np.random.default_rng(seed))
        upside_down = bool((sample.image != image).any())
        np.testing.assert_array_equal(sample.image, image[::-1] if upside_down else image)
        np.testing.assert_array_equal(sample.mask, mask[::-1] if upside_down else mask)
        seen.append(upside_down)
    assert 3 < sum(seen) < 17
