"""The step that several processes make together: their gradients and running statistics become those of one."""

import warnings
from contextlib import nullcontext

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from atrous.data.share import Share
from atrous.errors import ConfigError
from atrous.networks import SegmentationNetwork, WeightedLogits
from atrous.networks.layers import SyncBatchNorm
from atrous.training.distributed import ALONE, Processes


class Together:
    """A network as it is trained by several processes, each of which sees its share of every batch."""

    def __init__(self, network: SegmentationNetwork, processes: Processes = ALONE) -> None:
        """Take a network that is alike in all processes, and stays so by equal steps.

        Raises:
            TrainingError: If another process has ended.
        """
        self.network, self.processes = network, processes
        self._parallel = None
        if processes.count > 1:
            with processes.hand_in_hand():
                self._parallel = _parallel(network)

    def answers(self, image: Tensor, *, last: bool) -> list[WeightedLogits]:
        """The network's training answers; with the `last` batch of a step, gradients become the mean over processes."""
        if self._parallel is None:
            return self.network.training_logits(image)
        with nullcontext() if last else self._parallel.no_sync():
            outputs: list[WeightedLogits] = self._parallel(image)
        return outputs

    def draw_apart(self, seed: int, step: int) -> None:
        """Give each process chance of its own for a step, which nothing need store; alone, chance goes on as it is."""
        if self._parallel is not None:
            entropy = (seed, step, self.processes.number)
            torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))

    def settle(self) -> None:
        """Make the running statistics of norms that are not synchronized the mean over processes.

        They are moving averages, so this is as if the mean of the statistics of all shares had been counted.
        """
        norms = [module for module in self.network.modules() if _has_statistics_of_its_own(module)]
        if self._parallel is None or not norms:
            return
        statistics = [tensor for norm in norms for tensor in (norm.running_mean, norm.running_var)]
        mean = torch.cat(statistics)
        dist.all_reduce(mean)
        mean /= self.processes.count
        for tensor, agreed in zip(statistics, mean.split([tensor.numel() for tensor in statistics]), strict=True):
            tensor.copy_(agreed)


class _Answering(nn.Module):
    """Its `forward` is what is trained, for torch watches no other method."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> list[WeightedLogits]:
        return self.network.training_logits(image)


def _parallel(network: SegmentationNetwork) -> DistributedDataParallel:
    for words in ("find_unused_parameters=True", "Grad strides do not match"):
        warnings.filterwarnings("ignore", message=f".*{words}", category=UserWarning)
    # Searching for parameters without a part in the answers takes milliseconds, and keeps the order in which gradients
    # are summed: without it, torch changes that after the first step, and a resumed run would end with other bits.
    return DistributedDataParallel(
        _Answering(network), broadcast_buffers=False, find_unused_parameters=True, gradient_as_bucket_view=True
    )


def _has_statistics_of_its_own(module: nn.Module) -> bool:
    frozen = getattr(module, "frozen", False)
    return isinstance(module, _BatchNorm) and not isinstance(module, SyncBatchNorm) and module.training and not frozen


def require_a_picture_each(batch_size: int, processes: Processes) -> None:
    """Refuse batches of which a process would have no part.

    Raises:
        ConfigError: It names both numbers.
    """
    if batch_size < processes.count:
        raise ConfigError(
            f"`training.batch_size` is {batch_size}, which {processes.count} processes cannot share: make it "
            f"{processes.count} or more, lowering training.accumulation instead, or start {batch_size} processes."
        )


def describe_together(together: Together, batch_size: int) -> str:
    """Say who trains together, read from the live objects."""
    count = together.processes.count
    shares = [len(Share(number, count).of(batch_size)) for number in range(count)]
    parts = f"{shares[0]} each" if len(set(shares)) == 1 else " + ".join(map(str, shares))
    synchronized = any(isinstance(module, SyncBatchNorm) for module in together.network.modules())
    norms = "normalized together" if synchronized else "normalized apart"
    return f"{count} processes over {dist.get_backend()} share each batch of {batch_size}: {parts}, {norms}"
