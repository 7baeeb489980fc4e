import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.labels import IGNORE_COLOR, LabelSpace
from atrous.visualization import HATCH_COLOR, WRONG_COLOR, Panel, colorize, error_map, overlay, side_by_side

LABELS = LabelSpace.from_names(["background", "cat", "dog"])
SIZE = (12, 20)


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


@pytest.fixture
def mask() -> NDArray[np.uint8]:
    """Left third cat, middle dog, right third ignored."""
    mask = np.full(SIZE, LABELS.ignore_index, np.uint8)
    mask[:, :7], mask[:, 7:14] = 1, 2
    return mask


def test_colors_are_those_of_the_label_space(mask: NDArray[np.uint8]) -> None:
    colors = colorize(mask, LABELS)
    assert colors.dtype == np.uint8
    assert colors.shape == (*SIZE, 3)
    assert tuple(colors[0, 0]) == LABELS.colors[1]
    assert tuple(colors[0, 10]) == LABELS.colors[2]
    assert tuple(colors[0, 19]) == IGNORE_COLOR


@pytest.mark.parametrize("value", [3, 254, 255, 1000, 65535])
def test_a_value_of_no_class_has_the_ignore_color(value: int) -> None:
    assert tuple(colorize(np.array([[value]], np.uint16), LABELS)[0, 0]) == IGNORE_COLOR


def test_more_than_255_classes_keep_their_colors() -> None:
    many = LabelSpace.from_names([f"class {index}" for index in range(300)])
    assert tuple(colorize(np.array([[299]], np.uint16), many)[0, 0]) == many.colors[299]
    assert tuple(colorize(np.array([[7]], np.uint8), many)[0, 0]) == many.colors[7]


def test_overlay_leaves_ignored_pixels_alone(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    painted = overlay(image, mask, LABELS, opacity=0.9)
    np.testing.assert_array_equal(painted[:, 14:], image[:, 14:])
    assert (painted[:, :14] != image[:, :14]).any()


def test_overlay_is_the_mean_of_picture_and_color_inside_a_class(
    image: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> None:
    expected = (image[:, 2:5].astype(float) + np.array(LABELS.colors[1])) / 2
    np.testing.assert_allclose(overlay(image, mask, LABELS)[:, 2:5], expected, atol=1)


def test_overlay_is_darker_where_classes_meet(mask: NDArray[np.uint8]) -> None:
    painted = overlay(np.full((*SIZE, 3), 200, np.uint8), mask, LABELS)
    brightness = painted.sum(axis=2)[5]
    assert brightness[7] < brightness[10]
    assert (brightness[:6] == brightness[0]).all()


def test_overlay_does_not_change_its_arguments(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    before = image.copy(), mask.copy()
    overlay(image, mask, LABELS)
    error_map(image, mask, mask, LABELS)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


@pytest.mark.parametrize("opacity", [-0.1, 1.1, 50])
def test_an_opacity_outside_0_to_1_is_refused(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], opacity: float
) -> None:
    with pytest.raises(ValueError, match="opacity"):
        overlay(image, mask, LABELS, opacity)


def test_error_map_is_red_exactly_at_wrong_pixels_that_count(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    prediction = mask.copy()
    prediction[3, 2], prediction[3, 16] = 0, 0
    is_red = (error_map(image, mask, prediction, LABELS) == WRONG_COLOR).all(axis=2)
    assert np.argwhere(is_red).tolist() == [[3, 2]]


def test_error_map_hatches_what_is_ignored(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    is_hatched = (error_map(image, mask, mask, LABELS) == HATCH_COLOR).all(axis=2)
    assert not is_hatched[:, :14].any()
    assert 0.1 < is_hatched[:, 14:].mean() < 0.5


def test_masks_of_different_depth_are_compared_by_value(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    errors = error_map(image, mask, mask.astype(np.uint16), LABELS)
    assert not (errors == WRONG_COLOR).all(axis=2).any()


def test_sizes_that_differ_are_refused(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"\(12, 20\) and \(12, 19\)"):
        overlay(image, mask[:, :-1], LABELS)
    with pytest.raises(ValueError, match="sizes differ"):
        error_map(image, mask, mask[:-1], LABELS)
    with pytest.raises(ValueError, match="sizes differ"):
        side_by_side([[Panel("a", image), Panel("b", image[:-1])]], LABELS)


def test_side_by_side_holds_every_picture_and_every_color(image: NDArray[np.uint8]) -> None:
    large = np.kron(image, np.ones((10, 10, 1), np.uint8))
    sheet = side_by_side([[Panel("Picture", large), Panel("Truth", large[::-1])]], LABELS)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] > 2 * large.shape[1]
    assert _holds(sheet, large)
    assert _holds(sheet, np.ascontiguousarray(large[::-1]))
    for color in LABELS.colors:
        assert (sheet == color).all(axis=2).any()


def test_rows_may_have_different_sizes_and_names_any_length(image: NDArray[np.uint8]) -> None:
    labels = LabelSpace.from_names(["a very long name of a class " * 20, "two\nlines", "ß"])
    sheet = side_by_side([[Panel("x" * 200, image)], [Panel("", image[:5, :5])]], labels)
    assert _holds(sheet, image)
    assert sheet.shape[1] < 100


@pytest.mark.parametrize("rows", [[], [[]]])
def test_side_by_side_of_nothing_is_refused(rows: list[list[Panel]]) -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        side_by_side(rows, LABELS)


def _holds(sheet: NDArray[np.uint8], image: NDArray[np.uint8]) -> bool:
    windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], image.shape[:2])
    return any(
        (windows[place] == image[..., 0]).all()
        for place in zip(*np.nonzero(windows[..., 0, 0] == image[0, 0, 0]), strict=True)
    )
