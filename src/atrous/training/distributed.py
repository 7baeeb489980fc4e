"""Several processes train one network: who they are, what they tell each other, how their gradients become one.

`torchrun`, Ray and their like start the processes and name them in the environment; a process that finds nothing there
is alone, and then nothing here does anything. Numbers and errors go over gloo, gradients over NCCL between GPUs.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from atrous.data.share import Share
from atrous.errors import AtrousError, ConfigError, TrainingError

T = TypeVar("T")

PATIENCE = timedelta(
    days=7
)  # a process may count the pixels of a large data set alone; one that dies is noticed at once
FAREWELL = timedelta(seconds=20)
NUMBERS = 15
"""How many numbers go with one message."""


class Processes:
    """All processes of a training, seen from one of them.

    Every message begins alike: the sum of a few numbers, the first of which counts those who have failed. So one that
    fails at any place, and says so, is understood by the others wherever they are, and all end by the same error.

    Attributes:
        number: Of this process, 0 for the main one, which prints and writes for all.
        count: Of all processes.
        here: Of those on this machine.
    """

    def __init__(
        self, number: int = 0, count: int = 1, here: int = 1, messages: "dist.ProcessGroup | None" = None
    ) -> None:
        """Name a process; `messages` is the group over which all of them talk."""
        self.number, self.count, self.here = number, count, here
        self._messages = messages
        self._agreed: AtrousError | None = None
        self._left = False

    @property
    def main(self) -> bool:
        """Whether this process prints and writes for all."""
        return self.number == 0

    @property
    def share(self) -> Share:
        """What falls to this process."""
        return Share(self.number, self.count)

    def sum(self, values: Sequence[float]) -> list[float]:
        """Add up the numbers of all processes, place by place; the result is the same in all, to the last bit.

        Raises:
            AtrousError: If another process has failed.
        """
        sums: list[float] = []
        for start in range(0, len(values), NUMBERS):
            some = values[start : start + NUMBERS]
            sums += self._exchange(None, some)[: len(some)]
        return sums

    def any(self, condition: bool) -> bool:
        """Whether the condition holds in one process at least.

        Raises:
            AtrousError: If another process has failed.
        """
        return self.sum([float(condition)])[0] > 0

    def gather(self, value: T) -> list[T]:
        """Return the values of all processes, in the order of their numbers.

        Raises:
            AtrousError: If another process has failed.
        """
        self._exchange(None)
        return self._gathered(value)

    def from_main(self, make: Callable[[], T]) -> T:
        """Let the main process make something, and give it to all.

        Raises:
            AtrousError: If it fails, in all.
        """
        with self.agreeing():
            made = [make() if self.main else None]
        if self._messages is not None:
            with self.hand_in_hand():
                dist.broadcast_object_list(made, group=self._messages, group_src=0)
        return made[0]  # type: ignore[return-value]  # by now it is the main one's

    def hand_out(self, tensors: Iterable[Tensor]) -> None:
        """Make tensors in the memory of all processes those of the main one.

        Raises:
            AtrousError: If another process has failed.
        """
        if self._messages is not None:
            self._exchange(None)
            with self.hand_in_hand():
                for tensor in tensors:
                    dist.broadcast(tensor, group=self._messages, group_src=0)

    def main_first(self, make: Callable[[], T]) -> T:
        """Let every process make something, the main one before the others: what it fetches, they find.

        Raises:
            AtrousError: If one fails, in all.
        """
        with self.agreeing():
            made = [make()] if self.main else []
        with self.agreeing():
            return made[0] if made else make()

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """End all processes by one error, if this block fails in one of them; else leave it when all have.

        Raises:
            AtrousError: That of the first process that failed. In all but the main one it counts as told.
        """
        try:
            yield
        except AtrousError as error:
            if self._left or error is self._agreed:
                raise
            self._exchange(error)
            raise  # alone
        else:
            self._exchange(None)

    @contextmanager
    def hand_in_hand(self) -> Iterator[None]:
        """Do what all processes must do together to the end; one that fails here says so itself, and leaves.

        Raises:
            TrainingError: If another process has left.
        """
        try:
            with _not_left_alone():
                yield
        except BaseException as error:
            self._left = error is not self._agreed
            raise

    def wait_for_the_main_one(self) -> None:
        """Stay until the main process has gone: whoever started them ends all when one does, before it has spoken."""
        if not self.main and self._messages is not None:
            with suppress(RuntimeError):
                never_answered = dist.all_reduce(torch.zeros(1), group=self._messages, async_op=True)
                never_answered.wait(timeout=FAREWELL)

    def _exchange(self, error: AtrousError | None, numbers: Sequence[float] = ()) -> list[float]:
        if self._messages is None:
            return list(numbers)
        message = torch.zeros(1 + NUMBERS, dtype=torch.float64)
        message[0] = error is not None
        message[1 : 1 + len(numbers)] = torch.tensor(numbers, dtype=torch.float64)
        with self.hand_in_hand():
            dist.all_reduce(message, group=self._messages)
        failed, *sums = message.tolist()
        if failed:
            self._raise_the_first(error)
        return sums

    def _raise_the_first(self, mine: AtrousError | None) -> None:
        self._agreed = next(error for error in self._gathered(mine) if error is not None)
        self._agreed.told = not self.main
        raise self._agreed from None

    def _gathered(self, value: T) -> list[T]:
        if self._messages is None:
            return [value]
        values: list[T | None] = [None] * self.count
        with self.hand_in_hand():
            dist.all_gather_object(values, value, group=self._messages)
        return values  # type: ignore[return-value]  # all have been filled


ALONE = Processes()


@contextmanager
def joined(known: Processes | None = None) -> Iterator[Processes]:
    """Join the processes that the environment names, and leave with them; alone where it names none.

    A group that exists already, such as Ray's, is used and left as it is; so are the processes that are `known`.

    Raises:
        ConfigError: If the environment cannot be understood, or there are more processes than GPUs.
        AtrousError: If one process fails in the block, in all.
    """
    if known is not None:
        yield known
        return
    ours = not dist.is_initialized() and _number("WORLD_SIZE", 1) > 1
    if ours:
        _begin_group()
    if not dist.is_initialized() or dist.get_world_size() == 1:
        yield ALONE
        return
    messages = dist.new_group(backend="gloo", timeout=PATIENCE)
    assert isinstance(messages, dist.ProcessGroup)  # no subgroup, of which this process might be no part
    here = _number("LOCAL_WORLD_SIZE", 1)
    processes = Processes(dist.get_rank(), dist.get_world_size(), here, messages)
    try:
        with processes.agreeing():
            yield processes
    except AtrousError:
        if ours:
            processes.wait_for_the_main_one()
        raise
    finally:
        if ours:
            dist.destroy_process_group()


def _begin_group() -> None:
    backend = "gloo"
    if torch.cuda.is_available():
        here, gpus = _number("LOCAL_WORLD_SIZE", 1), torch.cuda.device_count()
        if here > gpus:
            raise ConfigError(
                f"{here} processes on this machine have {gpus} GPU{'s' * (gpus != 1)}: start as many as there are GPUs "
                f"(--nproc-per-node {gpus}), or hide these with CUDA_VISIBLE_DEVICES= to train on the CPU."
            )
        torch.cuda.set_device(_number("LOCAL_RANK", 0))
        backend = "nccl"
    try:
        dist.init_process_group(backend)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"The processes do not find each other ({' '.join(str(error).split())}): start them with torchrun, whose "
            f"--rdzv-endpoint all machines can reach."
        ) from None


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise ConfigError(
            f"The environment's {name} is {text!r}, no number: start with torchrun, or unset it."
        ) from None


@contextmanager
def _not_left_alone() -> Iterator[None]:
    """Say in a sentence that another process has gone.

    Raises:
        TrainingError: Instead of torch's own error.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise TrainingError(
            "Another process of this training has ended, by an error of its own or because it was killed: mend what it "
            "says, then go on from the last save with --resume."
        ) from None
