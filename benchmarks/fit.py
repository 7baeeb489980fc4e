"""`atrous fit` beside a fixed recipe: the same data, the same minutes, at the same time on the same machine.

    python benchmarks/fit.py camvid:DATA recipes/camvid_v3plus_mobilenet_v2.yaml --minutes 8 --output runs/proof
    python benchmarks/fit.py labelme:DATA recipes/folder_v3plus_mobilenet_v2.yaml KEY=VALUE ... --minutes 4

Both begin together, each in a process of its own, so that whatever else the machine does meets both. With `--clock
processor` the minutes are those that a core has worked for the process, on a machine that others use. The recipe is
taken as it is, but for its data and for how many steps it has: these are measured and then follow the clock, as those
of `fit` do, so that its learning rate comes down in time. By default both begin at random.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from atrous.config import override, parse, read_yaml
from atrous.data import open_split, parse_dataset
from atrous.evaluation.report import read_report
from atrous.progress import Lines
from atrous.training.fit import fit, with_steps
from atrous.training.logs import read_log
from atrous.training.pace import Pace
from atrous.training.planning.clock import Clock
from atrous.training.planning.facts import look_at_data
from atrous.training.planning.length import fit_into
from atrous.training.planning.measure import measure
from atrous.training.recipe import Recipe
from atrous.training.train import train
from atrous.weights.finding import find_model
from atrous.weights.starting import network_of

CLOCKS: dict[str, Clock] = {"wall": time.monotonic, "processor": time.process_time}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("choices", nargs="*", default=[])
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--output", type=Path, default=Path("runs/proof"))
    parser.add_argument("--start-from", default="none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--side", choices=("fit", "recipe"), help="Only this one, in this process.")
    given = parser.parse_args()
    if given.side:
        (fit_side if given.side == "fit" else recipe_side)(given)
        return
    given.output.mkdir(parents=True, exist_ok=True)
    sides = [run_side(given.output, side) for side in ("fit", "recipe")]
    codes = [side.wait() for side in sides]
    if any(codes):
        raise SystemExit(f"exit codes {codes}: see the logs in {given.output}")
    for name in ("fit", "recipe"):
        print(f"{name}: {scores_of(given.output / name)}")


def run_side(output: Path, side: str) -> "subprocess.Popen[bytes]":
    with (output / f"{side}.log").open("w") as log:
        return subprocess.Popen([sys.executable, *sys.argv, "--side", side], stdout=log, stderr=subprocess.STDOUT)


def scores_of(run: Path) -> str:
    scores, rows = read_report(run / "report.json").scores, read_log(run / "log.jsonl")
    validations = sum("val_mean_iou" in row for row in rows)
    return (
        f"mIoU {scores.mean_iou:.2%}, pixel accuracy {scores.pixel_accuracy:.2%}, the best of {validations} "
        f"validations; {max(row['step'] for row in rows)} updates"
    )


def fit_side(given: argparse.Namespace) -> None:
    fit(
        parse_dataset(given.dataset, given.choices),
        given.output / "fit",
        minutes=given.minutes,
        start_from=given.start_from,
        seed=given.seed,
        progress=Lines(),
        clock=CLOCKS[given.clock],
    )


def recipe_side(given: argparse.Namespace) -> None:
    clock, progress = CLOCKS[given.clock], Lines()
    deadline = clock() + 60 * given.minutes
    recipe = given_recipe(given)
    splits = open_split(recipe.data, "train"), open_split(recipe.data, "val")
    data = look_at_data(*splits, 0.03 * 60 * given.minutes, progress, clock)
    speed = measure(recipe, *splits, 0.06 * 60 * given.minutes, progress, clock)
    per_update = recipe.training.batch_size * recipe.training.accumulation
    length = fit_into(deadline - clock(), data, speed, per_update)
    pace = Pace(deadline, length.validation_seconds, length.finishing_seconds, clock)
    train(with_steps(recipe, length.steps), given.output / "recipe", progress=progress, pace=pace)


def given_recipe(given: argparse.Namespace) -> Recipe:
    content = override(read_yaml(given.recipe), [f"training.seed={given.seed}"])
    content["data"] = parse_dataset(given.dataset, given.choices).model_dump(mode="json")
    if given.start_from != "none":
        content["training"]["start_from"] = given.start_from
        content["network"] = network_of(find_model(given.start_from)).model_dump(mode="json")
    recipe: Recipe = parse(Recipe, content, str(given.recipe))
    return recipe


if __name__ == "__main__":
    main()
