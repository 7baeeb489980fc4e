"""float16, whose loss is scaled so that small gradients do not vanish."""

from pathlib import Path

import pytest
import torch
from torch.amp import GradScaler

from atrous.errors import CheckpointError
from atrous.inference.predictor import load
from atrous.networks import build_network
from atrous.training.losses import CrossEntropyConfig, build_loss
from atrous.training.run import begin_learner
from atrous.training.state import Learner
from atrous.training.step import Arithmetic, choose_arithmetic, update
from atrous.training.train import train
from atrous.weights.checkpoint import load_tensors, save_tensors
from tests.small import SMALL_NETWORKS
from tests.training.runs import assert_same_tensors, small_recipe
from tests.training.test_losses import LABELS, batches_with_unequal_ignored_pixels
from tests.training.test_resume import assert_same_run, interrupted_at, tensors_of

CPU = Arithmetic(torch.device("cpu"), "float32", torch.contiguous_format)
HALF = {"precision": "float16", "steps": 4, "validate_every": 2}


def test_float16_trains_float32_weights_and_keeps_its_scale(tmp_path: Path) -> None:
    recipe = small_recipe(training=HALF)
    assert choose_arithmetic(recipe.training).precision == "float16"
    result = train(recipe, tmp_path)
    assert {t.dtype for t in load(result.folder.last).network.state_dict().values()} <= {torch.float32, torch.int64}
    assert 1 < float(tensors_of(tmp_path)["scaler.scale"]) < 65536  # from where it begins, gradients have overflown


def test_a_run_in_float16_resumes_exactly_and_with_its_scale(tmp_path: Path) -> None:
    recipe = small_recipe(training=HALF)
    assert train(recipe, tmp_path / "whole").finished
    assert interrupted_at([1, 3], recipe, tmp_path / "parts").finished
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_a_scale_changes_no_gradient() -> None:
    steps = []
    for scaler in (GradScaler("cpu", enabled=False), GradScaler("cpu", init_scale=1024.0)):
        torch.manual_seed(0)
        network = build_network(SMALL_NETWORKS[0], 4).eval()
        learner = Learner(network, torch.optim.SGD(network.parameters(), lr=0.1), scaler)
        update(learner, batches_with_unequal_ignored_pixels(), build_loss(CrossEntropyConfig(), LABELS), CPU)
        steps.append(dict(network.state_dict()))
    assert_same_tensors(*steps)  # a power of two changes no digit


def test_a_gradient_that_overflows_leaves_the_weights_alone_and_halves_the_scale() -> None:
    torch.manual_seed(0)
    network = build_network(SMALL_NETWORKS[0], 4).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    scaler = GradScaler("cpu", init_scale=2.0**127)
    learner = Learner(network, torch.optim.SGD(network.parameters(), lr=0.1), scaler)
    for parameter in network.parameters():
        parameter.register_hook(lambda gradient: gradient * 2.0**20)  # type: ignore[no-untyped-call]
    update(learner, batches_with_unequal_ignored_pixels(), build_loss(CrossEntropyConfig(), LABELS), CPU)
    assert_same_tensors(dict(network.state_dict()), before)
    assert scaler.get_scale() == 2.0**126


def test_other_precisions_have_no_scale(tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 1})
    learner = begin_learner(build_network(recipe.network, 3), recipe, choose_arithmetic(recipe.training))
    assert not learner.scaler.is_enabled()
    train(recipe, tmp_path)
    assert not [name for name in tensors_of(tmp_path) if name.startswith("scaler")]


def test_a_state_that_has_lost_its_scale_is_refused(tmp_path: Path) -> None:
    recipe = small_recipe(training=HALF)
    path = train(recipe, tmp_path).folder.state
    tensors, text = load_tensors(path, "state")
    save_tensors(path, {name: t for name, t in tensors.items() if not name.startswith("scaler")}, text)
    with pytest.raises(CheckpointError, match=r"state\.safetensors"):
        train(recipe, tmp_path, resume=True)
