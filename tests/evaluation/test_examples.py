import numpy as np
import pytest
import torch

from atrous.data.samples import Sample
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.examples import STANDINGS, picture_iou, predict_telling, telling_pictures
from atrous.evaluation.report import ClassPixels, EvaluationReport, read_picture_line
from atrous.inference.predictor import Predictor
from tests.evaluation.test_report_page import report_of
from tests.tiny_data import LABELS, InMemory, network_that_knows_colours, noise, random_mask

NAMES = ("road", "tree", "sign")


def lined(*lines: str) -> EvaluationReport:
    """A report of pictures with these lines."""
    return report_of(NAMES).model_copy(update={"pictures": {f"p{i}": line for i, line in enumerate(lines)}})


def of_iou(*percents: int) -> EvaluationReport:
    return lined(*(f"0 {percent} 100 {percent}" for percent in percents))


def test_the_best_the_median_and_the_worst_are_chosen() -> None:
    chosen = telling_pictures(of_iou(50, 90, 10, 70, 30, 60, 40), 4)
    assert chosen == [
        (1, "Best, rank 1 of 7"),
        (0, "Median, rank 4 of 7"),
        (2, "Worst, rank 7 of 7"),
    ]


@pytest.mark.parametrize("pictures", range(1, 30))
@pytest.mark.parametrize("count", [0, 1, 2, 3, 8, 18])
def test_no_picture_is_chosen_twice_nor_more_than_wanted(pictures: int, count: int) -> None:
    percents = np.random.default_rng(pictures).permutation(pictures) + 1
    chosen = telling_pictures(of_iou(*percents.tolist()), count)
    numbers = [each.number for each in chosen]
    assert len(numbers) == len(set(numbers)) <= count
    words = [each.standing.split(",")[0] for each in chosen]
    assert words == sorted(words, key=STANDINGS.index)


def test_a_class_that_no_chosen_picture_shows_brings_the_picture_with_most_of_it() -> None:
    lines = ["0 90 100 90", "0 50 100 50", "0 10 100 10", "0 80 100 80; 2 3 9 3", "0 60 100 60; 2 3 8 3"]
    chosen = telling_pictures(lined(*lines), 4)
    assert chosen[-1] == (3, "Most sign, rank 2 of 5")


def test_a_picture_without_a_scored_pixel_is_not_chosen() -> None:
    assert [each.number for each in telling_pictures(lined("", "0 1 2 1", ""), 9)] == [1]


def test_the_score_of_a_picture_is_that_of_its_card() -> None:
    assert picture_iou([ClassPixels(0, 2, 3, 2), ClassPixels(1, 1, 1, 2)]) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_examples_are_predicted_in_the_order_of_their_choice() -> None:
    samples = [Sample(noise((20, 30), i), random_mask((20, 30), i), f"picture {i}") for i in range(9)]
    predictor = Predictor(network_that_knows_colours(LABELS), LABELS, name="knower", device=torch.device("cpu"))
    report = evaluate(predictor, InMemory(samples))
    examples = predict_telling(predictor, InMemory(samples), report, 3)
    ious = {name: picture_iou(read_picture_line(line)) for name, line in report.pictures.items()}
    assert examples[0].name == max(ious, key=lambda name: ious[name])
    older = report.model_copy(update={"pictures": {}})
    assert [each.name for each in predict_telling(predictor, InMemory(samples), older, 2)] == ["picture 0", "picture 8"]
