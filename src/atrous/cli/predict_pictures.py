"""What `atrous predict` does with pictures."""

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.cli.predict_annotations import Done, save_for_annotators, uncertainty_for
from atrous.cli.predict_rasters import say_areas
from atrous.cli.predict_saved import picture_files, require_one_process, save_picture

if TYPE_CHECKING:
    from atrous.images import ReadableFile
    from atrous.inference.predictor import Prediction
    from atrous.inference.sliding_window import AnyPredictor
    from atrous.progress import Progress


def predict_pictures(
    predictor: "AnyPredictor",
    pictures: "Sequence[tuple[ReadableFile, str]]",
    output: Path,
    wanted: list[str],
    progress: "Progress",
    *,
    resume: bool,
) -> int:
    """Segment this process's pictures in their order; return how many could not be read."""
    if not pictures:
        return 0
    from atrous.inference.many import numbers_of_process, predict_many

    sources, stems = [source for source, _ in pictures], [stem for _, stem in pictures]
    mine = numbers_of_process(len(pictures))
    require_one_process(wanted, len(mine) < len(pictures))
    files = {number: picture_files(output, stems[number], wanted) for number in mine}
    missing = [number for number in mine if not (resume and all(map(Path.exists, files[number].values())))]
    uncertainties: dict[int, float] = {}

    def finish(number: int, prediction: "Prediction") -> dict[str, int]:
        save_picture(prediction, sources[number], files[number])
        uncertainties[number] = uncertainty_for(wanted, prediction)
        return _areas(prediction)

    areas: Counter[str] = Counter()
    failed: set[int] = set()
    with (
        progress.task("Segmenting", len(mine), len(mine) - len(missing)) as task,
        closing(predict_many(predictor, sources, finish, numbers=missing, progress=progress)) as outcomes,
    ):
        for outcome in outcomes:
            if outcome.error:
                print(f"Error: {outcome.error}", file=sys.stderr)
                failed.add(outcome.number)
            areas.update(outcome.result or {})
            task.advance()
    done = [
        Done(sources[number], output / f"{stems[number]}.png", uncertainties.get(number))
        for number in mine
        if number not in failed
    ]
    save_for_annotators(done, output, wanted, predictor.labels)
    _say_what_was_done(len(mine), len(missing), [str(sources[number]) for number in sorted(failed)], output, progress)
    say_areas(areas, progress)
    return len(failed)


def _say_what_was_done(count: int, missing: int, failed: list[str], output: Path, progress: "Progress") -> None:
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    before = f", {count - missing} of them before" if missing < count else ""
    where = f"; results in {output}" if len(failed) < count else ""
    progress.say(f"{count - len(failed)} of {pictures} segmented{before}{where}")
    for name in failed:
        progress.say(f"  not segmented: {name}")


def _areas(prediction: "Prediction") -> dict[str, int]:
    """How many pixels each class has that is seen; those that belong to none are `ignored`."""
    import numpy as np

    values, counts = np.unique(prediction.mask, return_counts=True)
    names = prediction.labels.names
    return {
        names[value] if value < len(names) else "ignored": int(count)
        for value, count in zip(values, counts, strict=True)
    }
