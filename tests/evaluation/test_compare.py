"""A paired comparison of two reports."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from atrous.data.samples import Sample
from atrous.errors import ConfigError
from atrous.evaluation.bootstrap import weights_of
from atrous.evaluation.compare import compare
from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.report import EvaluationReport, picture_line, read_picture_line
from atrous.inference.predictor import Predictor
from tests.tiny_data import LABELS, InMemory, network_that_knows_colours, one_sentence, random_mask

PICTURES = 12


def report_of(wrong: Sequence[float], name: str = "a") -> EvaluationReport:
    """Of pictures in each of which a share of the pixels shows another class than is true."""
    samples = []
    for index, share in enumerate(wrong):
        truth = random_mask((10, 12), index)
        shown = np.where(np.random.default_rng(index).random(truth.shape) < share, 1, np.minimum(truth, 2))
        samples.append(Sample(LABELS.color_table[shown], truth, f"picture {index}"))
    predictor = Predictor(network_that_knows_colours(LABELS), LABELS, name=name, device=torch.device("cpu"))
    return evaluate(predictor, InMemory(samples, split="val"))


@pytest.fixture(scope="module")
def worse() -> EvaluationReport:
    return report_of([0.3 + 0.05 * (index % 5) for index in range(PICTURES)], "worse")


@pytest.fixture(scope="module")
def better() -> EvaluationReport:
    return report_of([0.2 + 0.05 * (index % 5) for index in range(PICTURES)], "better")


def test_the_better_network_is_found(worse: EvaluationReport, better: EvaluationReport) -> None:
    found = compare(worse, better)
    score = found.headlines[0]
    assert (score.a, score.b) == (worse.scores.mean_iou, better.scores.mean_iou)
    assert score.certain
    assert score.interval is not None
    assert score.interval[0] < better.scores.mean_iou - worse.scores.mean_iou < score.interval[1]
    assert found.verdict.startswith("B is better by ")
    assert compare(better, worse).verdict == found.verdict.replace("B is", "A is")


def test_a_network_does_not_differ_from_itself(worse: EvaluationReport) -> None:
    found = compare(worse, worse)
    assert found.headlines[0].interval == (0, 0)
    assert found.verdict.startswith(f"No difference can be told on {PICTURES} pictures")
    assert all(change.a == change.b for change in found.changes)


def test_an_interval_is_that_of_the_same_weights_for_both(worse: EvaluationReport, better: EvaluationReport) -> None:
    weights = np.stack([weights_of(index) for index in range(PICTURES)])

    def drawn(report: EvaluationReport) -> np.ndarray:
        right, total = np.zeros((2, PICTURES))
        for index, line in enumerate(report.pictures.values()):
            right[index] = sum(each.found for each in read_picture_line(line))
            total[index] = sum(each.true for each in read_picture_line(line))
        accuracy: np.ndarray = (right @ weights) / (total @ weights)
        return accuracy

    expected = np.percentile(drawn(better) - drawn(worse), [2.5, 97.5])
    accuracy = next(row for row in compare(worse, better).headlines if row.name == "pixel accuracy")
    assert accuracy.interval == pytest.approx(expected.tolist())


def test_pairing_tells_more_than_two_intervals(worse: EvaluationReport, better: EvaluationReport) -> None:
    paired = compare(worse, better).headlines[0].interval
    assert paired is not None
    apart = [report.scores.intervals["mean_iou"] for report in (worse, better)]
    assert paired[1] - paired[0] < sum(high - low for low, high in apart)


def test_the_picture_that_changed_most_comes_first(worse: EvaluationReport) -> None:
    changed = compare(worse, report_of([0.9 if index == 7 else 0.3 + 0.05 * (index % 5) for index in range(PICTURES)]))
    assert changed.changes[0].name == "picture 7"
    assert changed.changes[0].b < changed.changes[0].a
    assert len(changed.changes) == PICTURES


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fingerprint": "other"}, "their files (fingerprints) differ: fingerprint of val in A and other in B"),
        ({"dataset": "large"}, "their data sets differ: tiny in A and large in B"),
        (
            {"flip": True},
            "their flips differ: no in A and yes in B; evaluate both in one way, or say with --differing",
        ),
        ({"scales": (0.5, 1.0)}, "their scales differ: 1 in A and 0.5, 1 in B"),
    ],
)
def test_unequal_protocols_are_refused_by_name(
    worse: EvaluationReport, better: EvaluationReport, change: dict[str, object], words: str
) -> None:
    other = better.model_copy(update={"protocol": better.protocol.model_copy(update=change)})
    with pytest.raises(ConfigError) as caught:
        compare(worse, other)
    assert words in one_sentence(caught.value)


def test_what_is_compared_may_differ(worse: EvaluationReport, better: EvaluationReport) -> None:
    flipped = better.model_copy(update={"protocol": better.protocol.model_copy(update={"flip": True})})
    assert compare(worse, flipped, ["flip"]).headlines == compare(worse, better).headlines


def test_reports_without_or_with_damaged_pictures_are_refused(worse: EvaluationReport) -> None:
    for pictures in ({}, {"picture 0": "0 1 2"}, dict.fromkeys(worse.pictures, "9 1 1 1")):
        with pytest.raises(ConfigError) as caught:
            compare(worse.model_copy(update={"pictures": pictures}), worse.model_copy(update={"pictures": pictures}))
        assert "evaluate the network again" in one_sentence(caught.value)


def test_reports_of_other_pictures_are_refused(worse: EvaluationReport) -> None:
    other = worse.model_copy(update={"pictures": dict(reversed(worse.pictures.items()))})
    with pytest.raises(ConfigError, match="their pictures differ"):
        compare(worse, other)


def test_a_single_picture_tells_nothing() -> None:
    report = report_of([0.5])
    assert not report.scores.intervals
    assert compare(report, report).verdict == "1 picture: too few to say which is better."


def test_a_line_is_read_as_it_was_written(worse: EvaluationReport) -> None:
    for line in ["", *worse.pictures.values()]:
        assert picture_line(read_picture_line(line)) == line
