"""Pictures that turn unreadable while a network is trained: named and replaced, up to a stated number."""

from collections.abc import Iterator
from itertools import islice

from atrous.data.loading import Batch, Fault
from atrous.errors import ImageError, MaskError
from atrous.training.logs import RunLog
from atrous.training.lookout import say_all
from atrous.training.run import Run, save
from atrous.training.watch import Finding


def next_batches(run: Run, batches: Iterator[Batch], faults: list[Fault], log: RunLog | None) -> list[Batch]:
    """Take the batches of the next step, and name the pictures that others replace in them.

    Args:
        run: It remembers which pictures were skipped.
        batches: As `training_batches` yields them.
        faults: Where that notes what cannot be used.
        log: Where they are named.

    Raises:
        ImageError, MaskError: If there are more such pictures than the recipe bears; the run is saved then.
    """
    try:
        with run.processes.agreeing():
            taken = list(islice(batches, run.recipe.training.accumulation))
        found = run.processes.gather(list(faults)) if run.processes.any(bool(faults)) else []
        faults.clear()
        for fault in (fault for some in found for fault in some):
            skip(run, fault, log)
    except (ImageError, MaskError):
        save(run)
        raise
    return taken


def skip(run: Run, fault: Fault, log: RunLog | None) -> None:
    """Name a picture that is skipped for the first time.

    Raises:
        ImageError, MaskError: That of the picture, if it is one too many.
    """
    skipped, most = run.state.skipped, run.recipe.training.skip_pictures
    if fault.sample in skipped:
        return
    if len(skipped) >= most:
        raise too_many(fault, most)
    skipped.append(fault.sample)
    sentence = (
        f"A picture is skipped, and others take its places ({len(skipped)} of at most {most}, "
        f"training.skip_pictures): {fault.error}"
    )
    say_all(run, log, [Finding(f"skipped {fault.sample}", sentence)], run.state.step + 1, validated=False)


def too_many(fault: Fault, most: int) -> ImageError | MaskError:
    """The error of one picture more than the recipe bears."""
    kind = MaskError if isinstance(fault.error, MaskError) else ImageError
    before = f" It is one more than the {most} that training.skip_pictures allows to skip." if most else ""
    return kind(f"{fault.error}{before}")
