"""The same picture more than once: within a split it counts twice, in two splits it makes the scores too good."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from atrous.data.faults.finding import Finding
from atrous.data.faults.lookalikes import find_lookalikes
from atrous.data.faults.mending import Plan
from atrous.data.faults.survey import Place, Survey
from atrous.progress import Progress


def judge_duplicates(survey: Survey, plans: list[Plan], progress: Progress | None = None) -> Iterator[Finding]:
    """Yield pictures that stand more than once, to the last bit or nearly."""
    hashes = np.array(survey.picture_hashes, np.uint64)
    first_of = _firsts(hashes)
    for number in np.flatnonzero(first_of != np.arange(len(hashes))):
        yield _exact(survey, int(first_of[number]), int(number), plans)
    distinct = np.flatnonzero(first_of == np.arange(len(hashes)))
    for one, other in find_lookalikes(survey.thumbnails(), distinct, progress):
        yield _near(survey, one, other, plans)


def _firsts(hashes: NDArray[np.uint64]) -> NDArray[np.intp]:
    """For each picture the number of the first one that is the same."""
    _, firsts, places = np.unique(hashes, return_index=True, return_inverse=True)
    return np.asarray(firsts[places], np.intp)


def _exact(survey: Survey, one: int, other: int, plans: list[Plan]) -> Finding:
    places = survey.place(one), survey.place(other)
    masks = survey.mask_hashes[one], survey.mask_hashes[other]
    same_mask = masks[0] == masks[1] or 0 in masks  # 0: no indices, which is a finding of its own
    in_two = places[0][0] != places[1][0]
    kind = "leak" if in_two else "duplicate" if same_mask else "disagreement"
    but = "" if same_mask else ", but their masks differ"
    what = "is the same picture as {}" + but
    return _finding(survey, kind, what, places, plans)


def _near(survey: Survey, one: int, other: int, plans: list[Plan]) -> Finding:
    places = survey.place(one), survey.place(other)
    kind = "near-leak" if places[0][0] != places[1][0] else "near-duplicate"
    what = "shows the same as {}, apart from cuts, light or compression"
    return _finding(survey, kind, what, places, plans)


def _finding(survey: Survey, kind: str, what: str, places: tuple[Place, Place], plans: list[Plan]) -> Finding:
    keep, drop = sorted(places, key=lambda place: (_is_trained(survey, place), place))
    names = [_picture(survey, place) for place in (drop, keep)]
    split = survey.datasets[drop[0]].split
    plans[drop[0]].take_out.add(drop[1])
    there = f" of {survey.datasets[keep[0]].split}" if keep[0] != drop[0] else ""
    return Finding(
        kind=kind,
        split=split,
        files=tuple(names),
        sample=drop[1],
        other=(survey.datasets[keep[0]].split, keep[1]),
        sentence=f"{names[0]} of {split} {what.format(names[1] + there)}.",
        repair="the second is left out of the copy: look which of the masks is right"
        if kind == "disagreement"
        else f"the one of {split} is left out of the copy",
    )


def _is_trained(survey: Survey, place: Place) -> bool:
    """Of two splits the one that is trained on gives its picture up: so scores stay comparable."""
    return survey.datasets[place[0]].split.startswith("train")


def _picture(survey: Survey, place: Place) -> str:
    dataset = survey.datasets[place[0]]
    return str(dataset.picture_of(place[1]) or dataset.source_of(place[1]))
