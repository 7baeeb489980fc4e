"""How many updates and validations fit into the time."""

from typing import NamedTuple

from atrous.errors import TrainingError
from atrous.progress import duration
from atrous.training.planning.choice import Choice, Speed
from atrous.training.planning.facts import DataFacts

USUAL_SHARE = 0.15
"""Of the time that validations may take."""
LARGEST_SHARE = 0.34
"""Of the time that one validation of few pictures may take, where there is no other way."""
FEWEST_PICTURES = 10
"""Of val, on which a score still means something; fewer only where val has no more."""
MOST_VALIDATIONS = 10
FEWEST_STEPS = 5
SHOWN = 3
"""Pictures of val that TensorBoard and the page show beside the scores."""
ON_PAGE = 8
SECONDS_OF_SAVING = 1.0


class Length(NamedTuple):
    """What fits into the time."""

    steps: int
    validations: int
    """The last one included."""
    val_pictures: int
    """That each of them looks at."""
    validation_seconds: float
    """That each of them takes, about."""
    finishing_seconds: float
    """That the page takes after the last one."""
    choices: tuple[Choice, ...]

    @property
    def validate_every(self) -> int:
        """Steps between validations: one that is alone comes at the end, also where more steps fit than thought."""
        return max(1, -(-self.steps // self.validations)) if self.validations > 1 else 2 * self.steps


def fit_into(seconds: float, data: DataFacts, speed: Speed, pictures_per_update: int) -> Length:
    """Divide the time among updates and validations.

    Args:
        seconds: From the beginning of the run to the end of all.
        data: What is trained on.
        speed: As measured.
        pictures_per_update: Batch times accumulation.

    Raises:
        TrainingError: If the time does not suffice for a few updates and one validation; it says which would.
    """
    each = speed.seconds_per_prediction
    page = min(ON_PAGE, data.val) * each + SECONDS_OF_SAVING
    usable = seconds - speed.seconds_to_begin - page
    update = speed.seconds_per_picture * pictures_per_update
    pictures = _pictures(usable, each, data.val)
    one = (pictures + min(SHOWN, data.val)) * each + SECONDS_OF_SAVING
    if usable * LARGEST_SHARE < one or usable - one < FEWEST_STEPS * update:
        raise TrainingError(_too_short(seconds, one, update, seconds - usable))
    validations = max(1, min(MOST_VALIDATIONS, int(usable * USUAL_SHARE / one)))
    steps = int((usable - validations * one) / update)
    validations = min(validations, steps)
    return Length(steps, validations, pictures, one, page, _choices(data, steps, validations, pictures, one, update))


def _pictures(seconds: float, each: float, val: int) -> int:
    """All of val, if they do not take too much of the time; else as many as do not."""
    affordable = int((seconds * USUAL_SHARE - SECONDS_OF_SAVING) / each) - SHOWN
    return min(val, max(FEWEST_PICTURES, affordable))


def _choices(
    data: DataFacts, steps: int, validations: int, pictures: int, one: float, update: float
) -> tuple[Choice, ...]:
    seen = f"{duration(update)} each" if update >= 2 else f"{1 / update:.1f} per second"
    some = f" of {pictures} of the {data.val:,} pictures" if pictures < data.val else ""
    why = f"each takes {duration(one)}{some}" + ("" if validations > 1 else ", so one at the end")
    return (
        Choice("updates", f"{steps:,}", f"{seen}, measured; the rate reaches zero with the last"),
        Choice("validations", f"{validations}", why),
    )


def _too_short(seconds: float, one: float, update: float, fixed: float) -> str:
    needed = fixed + max(one / LARGEST_SHARE, one + FEWEST_STEPS * update)
    return (
        f"The time is too short for a training with a single validation: {duration(max(0, seconds))} are left, and "
        f"{FEWEST_STEPS} updates of {duration(update)} and one validation of {duration(one)} need about "
        f"{duration(needed)}; give --minutes more, or smaller pictures."
    )
