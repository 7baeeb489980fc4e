import numpy as np
import pytest

from atrous.evaluation.curves import MOST_POINTS, Curve, Plot, number, plot, short_number


def plotted(*values: float | None) -> Plot:
    drawn = plot(Curve("Loss", "", list(range(len(values))), values))
    assert drawn is not None
    return drawn


def test_a_line_goes_from_left_to_right_and_high_values_are_at_the_top() -> None:
    start, end = (tuple(map(float, point.split())) for point in plotted(1, 2).path.lstrip("M").split("L"))
    assert start[0] == 0
    assert end[0] == 1000
    assert start[1] > end[1]


def test_a_gap_begins_a_new_line() -> None:
    assert plotted(1, 2, None, 3, 4, float("nan"), 5).path.count("M") == 3


def test_one_point_is_drawn_in_the_middle_as_a_line_of_length_zero() -> None:
    drawn = plotted(0.4)
    assert drawn.path == "M500.0 500.0L500.0 500.0"
    assert [tick.text for tick in drawn.x_ticks] == ["0"]


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0, 1e-9, 1e12])
def test_a_constant_curve_lies_inside_the_plot(value: float) -> None:
    drawn = plotted(value, value, value)
    assert 0 <= drawn.end[1] <= 1
    assert len(drawn.y_ticks) >= 2


def test_what_is_never_negative_has_no_axis_below_zero() -> None:
    assert all(not tick.text.startswith("-") for tick in plotted(0, 0.1, 10).y_ticks)


def test_thousands_of_points_become_few_and_every_peak_stays() -> None:
    values = np.random.default_rng(0).random(50_000)
    values[33_333], values[44_444] = 9, -9
    drawn = plotted(*values)
    heights = [float(point.split()[1]) for point in drawn.path.lstrip("M").split("L")]
    assert len(heights) <= MOST_POINTS
    assert min(heights) == pytest.approx(1000 * 0.06 / 1.12, abs=0.1)
    assert max(heights) == pytest.approx(1000 * 1.06 / 1.12, abs=0.1)
    assert (drawn.lowest, drawn.highest) == ("-9", "9")


def test_ticks_are_round_few_and_inside() -> None:
    random = np.random.default_rng(0)
    for scale in 10 ** random.uniform(-8, 8, 50):
        drawn = plotted(*(scale * random.standard_normal(20)))
        for ticks in (drawn.x_ticks, drawn.y_ticks):
            assert 2 <= len(ticks) <= 6
            assert all(-1e-6 <= tick.place <= 1 + 1e-6 for tick in ticks)
            assert all(len(tick.text) <= 8 for tick in ticks)


def test_ticks_between_steps_are_never_drawn() -> None:
    drawn = plot(Curve("Loss", "", [0, 10], [1, 2]))
    assert drawn is not None
    assert [tick.text for tick in drawn.x_ticks] == ["0", "5", "10"]


def test_steps_and_values_of_different_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'Loss' has 2 steps and 1 values"):
        plot(Curve("Loss", "", [1, 2], [1.0]))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00071, "0.00071"), (12.3456, "12.35"), (1234567, "1,234,567"), (-0.5, "-0.5"), (3e-7, "3e-7")],
)
def test_numbers_are_short_and_readable(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (950, "950"), (1000, "1k"), (12_500, "12.5k"), (2e6, "2M"), (-3000, "-3k")]
)
def test_numbers_on_an_axis_are_shorter(value: float, text: str) -> None:
    assert short_number(value) == text
