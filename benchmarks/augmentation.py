"""Time what a training picture goes through, against Albumentations and a chain of Pillow, on one core.

Usage: python benchmarks/augmentation.py VOC2012 [--count N] [--rounds R]
All three read the JPEG and the palette PNG and give uint8 pictures and masks of 513x513, by the same operations: a
random scale from 0.5 to 2 (bilinear, nearest), padding, a random crop, a random mirror, and a jitter of brightness,
contrast and saturation by up to 0.3. Albumentations and Pillow do them one after the other, atrous scales only what the
crop shows and jitters by one matrix. The three take turns; printed are the medians over the rounds.
Needs albumentations (1.4.24 was measured).
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import albumentations
import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from atrous.data.augmentation import AugmentationConfig, augment
from atrous.data.samples import Sample
from atrous.images import read_image, read_mask
from atrous.labels import LabelSpace

CROP, JITTER = 513, 0.3
LABELS = LabelSpace.from_names([f"class {index}" for index in range(21)])
Pair = tuple[Path, Path]


def by_atrous(pair: Pair, random: np.random.Generator) -> Any:
    """The crop alone, and one matrix."""
    config = AugmentationConfig(crop=(CROP, CROP), brightness=JITTER, contrast=JITTER, saturation=JITTER)
    return augment(Sample(read_image(pair[0]), read_mask(pair[1]), ""), config, LABELS, random)


ALBUMENTATIONS = albumentations.Compose(
    [
        albumentations.RandomScale((-0.5, 1.0), interpolation=cv2.INTER_LINEAR, p=1),
        albumentations.PadIfNeeded(CROP, CROP, border_mode=cv2.BORDER_CONSTANT),
        albumentations.RandomCrop(CROP, CROP),
        albumentations.HorizontalFlip(p=0.5),
        albumentations.ColorJitter(JITTER, JITTER, JITTER, hue=0, p=1),
    ]
)


def by_albumentations(pair: Pair, _: np.random.Generator) -> Any:
    """Its own operations, on pictures that OpenCV reads."""
    image = cv2.cvtColor(np.asarray(cv2.imread(str(pair[0]))), cv2.COLOR_BGR2RGB)
    return ALBUMENTATIONS(image=image, mask=np.array(Image.open(pair[1])))


def by_pillow(pair: Pair, random: np.random.Generator) -> Any:
    """The chain of most ports."""
    image, mask = Image.open(pair[0]).convert("RGB"), Image.open(pair[1])
    scale = random.uniform(0.5, 2)
    size = (int(image.width * scale), int(image.height * scale))
    image, mask = image.resize(size, Image.Resampling.BILINEAR), mask.resize(size, Image.Resampling.NEAREST)
    right, bottom = max(CROP - size[0], 0), max(CROP - size[1], 0)
    image, mask = ImageOps.expand(image, (0, 0, right, bottom)), ImageOps.expand(mask, (0, 0, right, bottom), 255)
    left, top = (int(random.integers(side - CROP + 1)) for side in image.size)
    box = (left, top, left + CROP, top + CROP)
    image, mask = image.crop(box), mask.crop(box)
    if random.random() < 0.5:
        image, mask = ImageOps.mirror(image), ImageOps.mirror(mask)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(random.uniform(1 - JITTER, 1 + JITTER))
    return np.asarray(image), np.asarray(mask)


def pictures_per_second(make: Callable[[Pair, np.random.Generator], Any], pairs: list[Pair]) -> float:
    """How many pictures one core makes in a second."""
    random = np.random.default_rng(0)
    began = time.process_time()  # of this process alone, whatever else the machine does
    for pair in pairs:
        make(pair, random)
    return len(pairs) / (time.process_time() - began)


def main() -> None:
    """Time the three in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voc", type=Path)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    names = (arguments.voc / "ImageSets/Segmentation/val.txt").read_text().split()[: arguments.count]
    pairs = [(arguments.voc / f"JPEGImages/{n}.jpg", arguments.voc / f"SegmentationClassAug/{n}.png") for n in names]
    rates: dict[str, list[float]] = {"atrous": [], "Albumentations": [], "Pillow": []}
    for _ in range(arguments.rounds):
        for name, make in zip(rates, (by_atrous, by_albumentations, by_pillow), strict=True):
            rates[name].append(pictures_per_second(make, pairs))
    ours = median(rates["atrous"])
    for name, found in rates.items():
        times = ours / median(found)
        print(f"{name}: {median(found):.0f} pictures/s ({min(found):.0f} to {max(found):.0f}); {times:.2f}x")


if __name__ == "__main__":
    main()
