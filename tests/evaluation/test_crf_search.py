import numpy as np
import pytest
import torch

from atrous.crf import DenseCRFConfig
from atrous.errors import DatasetError
from atrous.evaluation.crf_search import search_crf
from atrous.evaluation.evaluate import evaluate
from atrous.inference.predictor import Predictor
from atrous.labels import LabelSpace
from tests.evaluation.test_evaluate import knower, split_of
from tests.tiny_data import LABELS, InMemory, network_that_knows_colours, painted

START = DenseCRFConfig(iterations=3, position_std_appearance=8, color_std=60)
CPU = torch.device("cpu")


def noisy_split(count: int = 3) -> InMemory:
    """Pictures of two halves whose colours are noisy, so that a network that knows colours errs here and there."""
    random = np.random.default_rng(0)
    samples = []
    for index in range(count):
        mask = np.zeros((16, 24), np.uint8)
        mask[:, 12:] = 1
        sample = painted(mask, f"picture {index}")
        noise = random.normal(0, 60, sample.image.shape)
        samples.append(sample._replace(image=(sample.image + noise).clip(0, 255).astype(np.uint8)))
    return InMemory(samples, split="val")


def test_a_search_finds_what_an_evaluation_confirms() -> None:
    dataset, predictor = noisy_split(), knower()
    found = search_crf(predictor, dataset, start=START)
    assert found.plain_score == evaluate(predictor, dataset).scores.mean_iou
    assert found.score >= found.start_score
    assert found.score > found.plain_score
    network = network_that_knows_colours(LABELS)
    refined = Predictor(network, LABELS, name="refined", device=CPU, crf=found.config)
    assert found.score == evaluate(refined, dataset).scores.mean_iou
    assert (found.pictures, found.config.iterations) == (3, 3)


def test_a_search_may_look_at_fewer_pictures() -> None:
    assert search_crf(knower(), noisy_split(4), start=START, pictures=2).pictures == 2


def test_a_search_needs_the_classes_of_the_network_and_pixels_that_count() -> None:
    with pytest.raises(DatasetError, match="classes"):
        search_crf(knower(LabelSpace.from_names(["a", "b"])), noisy_split())
    with pytest.raises(DatasetError, match="nothing to search by"):
        search_crf(knower(), split_of([np.full((3, 3), 255, np.uint8)]))
