"""Let torch compile the network that is trained: for GPUs, where one kernel then does the work of several."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from atrous.errors import TrainingError
from atrous.networks import SegmentationNetwork
from atrous.networks.segmentation import WeightedLogits


def compile_answers(network: SegmentationNetwork, backend: str | Callable[..., Any] = "inductor") -> None:
    """Have what the network answers in training compiled when it is first asked, forward and backward.

    Its parameters and their names stay, and so does all that is saved. On a CPU it is slower than without.

    Args:
        network: It is changed.
        backend: Who compiles, as in `torch.compile`.
    """
    compiled = torch.compile(network.training_logits, backend=backend)

    def training_logits(image: Tensor) -> list[WeightedLogits]:
        from torch._dynamo.exc import TorchDynamoException
        from torch._inductor.exc import InductorError

        try:
            return compiled(image)
        except (TorchDynamoException, InductorError) as error:
            first, *_ = str(error).splitlines() or [type(error).__name__]
            raise TrainingError(
                f"The network cannot be compiled on this machine ({first}): set training.compile to false."
            ) from error

    vars(network)["training_logits"] = training_logits
