"""Keeping to the time: as many updates as fit, while the machine is now faster and now slower than was measured."""

import time
from collections import deque

from atrous.progress import Task, duration
from atrous.training.planning.clock import Clock
from atrous.training.run import Run

LOOKS_BACK = 50
"""Updates whose mean duration counts."""
TRUSTED_FROM = 5
"""Updates from which that mean says something."""
WORTH_CHANGING = 0.1
"""Share of the updates that are left by which a plan must be wrong to be changed."""
WORTH_SAYING = 0.1
"""Share of the updates that were said last."""


class Pace:
    """Follows the clock of one training and changes how many updates it has, so that it ends when it should.

    Schedules run to the last update, wherever that is: so the learning rate comes down in time. What was decided lies
    in the run's state; a run that is resumed without a pace goes on to the number of updates it last had.
    """

    def __init__(
        self, deadline: float, validation_seconds: float, finishing_seconds: float, clock: Clock = time.monotonic
    ) -> None:
        """Take the time.

        Args:
            deadline: When all must be done, by the clock.
            validation_seconds: That one validation takes, until one has been seen.
            finishing_seconds: For what comes after the last validation.
            clock: Seconds that pass.
        """
        self.deadline, self.validation_seconds = deadline, validation_seconds
        self.finishing_seconds, self.clock = finishing_seconds, clock
        self._updates: deque[float] = deque(maxlen=LOOKS_BACK)
        self._seen: tuple[float, int, int] | None = None
        self._said: int | None = None

    def keep(self, run: Run, task: Task) -> None:
        """Look at the clock before an update, and change the number of updates where it would miss the deadline."""
        now, state = self.clock(), run.state
        self._note(now, state.step, state.validated)
        steps = self._fitting(run, now)
        if steps is None or not _differs(steps, run):
            return
        said = self._said or run.steps
        if abs(steps - said) > WORTH_SAYING * said:
            run.progress.say(_sentence(steps, said))
            self._said = steps
        state.steps = steps
        task.expect(steps)

    def _note(self, now: float, step: int, validated: int) -> None:
        """Learn from the time that has passed since the last look, which was spent on one update or a validation."""
        if self._seen is not None:
            then, last_step, last_validated = self._seen
            if validated != last_validated:
                beside = sum(self._updates) / len(self._updates) if step > last_step and self._updates else 0.0
                self.validation_seconds = max(0.0, now - then - beside)
            elif step > last_step:
                self._updates.append((now - then) / (step - last_step))
        self._seen = (now, step, validated)

    def _fitting(self, run: Run, now: float) -> int | None:
        """The number of updates with which the run ends in time; None as long as nothing is known."""
        if len(self._updates) < TRUSTED_FROM:
            return None
        each = sum(self._updates) / len(self._updates)
        left = self.deadline - now - self.finishing_seconds
        every = run.recipe.training.validate_every or max(1, run.steps // 10)
        return steps_that_fit(run.state.step, every, left, each, self.validation_seconds)


def steps_that_fit(step: int, every: int, left: float, each: float, validation: float) -> int:
    """The last step that can be reached in time, with a validation at each multiple of `every` and at the end.

    More updates may bring another validation, and its time leaves fewer of them. For each number of validations there
    is a last step that they reach; the best of these changes smoothly with the time that is left.

    Args:
        step: Where the training is.
        every: Updates between validations.
        left: Seconds for all that follows.
        each: Seconds of one update.
        validation: Seconds of one validation.

    Returns:
        At least 1; no more than `step` where the time does not suffice for an update.
    """
    reached = step
    for validations in range(1, 3 + int(left / (every * each + validation)) if left > 0 else 1):
        in_time = step + int((left - validations * validation) / each)
        reached = max(reached, min(in_time, (step // every + validations) * every))
    return max(1, reached)


def _differs(steps: int, run: Run) -> bool:
    """Whether a new plan is worth having: the nearer the end, the smaller a difference is."""
    left = run.steps - run.state.step
    return left > 0 and (steps <= run.state.step or abs(steps - run.steps) > max(1, WORTH_CHANGING * left))


def _sentence(steps: int, said: int) -> str:
    speed = "slower" if steps < said else "faster"
    return f"The machine is {speed} than thought: {steps:,} updates fit into the time, not {said:,}."


def describe_end(seconds: float) -> str:
    """When something will end that takes so long: `in 4:10 min, at 14:32`."""
    return f"in {duration(seconds)}, at {time.strftime('%H:%M', time.localtime(time.time() + seconds))}"
