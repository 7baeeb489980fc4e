import shlex
from pathlib import Path

import numpy as np
import pytest

from atrous.cli.demo import demo_recipe
from atrous.config import override, parse
from atrous.evaluation.report import Calibration, EvaluationReport, ReliabilityBin, SizeScore
from atrous.evaluation.suggestions import suggestions
from atrous.training.recipe import Recipe
from tests.evaluation.test_report_page import report_of

NAMES = ("road", "tree", "sign")
GOOD = np.array([[9000, 10, 12], [11, 8000, 13], [10, 14, 7000]])


def report_with(confusion: list[list[int]] | None = None, **scores: object) -> EvaluationReport:
    report = report_of(NAMES, GOOD if confusion is None else np.array(confusion))
    return report.model_copy(update={"scores": report.scores.model_copy(update={"mean_iou": 0.7, **scores})})


def bins(confidence: float, accuracy: float) -> Calibration:
    filled = ReliabilityBin(start=0.5, stop=1, pixels=9, confidence=confidence, accuracy=accuracy)
    return Calibration(
        error=abs(confidence - accuracy),
        bins=(ReliabilityBin(start=0, stop=0.5, pixels=0, confidence=None, accuracy=None), filled),
    )


def sizes(small: float, large: float) -> tuple[SizeScore, ...]:
    return (
        SizeScore(name="small", at_least=0, below=1024, mean_iou=small, pixels=9),
        SizeScore(name="large", at_least=1024, below=None, mean_iou=large, pixels=9),
    )


UNSURE = report_with(intervals={"mean_iou": (0.62, 0.78)})
RARE = report_with([[9000, 0, 5], [0, 9000, 5], [50, 50, 40]])
CASES = {
    "loss.class_weights=balanced": (RARE, None, "sign (IoU 26.7%, 0.8% of the pixels)"),
    "augmentation.scale='[0.5, 2.0]'": (
        report_with(),
        0.9,
        "On pictures of train the mean IoU is 90.0%, on these 70.0%",
    ),
    "training.steps=STEPS": (report_with(mean_iou=0.3), 0.31, "Even on pictures of train the mean IoU is 31.0%"),
    "atrous data suspects": (
        report_with([[90, 30, 1], [1, 90, 1], [1, 1, 90]]),
        None,
        "85.7% of all wrong pixels are road",
    ),
    "network.output_stride=8": (
        report_with().model_copy(update={"sizes": sizes(0.3, 0.9)}),
        None,
        "less than 1,024 pixels have a mean IoU of 30.0%, large ones 90.0%",
    ),
    "--crf": (report_with(mean_boundary_iou=0.5), None, "Along outlines the IoU is 50.0%, in the whole 70.0%"),
    "loss.label_smoothing=0.1": (
        report_with().model_copy(update={"calibration": bins(0.97, 0.9)}),
        None,
        "97.0% sure on average and right in 90.0%",
    ),
    "atrous compare": (UNSURE, None, "7 pictures leave the mean IoU between 62.0% and 78.0%"),
}


@pytest.mark.parametrize("attempt", CASES)
def test_each_trouble_is_said_alone_with_its_figure_and_what_to_try(attempt: str) -> None:
    report, train_iou, words = CASES[attempt]
    found = [each for each in suggestions(report, train_iou) if attempt in each.attempt]
    assert len(found) == 1
    assert words in found[0].sentence


def test_good_scores_suggest_nothing() -> None:
    report = report_with(mean_boundary_iou=0.69, intervals={"mean_iou": (0.69, 0.71)})
    report = report.model_copy(update={"sizes": sizes(0.6, 0.8), "calibration": bins(0.9, 0.95)})
    assert suggestions(report, 0.72) == []


@pytest.mark.parametrize("attempt", CASES)
def test_every_key_to_try_is_one_of_a_recipe(attempt: str) -> None:
    report, train_iou, _ = CASES[attempt]
    recipe = demo_recipe(Path("data"), 10).model_dump(mode="json")
    for each in suggestions(report, train_iou):
        if not each.attempt.startswith("atrous"):
            keys = shlex.split(each.attempt.replace("STEPS", "30"))
            parse(Recipe, override(recipe, keys), "the suggestion")


def test_classes_that_nobody_has_bring_no_suggestion() -> None:
    assert suggestions(report_with([[5, 0, 0], [0, 0, 0], [0, 0, 0]])) == []


BALANCED = {"kind": "cross_entropy", "class_weights": "balanced", "label_smoothing": 0.1}
TRIED = {
    "no loss": ({}, "loss.class_weights=balanced", "loss.label_smoothing=0.1"),
    "focal": ({"kind": "focal"}, "loss.class_weights=balanced", "'loss={kind: cross_entropy, label_smoothing: 0.1}'"),
    "dice": ({"kind": "dice"}, "'loss={kind: sum", "'loss={kind: cross_entropy, label_smoothing: 0.1}'"),
    "balanced": (BALANCED, "'loss={kind: sum", None),
    "a table": ({"class_weights": {"sign": 5}}, "'loss={kind: sum", "loss.label_smoothing=0.1"),
    "balanced and dice": (
        {"kind": "sum", "terms": [{"weight": 1.0, "loss": BALANCED}, {"weight": 0.5, "loss": {"kind": "dice"}}]},
        "atrous data stats",
        None,
    ),
}


@pytest.mark.parametrize("loss", TRIED)
def test_what_a_recipe_has_already_is_not_suggested_and_what_is_fits_it(loss: str) -> None:
    chosen, of_rare, of_sure = TRIED[loss]
    report = RARE.model_copy(update={"calibration": bins(0.97, 0.9)})
    tried = {each.sentence[:4]: each.attempt for each in suggestions(report, recipe={"loss": chosen})}
    assert tried["Rare"].startswith(of_rare)
    assert tried.get("The ") == of_sure
    recipe = demo_recipe(Path("data"), 10).model_dump(mode="json") | {"loss": chosen}
    for attempt in tried.values():
        if not attempt.startswith("atrous"):
            parse(Recipe, override(recipe, shlex.split(attempt)), "the suggestion")
