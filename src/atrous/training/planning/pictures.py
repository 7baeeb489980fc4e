"""What the network sees of the pictures, how many of them at once, and which stay in memory."""

import math
from typing import NamedTuple

from atrous.data.augmentation import AugmentationConfig
from atrous.networks import NetworkConfig
from atrous.training.planning.choice import Choice, Speed
from atrous.training.planning.facts import DataFacts, MachineFacts, Size

PIXELS_ON_CPU = 320 * 256
PIXELS_ON_GPU = 512 * 512
"""Of a crop: more context costs steps, of which a CPU makes few."""
GRID = 32
"""Sides of crops are multiples of it, so that no stride has to pad."""
LARGEST_SCALE = 1.5
SMALLEST_SCALE = 0.25
USUAL_SCALE = 0.5
FEW_PICTURES = 50
"""Up to which colours are varied more strongly: the network sees each of them very often."""
GIGABYTES = {"mobilenet_v2": 2.5, "mobilenet_v1": 2.5, "mobilenet_v3": 2.5, "mobilenet_edgetpu": 3.5}
"""That training holds for each million pixels of a batch, about and rather too many; measured for MobileNetV2."""
GIGABYTES_OF_OTHERS = 6.0
SHARE_OF_MEMORY = 0.6
"""That a batch may take: the rest is for weights, validation and everything else on the machine."""


class Views(NamedTuple):
    """What the network sees of the pictures."""

    augmentation: AugmentationConfig
    choices: tuple[Choice, ...]


def choose_views(data: DataFacts, machine: MachineFacts) -> Views:
    """Choose crop, scale and variation of colours."""
    crop = _crop(data.size, PIXELS_ON_GPU if machine.gpu else PIXELS_ON_CPU)
    shown = min(1.0, crop[0] / data.size[0], crop[1] / data.size[1])
    smallest = min(USUAL_SCALE, max(SMALLEST_SCALE, shown)) if shown < 1 else USUAL_SCALE
    colour = 0.4 if data.train <= FEW_PICTURES else 0.3
    augmentation = AugmentationConfig(
        crop=crop,
        scale=(round(smallest, 2), LARGEST_SCALE),
        brightness=colour,
        contrast=colour,
        saturation=colour,
    )
    return Views(augmentation, (_crop_choice(data, machine, crop), _scale_choice(data, crop, smallest, colour)))


def _crop_choice(data: DataFacts, machine: MachineFacts, crop: Size) -> Choice:
    height, width = data.size
    whole = crop[0] >= height and crop[1] >= width
    why = f"holds a whole picture of {width}x{height}"
    if not whole:
        device = "GPU" if machine.gpu else "CPU"
        why = f"the shape of {width}x{height}, in a size for many steps on a {device}"
    return Choice("crop", f"{crop[1]}x{crop[0]}", why)


def _scale_choice(data: DataFacts, crop: Size, smallest: float, colour: float) -> Choice:
    seen = min(1.0, crop[0] / smallest / data.size[0], crop[1] / smallest / data.size[1])
    why = f"objects of other sizes; colours ±{colour:.0%}"
    if smallest < USUAL_SCALE:
        why = f"the crop shows up to {seen:.0%} of a side; colours ±{colour:.0%}"
    if colour > 0.3:
        why += f", for {data.train} pictures are few"
    return Choice("scale", f"{smallest:.2g} to {LARGEST_SCALE:g}", why)


def _crop(size: Size, pixels: int) -> Size:
    """The shape of the picture with at most about so many pixels, on the grid."""
    height, width = size
    # A panorama's shape would leave a crop without height: no side is more than twice the other.
    ratio = min(2.0, max(0.5, width / height))
    side = math.sqrt(min(pixels, height * width) / ratio)
    return _on_grid(side, height), _on_grid(side * ratio, width)


def _on_grid(wanted: float, side: int) -> int:
    """A multiple of the grid near what is wanted, and not beyond that which holds the whole side."""
    return max(GRID, min(GRID * math.ceil(side / GRID), GRID * round(wanted / GRID)))


class Batch(NamedTuple):
    """How many pictures pass together, and how often before an update."""

    size: int
    accumulation: int
    choices: tuple[Choice, ...]


def choose_batch(
    machine: MachineFacts, network: NetworkConfig, crop: Size, seconds: float, speed: Speed | None
) -> Batch:
    """Choose the batch: as the time asks for it, and as the memory allows it.

    Args:
        machine: Where it is trained.
        network: What is trained.
        crop: (height, width) of what it sees.
        seconds: That are left for steps.
        speed: As measured; before that, the batch is the usual one.
    """
    wanted, why = _wanted_batch(machine, seconds, speed)
    fitting = _fitting_batch(machine, network, crop, speed)
    if fitting >= wanted:
        return Batch(wanted, 1, (Choice("batch", f"{wanted} pictures", why),))
    size = 2 ** int(math.log2(max(1, fitting)))
    times = wanted // size
    memory = machine.gpu_memory if machine.gpu else machine.memory
    why = f"{memory:.1f} GiB hold no more at once; together one update"
    return Batch(size, times, (Choice("batch", f"{times} times {size}", why),))


def _wanted_batch(machine: MachineFacts, seconds: float, speed: Speed | None) -> tuple[int, str]:
    if machine.gpu:
        return 16, "keeps a GPU busy; the papers' own"
    if speed is None:
        return 8, "the usual on a CPU"
    if seconds / speed.seconds_per_picture < 8 * MANY_STEPS:
        return 4, f"8 at once would leave fewer than {MANY_STEPS:,} updates"
    return 8, "steady gradients, and the time leaves enough updates"


MANY_STEPS = 300
"""Updates, below which more of them are worth more than steadier ones."""


def _fitting_batch(machine: MachineFacts, network: NetworkConfig, crop: Size, speed: Speed | None) -> int:
    free = (machine.gpu_memory if machine.gpu else machine.memory) * SHARE_OF_MEMORY
    each = GIGABYTES.get(network.backbone.kind, GIGABYTES_OF_OTHERS) * (crop[0] * crop[1] / 1e6)
    stride = (16 / min(16, network.output_stride)) ** 2
    each *= 1 + (stride - 1) / 2  # half of it lies at the stride of the deepest features, about
    if speed is not None:  # a process that has held much before cannot tell what it needs
        each = max(speed.memory / speed.batch_size, each / 4)
    return max(1, int(free / each))


def choose_cache(data: DataFacts, machine: MachineFacts) -> tuple[float, Choice]:
    """Choose how much memory may keep decoded pictures, in GiB."""
    room = round(machine.memory * 0.25, 2)
    if data.gigabytes <= room:
        needed = max(0.1, math.ceil(data.gigabytes * 12) / 10)  # sizes vary: a fifth more than the median says
        return needed, Choice("cache", f"{needed:g} GiB", f"all {data.train:,} pictures fit: each is decoded once")
    why = f"a quarter of the memory; all pictures would take {data.gigabytes:.1f} GiB"
    return room, Choice("cache", f"{room:g} GiB", why)
