"""All that an exact resume needs: weights, optimizer, chance, and how far the run is. No pickle."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.amp import GradScaler

from atrous.errors import CheckpointError
from atrous.networks import SegmentationNetwork
from atrous.training.distributed import ALONE, Processes
from atrous.training.watch import Memory
from atrous.weights.checkpoint import load_tensors, require_same_tensors, save_tensors

FORMAT = "atrous-state-1"
UNSCALED = GradScaler("cpu", enabled=False)
"""Changes nothing, for all arithmetic but float16."""


@dataclass
class RunState:
    """How far a run is."""

    step: int = 0
    """Updates made."""
    validated: int = -1
    """The step of the last validation."""
    best_score: float = -1.0
    """The best score on the validation split, 0..1; which one, the recipe says."""
    best_step: int = -1
    unimproved: int = 0
    """Validations since the best one."""
    waited: int = 0
    """Validations since the best one, or since the rate was cut after it."""
    cuts: int = 0
    """How often the learning rate was cut on a plateau."""
    smoothed_loss: float = math.nan
    seconds: float = 0.0
    """Time spent, over all parts of an interrupted run."""
    steps: int | None = None
    """How many there are, where the clock has decided that and no longer the recipe (`Pace`)."""
    class_pixels: list[list[int]] = field(default_factory=list)
    """How often each class occurs in training (`ClassPixels`), where the loss weighs classes by that."""
    skipped: list[int] = field(default_factory=list)
    """Training pictures that turned unreadable, by their places in the split."""
    warned: list[str] = field(default_factory=list)
    """Causes of which the watch has warned."""
    watch: Memory = field(default_factory=Memory)
    """What the watch remembers."""

    def count(self, loss: float, seconds: float, smoothing: float) -> None:
        """Count one update with its loss and its time."""
        self.step += 1
        self.seconds += seconds
        older = loss if math.isnan(self.smoothed_loss) else self.smoothed_loss
        self.smoothed_loss = smoothing * older + (1 - smoothing) * loss

    def judge(self, score: float) -> bool:
        """Note the score of the present weights; whether it is the best so far."""
        self.validated = self.step
        better = score > self.best_score
        if better:
            self.best_score, self.best_step = score, self.step
        self.unimproved = 0 if better else self.unimproved + 1
        self.waited = 0 if better else self.waited + 1
        return better

    def cut_after(self, patience: int) -> bool:
        """Count a cut of the learning rate if more validations than `patience` brought nothing; whether they did."""
        if self.waited <= patience:
            return False
        self.waited, self.cuts = 0, self.cuts + 1
        return True


class Learner(NamedTuple):
    """What a step changes."""

    network: SegmentationNetwork
    optimizer: torch.optim.Optimizer
    scaler: GradScaler = UNSCALED
    """Keeps the gradients of float16 from vanishing."""
    average: SegmentationNetwork | None = None
    """The moving average of the network, where there is one."""

    @property
    def answering(self) -> SegmentationNetwork:
        """The network that is validated and saved: the average, where there is one."""
        return self.network if self.average is None else self.average


def save_state(path: Path, state: RunState, learner: Learner) -> None:
    """Write the state as one file, whole or not at all.

    Raises:
        OutputError: If the place cannot be written.
    """
    tensors = {f"network.{name}": tensor for name, tensor in learner.network.state_dict().items()}
    tensors |= _optimizer_tensors(learner.optimizer)
    tensors |= {f"scaler.{name}": torch.tensor(value) for name, value in learner.scaler.state_dict().items()}
    if learner.average is not None:
        tensors |= {f"average.{name}": tensor for name, tensor in learner.average.state_dict().items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    save_tensors(path, tensors, json.dumps({"format": FORMAT, **asdict(state)}))


def load_state(path: Path, learner: Learner, processes: Processes = ALONE) -> RunState:
    """Put network, optimizer and chance back to where they were, and say how far that was.

    Args:
        path: The file, which the main process reads for all.
        learner: What is put back.
        processes: All that train together.

    Raises:
        CheckpointError: If the file is missing, damaged, or of another network or optimizer.
    """
    tensors, text = processes.from_main(lambda: load_tensors(path, "state of a run"))
    state = _described(text, path)
    if "random.cpu" not in tensors:
        raise _not_ours(path)
    _load_network(learner.network, _below("network.", tensors), path)
    _load_optimizer(learner.optimizer, _below("optimizer.", tensors), path)
    _load_scaler(learner.scaler, _below("scaler.", tensors), path)
    if learner.average is not None:
        _load_network(learner.average, _below("average.", tensors), path)
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
    return state


def _described(text: str, path: Path) -> RunState:
    try:
        described = json.loads(text)
        if described.pop("format") == FORMAT:
            memory = Memory(**described.pop("watch", {}))
            return RunState(**described, watch=memory)
    except (ValueError, KeyError, TypeError, AttributeError):  # no JSON, no table, or not the keys of today
        pass
    raise _not_ours(path)


def _not_ours(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is no state of a run that this version can continue: start the run again with --overwrite."
    )


def _load_network(network: SegmentationNetwork, weights: dict[str, Tensor], path: Path) -> None:
    require_same_tensors(network.state_dict(), weights, path)
    network.load_state_dict(weights)


def _load_scaler(scaler: GradScaler, tensors: dict[str, Tensor], path: Path) -> None:
    if tensors.keys() != scaler.state_dict().keys():
        raise _not_ours(path)
    if tensors:
        scaler.load_state_dict({name: tensor.item() for name, tensor in tensors.items()})


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"optimizer.{number}.{key}": value
        for number, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], path: Path) -> None:
    content = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = tensor
    count = sum(len(group["params"]) for group in content["param_groups"])
    if any(number >= count for number in state):
        raise CheckpointError(f"{path} belongs to another optimizer than the recipe's: give the run's own recipe.")
    optimizer.load_state_dict({"state": state, "param_groups": content["param_groups"]})


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
