"""A governor holds a wanted frame rate: coarser work when frames come late, finer when there is time."""

from collections import deque
from collections.abc import Sequence
from statistics import median

REMEMBERED = 5
"""Frames whose median counts, so that one hiccup does not."""
ENOUGH = 3
"""Frames at a level before anything is concluded."""
HEADROOM = 0.9
"""The share of a frame's time that a new level may take by estimate."""
PATIENCE = 10
"""Frames with time left over before a finer level is tried; twice as many after each try that came too late."""
LONGEST_PATIENCE = 320
TRIAL = 30
"""Frames after which a finer level that was tried has proved to be in time."""


class Governor:
    """Chooses how finely to work. It knows no clock and no network: only seconds, and what levels cost."""

    def __init__(self, frames_per_second: float, costs: Sequence[float]) -> None:
        """Begin at the finest level.

        Args:
            frames_per_second: The rate to hold.
            costs: About how long a frame takes at each level, in any unit, finest (and slowest) first.

        Raises:
            ValueError: If the rate is not positive, or the costs do not fall.
        """
        if frames_per_second <= 0:
            raise ValueError(f"a frame rate is positive, not {frames_per_second}")
        if not costs or any(cost <= 0 for cost in costs) or list(costs) != sorted(costs, reverse=True):
            raise ValueError(f"costs are positive and fall from level to level; these are {list(costs)}")
        self.budget = 1 / frames_per_second
        self.costs = tuple(costs)
        self.level = 0
        """The place in `costs` of the present level."""
        self._patience = PATIENCE
        self._tried = False
        """Whether the present level was reached from a coarser one, and has not yet proved to be in time."""
        self._frames = self._with_room = 0
        self._seconds: deque[float] = deque(maxlen=REMEMBERED)

    def note(self, seconds: float) -> None:
        """Learn how long a frame took at the present level, and choose the level of the next one."""
        self._frames += 1
        if self._frames == 1:  # its memory had to be laid out for a new size
            return
        self._seconds.append(seconds)
        if len(self._seconds) < ENOUGH:
            return
        usual = median(self._seconds)
        if self._frames > TRIAL:
            self._patience = PATIENCE if self._tried else self._patience
            self._tried = False
        if usual > self.budget:
            self._lower(usual)
        elif self.level > 0 and self._fits(self.level - 1, usual):
            self._with_room += 1
            if self._with_room >= self._patience:
                self._arrive(self.level - 1, tried=True)
        else:
            self._with_room = 0

    def _lower(self, usual: float) -> None:
        """Go to the finest level that should be in time."""
        last = len(self.costs) - 1
        if self.level == last:
            return
        if self._tried:
            self._patience = min(2 * self._patience, LONGEST_PATIENCE)
        fitting = (level for level in range(self.level + 1, last) if self._fits(level, usual))
        self._arrive(next(fitting, last), tried=False)

    def _fits(self, level: int, usual: float) -> bool:
        return usual * self.costs[level] / self.costs[self.level] <= HEADROOM * self.budget

    def _arrive(self, level: int, *, tried: bool) -> None:
        self.level, self._tried = level, tried
        self._frames = self._with_room = 0
        self._seconds.clear()
