"""Segment a large raster and report the largest memory that the process ever had.

Usage: python benchmarks/rasters.py [MODEL] [--side 20000] [--memory 1.5] [--folder DIR]
MODEL is a checkpoint or a name of `atrous models`; by default a small LR-ASPP with weights of chance, as windows are
made to fit the memory whatever the network. The raster is made of blurred noise: three bands of 8 bits in a tiled
GeoTIFF. Printed are the time and the peak that the system has seen, pages of libraries included.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import rasterio
import torch
from rasterio.transform import from_origin
from rasterio.windows import Window

from atrous.labels import LabelSpace
from atrous.networks import LiteDeepLabConfig, MobileNetV3Config, build_network
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint

ROWS = 1024


def write_model(path: Path) -> None:
    """An LR-ASPP for 21 classes with weights of chance."""
    torch.manual_seed(0)
    config = LiteDeepLabConfig(backbone=MobileNetV3Config(size="small"))
    network = build_network(config, 21)
    save_checkpoint(
        path,
        network,
        CheckpointInfo(name="chance", network=config, labels=LabelSpace.from_names(list("abcdefghijklmnopqrstu"))),
    )


def write_raster(path: Path, side: int) -> None:
    """Blurred noise somewhere in the Alps, written row by row."""
    noise = np.random.default_rng(0).integers(0, 256, (ROWS // 32, side // 32 + 1, 3), np.uint8)
    strip = cv2.resize(noise, (side, ROWS), interpolation=cv2.INTER_CUBIC)
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 3, "dtype": "uint8", "bigtiff": "YES"}
    place = {"crs": "EPSG:32632", "transform": from_origin(500000, 5000000, 0.5, 0.5)}
    packing = {"tiled": True, "compress": "jpeg", "photometric": "YCBCR", "interleave": "pixel"}
    with rasterio.open(path, "w", **profile, **place, **packing) as file:
        for start in range(0, side, ROWS):
            rows = np.roll(strip, start // 3, axis=1)[: side - start]
            file.write(np.moveaxis(rows, -1, 0), window=Window(0, start, side, len(rows)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--memory", type=float, default=1.5)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_raster(folder / "raster.tif", options.side)
        model = options.model or str(folder / "model.safetensors")
        if options.model is None:
            write_model(folder / "model.safetensors")
        arguments = ["predict", model, str(folder / "raster.tif"), "--save", "mask,overlay"]
        arguments += ["--memory", str(options.memory), "-o", str(folder / "out")]
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "atrous", *arguments], check=True)
        seconds = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
        speed = options.side**2 / seconds / 1e6
        print(f"{options.side}x{options.side}: {seconds:.0f} s, {speed:.2f} Mpx/s, peak {peak:.2f} GB")


if __name__ == "__main__":
    main()
