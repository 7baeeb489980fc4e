import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.errors import OutputError
from atrous.evaluation.report import (
    Calibration,
    ClassScore,
    EvaluationReport,
    Protocol,
    ReliabilityBin,
    Scores,
    SizeScore,
    TrimapPoint,
)
from atrous.evaluation.report_page import Curve, Example, write_report_page
from atrous.labels import LabelSpace

STREET = ("sky", "road", "tree", "pedestrian")
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Page(HTMLParser):
    """What a page holds; its tags must be balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.tags if "id" in attributes]


def report_of(names: Sequence[str], confusion: NDArray[np.int64] | None = None) -> EvaluationReport:
    count = len(names)
    if confusion is None:
        confusion = np.random.default_rng(0).integers(1, 100, (count, count)) + 900 * np.eye(count, dtype=np.int64)
    right, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    classes = tuple(
        ClassScore(
            name=name,
            iou=float(right[i] / (true[i] + predicted[i] - right[i])) if true[i] + predicted[i] else None,
            dice=float(2 * right[i] / (true[i] + predicted[i])) if true[i] + predicted[i] else None,
            accuracy=float(right[i] / true[i]) if true[i] else None,
            precision=float(right[i] / predicted[i]) if predicted[i] else None,
            true_pixels=int(true[i]),
            predicted_pixels=int(predicted[i]),
        )
        for i, name in enumerate(names)
    )
    return EvaluationReport(
        model="best.safetensors",
        protocol=Protocol(
            dataset="streets",
            split="val",
            pictures=7,
            sizes="480x360",
            ignore="pixels of value 255",
            scales=(0.5, 1.0),
            output_stride=16,
            precision="float32",
            fingerprint="0123abcd",
        ),
        scores=Scores(
            pixel_accuracy=0.9123,
            mean_accuracy=0.8234,
            mean_iou=0.7345,
            frequency_weighted_iou=0.6456,
            mean_dice=0.5567,
            classes=classes,
            absent=tuple(score.name for score in classes if score.iou is None),
        ),
        labels=LabelSpace.from_names(names),
        confusion=tuple(tuple(int(pixels) for pixels in row) for row in confusion),
    )


def example(name: str = "a.jpg", size: tuple[int, int] = (30, 40), classes: int = 4, seed: int = 0) -> Example:
    random = np.random.default_rng(seed)
    return Example(
        name,
        random.integers(0, 256, (*size, 3), np.uint8),
        random.integers(0, classes, size, np.uint8),
        random.integers(0, classes, size, np.uint8),
    )


def enlarged(small: Example) -> Example:
    image = small.image.repeat(4, axis=0).repeat(4, axis=1)
    truth, prediction = (mask.repeat(4, axis=0).repeat(4, axis=1) for mask in (small.truth, small.prediction))
    return Example(small.name, image, truth, prediction)


def curve(*values: float | None) -> Curve:
    return Curve("Loss", "nats", list(range(len(values))), values)


def page_of(
    path: Path,
    report: EvaluationReport,
    *,
    title: str = "A run",
    examples: Sequence[Example] = (),
    curves: Sequence[Curve] = (),
    next_steps: Sequence[tuple[str, str]] = (),
) -> Page:
    target = path / "report.html"
    write_report_page(target, report, title=title, examples=examples, curves=curves, next_steps=next_steps)
    return Page(target.read_text(encoding="utf-8"))


@pytest.fixture
def full(tmp_path: Path) -> Page:
    return page_of(
        tmp_path,
        report_of(STREET),
        examples=[example("a.jpg"), example("b.jpg")],
        curves=[curve(3, 2, 1)],
        next_steps=[("Predict", "atrous predict best.safetensors photos/")],
    )


def test_the_page_says_every_score_and_the_protocol(full: Page) -> None:
    for score in ("91.2", "82.3", "73.5", "64.6", "55.7"):
        assert score in full.text
    for fact in ("streets", "val", "480x360", "pixels of value 255", "0.5, 1", "16", "float32", "0123abcd"):
        assert fact in full.text


def test_the_page_says_the_scores_of_every_class(full: Page) -> None:
    for score in report_of(STREET).scores.classes:
        assert score.name in full.text
        for share in (score.iou, score.dice, score.accuracy):
            assert share is not None
            assert f"{100 * share:.1f}" in full.text


def test_the_page_says_intervals_boundaries_sizes_and_calibration(tmp_path: Path) -> None:
    bins = [ReliabilityBin(start=0, stop=0.5, pixels=0, confidence=None, accuracy=None)]
    bins += [ReliabilityBin(start=0.5, stop=1, pixels=9, confidence=0.8, accuracy=0.6)]
    more = {
        "trimap": (TrimapPoint(width=1, mean_iou=0.311, pixels=5), TrimapPoint(width=40, mean_iou=0.622, pixels=9)),
        "sizes": (SizeScore(name="small", at_least=0, below=1024, mean_iou=0.433, interval=(0.4, 0.477), pixels=9),),
        "calibration": Calibration(error=0.2, bins=tuple(bins)),
    }
    report = report_of(STREET).model_copy(update=more)
    scores = report.scores.model_copy(
        update={"mean_boundary_iou": 0.588, "intervals": {"mean_iou": (0.711, 0.755), "mean_boundary_iou": (0.5, 0.6)}}
    )
    page = page_of(tmp_path, report.model_copy(update={"scores": scores}))
    for words in ("71.1 to 75.5", "58.8", "50.0 to 60.0", "43.3", "40.0 to 47.7", "below 1,024", "31.1"):
        assert words in page.text
    labels = [attributes.get("aria-label") or "" for attributes in page.all("svg")]
    assert any("31.1% within 1 pixels, 62.2% within 40 pixels" in label for label in labels)
    assert any("confidence 80%: right in 60% (100.0% of the pixels)" in label for label in labels)
    assert len(page.all("rect")) == 1


def test_a_report_without_these_measures_has_a_page(full: Page) -> None:
    assert "closer" not in full.ids
    assert "95%" not in full.text


def test_the_page_loads_nothing(full: Page) -> None:
    assert "http://" not in full.html
    assert "https://" not in full.html
    assert "url(http" not in full.html
    assert not any("src" in attributes for attributes in full.all("script"))
    assert all((attributes["src"] or "").startswith("data:image/") for attributes in full.all("img"))
    assert all((attributes["href"] or "").startswith(("#", "data:")) for attributes in full.all("a") + full.all("link"))
    policies = [meta["content"] for meta in full.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert (policies[0] or "").startswith("default-src 'none'; img-src data:;")


def test_every_picture_is_described(full: Page) -> None:
    pictures = full.all("img")
    assert len(pictures) == 2 * 4
    assert all(attributes["alt"] for attributes in pictures)
    assert "The picture a.jpg" in [attributes["alt"] for attributes in pictures]


def test_headings_go_down_one_level_at_a_time(full: Page) -> None:
    levels = [int(tag[1]) for tag, _ in full.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_reference_inside_the_page_leads_somewhere(full: Page) -> None:
    ids = full.ids
    assert len(ids) == len(set(ids))
    links = [(attributes["href"] or "")[1:] for attributes in full.all("a")]
    described = [attributes["aria-labelledby"] for _, attributes in full.tags if "aria-labelledby" in attributes]
    assert {*links, *described} <= set(ids)


def test_tables_have_captions_and_scopes(full: Page) -> None:
    assert len(full.all("table")) == len(full.all("caption")) > 0
    assert all(attributes["scope"] in ("row", "col") for attributes in full.all("th"))


def test_what_comes_from_strangers_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    report = report_of([evil, "\"'><img src=x onerror=alert(2)>", "plain"])
    page = page_of(
        tmp_path,
        report.model_copy(update={"model": evil}),
        title=evil,
        examples=[example(f"{evil}.jpg", classes=3)],
        curves=[Curve(evil, evil, [1], [2.0])],
        next_steps=[(evil, f"atrous predict {evil} && 'a' \"b\"")],
    )
    assert "<script>alert" not in page.html
    assert len(page.all("script")) == 1
    assert len(page.all("img")) == 4
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert f"atrous predict {evil} && 'a' \"b\"" in page.text


def test_a_file_name_of_no_valid_utf8_can_be_shown(tmp_path: Path) -> None:
    page = page_of(tmp_path, report_of(STREET), examples=[example("stra\udcdfe.jpg")])
    assert "stra?e.jpg" in page.text


def test_absent_classes_are_named_and_said_to_be_left_out(tmp_path: Path) -> None:
    confusion = np.diag([5, 5, 0, 5]).astype(np.int64)
    page = page_of(tmp_path, report_of(STREET, confusion))
    assert page.text.count("does not occur") == 1
    assert re.search(r"Left out of the means, because neither truth nor prediction contains it:\s+tree", page.text)
    assert "Mean of 3 classes" in page.text


def test_a_class_without_true_pixels_has_no_accuracy(tmp_path: Path) -> None:
    confusion = np.array([[90, 10], [0, 0]])
    page = page_of(tmp_path, report_of(["a", "b"], confusion))
    assert re.search(r"b\s+0\.0\s+0\.0\s+0\.0\s+–\s+0\.0", page.text)


def test_confusions_are_shares_of_the_true_class(tmp_path: Path) -> None:
    confusion = np.array([[60, 40], [0, 7]])
    page = page_of(tmp_path, report_of(["cat", "dog"], confusion))
    assert re.search(r"cat\s*60\s*40\s*dog\s*0\s*100", page.text)
    assert re.search(r"40\.0% of cat is called dog\s*40 pixels", page.text)


@pytest.mark.parametrize(("count", "shown"), [(1, False), (30, True), (31, False), (60, False)])
def test_the_table_of_confusions_is_shown_as_long_as_it_can_be_read(tmp_path: Path, count: int, shown: bool) -> None:
    page = page_of(tmp_path, report_of([f"class {index}" for index in range(count)]))
    assert ("Each row is a true class" in page.text) is shown
    assert ("The largest flows" in page.text) is (count > 1)


def test_the_largest_confusion_comes_first(tmp_path: Path) -> None:
    confusion = 100 * np.eye(40, dtype=np.int64)
    confusion[3, 8], confusion[5, 9] = 10, 50
    page = page_of(tmp_path, report_of([f"class {index}" for index in range(40)], confusion))
    assert re.search(
        r"33\.3% of class 5 is called class 9\s*50 pixels\s*9\.1% of class 3 is called class 8\s*10 pixels", page.text
    )


def test_what_was_not_given_has_no_section(tmp_path: Path) -> None:
    page = page_of(tmp_path, report_of(STREET))
    assert not {"curves", "examples", "next"} & set(page.ids)
    assert not page.all("img")


def test_a_curve_is_drawn_with_its_last_value(full: Page) -> None:
    assert len(full.all("path")) == 1
    label = next(attributes["aria-label"] for attributes in full.all("svg") if "aria-label" in attributes)
    assert label == "Loss: from 3 at step 0 to 1 nats at step 2; lowest 1, highest 3"


@pytest.mark.parametrize("values", [(), (None,), (float("nan"), float("inf"))])
def test_a_curve_without_numbers_says_so(tmp_path: Path, values: tuple[float | None, ...]) -> None:
    page = page_of(tmp_path, report_of(STREET), curves=[curve(*values)])
    assert not page.all("svg")
    assert "no value is a finite number" in page.text


def test_gaps_do_not_break_the_page(tmp_path: Path) -> None:
    page = page_of(tmp_path, report_of(STREET), curves=[curve(1, float("nan"), None, 2, 3)])
    assert "nan" not in (page.all("path")[0]["d"] or "").lower()


def test_the_page_stays_small_with_forty_pictures_of_noise(tmp_path: Path) -> None:
    examples = [enlarged(example(f"{index}.jpg", size=(90, 120), seed=index)) for index in range(40)]
    page = page_of(tmp_path, report_of(STREET), examples=examples)
    assert len(page.all("img")) == 160
    assert len(page.html.encode()) < 10_000_000


def test_an_example_whose_sizes_differ_is_refused(tmp_path: Path) -> None:
    broken = example("broken.jpg")._replace(truth=np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match=r"broken\.jpg"):
        page_of(tmp_path, report_of(STREET), examples=[broken])
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html"):
        page_of(tmp_path, report_of(STREET))
