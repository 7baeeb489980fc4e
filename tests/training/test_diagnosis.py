"""A step that ends in no number is not made, and the sentence says where that began."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from atrous.errors import TrainingError
from atrous.training.run_folder import RunFolder
from atrous.training.step import gradient_norm
from atrous.training.train import train
from atrous.weights.checkpoint import load_tensors, read_info
from tests.training.runs import small_recipe

RECIPE = small_recipe(training={"validate_every": 2, "steps": 6})
HEAD = "classifier.weight"


def planted(at_step: int, plant: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Change the live network before a step; its learner is kept for a look at it."""
    loop = import_module("atrous.training.train")

    original, seen = loop.update, []

    def update(learner: Any, *rest: Any) -> float:
        seen.append(learner)
        if len(seen) == at_step:
            plant(learner.network)
        return original(learner, *rest)

    monkeypatch.setattr(loop, "update", update)
    return seen


def sentence_of(folder: Path) -> str:
    with pytest.raises(TrainingError) as caught:
        train(RECIPE, folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith("Step 3 was not made")
    assert "learning rate 0.0" in sentence
    assert "gradient norm of the step before" in sentence
    assert "last.safetensors is from before" in sentence
    assert read_info(RunFolder(folder).last).provenance["step"] == 2
    return sentence


def fill(name: str, value: float) -> Any:
    def plant(network: torch.nn.Module) -> None:
        dict(network.named_parameters())[name].data.fill_(value)

    return plant


def test_weights_that_are_no_numbers_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(3, fill(HEAD, float("nan")), monkeypatch)
    sentence = sentence_of(tmp_path)
    assert f"the weights {HEAD} are none since the step before" in sentence
    assert "optimizer.learning_rate" in sentence


def test_a_layer_whose_answer_overflows_is_named_with_its_largest_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(3, fill(HEAD, 3e38), monkeypatch)
    assert "it arose in the answer of classifier (Conv2d, whose largest weight is 3e+38)" in sentence_of(tmp_path)


def test_a_loss_of_sound_answers_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from atrous.training import losses

    calls = 0
    original = losses.loss_sum

    def no_number(*arguments: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return original(*arguments) * (float("nan") if calls >= 3 else 1)

    monkeypatch.setattr(losses, "loss_sum", no_number)
    assert "it arose in the loss cross_entropy" in sentence_of(tmp_path)


def test_a_gradient_of_a_sound_loss_is_named_and_no_weight_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plant(network: torch.nn.Module) -> None:
        weight = dict(network.named_parameters())[HEAD]
        weight.register_hook(lambda gradient: gradient * float("inf"))  # type: ignore[no-untyped-call]

    seen = planted(3, plant, monkeypatch)
    sentence = sentence_of(tmp_path)
    assert "its gradient is no number" in sentence
    assert f"going back it arose at {HEAD}, in 1 tensors in all" in sentence
    assert all(torch.isfinite(weight).all() for weight in seen[-1].network.parameters())
    state = load_tensors(RunFolder(tmp_path).state, "state")[0]
    ours = dict(seen[-1].network.named_parameters())
    assert all(torch.equal(state[f"network.{name}"], weight) for name, weight in ours.items())


def test_the_norm_of_a_gradient_is_that_of_all_of_it_as_one_vector() -> None:
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 2, 1))
    layers(torch.ones(1, 3, 5, 5)).square().sum().backward()
    whole = torch.cat([weight.grad.flatten() for weight in layers.parameters() if weight.grad is not None])
    assert gradient_norm(layers) == pytest.approx(float(whole.norm()), rel=1e-5)  # type: ignore[arg-type]
    assert gradient_norm(torch.nn.Conv2d(1, 1, 1)) == 0  # type: ignore[arg-type]
