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
from atrous.networks.synchronized_norms import SyncBatchNorm
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
        if self._parallel is None:
            return
        statistics = [tensor for module in self.network.modules() for tensor in _statistics_of_its_own(module)]
        if statistics:
            mean = torch.cat(statistics)
            dist.all_reduce(mean)
            mean /= self.processes.count
            torch._foreach_copy_(statistics, torch.split(mean, [tensor.numel() for tensor in statistics]))


class _Answering(nn.Module):
    """Its `forward` is what is trained, for torch watches no other method."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network
        self.without_part = nn.Parameter(torch.zeros(1))  # torch warns where it searches for such a one in vain

    def forward(self, image: Tensor) -> list[WeightedLogits]:
        return self.network.training_logits(image)


def _parallel(network: SegmentationNetwork) -> DistributedDataParallel:
    with warnings.catch_warnings():  # the newest torch has a new word for `broadcast_buffers`, which older ones lack
        warnings.simplefilter("ignore", FutureWarning)
        # Searching for parameters without a part in the answers takes milliseconds, and keeps the order in which
        # gradients are summed: else torch changes that after the first step, and a resumed run would end otherwise.
        return DistributedDataParallel(
            _Answering(network), broadcast_buffers=False, find_unused_parameters=True, gradient_as_bucket_view=True
        )


def _statistics_of_its_own(module: nn.Module) -> list[Tensor]:
    """Those that a norm has counted in this process alone."""
    if not isinstance(module, _BatchNorm) or isinstance(module, SyncBatchNorm):
        return []
    if not module.training or getattr(module, "frozen", False):
        return []
    return [tensor for tensor in (module.running_mean, module.running_var) if tensor is not None]


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
    modules = list(together.network.modules())
    norms = ""
    if any(isinstance(module, SyncBatchNorm) and not module.frozen for module in modules):
        norms = ", normalized together"
    elif any(map(_statistics_of_its_own, modules)):
        norms = ", normalized apart"
    return f"{count} processes over {dist.get_backend()} share each batch of {batch_size}: {parts}{norms}"
