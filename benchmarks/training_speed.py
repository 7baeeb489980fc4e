"""Time training steps against a plain float32 loop over segmentation-models-pytorch, on the same cores in one run.

Usage: OMP_NUM_THREADS=2 python benchmarks/training_speed.py [mobilenet_v2 resnet50] [--rounds R]
Ours is a training's real step (`training/step.py`) with the network and optimizer of a recipe: bfloat16 where the
processor has it, channels last, pictures in bytes. Theirs is DeepLabV3Plus with that backbone at output stride 16 in
the loop that its users write: float32, channels first, AdamW, the mean cross-entropy. Each has a process of its own, as
either changes how memory is handed back, and sleeps while the other works; they take turns, step by step. Printed are
medians, and the median and quartiles of the ratio of each round, once in time on the clock and once in processor time,
which other work on the machine disturbs less. SMP refuses sizes that 16 does not divide, so that it is given a few
pixels less; nothing is corrected for that.
Needs segmentation-models-pytorch (0.6.0 was measured).
"""

import argparse
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
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
from atrous.training.memory import keep_freed_memory, peak_gigabytes
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
    keep_freed_memory()
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


class Turn(NamedTuple):
    """What one step took."""

    seconds: float
    processor_seconds: float
    gigabytes: float
    """Of the process, at most so far."""


def take_turns(make: Callable[[Case], Step], case: Case, called: Connection) -> None:
    """Make a step whenever called, until the other end closes."""
    step = make(case)
    while called.recv():
        began, spent = time.perf_counter(), time.process_time()
        step()
        called.send(Turn(time.perf_counter() - began, time.process_time() - spent, peak_gigabytes()))


def compare(case: Case, rounds: int, warm_up: int) -> None:
    """Let the two take turns, and print who was faster."""
    context, ends = get_context("spawn"), []
    for make in (atrous_step, plain_step):
        here, there = context.Pipe()
        context.Process(target=take_turns, args=(make, case, there), daemon=True).start()
        ends.append(here)

    def turn(end: Connection) -> Turn:
        end.send(True)
        taken: Turn = end.recv()
        return taken

    turns = [[turn(end) for end in ends] for _ in range(warm_up + rounds)][warm_up:]
    for end in ends:
        end.send(False)
    sizes = [f"{width}x{height}" for height, width in (case.size, case.smp_size)]
    print(f"{case.encoder}, batch {case.batch}")
    for name, size, own in zip(("atrous", "plain"), sizes, zip(*turns, strict=True), strict=True):
        rate = case.batch / median(taken.seconds for taken in own)
        spent = median(taken.processor_seconds for taken in own) / case.batch
        memory = own[-1].gigabytes
        print(f"    {name} at {size}: {rate:.2f} images/s, {spent:.3f} processor seconds/image, {memory:.2f} GiB")
    for name, index in (("on the clock", 0), ("in processor time", 1)):
        ratios = [plain[index] / ours[index] for ours, plain in turns]
        low, _, high = quantiles(ratios, n=4)
        print(f"    {name} {median(ratios):.2f} times ({low:.2f} to {high:.2f}, {rounds} rounds)", flush=True)


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
