"""The dense CRF whose kernels suit a network and a data set best, searched on a few pictures of a split."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from atrous.crf import DenseCRFConfig
from atrous.data.samples import SegmentationDataset
from atrous.errors import DatasetError
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.evaluation.evaluate import require_same_labels
from atrous.evaluation.metrics import scores
from atrous.inference.predictor import Prediction, Predictor
from atrous.labels import Mask
from atrous.progress import Progress, Silent

SEARCHED = ("weight_appearance", "color_std", "position_std_appearance", "weight_smooth", "position_std_smooth")
"""What is varied, in this order; the number of iterations is not, for it only approaches a limit."""

FACTORS = (2.0, 2**0.5)
"""By what each is multiplied and divided, in one round after the other."""

Example = tuple[Prediction, Mask]


class CRFSearch(NamedTuple):
    """What a search found, each score a mean IoU in 0..1 over the pictures that were looked at."""

    config: DenseCRFConfig
    """The best one."""
    score: float
    """Its score, flattered by the choice."""
    plain_score: float
    """Without a CRF."""
    start_score: float
    """With the config that the search began with."""
    pictures: int


def search_crf(
    predictor: Predictor,
    dataset: SegmentationDataset,
    *,
    start: DenseCRFConfig | None = None,
    pictures: int = 20,
    progress: Progress | None = None,
) -> CRFSearch:
    """Vary one number of a dense CRF after the other, as long as the mean IoU grows.

    DeepLab v2 (Chen et al. 2017, arXiv:1606.00915, section 4.1) searched in the same way, on 100 pictures of VOC's val.

    Args:
        predictor: The network; a CRF that it has itself is left aside.
        dataset: The split to search on, which must not be the one that is reported on later.
        start: Where to begin; by default with the CRF of DeepLab v2.
        pictures: How many pictures of the split to look at, spread evenly over it.
        progress: Where to show how far it is.

    Raises:
        DatasetError: If the classes differ, or all pixels of these pictures are ignored.
        ImageError, MaskError: If a file is unreadable.
    """
    require_same_labels(predictor.labels, dataset)
    best = start or DenseCRFConfig()
    examples = list(_examples(predictor, dataset, pictures))
    plain = _score(examples, None, dataset)
    with (progress or Silent()).task("Searching", 1 + 2 * len(FACTORS) * len(SEARCHED)) as task:
        score = first = _score(examples, best, dataset)
        task.advance()
        for factor in FACTORS:
            for name in SEARCHED:
                for candidate in _neighbours(best, name, factor):
                    found = _score(examples, candidate, dataset)
                    if found > score:
                        best, score = candidate, found
                    task.advance(f"mIoU {score:.1%}")
    return CRFSearch(best, score, plain, first, len(examples))


def _neighbours(config: DenseCRFConfig, name: str, factor: float) -> list[DenseCRFConfig]:
    value = getattr(config, name)
    return [config.model_copy(update={name: float(f"{value * by:.3g}")}) for by in (factor, 1 / factor)]


def _examples(predictor: Predictor, dataset: SegmentationDataset, count: int) -> Iterator[Example]:
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int))
    for index in chosen:
        sample = dataset[int(index)]
        yield predictor(sample.image), sample.mask


def _score(examples: Sequence[Example], crf: DenseCRFConfig | None, dataset: SegmentationDataset) -> float:
    confusion = ConfusionMatrix(dataset.labels)
    for prediction, truth in examples:
        confusion.add(truth, prediction.refined_by(crf).mask)
    if not confusion.matrix.any():
        raise DatasetError(
            f"Every pixel of these {len(examples)} pictures of {dataset.title} {dataset.split} is ignored: "
            f"there is nothing to search by; give more pictures or another split."
        )
    return scores(confusion.matrix, dataset.labels).mean_iou
