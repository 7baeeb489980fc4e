"""A predictor turns any picture into a mask of the picture's own size."""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from atrous.data.polygons import DEFAULT_TOLERANCE, LabelledPolygon, polygons_of
from atrous.images import read_image, write_mask
from atrous.inference.device import DTYPES, Precision, best_device
from atrous.inference.label_map import label_map
from atrous.labels import LabelSpace, Mask
from atrous.networks.layers import ResizeMode, resize_bilinear
from atrous.networks.segmentation import SegmentationNetwork
from atrous.progress import Progress
from atrous.visualization import colorize, overlay
from atrous.weights.checkpoint import load_checkpoint
from atrous.weights.finding import find_model


class Prediction:
    """What a network says about one picture."""

    def __init__(
        self, image: NDArray[np.uint8], logits: Tensor, labels: LabelSpace, resize: ResizeMode = "half_pixel"
    ) -> None:
        """Keep the picture, uint8 [H, W, 3], the network's logits, float32 [K, h, w], and how they are enlarged."""
        self.image, self.labels, self._logits, self._resize = image, labels, logits, resize

    @cached_property
    def mask(self) -> Mask:
        """uint8 (uint16 above 255 classes) [H, W]: the most probable class of each pixel."""
        return label_map(self._logits.numpy(), self.image.shape[:2], self.labels.mask_dtype, self._resize)

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """float32 [K, H, W]: the K values of a pixel sum to 1."""
        resized = resize_bilinear(self._logits[None], self.image.shape[:2], self._resize)[0]
        return np.asarray(resized.softmax(dim=0).numpy(), np.float32)

    def overlay(self, opacity: float = 0.5) -> NDArray[np.uint8]:
        """uint8 [H, W, 3]: the picture with the classes' colours laid over it."""
        return overlay(self.image, self.mask, self.labels, opacity)

    def polygons(self, tolerance: float = DEFAULT_TOLERANCE) -> list[LabelledPolygon]:
        """The outlines of all connected areas, with their holes.

        Args:
            tolerance: How far, in pixels, a simplified outline may leave the sides of pixels; 0 for exactly these.
        """
        return polygons_of(self.mask, self.labels, tolerance)

    def color(self) -> NDArray[np.uint8]:
        """uint8 [H, W, 3]: the classes' colours alone."""
        return colorize(self.mask, self.labels)

    def save(self, path: str | Path) -> None:
        """Write the mask as PNG: looks coloured, holds class indices.

        Raises:
            OutputError: If the place cannot be written.
        """
        write_mask(Path(path), self.mask, self.labels)


class Predictor:
    """A network in evaluation mode with its label space, on a device."""

    def __init__(
        self,
        network: SegmentationNetwork,
        labels: LabelSpace,
        *,
        name: str,
        device: torch.device | None = None,
        precision: Precision = "float32",
    ) -> None:
        """Take a network as it is; it is moved to the device and put into evaluation mode.

        Args:
            network: Built or loaded.
            labels: What its outputs mean.
            name: How reports call it.
            device: Where it computes; by default a GPU if there is one.
            precision: The type of its arithmetic; the logits are float32 in any case.
        """
        self.device = device or best_device()
        self.network = network.to(self.device).eval()
        self.labels, self.name, self.precision = labels, name, precision

    def __call__(self, image: NDArray[np.uint8] | str | Path) -> Prediction:
        """Predict one picture, whole and at its own size.

        Args:
            image: uint8 RGB [H, W, 3], or the path of a picture.

        Raises:
            ImageError: If a path holds no readable picture.
            ValueError: If an array is no such picture.
        """
        pixels = read_image(image) if isinstance(image, str | Path) else image
        if not isinstance(pixels, np.ndarray):
            raise ValueError(f"an image is an array or a path; this one is a {type(pixels).__name__}")
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
            raise ValueError(f"an image is uint8 [H, W, 3]; this one is {pixels.dtype} {list(pixels.shape)}")
        return Prediction(pixels, self.logits(pixels), self.labels, self.network.resize)

    @torch.inference_mode()
    def logits(self, image: NDArray[np.uint8]) -> Tensor:
        """The network's logits at its own resolution, float32 [K, h, w], on the CPU."""
        # Seen as [1, 3, H, W], an [H, W, 3] picture is already channels last. Torch wants it writable, hence a copy.
        batch = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(self.device)
        with torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "float32"):
            logits = self.network.low_resolution_logits(batch.float() / 255)
        return logits[0].float().cpu()


def load(
    model: str | Path,
    *,
    device: torch.device | None = None,
    precision: Precision = "float32",
    progress: Progress | None = None,
) -> Predictor:
    """Read a checkpoint and make it predict.

    Args:
        model: A path, a name that `atrous models` lists, or `hf://owner/model`; what is not here is fetched.
        device: Where it computes; by default a GPU if there is one.
        precision: The type of its arithmetic; the logits are float32 in any case.
        progress: Shows a download.

    Raises:
        CheckpointError: If the file is missing, damaged, or no checkpoint of atrous.
        DownloadError: If it cannot be fetched.
    """
    checkpoint = load_checkpoint(find_model(model, progress))
    info = checkpoint.info
    return Predictor(checkpoint.network, info.labels, name=info.name, device=device, precision=precision)
