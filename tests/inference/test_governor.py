from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from atrous.inference.governor import HEADROOM, PATIENCE, Governor

COSTS = (1.0, 0.7, 0.5, 0.35, 0.25)


def levels(governor: Governor, seconds: Callable[[int, int], float], frames: int) -> list[int]:
    """The level of each frame, where frame n at level l takes `seconds(n, l)`."""
    passed = []
    for number in range(frames):
        passed.append(governor.level)
        governor.note(seconds(number, governor.level))
    return passed


@pytest.mark.parametrize(
    ("finest", "frames_per_second", "level"),
    [
        (0.05, 15, 0),  # there is time
        (0.066, 15, 0),  # just in time
        (0.07, 15, 1),
        (0.1, 15, 2),
        (0.2, 15, 4),
        (5.0, 15, 4),  # never in time: as coarse as can be
        (0.9, 1, 0),
        (1.2, 1, 1),
    ],
)
def test_the_finest_level_in_time_is_found_and_kept(finest: float, frames_per_second: float, level: int) -> None:
    passed = levels(Governor(frames_per_second, COSTS), lambda _, at: finest * COSTS[at], 100)
    assert passed[0] == 0
    assert set(passed[10:]) == {level}


def test_it_returns_to_the_finest_level_once_the_load_is_gone() -> None:
    passed = levels(Governor(10, COSTS), lambda number, at: (0.3 if number < 50 else 0.05) * COSTS[at], 200)
    assert passed[49] == 4
    assert passed[-1] == 0
    assert sorted(passed[50:], reverse=True) == passed[50:]


def test_one_hiccup_changes_nothing() -> None:
    assert set(levels(Governor(10, COSTS), lambda number, at: 3.0 if number % 9 == 5 else 0.08 * COSTS[at], 60)) == {0}


def test_the_slow_first_frame_of_a_size_does_not_count() -> None:
    seen: set[int] = set()

    def seconds(_: int, at: int) -> float:
        first = at not in seen
        seen.add(at)
        return 2.0 if first else 0.12 * COSTS[at]

    passed = levels(Governor(10, COSTS), seconds, 60)
    assert max(passed) == 1


def test_a_finer_level_that_came_too_late_is_tried_ever_more_rarely() -> None:
    measured = (0.2, 0.09, 0.02, 0.018, 0.016)  # level 1 is just not in time, whatever the costs promise
    governor = Governor(12, COSTS)
    passed = levels(governor, lambda _, at: measured[at], 600)
    tries = [number for number in range(1, 600) if passed[number] < passed[number - 1]]
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 4 * PATIENCE
    assert sum(at == 2 for at in passed) > 500


def test_a_level_is_tried_only_if_it_should_be_in_time_with_something_to_spare() -> None:
    governor = Governor(10, (1.0, 0.5))
    levels(governor, lambda _, __: 0.2, 5)
    assert governor.level == 1
    levels(governor, lambda _, __: HEADROOM * 0.1 / 2 + 0.001, 100)
    assert governor.level == 1
    levels(governor, lambda _, __: HEADROOM * 0.1 / 2 - 0.001, 20)
    assert governor.level == 0


@pytest.mark.parametrize("frames_per_second", [0, -1])
def test_a_rate_is_positive(frames_per_second: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Governor(frames_per_second, COSTS)


@pytest.mark.parametrize("costs", [(), (1.0, 2.0), (1.0, 0.0)])
def test_costs_fall(costs: Sequence[float]) -> None:
    with pytest.raises(ValueError, match="fall"):
        Governor(10, costs)
