"""What the values of all masks together say: 0 and 255, foreign numberings, values of no class, masks of one value."""

from collections.abc import Generator, Iterator

from atrous.data.faults.finding import Finding
from atrous.data.faults.mask_file import TAKEN_OUT
from atrous.data.faults.mending import Plan, Values
from atrous.data.faults.numberings import Numbering, recognise
from atrous.data.faults.survey import Survey
from atrous.data.samples import SegmentationDataset
from atrous.data.stray_labels import known_labels

OBJECT_SHARE = 0.01
"""Of all pixels: with less, the 255 of a mask of 0 and 255 may well be an ignored border."""


def judge_values(survey: Survey, plans: list[Plan]) -> Iterator[Finding]:
    """Yield what is wrong with the values of sound mask files."""
    is_binary = yield from _halves(survey, plans)
    for split in range(len(survey.datasets)):
        numbering = _numbering(survey, split)
        if numbering:
            yield _renumber(survey, split, numbering, plans[split])
        else:
            yield from _strays(survey, split, plans[split])
    yield from _uniform(survey, plans, is_binary=is_binary)


def _halves(survey: Survey, plans: list[Plan]) -> Generator[Finding, None, bool]:
    """Masks of 0 and 255; returns whether they were found."""
    labels = survey.datasets[0].labels
    pixels = sum((sum(counts.values()) for counts in survey.pixels), 0)
    ignored = sum(counts[labels.ignore_index] for counts in survey.pixels)
    shown = {value for counts in survey.pixels for value in counts}
    one_class_is_missing = not shown - {0, labels.ignore_index}
    if labels.num_classes < 2 or not one_class_is_missing or not survey.halves or ignored < OBJECT_SHARE * pixels:
        return False
    for (split, sample), count in survey.halves:
        dataset = survey.datasets[split]
        is_two = labels.num_classes == 2
        if is_two:
            plans[split].add(sample, Values({labels.ignore_index: 1}))
        yield Finding(
            kind="binary-255",
            split=dataset.split,
            files=(dataset.source_of(sample),),
            sample=sample,
            value=labels.ignore_index,
            count=count,
            sentence=f"{dataset.source_of(sample)} holds 0 and {labels.ignore_index} alone, and the latter, on "
            f"{count:,} pixels, means ignore: no class but {labels.names[0]} is ever learned.",
            repair=f"{labels.ignore_index} becomes 1 ({labels.names[1]})"
            if is_two
            else f"write the class in place of {labels.ignore_index}; which of the {labels.num_classes} is not known",
        )
    return True


def _numbering(survey: Survey, split: int) -> Numbering | None:
    dataset = survey.datasets[split]
    shown = {value for counts in survey.pixels for value in counts} - {dataset.labels.ignore_index}
    has_strays = any(place[0] == split for place in survey.strays)
    return recognise(shown, dataset.labels) if has_strays else None


def _renumber(survey: Survey, split: int, numbering: Numbering, plan: Plan) -> Finding:
    dataset = survey.datasets[split]
    samples = [sample for number, sample in survey.strays if number == split]
    first = survey.strays[split, samples[0]][0]
    if numbering.certain:
        plan.meanings.update(numbering.values)
    files = tuple(dataset.source_of(sample) for sample in samples[:8])
    return Finding(
        kind="other-numbering",
        split=dataset.split,
        files=files,
        sample=samples[0],
        pixel=first.pixel,
        value=first.value,
        count=len(samples),
        sentence=f"The masks of {dataset.split} hold {numbering.name}: value {first.value} stands at {first.pixel} of "
        f"{files[0]}, and {len(samples):,} masks have such values.",
        repair="all values become the indices of their classes"
        if numbering.certain
        else "say in dataset.yaml what 0 is, or subtract 1 from all values and give 0 the ignore value",
    )


def _strays(survey: Survey, split: int, plan: Plan) -> Iterator[Finding]:
    dataset = survey.datasets[split]
    for (number, sample), strays in survey.strays.items():
        if number != split:
            continue
        source = dataset.source_of(sample)
        plan.add(sample, Values({stray.value: dataset.labels.ignore_index for stray in strays}))
        for stray in strays:
            yield Finding(
                kind="unknown-value",
                split=dataset.split,
                files=(source,),
                sample=sample,
                pixel=stray.pixel,
                value=stray.value,
                count=stray.pixels,
                sentence=f"{source} has value {stray.value} on {stray.pixels:,} pixel{'s' * (stray.pixels > 1)}, first "
                f"at {stray.pixel}; known are {known_labels(dataset.labels)}.",
                repair=f"value {stray.value} becomes {dataset.labels.ignore_index} (ignore)",
            )


def _uniform(survey: Survey, plans: list[Plan], *, is_binary: bool) -> Iterator[Finding]:
    for (split, sample), value in survey.uniform:
        dataset = survey.datasets[split]
        if value == dataset.labels.ignore_index:
            plans[split].add(sample, None)
            yield _uniform_finding("void-only", dataset, sample, value, "ignored, so that it teaches nothing")
        elif value == 0 and not is_binary and dataset.labels.num_classes > 1:
            yield _uniform_finding("background-only", dataset, sample, value, f"{dataset.labels.names[0]}")


def _uniform_finding(kind: str, dataset: SegmentationDataset, sample: int, value: int, what: str) -> Finding:
    source = dataset.source_of(sample)
    return Finding(
        kind=kind,
        split=dataset.split,
        files=(source,),
        sample=sample,
        value=value,
        sentence=f"All of {source} is {what}.",
        repair=TAKEN_OUT if kind == "void-only" else "none is needed if nothing else is to be seen there",
    )
