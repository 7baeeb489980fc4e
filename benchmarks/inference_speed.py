"""Time the runtimes against segmentation-models-pytorch in eager float32, on pictures of 512x512, one at a time.

Usage: python benchmarks/inference_speed.py FOLDER [--rounds R] [--size S] [--model resnet50|mobilenet_v2]
FOLDER keeps the exported files, whose making takes longest. DeepLabv3+ at output stride 16 with SMP's choices: on
ResNet-50 the very same weights, which are compared by their answers; on MobileNetV2 the same layers with weights of our
own. All take turns. Printed are medians of the clock and of the processor's time, which is what counts where others use
the machine, too. Threads are those of OMP_NUM_THREADS. SMP's time holds its upsampling and argmax, the others' holds
ours. Needs segmentation-models-pytorch, onnxruntime and openvino.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import segmentation_models_pytorch as smp
import torch
from numpy.typing import NDArray
from torch import nn

from atrous.inference.compiling import compile_logits
from atrous.inference.exported_file import ExportCard
from atrous.inference.folding import folded
from atrous.inference.label_map import label_map
from atrous.inference.runtimes import Choice, open_session
from atrous.inference.to_onnx import write_onnx
from atrous.labels import LabelSpace, Mask
from atrous.networks import DeepLabV3PlusConfig, MobileNetV2Config, build_network
from atrous.networks.segmentation import SegmentationNetwork
from atrous.weights.importing import import_weights

CLASSES = 21
LABELS = LabelSpace.from_names([f"class {index}" for index in range(CLASSES)])
Array = NDArray[np.float32]
Work = Callable[[Array], Mask]
Logits = Callable[[Array], Array]


def peer(name: str) -> nn.Module:
    """Theirs, at random weights."""
    torch.manual_seed(0)
    network: nn.Module = smp.DeepLabV3Plus(name, encoder_weights=None, classes=CLASSES).eval()
    return network


def ours(name: str, theirs: nn.Module, folder: Path) -> SegmentationNetwork:
    """The same network, or one of the same layers."""
    if name == "resnet50":
        path = folder / "smp.pth"
        torch.save(theirs.state_dict(), path)
        imported = import_weights(path)
        network = build_network(imported.config, CLASSES)
        network.load_state_dict(imported.tensors)
        return network.eval()
    choices = DeepLabV3PlusConfig(
        backbone=MobileNetV2Config(),
        rates=(12, 24, 36),
        separable=True,
        separable_norm=False,
        head_convolution=True,
        decoder_convolutions=1,
        resize="align_corners",
    )
    return build_network(choices, CLASSES).eval()


def candidates(name: str, theirs: nn.Module, network: SegmentationNetwork, folder: Path) -> dict[str, Work]:
    """All that take turns."""
    path = folder / f"{name}.onnx"
    if not path.exists():
        write_onnx(path, network, ExportCard(name=name, labels=LABELS, resize=network.resize))
    ready, mean, std = folded(network), network.pixels.mean, network.pixels.std
    compiled = {precision: folded(network) for precision in ("float32", "bfloat16")}
    for one in compiled.values():
        compile_logits(one)
    works: dict[str, Logits] = {
        "torch folded float32": lambda x: ready.low_resolution_logits(_tensor(x)).numpy(),
        "torch folded bfloat16": lambda x: _in_bfloat16(ready, x),
        "torch compiled float32": lambda x: compiled["float32"].low_resolution_logits(_tensor(x)).numpy(),
        "torch compiled bfloat16": lambda x: _in_bfloat16(compiled["bfloat16"], x),
        "onnxruntime float32": open_session(path, Choice("onnxruntime", "float32", "")),
        "openvino float32": open_session(path, Choice("openvino", "float32", "")),
        "openvino bfloat16": open_session(path, Choice("openvino", "bfloat16", "")),
    }

    def by_smp(x: Array) -> Mask:
        return np.asarray(theirs((torch.from_numpy(x) - mean) / std).argmax(1)[0].numpy())

    def masked(logits: Logits) -> Work:
        return lambda x: label_map(logits(x)[0], (x.shape[2], x.shape[3]), np.uint8, network.resize)

    return {"SMP eager float32": by_smp, **{name: masked(logits) for name, logits in works.items()}}


def _tensor(x: Array) -> torch.Tensor:
    return torch.from_numpy(x).to(memory_format=torch.channels_last)


def _in_bfloat16(network: SegmentationNetwork, x: Array) -> Array:
    with torch.autocast("cpu", torch.bfloat16):
        return np.asarray(network.low_resolution_logits(_tensor(x)).float().numpy())


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--model", choices=("resnet50", "mobilenet_v2"), default="resnet50")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    theirs = peer(arguments.model)
    works = candidates(arguments.model, theirs, ours(arguments.model, theirs, arguments.folder), arguments.folder)
    image = np.random.default_rng(0).random((1, 3, arguments.size, arguments.size), np.float32)
    print(f"{arguments.model}, {arguments.size}x{arguments.size}, {torch.get_num_threads()} threads")
    print("| runtime | ms | times SMP | processor, ms | times SMP | same labels |\n|---|---|---|---|---|---|")
    measure(works, image, arguments.rounds)


@torch.inference_mode()
def measure(works: dict[str, Work], image: Array, rounds: int) -> None:
    """Print one line for each."""
    clock: dict[str, list[float]] = {name: [] for name in works}
    processor: dict[str, list[float]] = {name: [] for name in works}
    masks: dict[str, Mask] = {}
    for _ in range(rounds + 1):
        for name, work in works.items():
            began, spent = time.perf_counter(), time.process_time()
            masks[name] = work(image)
            clock[name].append(time.perf_counter() - began)
            processor[name].append(time.process_time() - spent)
    base = [1000 * median(values["SMP eager float32"][1:]) for values in (clock, processor)]
    for name in works:
        spent_clock, spent_processor = (1000 * median(values[name][1:]) for values in (clock, processor))
        same = float((masks[name] == masks["SMP eager float32"]).mean())
        print(
            f"| {name} | {spent_clock:.0f} | {base[0] / spent_clock:.2f} "
            f"| {spent_processor:.0f} | {base[1] / spent_processor:.2f} | {same:.2%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
