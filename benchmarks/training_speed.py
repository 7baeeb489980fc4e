"""Time training steps against a plain float32 loop over segmentation-models-pytorch, on the same cores in one process.

Usage: OMP_NUM_THREADS=2 python benchmarks/training_speed.py [mobilenet_v2 resnet50] [--rounds R]
Ours is a training's real step (`training/step.py`) with its recipe's network and optimizer: bfloat16 where the processor
has it, channels last, pictures in bytes. Theirs is DeepLabV3Plus with the same backbone at output stride 16 in the loop
that its users write: float32, channels first, AdamW, the mean cross-entropy. After warm-up the two take turns, step by
step; printed are the medians of images/s and of the ratio of each round, with its quartiles. SMP refuses sizes that 16
does not divide, so that it is given a few pixels less; nothing is corrected for that.
Needs segmentation-models-pytorch (0.6.0 was measured).
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor

from atrous.data.loading import Batch
from atrous.inference.device import describe_device
from atrous.labels import LabelSpace
from atrous.networks import build_network
from atrous.training.losses import build_loss
from atrous.training.recipe import read_recipe
from atrous.training.run import begin_learner
from atrous.training.step import choose_arithmetic, update

RECIPES = Path(__file__).parent.parent / "recipes"
LABELS = LabelSpace.from_names([f"class {index}" for index in range(11)])
Step = Callable[[], float]


class Case(NamedTuple):
    """What is compared."""

    recipe: str
    encoder: str
    batch: int
    size: tuple[int, int]
    smp_size: tuple[int, int]


CASES = {
    "mobilenet_v2": Case("camvid_v3plus_mobilenet_v2", "mobilenet_v2", 8, (360, 480), (352, 480)),
    "resnet50": Case("camvid_v3plus_resnet50", "resnet50", 4, (321, 321), (320, 320)),
}


def atrous_step(case: Case) -> Step:
    """A step of the recipe's training."""
    recipe = read_recipe(RECIPES / f"{case.recipe}.yaml")
    arithmetic = choose_arithmetic(recipe.training)
    torch.manual_seed(0)
    network = build_network(recipe.network, LABELS.num_classes).to(memory_format=arithmetic.memory_format).train()
    learner = begin_learner(network, recipe, arithmetic)
    loss = build_loss(recipe.loss, LABELS)
    image, mask = picture_bytes(case.batch, case.size)
    batch = Batch(image.contiguous(memory_format=torch.channels_last), mask)
    return lambda: update(learner, [batch], loss, arithmetic)


def plain_step(case: Case) -> Step:
    """A step of the loop that everyone writes."""
    torch.manual_seed(0)
    network = smp.DeepLabV3Plus(case.encoder, encoder_weights=None, classes=LABELS.num_classes).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    image, mask = picture_bytes(case.batch, case.smp_size)
    picture, target = image.float() / 255, mask.long()

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(network(picture), target, ignore_index=255)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def picture_bytes(batch: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Pictures and masks of blocks, in bytes."""
    blocks = torch.randint(LABELS.num_classes, (batch, 1, -(-size[0] // 40), -(-size[1] // 40)))
    mask = F.interpolate(blocks.float(), scale_factor=40)[:, 0, : size[0], : size[1]].to(torch.uint8)
    return torch.randint(256, (batch, 3, *size), dtype=torch.uint8), mask.contiguous()


def seconds_of(step: Step) -> float:
    """How long one step takes."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def compare(case: Case, rounds: int, warm_up: int) -> None:
    """Let the two take turns, and print who was faster."""
    steps = [atrous_step(case), plain_step(case)]
    for _ in range(warm_up):
        for step in steps:
            step()
    seconds = [[seconds_of(step) for step in steps] for _ in range(rounds)]
    ours, theirs = (case.batch / median(of) for of in zip(*seconds, strict=True))
    ratios = [plain / own for own, plain in seconds]
    low, _, high = quantiles(ratios, n=4)
    sizes = [f"{width}x{height}" for height, width in (case.size, case.smp_size)]
    print(
        f"{case.encoder}, batch {case.batch}: atrous {ours:.2f} images/s at {sizes[0]}, plain {theirs:.2f} at {sizes[1]}"
    )
    print(f"    {median(ratios):.2f} times (quartiles {low:.2f} to {high:.2f} over {rounds} rounds)", flush=True)


def main() -> None:
    """Compare the cases that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=" or ".join(CASES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--warm-up", type=int, default=2)
    arguments = parser.parse_args()
    print(f"{describe_device(torch.device('cpu'))}, torch {torch.__version__}, SMP {smp.__version__}")
    for name in arguments.cases or CASES:
        compare(CASES[name], arguments.rounds, arguments.warm_up)


if __name__ == "__main__":
    main()
