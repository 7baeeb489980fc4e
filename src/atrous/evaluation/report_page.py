"""The page of an evaluation: one HTML file that needs nothing else, neither network nor script, to be read."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from atrous.evaluation.curves import SPAN, Curve, Plot, plot, short_number
from atrous.evaluation.example_cards import Example, example_cards
from atrous.evaluation.measure_plots import reliability, trimap_plot
from atrous.evaluation.report import ClassScore, EvaluationReport, Interval, Protocol, describe_crf
from atrous.evaluation.suggestions import suggestions
from atrous.files import write_text
from atrous.labels import IGNORE_COLOR, Color

__all__ = ["Curve", "Example", "write_report_page"]

LARGEST_MATRIX = 30  # classes; a larger table of confusions cannot be read
LISTED_CONFUSIONS = 20  # where there is no table of them
LISTED_BESIDE_MATRIX = 8
LISTED_OF_CLASS = 3  # where one class is looked at
FAINTEST = 0.001  # the smallest share of a class that is called a confusion


class ClassRow(NamedTuple):
    """A class in the table of classes."""

    label: int
    score: ClassScore
    color: str
    share: float | None
    """Of all true pixels."""


class Cell(NamedTuple):
    """A cell of the table of confusions."""

    share: float | None
    """Of the pixels of the true class; None if it has none."""
    heat: float
    """How strongly the cell is coloured, 0..1."""
    kind: str
    """`right`, `confused`, or `none` where there is nothing to see."""


class Confusion(NamedTuple):
    """A class that is taken for another one."""

    truth: int
    prediction: int
    share: float
    """Of the pixels of the true class."""
    pixels: int
    listed: bool = True
    """Whether it is among the largest of all; if not, only the filter by class shows it."""


def write_report_page(
    path: Path,
    report: EvaluationReport,
    *,
    title: str,
    examples: Sequence[Example] = (),
    curves: Sequence[Curve] = (),
    warnings: Sequence[tuple[int, str]] = (),
    next_steps: Sequence[tuple[str, str]] = (),
    train_iou: float | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> None:
    """Write the page of an evaluation: scores, suggestions, protocol, classes, confusions, curves, examples.

    The more examples there are, the smaller they are shown: up to several hundred fit into 10 MB.

    Args:
        path: The HTML file; an older one is replaced.
        report: What the evaluation found.
        title: The headline.
        examples: Pictures to show, best chosen to show errors.
        curves: Numbers of the training run.
        warnings: What the watch over it found: (step, sentence).
        next_steps: What one may do next: (what it does, the command).
        train_iou: The mean IoU on pictures of train, 0..1, if it is known.
        recipe: By which the network was trained, if it is known.

    Raises:
        OutputError: If the file cannot be written.
        ValueError: If picture, truth and prediction of an example differ in size, or steps and values of a curve in
            number.
    """
    page = _environment().get_template("report_page.html.j2")
    text = page.render(
        title=title,
        report=report,
        scores=report.scores,
        protocol=_protocol(report.protocol),
        classes=_class_rows(report),
        legend=[(name, _css(color)) for name, color in zip(report.labels.names, report.labels.colors, strict=True)],
        cells=_cells(report) if _fits(report) else None,
        confusions=_largest_confusions(report),
        trimap=trimap_plot(report.trimap),
        reliability=reliability(report.calibration) if report.calibration else None,
        curves=_plots(curves),
        span=SPAN,
        warnings=warnings,
        ignore_color=_css(IGNORE_COLOR),
        cards=example_cards(examples, report.labels),
        next_steps=next_steps,
        suggestions=suggestions(report, train_iou, recipe),
    )
    write_text(path, _encodable(text))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("atrous.evaluation", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    environment.filters["share"] = _share
    environment.filters["compact"] = _compact
    environment.filters["limits"] = _limits
    return environment


def _percent(share: float | None, decimals: int = 1) -> str:
    return "–" if share is None or math.isnan(share) else f"{100 * share:.{decimals}f}"


def _limits(interval: Interval | None, decimals: int = 1) -> str:
    """An interval in percent: `73.5 to 74.5`; nothing where there is none."""
    return "" if interval is None else " to ".join(_percent(limit, decimals) for limit in interval)


def _share(share: float | None) -> str:
    """Percent of a whole, where small shares matter: 93, 4.2, 0.3, and 0 only for nothing."""
    if share is None:
        return "–"
    if share >= 0.0995:
        return f"{100 * share:.0f}"
    return "0" if share == 0 else "<0.1" if share < 0.001 else f"{100 * share:.1f}"


def _compact(count: int) -> str:
    return short_number(float(f"{count:.3g}"))


def _encodable(text: str) -> str:
    """File names of no valid UTF-8 reach us as lone surrogates, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _css(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _protocol(protocol: Protocol) -> list[tuple[str, str]]:
    return [
        ("Data set", protocol.dataset),
        ("Split", protocol.split),
        ("Pictures", f"{protocol.pictures:,}"),
        ("Sizes", protocol.sizes),
        ("Left out", protocol.ignore),
        ("Scales", ", ".join(f"{scale:g}" for scale in protocol.scales)),
        ("Flip", "yes" if protocol.flip else "no"),
        ("Output stride", str(protocol.output_stride)),
        ("Precision", protocol.precision),
        ("Dense CRF", describe_crf(protocol.crf)),
        ("Fingerprint", protocol.fingerprint),
    ]


def _class_rows(report: EvaluationReport) -> list[ClassRow]:
    total = sum(score.true_pixels for score in report.scores.classes)
    return [
        ClassRow(label, score, _css(color), score.true_pixels / total if total else None)
        for label, (score, color) in enumerate(zip(report.scores.classes, report.labels.colors, strict=True))
    ]


def _shares(report: EvaluationReport) -> list[list[float | None]]:
    """The confusion matrix, each row divided by its sum; None where a class has no true pixels."""
    return [[count / sum(row) if sum(row) else None for count in row] for row in report.confusion]


def _fits(report: EvaluationReport) -> bool:
    """Whether a table of all confusions can still be read."""
    return report.labels.num_classes <= LARGEST_MATRIX


def _cells(report: EvaluationReport) -> list[list[Cell]]:
    return [
        [_cell(share, right=row == column) for column, share in enumerate(shares)]
        for row, shares in enumerate(_shares(report))
    ]


def _cell(share: float | None, right: bool) -> Cell:
    if share is None or share < FAINTEST:
        return Cell(share, 0.0, "none")
    if right:
        return Cell(share, share, "right")
    return Cell(share, share**0.5, "confused")  # confusions are mostly small, and matter nevertheless


def _largest_confusions(report: EvaluationReport) -> list[Confusion]:
    """Largest share of the true class first: those of all classes, then others that are large for their class."""
    listed = LISTED_BESIDE_MATRIX if _fits(report) else LISTED_CONFUSIONS
    confusions = [
        Confusion(truth, prediction, share, report.confusion[truth][prediction])
        for truth, row in enumerate(_shares(report))
        for prediction, share in enumerate(row)
        if truth != prediction and share is not None and share >= FAINTEST
    ]
    ranked = sorted(confusions, key=lambda confusion: -confusion.share)
    of_class: Counter[int] = Counter(each.truth for each in ranked[:listed])
    others = []
    for each in ranked[listed:]:
        of_class[each.truth] += 1
        if of_class[each.truth] <= LISTED_OF_CLASS:
            others.append(each._replace(listed=False))
    return ranked[:listed] + others


def _plots(curves: Sequence[Curve]) -> list[tuple[Curve, Plot | None]]:
    return [(curve, plot(curve)) for curve in curves]
