"""Label errors: where a confident network contradicts the label, the most evident first."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from atrous.data.samples import SegmentationDataset
from atrous.evaluation.evaluate import require_same_labels
from atrous.evaluation.suspect_regions import Region, suspicious_regions
from atrous.inference.exported import ExportedPredictor
from atrous.inference.prediction import Prediction
from atrous.inference.predictor import Predictor
from atrous.progress import Progress, Silent, track

REPETITION = 0.25
"""Power of n by which the n-th area of the same two classes counts less."""
BESIDE = 0.25
"""Of the longer side of an area's box: how far around it others show the same place."""


class Judge(NamedTuple):
    """Who judges which pictures of a split; the network should not have learned from them."""

    predictor: Predictor | ExportedPredictor
    indices: Sequence[int]


class Suspect(NamedTuple):
    """An area of a picture whose label may be wrong."""

    picture: int
    """The picture's number in the split."""
    name: str
    """The picture's name in the data set."""
    source: str
    """Where its label comes from: the mask's path."""
    region: Region


def find_suspects(
    judges: Iterable[Judge], dataset: SegmentationDataset, progress: Progress | None = None
) -> list[Suspect]:
    """Predict the pictures of a split and rank the areas that contradict their labels by their evidence.

    Args:
        judges: One for all pictures, or several that share them, as cross-fitting makes them.
        dataset: The split.
        progress: Where to show how far it is.

    Returns:
        All areas of all pictures, the most suspicious first.

    Raises:
        DatasetError: If the classes of a network are not those of the data set.
        ImageError, MaskError: If a file is unreadable.
    """
    found: list[Suspect] = []
    for predictor, indices in judges:
        require_same_labels(predictor.labels, dataset)
        for index in track(indices, progress or Silent(), f"Judging {dataset.split}", len(indices)):
            sample = dataset[index]
            regions = suspicious_regions(predictor(sample.image).probabilities, sample.mask)
            found += [Suspect(index, sample.name, dataset.source_of(index), region) for region in regions]
    return ranked(found)


def ranked(suspects: Iterable[Suspect]) -> list[Suspect]:
    """The most suspicious first: by evidence, of which repetitions and neighbours keep a part.

    The n-th area of the same two classes keeps n^-1/4: a network that contradicts the labels again and again in the
    same way has found a convention, or has a weakness of its own; the first few tell which, and must not hide all
    others. The n-th area of the same place keeps 1/n: who looks at the first one sees it too.
    """
    scores = _of_places(_of_pairs((suspect.region.evidence, suspect) for suspect in suspects))
    return [suspect for _, suspect in _sorted(scores)]


_Scored = tuple[float, Suspect]


def _sorted(scores: Iterable[_Scored]) -> list[_Scored]:
    return sorted(scores, key=lambda scored: -scored[0])


def _of_pairs(scores: Iterable[_Scored]) -> Iterator[_Scored]:
    """Lower the scores of areas that repeat two classes."""
    met: Counter[tuple[int, int]] = Counter()
    for score, suspect in _sorted(scores):
        pair = suspect.region.given, suspect.region.predicted
        met[pair] += 1
        yield score / met[pair] ** REPETITION, suspect


def _of_places(scores: Iterable[_Scored]) -> Iterator[_Scored]:
    """Lower the scores of areas beside others, such as the second half of an object that was moved."""
    met: defaultdict[int, list[Region]] = defaultdict(list)
    for score, suspect in _sorted(scores):
        shown = sum(_shows(other, suspect.region) for other in met[suspect.picture])
        met[suspect.picture].append(suspect.region)
        yield score / (1 + shown), suspect


def _shows(region: Region, other: Region) -> bool:
    """Whether half of another area's box lies in the box of an area or close around it."""
    left, top, right, bottom = region.box
    around = BESIDE * max(right - left, bottom - top)
    x, y, far_x, far_y = other.box
    width = min(right + around, far_x) - max(left - around, x)
    height = min(bottom + around, far_y) - max(top - around, y)
    return min(width, height) > 0 and 2 * width * height >= (far_x - x) * (far_y - y)


def judged_by(judges: Iterable[Judge], dataset: SegmentationDataset, index: int) -> Prediction:
    """What the judge of a picture says about it.

    Raises:
        ValueError: If nobody judges it.
    """
    for predictor, indices in judges:
        if index in indices:
            return predictor(dataset[index].image)
    raise ValueError(f"picture {index} has no judge")


def pictures_of(suspects: Iterable[Suspect]) -> list[int]:
    """The numbers of the suspicious pictures, each once, in the order of their first suspect."""
    return list(dict.fromkeys(suspect.picture for suspect in suspects))
