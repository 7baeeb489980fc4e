"""Time a dense CRF, against pydensecrf where it is installed, on one picture of 513x513 and ten iterations.

Usage: python benchmarks/dense_crf.py PICTURE [--rounds R] [--threads T]
Three problems: 21 labels; 182 labels, of which each is possible somewhere; 182 labels, of which 166 are so improbable
everywhere that the logarithm clips them. Scores are drawn from a seed, smooth over about 30 pixels. Both take turns and
have the parameters of kazuto1011/deeplab-pytorch, which are this package's defaults; pydensecrf knows one thread only.
Printed are the medians over the rounds, and how far the answers are apart. A size's smoothness lattice is built once.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.crf import DenseCRFConfig, refine
from atrous.images import read_image

SIZE, GRID = 513, 17
CONFIG = DenseCRFConfig()
PROBLEMS = {"21 labels": (21, 21), "182 labels": (182, 182), "182 labels, 166 of them clipped": (182, 16)}
Array = NDArray[np.float32]

try:
    from pydensecrf.densecrf import DenseCRF2D
except ImportError:
    DenseCRF2D = None


def probabilities_of(labels: int, possible: int) -> Array:
    """float32 [K, H, W]: smooth noise; labels beyond the possible ones are clipped everywhere."""
    coarse = np.random.default_rng(0).normal(0, 2, (labels, GRID, GRID)).astype(np.float32)
    scores = np.stack([cv2.resize(plane, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for plane in coarse])
    scores[possible:] -= 40
    powers = np.exp(scores - scores.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0), np.float32)


def by_pydensecrf(probabilities: Array, image: NDArray[np.uint8]) -> Array:
    """Its own lattice and inference, from the same clipped logarithms."""
    labels, height, width = probabilities.shape
    crf = DenseCRF2D(width, height, labels)
    crf.setUnaryEnergy(-np.log(np.maximum(probabilities, 1e-5)).reshape(labels, -1))
    crf.addPairwiseGaussian(sxy=CONFIG.position_std_smooth, compat=CONFIG.weight_smooth)
    crf.addPairwiseBilateral(
        sxy=CONFIG.position_std_appearance, srgb=CONFIG.color_std, rgbim=image, compat=CONFIG.weight_appearance
    )
    return np.array(crf.inference(CONFIG.iterations), np.float32).reshape(probabilities.shape)


def seconds(work: Callable[[], Array]) -> tuple[float, Array]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def main() -> None:
    """Time both in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    image = cv2.resize(read_image(arguments.picture), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    for name, (labels, possible) in PROBLEMS.items():
        probabilities = probabilities_of(labels, possible)
        refine(probabilities, image, CONFIG)  # compiles
        ours, theirs = [], []
        for _ in range(arguments.rounds):
            spent, refined = seconds(lambda p=probabilities: refine(p, image, CONFIG, threads=arguments.threads))
            ours.append(spent)
            if DenseCRF2D:
                spent, expected = seconds(lambda p=probabilities: by_pydensecrf(p, image))
                theirs.append(spent)
        print(f"{name}: {median(ours):.3f} s ({min(ours):.3f} to {max(ours):.3f})")
        if DenseCRF2D:
            same = (refined.argmax(axis=0) == expected.argmax(axis=0)).mean()
            print(f"  pydensecrf {median(theirs):.3f} s, {median(theirs) / median(ours):.1f} times as much;")
            print(f"  farthest {np.abs(refined - expected).max():.1e}, same labels on {same:.4%}")


if __name__ == "__main__":
    main()
