"""Networks that torch compiles for their training."""

from typing import Any

import pytest
import torch

from atrous.errors import TrainingError
from atrous.networks import build_network
from atrous.training.compiling import compile_answers
from atrous.training.losses import CrossEntropyConfig, build_loss
from atrous.training.recipe import TrainingConfig
from atrous.training.state import Learner
from atrous.training.step import Arithmetic, update
from tests.small import SMALL_NETWORKS
from tests.tiny_data import one_sentence
from tests.training.runs import assert_same_tensors
from tests.training.test_losses import LABELS, batches_with_unequal_ignored_pixels

CPU = Arithmetic(torch.device("cpu"), "float32", torch.contiguous_format)


def test_a_recipe_does_not_compile_unless_it_says_so() -> None:
    assert not TrainingConfig(steps=1, batch_size=1).compile


@pytest.mark.long
def test_a_traced_network_learns_what_it_would_have_learned() -> None:
    steps = []
    for compiles in (False, True):
        torch.manual_seed(0)
        network = build_network(SMALL_NETWORKS[0], 4).eval()
        names = list(network.state_dict())
        if compiles:
            compile_answers(network, backend="eager")
        learner = Learner(network, torch.optim.SGD(network.parameters(), lr=0.1))
        update(learner, batches_with_unequal_ignored_pixels(), build_loss(CrossEntropyConfig(), LABELS), CPU)
        assert list(network.state_dict()) == names
        steps.append(dict(network.state_dict()))
    assert_same_tensors(*steps)


@pytest.mark.long
def test_a_machine_that_cannot_compile_is_told_so_in_one_sentence() -> None:
    def refuse(*_: Any) -> Any:
        raise RuntimeError("no compiler here")

    network = build_network(SMALL_NETWORKS[0], 4).eval()
    compile_answers(network, backend=refuse)
    with pytest.raises(TrainingError, match=r"training\.compile") as caught:
        network.training_logits(torch.zeros(1, 3, 32, 32))
    one_sentence(caught.value)
