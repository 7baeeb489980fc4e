"""How much less predictions flicker with temporal smoothing, and what it does to their IoU.

Usage: python benchmarks/video_smoothing.py MODEL DATASET [--pictures 3] [--frames 24] [--step 3] [--noise 6]
Pictures of a split become videos: a window with three quarters of their sides moves over them, and every frame has
noise of its own, as a sensor's. Flicker is the share of pixels whose label changes from one frame to the next although
the truth there does not. All settings smooth the same logits.
"""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from atrous import load, open_split, parse_dataset
from atrous.evaluation.confusion import ConfusionMatrix
from atrous.evaluation.metrics import scores
from atrous.inference.label_map import label_map
from atrous.inference.smoothing import SmoothingConfig, TemporalSmoothing
from atrous.labels import Mask

FRAMES_PER_SECOND = 25
SETTINGS = {
    "none": None,
    "0.05 s": SmoothingConfig(half_life=0.05),
    "0.1 s": SmoothingConfig(half_life=0.1),
    "0.2 s": SmoothingConfig(half_life=0.2),
    "0.4 s": SmoothingConfig(half_life=0.4),
    "0.1 s, in place": SmoothingConfig(half_life=0.1, follow_motion=False),
    "0.4 s, in place": SmoothingConfig(half_life=0.4, follow_motion=False),
}


class Video(NamedTuple):
    """Frames of one picture, with the truth."""

    images: list[NDArray[np.uint8]]
    truths: list[Mask]


def pan(image: NDArray[np.uint8], truth: Mask, count: int, step: int, noise: float, seed: int) -> Video:
    """Move a window over a picture, back and forth, by `step` pixels a frame."""
    rng = np.random.default_rng(seed)
    height, width = (3 * side // 4 for side in truth.shape)
    images, truths = [], []
    for number in range(count):
        left = abs((number * step) % (2 * (truth.shape[1] - width)) - (truth.shape[1] - width))
        top = left * (truth.shape[0] - height) // (truth.shape[1] - width)
        window = np.s_[top : top + height, left : left + width]
        noisy = image[window] + rng.normal(0, noise, (height, width, 3))
        images.append(np.clip(noisy, 0, 255).round().astype(np.uint8))
        truths.append(truth[window])
    return Video(images, truths)


def masks_of(video: Video, logits: list[torch.Tensor], config: SmoothingConfig | None) -> Iterator[Mask]:
    """The masks of all frames, smoothed or not."""
    smoothing = TemporalSmoothing(config) if config else None
    for number, (image, present) in enumerate(zip(video.images, logits, strict=True)):
        values = smoothing(image, number / FRAMES_PER_SECOND, present) if smoothing else present
        yield label_map(values.numpy(), image.shape[:2], np.uint8)


def flicker(masks: list[Mask], truths: list[Mask]) -> float:
    """The share of pixels whose label changes although the truth does not."""
    changes = same = 0
    for number in range(1, len(masks)):
        still = truths[number] == truths[number - 1]
        changes += int((still & (masks[number] != masks[number - 1])).sum())
        same += int(still.sum())
    return changes / same


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("dataset")
    parser.add_argument("--split", default="val")
    for name, default in (("pictures", 3), ("frames", 24), ("step", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--noise", type=float, default=6)
    arguments = parser.parse_args()
    predictor = load(arguments.model)
    data = open_split(parse_dataset(arguments.dataset), arguments.split)
    flickers: dict[str, list[float]] = {name: [] for name in SETTINGS}
    matrices = {name: ConfusionMatrix(predictor.labels) for name in SETTINGS}
    for index in np.linspace(0, len(data) - 1, arguments.pictures).astype(int):
        sample = data[int(index)]
        video = pan(sample.image, sample.mask, arguments.frames, arguments.step, arguments.noise, int(index))
        logits = [predictor.logits(image) for image in video.images]
        for name, config in SETTINGS.items():
            masks = list(masks_of(video, logits, config))
            flickers[name].append(flicker(masks, video.truths))
            for truth, mask in zip(video.truths, masks, strict=True):
                matrices[name].add(truth, mask)
    print("| smoothing | flicker | mIoU |\n|---|---|---|")
    for name in SETTINGS:
        mean_iou = scores(matrices[name].matrix, predictor.labels).mean_iou
        print(f"| {name} | {100 * np.mean(flickers[name]):.2f} % | {100 * (mean_iou or 0):.2f} |")


if __name__ == "__main__":
    main()
