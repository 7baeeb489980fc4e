"""The mask where the logits lie: the same as resizing all logits, in bands."""

import pytest
import torch
from torch import Tensor

from atrous.inference import device_label_map as module
from atrous.inference.device_label_map import device_label_map
from atrous.inference.predictor import Predictor
from atrous.networks import build_network
from atrous.networks.layers import ResizeMode, resize_bilinear
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, noise


def random(num_classes: int, size: tuple[int, int]) -> Tensor:
    return torch.randn(num_classes, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("at_once", [1, 700, 2**24])
@pytest.mark.parametrize("resize", ["half_pixel", "align_corners", "asymmetric"])
@pytest.mark.parametrize("size", [(36, 56), (37, 53), (9, 14), (4, 5), (30, 3), (1, 1)])
def test_it_equals_resizing_the_logits_and_taking_the_largest(
    size: tuple[int, int], resize: ResizeMode, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    logits = random(5, (9, 14))
    resized = resize_bilinear(logits[None], size, resize)[0]
    best = resized.topk(2, dim=0).values
    certain = best[0] - best[1] > 1e-5
    assert certain.float().mean() > 0.99
    mask = device_label_map(logits, size, resize)
    assert mask.dtype == torch.uint8
    assert torch.equal(mask[certain].long(), resized.argmax(dim=0)[certain])


@pytest.mark.parametrize("low", [(1, 1), (1, 6), (6, 1)])
def test_single_rows_and_columns_of_logits_are_spread(low: tuple[int, int]) -> None:
    logits = random(4, low)
    expected = resize_bilinear(logits[None], (13, 17))[0].argmax(dim=0)
    assert torch.equal(device_label_map(logits, (13, 17)).long(), expected)


def test_more_classes_than_a_byte_holds_keep_their_numbers() -> None:
    logits = torch.zeros(300, 2, 2)
    logits[299] = 1
    assert (device_label_map(logits, (3, 5)) == 299).all()


def test_a_predictor_on_a_device_with_memory_of_its_own_has_the_mask_made_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor = Predictor(build_network(SMALL_NETWORKS[0], LABELS.num_classes), LABELS, name="small")
    image = noise((41, 30), 0)
    expected = predictor(image).mask
    made = []

    def there(logits: Tensor, size: tuple[int, int], resize: ResizeMode) -> Tensor:
        made.append(size)
        return device_label_map(logits, size, resize)

    monkeypatch.setattr("atrous.inference.predictor.device_label_map", there)
    monkeypatch.setattr("atrous.inference.predictor.in_memory_of_its_own", lambda _: True)
    prediction = predictor(image)
    assert made == [(41, 30)]
    assert prediction.mask.dtype == expected.dtype
    assert (prediction.mask == expected).all()
