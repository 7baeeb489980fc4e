from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atrous.data.folder import FolderConfig, folder, write_folder
from atrous.data.samples import Sample
from atrous.data.share import Share
from atrous.errors import ConfigError, DatasetError, MaskError
from atrous.evaluation.evaluate import evaluate, report_of, tally
from atrous.evaluation.examples import predict_examples
from atrous.evaluation.report import EvaluationReport, read_report, write_report
from atrous.inference.predictor import Predictor
from atrous.labels import LabelSpace, Mask
from atrous.networks import build_network
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, InMemory, network_that_knows_colours, noise, one_sentence, painted, random_mask

SIZES = [(8, 12), (5, 5), (1, 1), (12, 8)]


def knower(labels: LabelSpace = LABELS) -> Predictor:
    """A predictor that is right about every picture of `painted`."""
    network = network_that_knows_colours(labels)
    return Predictor(network, labels, name="knower", device=torch.device("cpu"))


def split_of(masks: Sequence[Mask], split: str = "val") -> InMemory:
    return InMemory([painted(mask, f"picture {index}") for index, mask in enumerate(masks)], split=split)


def right_split() -> InMemory:
    masks = [random_mask(size, index) for index, size in enumerate(SIZES)]
    masks[2][:] = 1
    return split_of(masks)


@pytest.fixture
def report() -> EvaluationReport:
    return evaluate(knower(), right_split())


def test_a_predictor_that_is_right_everywhere_has_all_points(report: EvaluationReport) -> None:
    assert report.scores.mean_iou == report.scores.pixel_accuracy == report.scores.mean_dice == 1
    assert np.array(report.confusion).sum() == sum((mask != 255).sum() for _, mask, _ in right_split().samples)


def test_a_picture_that_is_wrong_costs_its_pixels_and_not_a_share_of_the_pictures() -> None:
    wrong = Sample(LABELS.color_table[np.full((2, 5), 1)], np.zeros((2, 5), np.uint8), "wrong")
    dataset = InMemory([painted(np.zeros((9, 10), np.uint8), "right"), wrong])
    report = evaluate(knower(), dataset)
    assert report.confusion == ((90, 10, 0), (0, 0, 0), (0, 0, 0))
    assert report.scores.mean_iou == pytest.approx(0.45)
    assert report.scores.absent == ("dog",)


def test_the_protocol_is_that_of_the_data_set_and_the_predictor(report: EvaluationReport) -> None:
    assert report.model == "knower"
    assert report.labels == LABELS
    protocol = report.protocol
    assert (protocol.dataset, protocol.split, protocol.pictures) == ("tiny", "val", 4)
    assert protocol.fingerprint == "fingerprint of val"
    assert protocol.sizes == "4 sizes from 1x1 to 12x12, each picture's own"
    assert (protocol.output_stride, protocol.precision) == (1, "float32")
    assert (protocol.scales, protocol.flip) == ((1.0,), False)
    assert "255" in protocol.ignore


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_split_in_the_report_is_the_one_that_was_scored(split: str) -> None:
    dataset = split_of([np.zeros((3, 4), np.uint8)], split)
    report = evaluate(knower(), dataset)
    assert report.protocol.split == split
    assert report.protocol.fingerprint == f"fingerprint of {split}"
    assert report.protocol.sizes == "4x3, each picture's own"


def test_the_files_of_a_split_decide_its_fingerprint(tmp_path: Path) -> None:
    prints = set()
    for seed in (0, 0, 1):
        write_folder(tmp_path, [split_of([random_mask((4, 4), seed)])])
        prints.add(evaluate(knower(), folder(FolderConfig(root=tmp_path), "val")).protocol.fingerprint)
    assert len(prints) == 2


def test_the_output_stride_is_the_networks() -> None:
    predictor = Predictor(build_network(SMALL_NETWORKS[1], 3), LABELS, name="small", device=torch.device("cpu"))
    assert evaluate(predictor, split_of([random_mask((9, 9), 0)])).protocol.output_stride == 8


def test_stray_labels_stop_the_scoring_and_every_file_is_counted() -> None:
    masks = [np.zeros((2, 8), np.uint8) for _ in range(8)]
    for index in range(1, 8):
        masks[index][0, :index] = 36 + index
    with pytest.raises(MaskError) as caught:
        evaluate(knower(), split_of(masks))
    text = one_sentence(caught.value)
    assert "7 of 8 masks hold labels of no class, 28 pixels in all" in text
    assert "picture 1.png has value 37 on 1 pixel;" in text
    assert "picture 5.png has value 41 on 5 pixels; and 2 more files" in text
    assert "0..2 (ground to dog) and 255 (ignore)" in text


def test_a_split_of_nothing_but_ignored_pixels_has_no_score() -> None:
    with pytest.raises(DatasetError) as caught:
        evaluate(knower(), split_of([np.full((3, 3), 255, np.uint8)]))
    assert "tiny val is ignored" in one_sentence(caught.value)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["ground", "cat"], "the network knows 2 classes, the data set has 3"),
        (["ground", "dog", "cat"], "class 1 is 'dog' to the network and 'cat' in the data set"),
        (["a", "cat", "dog"], "class 0 is 'a' to the network and 'ground' in the data set"),
    ],
)
def test_classes_that_differ_are_refused_by_name(names: list[str], words: str) -> None:
    with pytest.raises(DatasetError) as caught:
        evaluate(knower(LabelSpace.from_names(names)), right_split())
    assert words in one_sentence(caught.value)


def test_colours_may_differ() -> None:
    others = LabelSpace(names=LABELS.names, colors=((9, 9, 9), *LABELS.colors[1:]))
    assert evaluate(knower(others), right_split()).labels == LABELS


def test_a_report_is_read_as_it_was_written(report: EvaluationReport, tmp_path: Path) -> None:
    write_report(tmp_path / "new" / "report.json", report)
    assert read_report(tmp_path / "new" / "report.json") == report


@pytest.mark.parametrize(
    "content", ["", "no JSON", "[1, 2]", "{", "null", "{}", '{"format": "atrous-report-9"}', "[" * 10**5, "\udc80"]
)
def test_a_file_that_is_no_report_is_refused_in_one_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        read_report(path)
    assert str(path) in one_sentence(caught.value)


def test_a_report_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(ConfigError, match="is no report"):
            read_report(path)


@pytest.mark.parametrize(
    ("count", "chosen"), [(1, [0]), (2, [0, 6]), (3, [0, 3, 6]), (7, [*range(7)]), (99, [*range(7)])]
)
def test_examples_are_spread_over_the_split(count: int, chosen: list[int]) -> None:
    dataset = split_of([np.full((2, 3), index % 3, np.uint8) for index in range(7)])
    examples = predict_examples(knower(), dataset, count)
    assert [example.name for example in examples] == [f"picture {index}" for index in chosen]
    for example, index in zip(examples, chosen, strict=True):
        assert (example.prediction == index % 3).all()
        np.testing.assert_array_equal(example.truth, dataset[index].mask)


def test_no_examples_are_wanted() -> None:
    assert predict_examples(knower(), split_of([np.zeros((2, 2), np.uint8)]), 0) == []


def test_pictures_of_noise_are_scored_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    dataset = InMemory([Sample(noise((7, 9), 0), random_mask((7, 9), 0), "noise")])
    assert 0 <= evaluate(knower(), dataset).scores.mean_iou < 1
    assert not recwarn.list


def noisy_split(count: int = 9) -> InMemory:
    return InMemory([Sample(noise((40, 50), i), random_mask((40, 50), i), f"picture {i}") for i in range(count)])


def test_several_processes_report_to_the_last_digit_what_one_does() -> None:
    predictor, dataset = knower(), noisy_split()
    tallies = [tally(predictor, dataset, share=Share(number, 2)) for number in range(2)]
    assert report_of(predictor, dataset, tallies) == evaluate(predictor, dataset)


def test_every_score_lies_in_its_interval() -> None:
    report = evaluate(knower(), noisy_split())
    scores = report.scores
    assert set(scores.intervals) == {
        *("pixel_accuracy", "mean_accuracy", "mean_iou", "frequency_weighted_iou", "mean_dice", "mean_boundary_iou")
    }
    pairs: list[tuple[Any, tuple[float, float] | None]] = []
    pairs += [(getattr(scores, name), each) for name, each in scores.intervals.items()]
    pairs += [(getattr(entry, name), each) for entry in scores.classes for name, each in entry.intervals.items()]
    pairs += [(point.mean_iou, point.interval) for point in report.trimap]
    assert report.calibration is not None
    pairs += [(report.calibration.error, report.calibration.interval)]
    assert len(pairs) == 6 + 3 * 6 + 10 + 1
    assert all(each is not None and each[0] <= score <= each[1] for score, each in pairs)


def test_a_single_picture_has_scores_and_no_intervals() -> None:
    report = evaluate(knower(), noisy_split(1))
    assert not report.scores.intervals
    assert report.trimap[0].interval is None
    assert report.calibration is not None
    assert report.calibration.interval is None


def test_pictures_are_named_in_the_order_of_the_split_even_if_names_repeat_or_are_no_text() -> None:
    names = ["b", "a", "a", "\udce4"]
    dataset = InMemory([Sample(noise((4, 4), i), random_mask((4, 4), i), name) for i, name in enumerate(names)])
    assert list(evaluate(knower(), dataset).pictures) == ["b", "a", "a (2)", "\\udce4"]
