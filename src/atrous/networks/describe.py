"""What a network is made of, stage by stage: strides, rates, parameters, multiply-adds, receptive field."""

from collections.abc import Iterator
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from atrous.networks import NetworkConfig, build_network, deviations
from atrous.networks.reach import Reach, after, widest
from atrous.networks.segmentation import SegmentationNetwork

Size = tuple[int, int]


@dataclass(frozen=True)
class Stage:
    """One part of a network, in the order in which the image passes."""

    name: str
    output_stride: float
    """Pixels of the image per pixel of its output."""
    rates: tuple[tuple[int, int], ...]
    """Atrous rates that occur in it, vertical and horizontal; of kernels larger than 1x1."""
    channels: int
    size: Size
    """Height and width of its output."""
    parameters: int
    multiply_adds: int
    """Of its convolutions, for one image; a network of several scales runs its backbone at each of them."""
    reach: Reach
    training_only: bool = False


@dataclass(frozen=True)
class NetworkDescription:
    """All stages, and the sums."""

    stages: tuple[Stage, ...]
    size: Size
    num_classes: int
    parameters: int
    """Of all that predicts."""
    training_parameters: int
    """Of what only training uses, such as an auxiliary head."""
    multiply_adds: int
    reach: Reach
    """Of one of the low-resolution logits."""
    deviations: tuple[str, ...]
    """Differences from the paper, in words."""


def describe_network(config: NetworkConfig, num_classes: int, size: Size = (513, 513)) -> NetworkDescription:
    """Follow an image of a size through the network of `config`, without computing anything.

    Everything is read from the living modules and the operations that they call, nothing from the config.

    Args:
        config: The member of the family and its choices.
        num_classes: Channels of the logits.
        size: Height and width of the image.
    """
    with torch.device("meta"):
        network = build_network(config, num_classes).eval()
        image = torch.zeros(1, network.pixels.mean.numel(), *size)
    vars(image)["reach"] = Reach()
    follower = _Follower(network)
    with torch.no_grad(), follower:
        logits = network.low_resolution_logits(image)
        multiply_adds = follower.multiply_adds
        if network.auxiliary is not None:
            network.auxiliary(follower.levels)
    training_parameters = _count(network.auxiliary) if network.auxiliary is not None else 0
    return NetworkDescription(
        stages=tuple(_grouped(list(follower.stages()))),
        size=size,
        num_classes=num_classes,
        parameters=_count(network) - training_parameters,
        training_parameters=training_parameters,
        multiply_adds=multiply_adds,
        reach=_reach(logits),
        deviations=tuple(deviations(config)),
    )


def reach_of(network: SegmentationNetwork) -> Reach:
    """How much of the image one of the low-resolution logits depends on, without computing anything."""
    tensors = {id(tensor): tensor.detach().to("meta") for tensor in network.buffers()}
    tensors |= {id(tensor): nn.Parameter(tensor.detach().to("meta")) for tensor in network.parameters()}
    still = deepcopy(network, tensors).eval()  # its weights are not copied
    image = torch.zeros(1, network.pixels.mean.numel(), 513, 513, device="meta")
    vars(image)["reach"] = Reach()
    with torch.no_grad(), _Follower(still):
        return _reach(still.low_resolution_logits(image))


def _grouped(stages: list[Stage]) -> Iterator[Stage]:
    """Equal neighbours of one list as one, such as the sixteen blocks in the middle of Xception."""
    for _, group in groupby(stages, key=lambda stage: _kind(stage)):
        first, *others = group
        if not others:
            yield first
            continue
        last = others[-1]
        yield replace(
            last,
            name=f"{first.name}-{last.name.rpartition('.')[2]}",
            parameters=first.parameters * (1 + len(others)),
            multiply_adds=first.multiply_adds * (1 + len(others)),
        )


def _kind(stage: Stage) -> tuple[Any, ...]:
    home, _, number = stage.name.rpartition(".")
    place = home if number.isdecimal() and home.startswith("backbone") else stage.name
    return place, stage.output_stride, stage.rates, stage.channels, stage.parameters, stage.multiply_adds


@dataclass
class _Running:
    """A stage while the image passes."""

    name: str
    module: nn.Module
    multiply_adds: int = 0
    output: Tensor | None = None
    passed: set[nn.Module] = field(default_factory=set)


class _Follower(TorchDispatchMode):
    """Sees every operation of torch: adds up multiply-adds by stage, and hands on how far each value reaches."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.multiply_adds = 0
        self.levels: list[Tensor] = []
        self._network = network
        self._stages = [_Running(name, module) for name, module in _parts(network)]
        self._current: list[_Running] = []
        self._hooks = ExitStack()

    def __enter__(self) -> "_Follower":
        for stage in self._stages:
            self._hook(stage)
        keep = self._network.backbone.register_forward_hook(self._keep_levels)
        self._hooks.callback(keep.remove)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._hooks.close()

    def stages(self) -> Iterator[Stage]:
        """What was seen of each stage that the image passed."""
        for stage in self._stages:
            if stage.output is not None and (_count(stage.module) or stage.name.endswith("pool")):
                reach = _reach(stage.output)
                yield Stage(
                    name=stage.name,
                    output_stride=max(reach.jump),
                    rates=_rates(stage.module),
                    channels=stage.output.shape[1],
                    size=(stage.output.shape[2], stage.output.shape[3]),
                    parameters=_count(stage.module),
                    multiply_adds=stage.multiply_adds,
                    reach=reach,
                    training_only=stage.name.startswith("auxiliary"),
                )

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [_reach(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and _is_known(leaf)]
        name = func.overloadpacket.__name__
        if given:
            for output in tree_leaves(result):
                if isinstance(output, Tensor):
                    vars(output)["reach"] = after(name, args, output, widest(given))
        self._add(_multiply_adds(name, args, result))
        return result

    def _add(self, multiply_adds: int) -> None:
        self.multiply_adds += multiply_adds
        if self._current:
            self._current[-1].multiply_adds += multiply_adds

    def _hook(self, stage: _Running) -> None:
        """Watch all modules of a stage, as a backbone may call their parts one by one."""

        def begin(_module: nn.Module, _inputs: Any) -> None:
            self._current.append(stage)

        def end(module: nn.Module, _inputs: Any, output: Any) -> None:
            self._current.pop()
            if not self._current and module not in stage.passed:  # the other scales of an image come later
                stage.passed.add(module)
                stage.output = next(leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor))

        for module in stage.module.modules():
            self._hooks.callback(module.register_forward_pre_hook(begin).remove)
            self._hooks.callback(module.register_forward_hook(end).remove)

    def _keep_levels(self, _module: nn.Module, _inputs: Any, levels: list[Tensor]) -> None:
        self.levels = self.levels or levels


def _parts(network: SegmentationNetwork) -> Iterator[tuple[str, nn.Module]]:
    for name, module in network.named_children():
        if name in ("backbone", "context", "decoder"):
            yield from _inner_parts(name, module)
        elif name != "pixels":
            yield name, module


def _inner_parts(prefix: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The named parts of a part; a list, or a part that only wraps another, is opened."""
    children = list(module.named_children())
    for name, child in children:
        title = f"{prefix}.{name}"
        if isinstance(child, nn.ModuleList) or (len(children) == 1 and type(child).__module__.startswith("timm")):
            yield from _inner_parts(title, child)
        else:
            yield title, child


def _multiply_adds(operation: str, arguments: Any, result: Any) -> int:
    match operation:
        case "convolution":
            weight = arguments[1]
            return int(result.numel() * weight[0].numel())
        case "mm":
            return int(result.numel() * arguments[0].shape[1])
        case "addmm":
            return int(result.numel() * arguments[1].shape[1])
        case _:
            return 0


def _rates(module: nn.Module) -> tuple[tuple[int, int], ...]:
    rates = {
        (part.dilation[0], part.dilation[-1])
        for part in module.modules()
        if isinstance(part, nn.Conv2d) and max(part.kernel_size) > 1
    }
    return tuple(sorted(rates))


def _is_known(tensor: Tensor) -> bool:
    return "reach" in vars(tensor)


def _reach(tensor: Tensor) -> Reach:
    reach: Reach = vars(tensor)["reach"]
    return reach


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
