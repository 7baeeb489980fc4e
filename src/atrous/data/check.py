"""`atrous data check`: every fault of a data set that would spoil a training without a word, found in one pass."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from atrous.config import Config
from atrous.data import DataConfig, open_split, splits_of
from atrous.data.annotations import AnnotatedImages
from atrous.data.faults.balance import judge_balance
from atrous.data.faults.duplicates import judge_duplicates
from atrous.data.faults.finding import KINDS, SPOILS, Finding
from atrous.data.faults.left_out import find_left_out
from atrous.data.faults.mask_file import Fault
from atrous.data.faults.mending import MendedDataset, Plan
from atrous.data.faults.pairing import Opened, open_folder
from atrous.data.faults.survey import Place, Survey, survey
from atrous.data.faults.swaps import Misplaced, find_misplaced
from atrous.data.faults.values import judge_values
from atrous.data.folder import FolderConfig, write_folder
from atrous.data.opening import open_tree
from atrous.data.samples import SegmentationDataset
from atrous.data.shapes import ShapesConfig
from atrous.data.sources.yolo import YoloConfig
from atrous.errors import DatasetError, DatasetNotFoundError, OutputError
from atrous.files import write_text
from atrous.progress import Progress, Silent


class CheckReport(Config):
    """What was looked at, and what was found."""

    title: str
    pictures: dict[str, int]
    """Of each split."""
    findings: tuple[Finding, ...]
    """In the order of `KINDS`."""

    @property
    def spoils(self) -> bool:
        """Whether anything was found that spoils a training."""
        return any(finding.severity == SPOILS for finding in self.findings)

    def by_kind(self) -> dict[str, list[Finding]]:
        """The findings of each kind of which there are any."""
        groups: dict[str, list[Finding]] = {}
        for finding in self.findings:
            groups.setdefault(finding.kind, []).append(finding)
        return groups


class Checked(NamedTuple):
    """A check with all that is needed to show and to mend what it found."""

    report: CheckReport
    datasets: list[SegmentationDataset]
    plans: list[Plan]
    """What is to be done to each of the splits."""


def open_to_check(config: DataConfig, class_names: tuple[str, ...] = ()) -> Opened:
    """Open all splits of a data set, as far as they can be opened.

    Args:
        config: The data set; a folder may have no `dataset.yaml`.
        class_names: The classes of such a folder.

    Raises:
        DatasetNotFoundError: If there is no data set.
        ConfigError: If its description holds something impossible.
    """
    if isinstance(config, FolderConfig) and (folder := open_folder(config, class_names)):
        return folder
    opened = Opened([], [])
    splits = splits_of(config)
    for split in splits:
        try:
            opened.datasets.append(open_split(config, split))
        except DatasetNotFoundError:
            raise
        except DatasetError as error:
            repair = "none: mend it, then check again; the rest of this split was not looked at"
            opened.findings.append(Finding(kind="refused", split=split, files=(), sentence=str(error), repair=repair))
    annotated = [dataset for dataset in opened.datasets if isinstance(dataset, AnnotatedImages)]
    if len(annotated) == len(splits) and not isinstance(config, ShapesConfig | YoloConfig):
        is_xml = config.root.suffix == ".xml" and config.root.is_file()
        opened.findings.extend(find_left_out(open_tree(config.root.parent if is_xml else config.root), annotated))
    opened.findings.extend(_other_classes(opened.datasets))
    return opened


def check(opened: Opened, progress: Progress | None = None, workers: int = 0) -> Checked:
    """Look at every sample once and judge what was seen.

    Args:
        opened: The splits.
        progress: Where the progress is shown.
        workers: Processes beside this one; 0 does all in this one.
    """
    progress = progress or Silent()
    datasets = opened.datasets
    plans = [Plan() for _ in datasets]
    findings = list(opened.findings)
    if datasets:
        found = survey(datasets, progress, workers)
        findings += [_fault(found, place, fault, plans) for place, fault in found.faults]
        findings += judge_values(found, plans) if not _all_faulty(found) else []
        findings += _misplaced(found, plans)
        findings += judge_duplicates(found, plans, progress, threads=max(1, workers))
        if not {finding.kind for finding in findings} & {"binary-255", "other-numbering"}:
            findings += judge_balance(found)
    order = list(KINDS)
    findings.sort(key=lambda finding: order.index(finding.kind))
    title = datasets[0].title if datasets else "nothing"
    pictures = {dataset.split: len(dataset) for dataset in datasets}
    return Checked(CheckReport(title=title, pictures=pictures, findings=tuple(findings)), datasets, plans)


def write_repaired(checked: Checked, root: Path, progress: Progress | None = None) -> None:
    """Write what was checked, mended, as a folder in our own format; the data set itself stays as it is.

    Raises:
        OutputError: If the place holds something already, or nothing would be left to write.
    """
    if any(finding.kind == "other-classes" for finding in checked.report.findings):
        raise OutputError(f"Nothing is written to {root}: give all splits the same classes in the same order first.")
    if root.exists() and any(root.iterdir()):
        raise OutputError(f"{root} is not empty: give an empty folder, or a new one, for the corrected copy.")
    mended = [MendedDataset(dataset, plan) for dataset, plan in zip(checked.datasets, checked.plans, strict=True)]
    whole = [dataset for dataset in mended if len(dataset)]
    if not whole:
        raise OutputError(f"Nothing is written to {root}: no pair of {checked.report.title} can be mended.")
    write_folder(root, whole, progress)


def write_check_json(path: Path, report: CheckReport) -> None:
    """Write the report as JSON.

    Raises:
        OutputError: If the place cannot be written.
    """
    content = report.model_dump(mode="json", exclude_none=True)
    for finding, entry in zip(report.findings, content["findings"], strict=True):
        entry["severity"] = finding.severity
    text = json.dumps({**content, "spoils": report.spoils}, indent=2)
    write_text(path, text + "\n")


def _other_classes(datasets: list[SegmentationDataset]) -> Iterator[Finding]:
    """Splits in which a value means another class than in the first one; training refuses them, too."""
    for dataset in datasets[1:]:
        first, ours, theirs = datasets[0], datasets[0].labels.names, dataset.labels.names
        if ours != theirs:
            both = zip_longest(ours, theirs, fillvalue="no class")
            value, (one, other) = next((value, pair) for value, pair in enumerate(both) if pair[0] != pair[1])
            yield Finding(
                kind="other-classes",
                split=dataset.split,
                files=(),
                value=value,
                sentence=f"{dataset.split} has {len(theirs)} classes and {first.split} has {len(ours)}; the first that "
                f"differs is {value}, which is {other} in {dataset.split} and {one} in {first.split}.",
                repair="none: give all splits the same classes in the same order",
            )


def _all_faulty(found: Survey) -> bool:
    """Whether not one mask was sound enough to have values."""
    return not any(found.pixels)


def _fault(found: Survey, place: Place, fault: Fault, plans: list[Plan]) -> Finding:
    split, sample = place
    dataset = found.datasets[split]
    plans[split].add(sample, fault.mend)
    source = dataset.source_of(sample)
    is_whole = fault.what.endswith(".")
    return Finding(
        kind=fault.kind,
        split=dataset.split,
        files=(source, *_picture(dataset, sample)),
        sample=sample,
        pixel=fault.pixel,
        value=fault.value,
        count=fault.pixels,
        sentence=fault.what if is_whole else f"{source} {fault.what}.",
        repair=fault.repair,
    )


def _misplaced(found: Survey, plans: list[Plan]) -> list[Finding]:
    findings, told = [], set()
    for moved in find_misplaced(found.suspects):
        split, sample = moved.picture
        plans[split].mask_of[sample] = moved.mask[1]
        if frozenset((moved.picture, moved.mask)) not in told:
            findings.append(_misplaced_finding(found.datasets[split], moved))
        told.add(frozenset((moved.picture, moved.mask)))
    return findings


def _misplaced_finding(dataset: SegmentationDataset, moved: Misplaced) -> Finding:
    (_, sample), (_, owner) = moved.picture, moved.mask
    mask, own = dataset.source_of(owner), dataset.source_of(sample)
    picture = (_picture(dataset, sample) or (dataset.title,))[0]
    return Finding(
        kind="swapped",
        split=dataset.split,
        files=(mask, own, picture),
        sample=sample,
        other=(dataset.split, owner),
        sentence=f"{mask} fits the picture {picture} better than that picture's own mask {own} does, and the other "
        f"way round (agreement of edges +{moved.gain:.2f}): they were probably exchanged.",
        repair="each picture gets the mask that fits it: look at the two before you trust it",
    )


def _picture(dataset: SegmentationDataset, sample: int) -> tuple[str, ...]:
    picture = dataset.picture_of(sample)
    return () if picture is None else (str(picture),)
