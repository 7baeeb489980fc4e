"""What an import refuses and lets pass, with the smallest state dict that a known library has."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from atrous.errors import CheckpointError
from atrous.weights.importing import import_weights
from tests.networks.randomness import randomize
from tests.tiny_data import one_sentence

BIAS = "classifier.1.bias"


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    network = pytest.importorskip("torchvision.models").mobilenet_v2(weights=None, num_classes=3, width_mult=0.35)
    randomize(network)
    return cast("dict[str, Tensor]", network.state_dict())


def saved(state: dict[str, Tensor], folder: Path) -> Path:
    torch.save(state, folder / "a.pth")
    return folder / "a.pth"


def test_a_tensor_of_another_shape_may_be_named_as_the_refusal_says(state: dict[str, Tensor], tmp_path: Path) -> None:
    name = "features.1.conv.0.0.weight"
    path = saved({**state, name: torch.ones(1, 2, 3, 4)}, tmp_path)
    with pytest.raises(CheckpointError, match=f"of another shape.*--allow-partial '{name}'"):
        import_weights(path)
    assert import_weights(path, allow_partial=[name]).report.other_shape


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(value: float, state: dict[str, Tensor], tmp_path: Path) -> None:
    path = saved({**state, BIAS: torch.full((3,), value)}, tmp_path)
    with pytest.raises(CheckpointError, match=r"infinite or no numbers: classifier\.1\.bias;") as refusal:
        import_weights(path)
    assert one_sentence(refusal.value)


def test_a_kind_that_there_is_not_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no kind of weights `caffemodel`: did you mean `caffe`\?"):
        import_weights(saved({}, tmp_path), cast(Any, "caffemodel"))
