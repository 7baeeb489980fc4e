"""The moving average of the weights: what it is, and that it is what is validated and saved."""

from pathlib import Path

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.report import read_report
from atrous.inference.predictor import load
from atrous.networks import build_network
from atrous.training.averaging import begin_average, decay_at, follow
from atrous.training.train import train
from atrous.weights.checkpoint import load_tensors, read_info
from tests.small import SMALL_NETWORKS
from tests.training.runs import assert_same_tensors, small_recipe
from tests.training.test_resume import assert_same_run, interrupted_at, tensors_of


def test_the_average_is_that_of_torch() -> None:
    network = build_network(SMALL_NETWORKS[0], 3)
    ours = begin_average(network)
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.5), use_buffers=True)  # type: ignore[no-untyped-call]
    theirs.update_parameters(network)  # which only copies
    for step in range(100, 104):
        for parameter in network.parameters():
            parameter.data.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step)))
        network.train()(torch.rand(2, 3, 33, 33))  # the statistics of norms move as well
        follow(ours, network, 0.5, step)
        theirs.update_parameters(network)
    wanted = theirs.module.state_dict()
    for name, tensor in ours.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, wanted[name], msg=name)


def test_the_average_forgets_where_it_began() -> None:
    assert [decay_at(0.999, step) for step in (1, 8, 90)] == pytest.approx([2 / 11, 0.5, 0.91])
    assert decay_at(0.999, 100_000) == 0.999
    assert decay_at(0.1, 1) == 0.1


def test_an_average_learns_nothing_by_itself_and_answers_as_in_prediction() -> None:
    average = begin_average(build_network(SMALL_NETWORKS[0], 3).train())
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert not any(module.training for module in average.modules())


def test_the_checkpoints_hold_the_average_and_their_scores_are_its_own(tmp_path: Path) -> None:
    recipe = small_recipe(training={"steps": 4, "average_decay": 0.9})
    result = train(recipe, tmp_path)
    tensors = tensors_of(tmp_path)
    saved = load_tensors(result.folder.last, "checkpoint")[0]
    averaged = {name.removeprefix("average."): t for name, t in tensors.items() if name.startswith("average.")}
    assert_same_tensors(saved, averaged)
    assert not torch.equal(saved["classifier.weight"], tensors["network.classifier.weight"])
    assert read_info(result.folder.best).provenance["average_decay"] == 0.9
    from atrous.data import open_split

    assert evaluate(load(result.folder.best), open_split(recipe.data, "val")) == read_report(result.folder.report)


def test_a_run_without_an_average_has_the_weights_of_one_with_it(tmp_path: Path) -> None:
    plain, averaged = ({"steps": 2, "average_decay": decay} for decay in (None, 0.9))
    for name, plan in (("plain", plain), ("averaged", averaged)):
        train(small_recipe(training=plan), tmp_path / name)
    ours = {name: t for name, t in tensors_of(tmp_path / "averaged").items() if not name.startswith("average.")}
    assert_same_tensors(ours, tensors_of(tmp_path / "plain"))


def test_an_averaged_run_resumes_exactly(tmp_path: Path) -> None:
    recipe = small_recipe(training={"average_decay": 0.7}, network={"dropout": 0.5})
    assert train(recipe, tmp_path / "whole").finished
    assert interrupted_at([1, 4, 7], recipe, tmp_path / "parts").finished
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    best = [load(tmp_path / run / "best.safetensors").network.state_dict() for run in ("parts", "whole")]
    assert_same_tensors(*best)
