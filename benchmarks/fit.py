"""`atrous fit` beside a fixed recipe: the same data, the same minutes, at the same time on the same machine.

    python benchmarks/fit.py camvid:DATA recipes/camvid_v3plus_mobilenet_v2.yaml --minutes 8 --output runs/proof
    python benchmarks/fit.py labelme:DATA recipes/folder_v3plus_mobilenet_v2.yaml KEY=VALUE ... --minutes 4

Both begin together, each in a process of its own, so that whatever else the machine does meets both. The recipe is
taken as it is, but for its data and for how many steps it has: these are measured and then follow the clock, as those
of `fit` do, so that its learning rate comes down in time. `--start-from none` lets both begin at random.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from atrous.data import open_split, parse_dataset
from atrous.evaluation.report import read_report
from atrous.progress import Lines
from atrous.training.fit import with_steps
from atrous.training.logs import read_log
from atrous.training.pace import Pace
from atrous.training.planning.facts import look_at_data
from atrous.training.planning.length import fit_into
from atrous.training.planning.measure import measure
from atrous.training.recipe import Recipe, read_recipe
from atrous.training.train import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("choices", nargs="*", default=[])
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--output", type=Path, default=Path("runs/proof"))
    parser.add_argument("--start-from", default="none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only-recipe", action="store_true", help="Train the recipe alone: what the other process does."
    )
    given = parser.parse_args()
    if given.only_recipe:
        train_recipe(given)
        return
    options = ["--minutes", str(given.minutes), "--start-from", given.start_from, "--seed", str(given.seed)]
    common = [given.dataset, *given.choices]
    fit = [sys.executable, "-m", "atrous", "fit", *common, *options, "--output", str(given.output / "fit")]
    fixed = [sys.executable, __file__, given.dataset, str(given.recipe), *given.choices, "--only-recipe", *options]
    begun = [
        subprocess.Popen(command, stdout=(given.output.parent / f"{given.output.name}_{name}.log").open("w"))
        for name, command in (("fit", fit), ("recipe", [*fixed, "--output", str(given.output)]))
        if given.output.parent.mkdir(parents=True, exist_ok=True) is None
    ]
    codes = [process.wait() for process in begun]
    if any(codes):
        raise SystemExit(f"exit codes {codes}: see the logs beside {given.output}")
    for name in ("fit", "recipe"):
        report, rows = read_report(given.output / name / "report.json"), read_log(given.output / name / "log.jsonl")
        scores = report.scores
        print(
            f"{name}: mIoU {scores.mean_iou:.2%}, pixel accuracy {scores.pixel_accuracy:.2%}, best of "
            f"{sum('val_mean_iou' in row for row in rows)} validations, {max(row['step'] for row in rows)} updates"
        )


def train_recipe(given: argparse.Namespace) -> None:
    """Train the fixed recipe for the minutes."""
    deadline = time.monotonic() + 60 * given.minutes
    progress = Lines()
    recipe = given_recipe(given)
    splits = open_split(recipe.data, "train"), open_split(recipe.data, "val")
    data = look_at_data(*splits, 0.03 * 60 * given.minutes, progress)
    speed = measure(recipe, *splits, 0.06 * 60 * given.minutes, progress)
    per_update = recipe.training.batch_size * recipe.training.accumulation
    length = fit_into(deadline - time.monotonic(), data, speed, per_update)
    pace = Pace(deadline, length.validation_seconds, length.finishing_seconds)
    print(f"{length.steps} steps")
    train(with_steps(recipe, length.steps), given.output / "recipe", progress=progress, pace=pace)


def given_recipe(given: argparse.Namespace) -> Recipe:
    start = None if given.start_from == "none" else given.start_from
    recipe = read_recipe(given.recipe)
    data = parse_dataset(given.dataset, given.choices)
    training = recipe.training.model_copy(update={"start_from": start, "seed": given.seed})
    if start is None:
        return recipe.model_copy(update={"data": data, "training": training})
    from atrous.weights.finding import find_model
    from atrous.weights.starting import network_of

    network = network_of(find_model(start))
    return recipe.model_copy(update={"data": data, "training": training, "network": network})


if __name__ == "__main__":
    main()
