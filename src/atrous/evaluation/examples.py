"""Pictures to look at beside the scores: a few of a split, spread evenly over it."""

import numpy as np

from atrous.data.samples import SegmentationDataset
from atrous.evaluation.example_cards import Example
from atrous.inference.exported import ExportedPredictor
from atrous.inference.predictor import Predictor


def predict_examples(
    predictor: Predictor | ExportedPredictor, dataset: SegmentationDataset, count: int
) -> list[Example]:
    """Predict up to `count` pictures of a split, the first and the last among them.

    Raises:
        ImageError, MaskError: If a file is unreadable.
    """
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int))
    samples = [dataset[int(index)] for index in chosen]
    return [Example(s.name, s.image, s.mask, predictor(s.image).mask) for s in samples]
