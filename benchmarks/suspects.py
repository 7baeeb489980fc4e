"""How early `atrous data suspects` names errors that were planted into real masks.

    python benchmarks/suspects.py MODEL DATASET [--split val] [--half second] [--seeds 10,11] [--flip]

Prints, for each kind of error: how many were planted, how long the lists are, which share of the errors stands in the
first tenth of the list, in the list at all, and among as many suspects as there are errors. Run from the clone's root.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atrous.data import open_split, parse_dataset
from atrous.evaluation.suspect_regions import area_of, suspicious_regions
from atrous.evaluation.suspects import Suspect, ranked
from atrous.inference.predictor import load
from atrous.inference.views import Views
from atrous.labels import Mask

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.evaluation.planted import Found, Kind, found_of, plant

KINDS: tuple[Kind, ...] = ("exchanged", "missing", "shifted")
HALVES = {"first": slice(0, 1), "second": slice(1, 2), "both": slice(0, 2)}


def main() -> None:
    arguments = parsed()
    predictor = load(arguments.model, views=Views(flip=arguments.flip))
    dataset = open_split(parse_dataset(arguments.dataset), arguments.split)
    halves = np.array_split(np.arange(len(dataset)), 2)[HALVES[arguments.half]]
    samples = [dataset[int(index)] for index in np.concatenate(halves)]
    masks = [sample.mask for sample in samples]
    answers = [predictor(sample.image).probabilities.astype(np.float16) for sample in samples]
    for kind in KINDS:
        results = [measured(masks, answers, kind, int(seed)) for seed in arguments.seeds.split(",")]
        planted, length = (np.mean([result[place] for result in results]) for place in (0, 1))
        shares = np.average([result[2] for result in results], axis=0, weights=[result[0] for result in results])
        words = ", ".join(f"{name} {share:.2f}" for name, share in zip(Found._fields, shares, strict=True))
        print(f"{kind}: {planted:.0f} planted, {length:.0f} suspects: {words}", flush=True)


def measured(masks: list[Mask], answers: list[NDArray[np.float16]], kind: Kind, seed: int) -> tuple[int, int, Found]:
    """(errors, suspects, how early they are found) of one planting."""
    changed, planted = plant(masks, len(answers[0]), kind, seed)
    suspects = ranked(
        Suspect(number, "", "", region)
        for number, (answer, mask) in enumerate(zip(answers, changed, strict=True))
        for region in suspicious_regions(answer.astype(np.float32), mask)
    )

    def area(suspect: Suspect) -> NDArray[np.bool_]:
        predicted = answers[suspect.picture].argmax(axis=0).astype(np.uint8)
        return area_of(suspect.region, changed[suspect.picture], predicted)

    return len(planted), len(suspects), found_of(planted, suspects, area)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--split", default="val")
    parser.add_argument("--half", choices=HALVES, default="both")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--flip", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
