"""What the watch says, from numbers alone: every fault with its key, and nothing where all is well."""

import math

import pytest

from atrous.training.watch import (
    ClassPixels,
    Memory,
    after_an_epoch,
    all_ignored,
    collapse,
    exploding,
    gap,
    missed,
    not_shown,
    starving,
    too_large,
)


def pixels(**counts: tuple[int, int]) -> list[ClassPixels]:
    """True and predicted pixels by class."""
    return [ClassPixels(name, *both) for name, both in counts.items()]


@pytest.mark.parametrize(
    ("classes", "collapsed"),
    [
        (pixels(ground=(600, 1000), box=(300, 0), stripe=(100, 0)), True),
        (pixels(ground=(600, 995), box=(300, 5), stripe=(100, 0)), True),
        (pixels(ground=(960, 1000), box=(40, 0)), True),  # a rare class is nowhere, too
        (pixels(ground=(100, 0), box=(900, 1000)), True),  # whichever class it is
        (pixels(ground=(600, 610), box=(300, 290), stripe=(100, 100)), False),
        (pixels(ground=(995, 992), box=(5, 8)), False),  # one class is nearly all that there is
        (pixels(ground=(1000, 1000), box=(0, 0)), False),
        (pixels(ground=(600, 950), box=(300, 50), stripe=(100, 0)), False),
        (pixels(ground=(0, 0), box=(0, 0)), False),
    ],
)
def test_a_collapse_is_one_answer_to_everything_where_others_are_true(
    classes: list[ClassPixels], collapsed: bool
) -> None:
    found = collapse(classes)
    assert (found is not None) == collapsed
    if found is not None:
        assert all(
            key in found.sentence for key in ("optimizer.learning_rate", "loss.class_weights", "first_batch.png")
        )


def test_a_collapse_names_the_class_with_both_shares() -> None:
    found = collapse(pixels(ground=(600, 1000), box=(400, 0)))
    assert found
    assert "ground for 100.0 % of the pixels, which is true for 60.0 %" in found.sentence


@pytest.mark.parametrize(
    ("before", "last", "names"),
    [([], False, None), (["box"], False, "box"), (["stripe"], False, None), ([], True, "box"), (["box"], True, "box")],
)
def test_a_class_is_missed_after_two_validations_or_the_last_one(
    before: list[str], last: bool, names: str | None
) -> None:
    classes = pixels(ground=(600, 700), box=(100, 0), stripe=(300, 300), absent=(0, 0))
    found = missed(Memory(never_predicted=before), classes, last=last)
    assert (found is None) == (names is None)
    if found:
        assert f"{names} (10.0 % of the pixels)" in found.sentence
        assert "loss.class_weights" in found.sentence
        assert "absent" not in found.sentence


def test_a_missed_class_is_named_once_and_another_later() -> None:
    memory = Memory()
    one = missed(memory, pixels(a=(5, 0), b=(4, 0), c=(9, 18)), last=True)
    assert one
    assert "a (27.8 % of the pixels), b (" in one.sentence
    assert missed(memory, pixels(a=(5, 0), b=(4, 1), c=(9, 17)), last=True) is None
    two = missed(memory, pixels(a=(5, 0), b=(4, 18), c=(9, 0)), last=True)
    assert two
    assert two.sentence.startswith("Never predicted: c (50.0 % of the pixels).")
    assert one.cause != two.cause


def test_many_missed_classes_are_counted_and_not_listed() -> None:
    found = missed(Memory(), [ClassPixels(f"c{n}", 1, 0) for n in range(30)], last=True)
    assert found
    assert "and 22 more" in found.sentence


def test_a_class_that_no_training_picture_shows_is_named() -> None:
    found = not_shown(["ground", "box"], [100, 0])
    assert found
    assert "has shown box in a whole epoch" in found.sentence
    assert not_shown(["ground", "box"], [100, 1]) is None
    assert not_shown(["ground", "box"], [0, 0]) is None  # all is ignored, which is said elsewhere


def after_losses(*losses: float) -> Memory:
    memory = Memory()
    for loss in losses:
        memory.note_loss(loss)
    return memory


@pytest.mark.parametrize(
    ("losses", "explodes"),
    [
        ([1.0] * 5 + [30.0] * 10, True),
        ([1.0, *[9.0] * 15], True),  # from the second step on
        ([1.0] + [0.2] * 60 + [3.0] * 20, True),  # after it had learned
        ([1 / (1 + n / 10) for n in range(100)], False),
        ([1.0] * 50, False),
        ([0.5 + (n % 7 == 0) for n in range(100)], False),  # noise that trebles single losses
        ([1.0] + [0.1] * 60 + [0.35] * 40, False),  # noisy, but learned
        ([0.0] * 20, False),
        ([1.0, 50.0], False),  # too early to tell
    ],
)
def test_a_loss_explodes_when_it_rises_far_beyond_its_first_or_its_lowest(losses: list[float], explodes: bool) -> None:
    found = exploding(after_losses(*losses), len(losses), 0.1)
    assert (found is not None) == explodes
    if found is not None:
        assert "learning rate 0.1" in found.sentence
        assert "optimizer.learning_rate" in found.sentence


def test_the_gradient_norm_stands_beside_the_loss_where_it_is_known() -> None:
    memory = after_losses(*[1.0] * 5, *[90.0] * 20)
    assert "gradient norm" not in str(exploding(memory, 25, 0.1))
    memory.gradient_norm = 1234.5
    assert "gradient norm 1.23e+03" in str(exploding(memory, 25, 0.1))
    assert math.isnan(Memory().gradient_norm)


def test_a_step_without_any_label_is_named_with_its_number() -> None:
    found = all_ignored(7, labelled=False)
    assert found
    assert found.sentence.startswith("Step 7 saw no labelled pixel")
    assert "augmentation.crop" in found.sentence
    assert all_ignored(7, labelled=True) is None


@pytest.mark.parametrize(
    ("train", "val", "found"), [(0.95, 0.4, True), (0.9, 0.66, False), (0.5, 0.9, False), (0.2, 0.1, False)]
)
def test_a_gap_is_a_quarter_of_miou(train: float, val: float, found: bool) -> None:
    assert (gap(train, val, 8, norms_learn=True) is not None) == found


@pytest.mark.parametrize(
    ("whole", "shrunken", "found"),
    [(0.05, 0.25, True), (0.4, 0.55, False), (0.4, 0.65, True), (0.01, 0.03, False), (0.5, 0.2, False)],
)
def test_pictures_are_too_large_where_they_are_understood_half_as_well_again_when_shrunken(
    whole: float, shrunken: float, found: bool
) -> None:
    assert (too_large(whole, shrunken, 0.5) is not None) == found
    assert not found or "--scales 0.5" in str(too_large(whole, shrunken, 0.5))


@pytest.mark.parametrize(("batch", "learn", "named"), [(2, True, True), (2, False, False), (8, True, False)])
def test_a_gap_with_small_batches_may_come_from_the_norms(batch: int, learn: bool, named: bool) -> None:
    assert ("network.batch_norm.frozen" in str(gap(0.9, 0.2, batch, norms_learn=learn))) == named


def test_a_loader_starves_the_device_from_three_tenths_of_the_time_on() -> None:
    assert starving(0.29, 0, 2) is None
    assert "raise training.workers (now 0, the machine has 8 cores)" in str(starving(0.5, 0, 8))
    assert "all 2 cores are busy" in str(starving(0.5, 2, 2))


@pytest.mark.parametrize(
    ("step", "steps", "epochs", "due"),
    [(10, 1000, 3.0, False), (60, 1000, 0.5, False), (60, 1000, 1.0, True), (10, 10, 0.1, True)],
)
def test_answers_are_judged_after_an_epoch_and_a_twentieth_or_at_the_end(
    step: int, steps: int, epochs: float, due: bool
) -> None:
    assert after_an_epoch(step, steps, epochs) == due


def test_every_sentence_is_one() -> None:
    classes = pixels(ground=(600, 1000), box=(400, 0))
    found = [
        collapse(classes),
        missed(Memory(), classes, last=True),
        not_shown(["a", "b"], [1, 0]),
        exploding(after_losses(*[1.0] * 5, *[90.0] * 20), 25, 0.1),
        all_ignored(1, labelled=False),
        gap(0.9, 0.1, 2, norms_learn=True),
        starving(0.9, 0, 2),
        too_large(0.1, 0.5, 0.5),
    ]
    for each in found:
        assert each
        assert "\n" not in each.sentence
        assert each.sentence.endswith(".")
        assert len(each.sentence) < 600
