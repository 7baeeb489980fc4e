"""The plan of a training: every choice with its reason, from the facts of data, machine and time alone."""

from typing import NamedTuple

from atrous.data import DataConfig
from atrous.training.planning.choice import Choice, Speed, Start
from atrous.training.planning.facts import DataFacts, MachineFacts
from atrous.training.planning.learning import choose_learning, choose_loss
from atrous.training.planning.length import SHOWN, Length, fit_into
from atrous.training.planning.network import choose_network, choose_norms, choose_start
from atrous.training.planning.pictures import choose_batch, choose_cache, choose_views
from atrous.training.recipe import Recipe, TrainingConfig
from atrous.training.schedule import PolyConfig

READING_SHARE = 0.05
"""Of the time that reading all files once, before the first step, may take."""
GUESSED_STEPS = 1000
"""For the choices that depend on it, before the speed has been measured."""


class Wish(NamedTuple):
    """What was asked for."""

    name: str
    """What the run is called."""
    data: DataConfig
    minutes: float
    seed: int = 0


class Plan(NamedTuple):
    """A recipe, and why it is as it is."""

    recipe: Recipe
    choices: tuple[Choice, ...]
    length: Length | None = None
    """What fits into the time; None before the speed has been measured."""


def plan(
    wish: Wish,
    data: DataFacts,
    machine: MachineFacts,
    start: Start | None = None,
    speed: Speed | None = None,
    seconds_left: float | None = None,
) -> Plan:
    """Plan a training: first without a speed, to measure it with this recipe; then with it, for all of the time.

    Args:
        wish: What was asked for.
        data: The facts of the data.
        machine: The facts of the machine.
        start: Weights to start from.
        speed: What was measured with the recipe of the first plan.
        seconds_left: Of the minutes, for everything that is still to come.

    Returns:
        The recipe and the choices, in the order in which they are best read.

    Raises:
        TrainingError: If the time is too short.
    """
    seconds = 60 * wish.minutes if seconds_left is None else seconds_left
    network, chosen_network = choose_network(data, machine, wish.minutes, start)
    views = choose_views(data, machine)
    batch = choose_batch(machine, network, views.augmentation.crop, seconds, speed)
    network, norms = choose_norms(network, batch.size, start)
    per_update = batch.size * batch.accumulation
    length = None if speed is None else fit_into(seconds, data, speed, per_update)
    steps = GUESSED_STEPS if length is None else length.steps
    loss, chosen_loss = choose_loss(data)
    learning = choose_learning(per_update, steps, start)
    cache, chosen_cache = choose_cache(data, machine)
    recipe = Recipe(
        name=wish.name,
        network=network,
        data=wish.data,
        augmentation=views.augmentation,
        loss=loss,
        optimizer=learning.optimizer,
        schedule=PolyConfig(warmup_steps=learning.warmup_steps),
        training=TrainingConfig(
            steps=steps,
            batch_size=batch.size,
            accumulation=batch.accumulation,
            validate_every=steps if length is None else length.validate_every,
            val_fraction=1.0 if length is None else length.val_pictures / data.val,
            log_every=max(1, min(10, steps // 50)),
            shown_pictures=min(SHOWN, data.val),
            seed=wish.seed,
            average_decay=learning.average_decay,
            cache_gigabytes=cache,
            start_from=None if start is None else start.model,
            check_first=_reads_all_first(data, seconds),
        ),
    )
    choices = (
        chosen_network,
        choose_start(data, start),
        *views.choices,
        *batch.choices,
        norms,
        chosen_loss,
        *learning.choices,
        chosen_cache,
        *(() if length is None else length.choices),
    )
    return Plan(recipe, choices, length)


def _reads_all_first(data: DataFacts, seconds: float) -> bool:
    return (data.train + data.val) * data.seconds_per_picture < READING_SHARE * seconds
