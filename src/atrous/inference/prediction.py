"""What a network says about one picture, in whatever form it is wanted; nothing here needs torch."""

from collections.abc import Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atrous.crf import DenseCRFConfig
from atrous.errors import ConfigError, ImageError
from atrous.images import read_image, write_mask
from atrous.inference.label_map import label_map
from atrous.inference.views import Answer, mean_confidence, mean_mask, mean_probabilities
from atrous.labels import LabelSpace, Mask
from atrous.visualization import Panel, colorize, overlay, side_by_side

if TYPE_CHECKING:
    from atrous.data.polygons import LabelledPolygon
    from atrous.networks.layers import ResizeMode


class Prediction:
    """What a network says about one picture."""

    def __init__(
        self,
        image: NDArray[np.uint8],
        logits: NDArray[np.float32],
        labels: LabelSpace,
        resize: "ResizeMode" = "half_pixel",
        crf: DenseCRFConfig | None = None,
        others: Sequence[Answer] = (),
        abstain: float = 0.0,
        mask: Mask | None = None,
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
            mask: The mask that follows from all this, where it is known already.
        """
        self.image, self.labels, self.crf, self._logits, self._resize = image, labels, crf, logits, resize
        self._others, self.abstain = tuple(others), abstain
        if mask is not None:
            self.mask = mask

    @cached_property
    def mask(self) -> Mask:
        """uint8 (uint16 above 255 classes) [H, W]: the most probable class of each pixel."""
        if self.crf or self.abstain:
            mask: Mask = self.probabilities.argmax(axis=0).astype(self.labels.mask_dtype)
            mask[self.probabilities.max(axis=0) < self.abstain] = self.labels.ignore_index
            return mask
        if self._others:
            return mean_mask(self._answers, self.image.shape[:2], self._resize, self.labels.mask_dtype)
        return label_map(self._logits, self.image.shape[:2], self.labels.mask_dtype, self._resize)

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """float32 [K, H, W]: the K values of a pixel sum to 1."""
        probabilities = mean_probabilities(self._answers, self.image.shape[:2], self._resize)
        if not self.crf:
            return probabilities
        from atrous.crf import refine

        return refine(probabilities, self.image, self.crf)

    def probabilities_in(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """float32 [K, h, w]: a part of `probabilities`, for its part of the cost unless a CRF refines them."""
        if self.crf or "probabilities" in vars(self):
            return self.probabilities[:, rows, columns]
        return mean_probabilities(self._answers, self.image.shape[:2], self._resize, rows, columns)

    def confidence(self, step: int = 1) -> NDArray[np.float32] | None:
        """The largest probability of each pixel in every so many rows and columns; None where labels alone are known.

        Returns:
            float32 [ceil(H / step), ceil(W / step)]; without a CRF, no probabilities of the whole picture are held.
        """
        if self.crf:
            largest: NDArray[np.float32] = self.probabilities[:, ::step, ::step].max(axis=0)
            return largest
        return mean_confidence(self._answers, self.image.shape[:2], self._resize, step)

    def refined_by(self, crf: DenseCRFConfig | None) -> "Prediction":
        """The same prediction, refined by another dense CRF or by none."""
        return Prediction(self.image, self._logits, self.labels, self._resize, crf, self._others, self.abstain)

    @property
    def _answers(self) -> tuple[Answer, ...]:
        return Answer(self._logits), *self._others

    def overlay(self, opacity: float = 0.5) -> NDArray[np.uint8]:
        """uint8 [H, W, 3]: the picture with the classes' colours laid over it."""
        return overlay(self.image, self.mask, self.labels, opacity)

    def polygons(self, tolerance: float | None = None) -> list["LabelledPolygon"]:
        """The outlines of all connected areas, with their holes.

        Args:
            tolerance: How far, in pixels, a simplified outline may leave the sides of pixels; 0 for exactly these,
                None for half a pixel.
        """
        from atrous.data.polygons import DEFAULT_TOLERANCE, polygons_of

        return polygons_of(self.mask, self.labels, DEFAULT_TOLERANCE if tolerance is None else tolerance)

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

        To a name that ends with .npz the probabilities go, as `write_probabilities` says.

        Raises:
            OutputError: If the place cannot be written.
        """
        if Path(path).suffix.lower() != ".npz":
            return write_mask(Path(path), self.mask, self.labels)
        from atrous.inference.probabilities_file import write_probabilities

        return write_probabilities(Path(path), self)


class LabelledPrediction(Prediction):
    """A prediction of which the labels alone are known; a pixel's label is then as good as certain."""

    def __init__(self, image: NDArray[np.uint8], mask: Mask, labels: LabelSpace) -> None:
        """Take uint8 [H, W, 3] and the mask [H, W]."""
        super().__init__(image, np.zeros((labels.num_classes, 1, 1), np.float32), labels)
        self.mask = mask

    def confidence(self, step: int = 1) -> None:
        """None, as an answer without probabilities says nothing about its confidence."""

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """float32 [K, H, W]: 1 for the label of a pixel, 0 for the others."""
        return self.probabilities_in(slice(None), slice(None))

    def probabilities_in(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """float32 [K, h, w]: a part of them."""
        classes = np.arange(self.labels.num_classes)[:, None, None]
        return np.equal(self.mask[rows, columns], classes).astype(np.float32)


class WindowedPrediction(LabelledPrediction):
    """The mask of a picture that was seen in windows, whose probabilities were not kept."""

    def __init__(self, image: NDArray[np.uint8], mask: Mask, labels: LabelSpace, way_out: str) -> None:
        """Take uint8 [H, W, 3], the mask [H, W], and what whoever wants probabilities can do."""
        super().__init__(image, mask, labels)
        self._way_out = way_out

    def probabilities_in(self, rows: slice, columns: slice) -> NDArray[np.float32]:  # noqa: ARG002
        """Not known.

        Raises:
            ImageError: Always; it says what to do.
        """
        height, width = self.image.shape[:2]
        raise ImageError(
            f"A picture of {height}x{width} was seen in windows, of which labels alone are kept: {self._way_out}."
        )


def pixels_of(image: NDArray[np.uint8] | str | Path) -> NDArray[np.uint8]:
    """uint8 RGB [H, W, 3] of such an array or of a picture's file.

    Raises:
        ImageError: If a path holds no readable picture.
        ValueError: If an array is no such picture.
    """
    pixels = read_image(image) if isinstance(image, str | Path) else image
    if not isinstance(pixels, np.ndarray):
        raise ValueError(f"an image is an array or a path; this one is a {type(pixels).__name__}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise ValueError(f"an image is uint8 [H, W, 3]; this one is {pixels.dtype} {list(pixels.shape)}")
    return pixels


def pixels_of_one_size(images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """The same of pictures that are predicted together.

    Raises:
        ValueError: If an array is no such picture, or their sizes differ.
    """
    pixels = [pixels_of(image) for image in images]
    if len(sizes := {image.shape for image in pixels}) != 1:
        raise ValueError(f"pictures that are predicted together are of one size; these are of {sorted(sizes)}")
    return pixels


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
