"""Cross-fitting: every picture is judged by a network that never saw its label."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from atrous.data.folder import FolderConfig
from atrous.data.samples import SegmentationDataset
from atrous.data.splits import Division, divide, write_division
from atrous.errors import ConfigError, TrainingError
from atrous.evaluation.suspects import Judge
from atrous.inference.predictor import load
from atrous.inference.views import PLAIN, Views
from atrous.progress import Progress, Silent
from atrous.training.recipe import Recipe
from atrous.training.run_folder import RunFolder
from atrous.training.train import train


def cross_fit(
    recipe: Recipe,
    dataset: SegmentationDataset,
    folds: int,
    output: Path,
    *,
    group_of: Callable[[str], str] | None = None,
    views: Views = PLAIN,
    progress: Progress | None = None,
) -> list[Judge]:
    """Train one network per fold, each on the pictures of all other folds.

    The pictures are dealt into folds so that each has its share of every class. What judges is the network at the end
    of its training: the one that validated best was chosen by the very labels that are to be judged.

    Args:
        recipe: How each network is trained; its data are replaced by the folds.
        dataset: The split whose pictures are dealt.
        folds: How many networks; 2 or more.
        output: A folder for `fold_1`, `fold_2` ... with the data, as links, and the run of each. Interrupted, the same
            call goes on there.
        group_of: The group of a picture's name; groups are never torn, such as the frames of one video.
        views: At which sizes the judges see each picture, and whether mirrored.
        progress: Where to show how far it is.

    Returns:
        A judge for the pictures of each fold.

    Raises:
        ConfigError: If there are too few folds or pictures.
        TrainingError: If a training was interrupted.
        AtrousError: If data, recipe or folder cannot be used.
    """
    if not 2 <= folds <= len(dataset):
        raise ConfigError(
            f"{folds} folds cannot be made of {len(dataset)} pictures: give a number from 2 to {len(dataset)}."
        )
    fractions = {f"fold {number}": 1 / folds for number in range(1, folds + 1)}
    division = divide([dataset], fractions, group_of=group_of, seed=recipe.training.seed, progress=progress)
    return [
        Judge(
            load(_trained(recipe, dataset, division, fold, output, progress or Silent()).last, views=views),
            [division.members[place][1] for place in np.flatnonzero(division.split_of == fold)],
        )
        for fold in range(folds)
    ]


def _trained(
    recipe: Recipe, dataset: SegmentationDataset, division: Division, fold: int, output: Path, progress: Progress
) -> RunFolder:
    """The finished run of a fold."""
    folder = output / f"fold_{fold + 1}"
    held_out = division.split_of == fold
    if not (folder / "data" / "dataset.yaml").exists():
        divided = division._replace(splits=("train", "val"), split_of=held_out.astype(np.int64))
        write_division(folder / "data", divided, [dataset], progress=progress)
    run = RunFolder(folder / "run")
    progress.say(f"Fold {fold + 1} of {len(division.splits)}: {held_out.sum()} pictures are held out.")
    result = train(_on_fold(recipe, folder / "data"), run.path, resume=run.state.exists(), progress=progress)
    if not result.finished:
        raise TrainingError(
            f"The training of fold {fold + 1} was interrupted; run the same command again, and it goes on from there."
        )
    return run


def _on_fold(recipe: Recipe, data: Path) -> Recipe:
    """The recipe with the data of a fold; everything else stays."""
    training = recipe.training.model_copy(update={"train_on": "train", "validate_on": "val"})
    return recipe.model_copy(update={"data": FolderConfig(root=data.resolve()), "training": training})
