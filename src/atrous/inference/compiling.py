"""Let torch compile the network that predicts, with dilated depthwise convolutions as sums of shifted maps."""

import copy
import os
import shutil

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.networks.segmentation import SegmentationNetwork
from atrous.progress import Progress, Silent

MOST_SIZES = 4
"""Sizes of pictures that are compiled, for each takes up to a minute; further ones the network computes as it is."""


class ShiftedDepthwise(nn.Module):
    """A dilated convolution within channels that keeps the size: for each tap the map, shifted and scaled.

    oneDNN has no fast way for these; a compiler makes one loop of them. By itself it is slower than the convolution. A
    tap that lies farther off than the map is high or wide meets zeros alone, and is left out.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take the weights of a convolution that `can_shift`."""
        super().__init__()
        self.weight, self.bias, self.dilation = convolution.weight, convolution.bias, convolution.dilation

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [B, C, H, W]."""
        height, width = x.shape[-2:]
        weight = self.weight.to(x.dtype)
        down, across = (_shifts(size, rate) for size, rate in zip(weight.shape[-2:], self.dilation, strict=True))
        below, behind = down[-1][1], across[-1][1]
        padded = F.pad(x, (behind, behind, below, below))
        total = None
        for row, y in down:
            for column, right in across:
                if abs(y) < height and abs(right) < width:
                    seen = padded[..., below + y : below + y + height, behind + right : behind + right + width]
                    term = seen * weight[:, 0, row, column, None, None]
                    total = term if total is None else total + term
        assert total is not None  # the tap in the middle always meets the map
        return total if self.bias is None else total + self.bias.to(x.dtype)[:, None, None]


def _shifts(size: int, rate: int) -> list[tuple[int, int]]:
    """The number of each tap along one side, and how far off it looks."""
    return [(tap, (tap - size // 2) * rate) for tap in range(size)]


def can_shift(module: nn.Module) -> bool:
    """Whether it is a dilated convolution within channels that keeps the size of its input."""
    if not isinstance(module, nn.Conv2d) or module.groups != module.in_channels or max(module.dilation) == 1:
        return False
    keeping = tuple(rate * (size // 2) for rate, size in zip(module.dilation, module.kernel_size, strict=True))
    odd = all(size % 2 for size in module.kernel_size)
    one_each = module.out_channels == module.in_channels and module.stride == (1, 1)
    return odd and one_each and module.padding == keeping and module.padding_mode == "zeros"


def shifted(network: SegmentationNetwork) -> SegmentationNetwork:
    """Return a copy, on the same tensors, whose dilated depthwise convolutions are sums of shifted maps."""
    tensors = [*network.parameters(), *network.buffers()]
    ready = copy.deepcopy(network, {id(tensor): tensor for tensor in tensors})
    for parent in list(ready.modules()):
        for name, child in list(parent.named_children()):
            if can_shift(child):
                setattr(parent, name, ShiftedDepthwise(child))  # type: ignore[arg-type]  # it is a Conv2d
    return ready


def compile_logits(network: SegmentationNetwork, progress: Progress | None = None, backend: str = "inductor") -> None:
    """Have the low-resolution logits compiled when a size of picture is first seen; where that fails, say so.

    Args:
        network: For inference, with its norms folded; it is changed, and answers the same but for rounding.
        progress: Is told what is compiled, and if nothing can be.
        backend: Who compiles, as in `torch.compile`.
    """
    progress = progress or Silent()
    if backend == "inductor" and not has_compiler():
        progress.say("--compile needs a C++ compiler (g++), which is not installed: the network computes as it is.")
        return
    plain = network.low_resolution_logits
    on_processor = next(network.parameters()).device.type == "cpu"
    source = shifted(network) if on_processor else copy.copy(network)
    options = {"freezing": True} if backend == "inductor" else None
    compiled = torch.compile(source.low_resolution_logits, backend=backend, dynamic=False, options=options)  # type: ignore[arg-type]
    sizes: set[torch.Size] = set()
    failed = False

    def low_resolution_logits(image: Tensor) -> Tensor:
        nonlocal failed
        if image.shape not in sizes and not failed and len(sizes) < MOST_SIZES:
            sizes.add(image.shape)
            progress.say(f"Compiling the network for {image.shape[-1]}x{image.shape[-2]} pixels.")
        if failed or image.shape not in sizes:
            return plain(image)
        try:
            answer: Tensor = compiled(image)
        except Exception as error:  # torch raises many kinds, and so does what it calls
            failed = True
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            progress.say(f"The network cannot be compiled on this machine ({reason}): it computes as it is.")
            return plain(image)
        return answer

    vars(network)["low_resolution_logits"] = low_resolution_logits


def has_compiler() -> bool:
    """Whether there is what torch's compiler calls for a processor."""
    return any(map(shutil.which, filter(None, (os.environ.get("CXX"), "g++", "clang++"))))
