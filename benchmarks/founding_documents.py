"""Repeat the run of each founding document (docs/founding_documents.md), one after the other, and print their scores.

Usage: python benchmarks/founding_documents.py DATA OUT [--only NAME ...] [--set KEY=VALUE ...]
DATA is the folder with fashion, voc, skydiving and weights; OUT gets weights, runs and reports. What OUT holds already
is not made again. `--set training.steps=40` changes every run, and a table of such runs says nothing of the recipes.
One thread: OMP_NUM_THREADS=1, as the documented runs were made.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from atrous.evaluation.report import EvaluationReport, read_report
from atrous.weights.checkpoint import read_info

RECIPES = Path(__file__).parents[1] / "recipes"
WEIGHTS = {
    "voc": ["deeplabv3_mnv2_pascal_quant.tflite", "--labels", "voc"],
    "imagenet_v2": ["tf2_mobilenet_v2_1.0_224_ptq.tflite"],
}


class Run(NamedTuple):
    """One training and what is scored of it."""

    name: str
    recipe: str
    root: str
    changes: list[str]
    start: str | None
    scored: list[str]
    """DATASET and what follows it for `atrous evaluate`; `{data}` and `{out}` stand for the folders."""
    weights: str = "best"
    """Which of the run's checkpoints is scored; `last` where validation at full size chooses badly."""


def on_fashion(name: str, network: str = "", steps: int | None = None) -> Run:
    """Document 000 with one backbone; those without weights at hand begin at random."""
    changes = [f"name=fashion_v3plus_{name}", f"network={{kind: deeplab_v3plus, {network}}}"] if network else []
    if steps is not None:
        changes += [f"training.steps={steps}", f"training.validate_every={steps}", "training.batch_size=4"]
    start = None if network else "imagenet_v2"
    scored = ["{out}/fashion", "--split", "test", "--scales", "0.35"]
    return Run(f"000_{name}", "fashion_v3plus_mobilenet_v2", "{out}/fashion", changes, start, scored, "last")


def on_voc(name: str, recipe: str, start: str, *options: str, weights: str = "best") -> Run:
    """A run on the pictures of VOC."""
    return Run(name, recipe, "{data}/voc", [], start, ["voc:{data}/voc", *options], weights)


SKYDIVING = [
    "labelme:{data}/skydiving",
    "background=no label",
    "classes=[no label, person, airplane, ground, sky]",
    "overlap=class_priority",
    "priority=[sky, ground, airplane, person]",
]
RUNS = [
    Run("002", "skydiving_sample_v3_mobilenet_v2", "{data}/skydiving", [], "voc", SKYDIVING),
    on_fashion("mobilenet_v2"),
    on_fashion("resnet101", "backbone: {kind: resnet, depth: 101}, output_stride: 16", 300),
    on_fashion("xception65", "backbone: {kind: xception, depth: 65}, output_stride: 16", 300),
    on_fashion("drn_d54", "backbone: {kind: drn, variant: D-54}, output_stride: 8", 300),
    on_voc("004", "voc_sample_v2_mobilenet_v2", "voc"),
    on_voc("004_crf", "voc_sample_v2_mobilenet_v2", "voc", "--crf"),
    on_voc("001", "voc_sample_v3_mobilenet_v2", "imagenet_v2"),
    on_voc("003", "voc_sample_v3plus_mobilenet_v2_cell", "voc", "--scales", "0.5", weights="last"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="+", choices=[run.name for run in RUNS], default=[run.name for run in RUNS])
    parser.add_argument("--set", nargs="+", default=[], dest="changes")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    prepare(given.data, given.out)
    for run in RUNS:
        if run.name in given.only:
            print(line(run, *made(run, given.data, given.out, given.changes)), flush=True)


def prepare(data: Path, out: Path) -> None:
    """Import the weights, and divide the fashion photos, which have no split of their own."""
    for name, (file, *options) in WEIGHTS.items():
        if not (out / f"{name}.safetensors").exists():
            atrous("import", data / "weights" / file, out / f"{name}.safetensors", *options)
    if not (out / "fashion").exists():
        shares = "train=0.8,val=0.05,test=0.15"
        atrous("data", "split", f"clothing-co-parsing:{data / 'fashion'}", out / "fashion", "--fractions", shares)


def made(run: Run, data: Path, out: Path, changes: list[str]) -> tuple[EvaluationReport, float]:
    """The report of a run and the seconds of its training; what is not there is made."""
    folder = out / run.name.removesuffix("_crf")
    places = {"data": data, "out": out}
    if not (folder / "report.html").exists():
        start = [f"training.start_from={out / run.start}.safetensors"] if run.start else []
        words = [f"data.root={run.root.format(**places)}", *run.changes, *start, "training.workers=0", *changes]
        atrous("train", RECIPES / f"{run.recipe}.yaml", *words, "--output", folder)
    report = out / f"scores_{run.name}"
    if not (report / "report.json").exists():
        scored = [word.replace("{data}", str(data)).replace("{out}", str(out)) for word in run.scored]
        atrous("evaluate", folder / f"{run.weights}.safetensors", *scored, "--output", report)
    return read_report(report / "report.json"), float(read_info(folder / "last.safetensors").provenance["seconds"])


def line(run: Run, report: EvaluationReport, seconds: float) -> str:
    """A row of the table of the document."""
    found = report.scores
    values = (found.pixel_accuracy, found.mean_accuracy, found.mean_iou, found.frequency_weighted_iou)
    scores = " | ".join(f"{100 * value:.2f}" for value in values)
    return f"| {run.name} | {report.protocol.pictures} | {scores} | {seconds / 60:.1f} min |"


def atrous(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "atrous", *map(str, words)], check=True)


if __name__ == "__main__":
    main()
