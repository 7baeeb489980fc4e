"""A predictor turns any picture into a mask of the picture's own size."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from atrous.crf import DenseCRFConfig, refine
from atrous.data.polygons import DEFAULT_TOLERANCE, LabelledPolygon, polygons_of
from atrous.errors import ConfigError
from atrous.images import read_image, write_mask
from atrous.inference.device import DTYPES, Precision, best_device
from atrous.inference.label_map import label_map
from atrous.inference.views import PLAIN, Answer, View, Views, mean_mask, mean_probabilities
from atrous.labels import LabelSpace, Mask
from atrous.networks.layers import ResizeMode, resize_bilinear
from atrous.networks.segmentation import SegmentationNetwork
from atrous.progress import Progress
from atrous.visualization import Panel, colorize, overlay, side_by_side
from atrous.weights.checkpoint import load_checkpoint
from atrous.weights.finding import find_model

if TYPE_CHECKING:
    from atrous.inference.smoothing import SmoothingConfig

WHOLE = View()
"""The picture as it is."""


class Prediction:
    """What a network says about one picture."""

    def __init__(
        self,
        image: NDArray[np.uint8],
        logits: Tensor,
        labels: LabelSpace,
        resize: ResizeMode = "half_pixel",
        crf: DenseCRFConfig | None = None,
        others: Sequence[Answer] = (),
        abstain: float = 0.0,
    ) -> None:
        """Take what the network says.

        Args:
            image: uint8 [H, W, 3]; a dense CRF is guided by these very pixels.
            logits: float32 [K, h, w], at the network's own resolution.
            labels: What they mean.
            resize: How they are enlarged.
            crf: What refines the enlarged probabilities, if anything.
            others: What it says to other views of the same picture; the enlarged probabilities of all are averaged.
            abstain: Where the largest probability is lower, the mask has the ignore value.
        """
        self.image, self.labels, self.crf, self._logits, self._resize = image, labels, crf, logits, resize
        self._others, self.abstain = tuple(others), abstain

    @cached_property
    def mask(self) -> Mask:
        """uint8 (uint16 above 255 classes) [H, W]: the most probable class of each pixel."""
        if self.crf or self.abstain:
            mask: Mask = self.probabilities.argmax(axis=0).astype(self.labels.mask_dtype)
            mask[self.probabilities.max(axis=0) < self.abstain] = self.labels.ignore_index
            return mask
        if self._others:
            return mean_mask(self._answers, self.image.shape[:2], self._resize, self.labels.mask_dtype)
        return label_map(self._logits.numpy(), self.image.shape[:2], self.labels.mask_dtype, self._resize)

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """float32 [K, H, W]: the K values of a pixel sum to 1."""
        if self._others:
            probabilities = mean_probabilities(self._answers, self.image.shape[:2], self._resize)
        else:
            resized = resize_bilinear(self._logits[None], self.image.shape[:2], self._resize)[0]
            probabilities = np.asarray(resized.softmax(dim=0).numpy(), np.float32)
        return refine(probabilities, self.image, self.crf) if self.crf else probabilities

    def refined_by(self, crf: DenseCRFConfig | None) -> "Prediction":
        """The same prediction, refined by another dense CRF or by none."""
        return Prediction(self.image, self._logits, self.labels, self._resize, crf, self._others, self.abstain)

    @property
    def _answers(self) -> tuple[Answer, ...]:
        return Answer(self._logits.numpy()), *self._others

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

    def _repr_png_(self) -> bytes:
        """As a notebook shows it: picture and overlay side by side, with the classes that were seen."""
        seen = [int(label) for label in np.unique(self.mask) if label < self.labels.num_classes]
        names, colors = self.labels.names, self.labels.colors
        legend = LabelSpace(names=tuple(names[label] for label in seen), colors=tuple(colors[label] for label in seen))
        sheet = side_by_side([[Panel("picture", self.image), Panel("prediction", self.overlay())]], legend)
        content = BytesIO()
        Image.fromarray(sheet).save(content, format="PNG")
        return content.getvalue()

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
        crf: DenseCRFConfig | None = None,
        views: Views = PLAIN,
        abstain: float = 0.0,
    ) -> None:
        """Take a network as it is; it is moved to the device and put into evaluation mode.

        Args:
            network: Built or loaded.
            labels: What its outputs mean.
            name: How reports call it.
            device: Where it computes; by default a GPU if there is one.
            precision: The type of its arithmetic; the logits are float32 in any case.
            crf: A dense CRF that moves the boundaries onto the edges of each picture.
            views: At which sizes each picture is seen, and whether mirrored; the answers are averaged.
            abstain: Where the largest probability is lower, masks have the ignore value.

        Raises:
            ConfigError: If the CRF's compatibility matrix is for another number of classes.
        """
        require_same_number(crf, labels)
        self.device = device or best_device()
        self.network = network.to(self.device).eval()
        self.labels, self.name, self.precision, self.crf, self.views = labels, name, precision, crf, views
        self.abstain = abstain

    def __call__(self, image: NDArray[np.uint8] | str | Path) -> Prediction:
        """Predict one picture, whole; the answer is of its own size.

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
        first, *others = self.views
        answers = [Answer(self.logits(pixels, view).numpy(), view.flipped) for view in others]
        logits = self.logits(pixels, first)
        return Prediction(pixels, logits, self.labels, self.network.resize, self.crf, answers, self.abstain)

    def video(
        self, path: str | Path, *, smoothing: "SmoothingConfig | None" = None, frames_per_second: float | None = None
    ) -> Iterator[Prediction]:
        """Predict a video, one frame after the other; see `atrous.inference.video.predict_video`.

        Args:
            path: A video file.
            smoothing: How much the frames before count; not at all by default.
            frames_per_second: A rate to hold, by showing the network smaller pictures.

        Raises:
            VideoError: If the file is missing or is no video; behind its last frame if it is damaged or cut off.
        """
        from atrous.inference.video import predict_video

        return predict_video(self, path, smoothing=smoothing, frames_per_second=frames_per_second)

    @torch.inference_mode()
    def logits(self, image: NDArray[np.uint8], view: View = WHOLE) -> Tensor:
        """The network's logits at its own resolution, float32 [K, h, w], on the CPU."""
        # Seen as [1, 3, H, W], an [H, W, 3] picture is already channels last. Torch wants it writable, hence a copy.
        batch = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(self.device)
        with torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "float32"):
            seen = resize_bilinear(batch.float() / 255, view.size(*image.shape[:2]), self.network.resize)
            logits = self.network.low_resolution_logits(seen.flip(3) if view.flipped else seen)
        return logits[0].float().cpu()


def load(
    model: str | Path,
    *,
    device: torch.device | None = None,
    precision: Precision = "float32",
    crf: DenseCRFConfig | None = None,
    views: Views = PLAIN,
    output_stride: int | None = None,
    abstain: float = 0.0,
    progress: Progress | None = None,
) -> Predictor:
    """Read a checkpoint and make it predict.

    Args:
        model: A path, a name that `atrous models` lists, or `hf://owner/model`; what is not here is fetched.
        device: Where it computes; by default a GPU if there is one.
        precision: The type of its arithmetic; the logits are float32 in any case.
        crf: A dense CRF that moves the boundaries onto the edges of each picture.
        views: At which sizes each picture is seen, and whether mirrored; the answers are averaged.
        output_stride: Another one than the network was trained at, at the same weights: 8 is finer and slower.
        abstain: Where the largest probability is lower, masks have the ignore value.
        progress: Shows a download.

    Raises:
        CheckpointError: If the file is missing, damaged, or no checkpoint of atrous.
        DownloadError: If it cannot be fetched.
        ConfigError: If the CRF's compatibility matrix is for another number of classes, or the network cannot have
            this output stride.
    """
    checkpoint = load_checkpoint(find_model(model, progress))
    network, info = checkpoint.network, checkpoint.info
    if output_stride is not None:
        network = network.with_output_stride(output_stride)
    return Predictor(
        network,
        info.labels,
        name=info.name,
        device=device,
        precision=precision,
        crf=crf,
        views=views,
        abstain=abstain,
    )


def require_same_number(crf: DenseCRFConfig | None, labels: LabelSpace) -> None:
    """Refuse a CRF whose compatibility matrix is for another number of classes.

    Raises:
        ConfigError: It names both numbers.
    """
    if crf and crf.compatibility is not None and len(crf.compatibility) != labels.num_classes:
        raise ConfigError(
            f"The CRF's `compatibility` is for {len(crf.compatibility)} classes and the network knows "
            f"{labels.num_classes}: give a matrix of as many rows, or none."
        )
