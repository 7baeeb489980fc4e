from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.data.rasterizing import Bitmap, Polygon, fill
from tests.data.shapes_by_force import inside_by_force, on_canvas

SIZE = (13, 17)


def random_ring(random: np.random.Generator, corners: int, step: float) -> NDArray[np.float64]:
    """Corners in and around a small picture, whole multiples of a step: at 0.5 many lie on the centres of pixels."""
    return np.round(random.uniform(-4, 20, (corners, 2)) / step) * step


@pytest.mark.parametrize("step", [0.25, 0.1, 1e-6])
def test_a_pixel_is_filled_when_its_centre_lies_inside(step: float) -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        # An offset that no crossing of the grid can hit, since on an edge the two would have to share a convention.
        ring = random_ring(random, int(random.integers(3, 9)), step) + np.array([0.0123, 0.0217])
        assert np.array_equal(on_canvas(fill([[ring]], SIZE), SIZE), inside_by_force([ring], SIZE))


def test_holes_and_crossings_follow_the_even_odd_rule() -> None:
    random = np.random.default_rng(1)
    for _ in range(100):
        rings = [random_ring(random, 5, 0.1) + np.array([0.0123, 0.0217]) for _ in range(3)]
        assert np.array_equal(on_canvas(fill([rings], SIZE), SIZE), inside_by_force(rings, SIZE))


def test_several_polygons_are_their_union() -> None:
    random = np.random.default_rng(2)
    polygons: Sequence[Polygon] = [[random_ring(random, 4, 0.3)] for _ in range(4)]
    each = [on_canvas(fill([polygon], SIZE), SIZE) for polygon in polygons]
    assert np.array_equal(on_canvas(fill(polygons, SIZE), SIZE), np.any(each, axis=0))


@pytest.mark.parametrize("step", [0.5, 0.25])
def test_polygons_that_share_an_edge_share_no_pixel_and_leave_none_out(step: float) -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        left, top, right, bottom = (-5, -5, 25, 25)
        middle = random_ring(random, 1, step)[0].clip(-4, 20)
        frame = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
        quarters = [[np.array([frame[place], frame[(place + 1) % 4], middle])] for place in range(4)]
        counts = sum(on_canvas(fill([quarter], SIZE), SIZE).astype(int) for quarter in quarters)
        assert np.array_equal(counts, np.ones(SIZE))


def test_a_box_along_the_pixels_is_these_pixels() -> None:
    box = np.array([(2, 1), (6, 1), (6, 5), (2, 5)], np.float64)
    bitmap = fill([[box]], SIZE)
    assert (bitmap.top, bitmap.left, bitmap.bits.shape) == (1, 2, (4, 4))
    assert bitmap.bits.all()


@pytest.mark.parametrize(
    "ring",
    [
        np.zeros((0, 2)),
        np.array([(1.0, 1.0)]),
        np.array([(1.0, 1.0), (9.0, 9.0)]),
        np.array([(1.0, 1.0), (9.0, 9.0), (5.0, 5.0)]),
        np.array([(100.0, 100.0), (110.0, 100.0), (100.0, 110.0)]),
        np.array([(-30.0, -30.0), (-10.0, -30.0), (-20.0, -10.0)]),
    ],
)
def test_what_has_no_inside_in_the_picture_fills_nothing(ring: NDArray[np.float64]) -> None:
    assert not fill([[ring]], SIZE).bits.any()


def test_corners_far_away_are_no_danger() -> None:
    far = np.array([(-1e300, -1e300), (1e300, -1e300), (1e300, 1e300), (-1e300, 1e300)])
    assert fill([[far]], SIZE).bits.all()
    assert fill([], SIZE).bits.size == 0


@pytest.mark.parametrize(("top", "left"), [(-2, -3), (0, 0), (5, 9), (12, 16), (20, 20), (-9, 3)])
def test_a_bitmap_is_cut_to_the_picture(top: int, left: int) -> None:
    bits = np.random.default_rng(0).random((4, 5)) < 0.5
    cut = Bitmap(bits, top, left).within(SIZE)
    expected = np.zeros(SIZE, np.bool_)
    for y in range(4):
        for x in range(5):
            if 0 <= top + y < SIZE[0] and 0 <= left + x < SIZE[1]:
                expected[top + y, left + x] = bits[y, x]
    assert np.array_equal(on_canvas(cut, SIZE), expected)


def test_a_picture_that_is_filled_in_bands_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = random_ring(np.random.default_rng(4), 9, 0.1)
    whole = fill([[ring]], SIZE)
    monkeypatch.setattr("atrous.data.rasterizing.MOST_CROSSINGS", 20)  # two rows
    banded = fill([[ring]], SIZE)
    assert (banded.top, banded.left) == (whole.top, whole.left)
    assert np.array_equal(banded.bits, whole.bits)
