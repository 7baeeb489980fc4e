"""Prediction from an exported file: the same answers as from its checkpoint, without torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from atrous.crf import DenseCRFConfig
from atrous.errors import CheckpointError, ConfigError
from atrous.inference.exported_file import OF_ONE_SIZE, ExportCard, read_card
from atrous.inference.fixed_size import predict_any_size
from atrous.inference.prediction import (
    LabelledPrediction,
    Prediction,
    pixels_of,
    pixels_of_one_size,
    require_same_number,
)
from atrous.inference.runtimes import Choice, Session, choose_runtime, open_session
from atrous.inference.views import PLAIN, WHOLE, Answer, View, Views
from atrous.labels import LabelSpace


class ExportedPredictor:
    """A runtime that has read an exported file, with the file's label space."""

    on_gpu = False
    """These runtimes compute on the processor."""

    def __init__(
        self,
        session: Session,
        card: ExportCard,
        *,
        choice: Choice,
        crf: DenseCRFConfig | None = None,
        views: Views = PLAIN,
    ) -> None:
        """Take a session as it is.

        Args:
            session: It computes logits or labels, as the card says.
            card: What the file says about itself.
            choice: What computes, and how exactly.
            crf: A dense CRF that moves the boundaries onto the edges of each picture.
            views: At which sizes each picture is seen, and whether mirrored; the answers are averaged.

        Raises:
            ConfigError: If the file gives labels alone where logits are needed, or the CRF is for other classes.
        """
        require_same_number(crf, card.labels)
        if card.output == "labels" and (crf or views != PLAIN):
            raise ConfigError(
                f"{card.name} was exported with labels alone: export it with --output logits for a CRF or more views."
            )
        if card.size is not None and views.scales != PLAIN.scales:
            raise ConfigError(f"{card.name} was exported for pictures of one size: give the checkpoint for --scales.")
        self.session, self.card, self.choice, self.crf, self.views = session, card, choice, crf, views
        self.labels, self.name = card.labels, card.name
        self.resize = card.resize
        self.precision: Literal["float32", "bfloat16", "int8"] = (
            "int8" if card.precision == "int8" else choice.precision
        )
        self.output_stride = card.output_stride
        self.abstain = 0.0
        """Where the largest probability is lower, masks have the ignore value; labels alone are certain."""

    def __call__(self, image: NDArray[np.uint8] | str | Path) -> Prediction:
        """Predict one picture, whole; the answer is of its own size.

        Raises:
            ImageError: If a path holds no readable picture.
            ValueError: If an array is no such picture.
        """
        (prediction,) = self.predictions([pixels_of(image)])
        return prediction

    def predictions(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Predict pictures of one size, which the runtime sees together; each answer is that of its picture alone.

        It may add numbers up in another order for more pictures: logits then differ by rounding, about 1e-5.

        Args:
            images: uint8 RGB [H, W, 3] each, at least one.

        Raises:
            CheckpointError: If the file takes no pictures of this size or number.
            ValueError: If an array is no such picture, or their sizes differ.
        """
        pixels = pixels_of_one_size(images)
        if self.card.size not in (None, pixels[0].shape[:2]):
            return [predict_any_size(self, image, self.card.size) for image in pixels]
        answers = [self._answers(pixels, view) for view in self.views]
        return [self._prediction(image, list(seen)) for image, *seen in zip(pixels, *answers, strict=True)]

    def logits(self, image: NDArray[np.uint8], view: View = WHOLE) -> NDArray[np.float32]:
        """The logits at the file's own resolution, float32 [K, h, w]; of a file with labels alone these, [H, W].

        Raises:
            ConfigError: If the file takes pictures of another size.
        """
        if self.card.size not in (None, view.size(*image.shape[:2])):
            size, wanted = ("x".join(map(str, each)) for each in (self.card.size, image.shape[:2]))
            raise ConfigError(
                f"{self.name} takes pictures of {size}: export it with --size {wanted}, or give the checkpoint."
            )
        logits: NDArray[np.float32] = self._answers([image], view)[0]
        return logits

    def _prediction(self, image: NDArray[np.uint8], seen: Sequence[NDArray[Any]]) -> Prediction:
        """What each view says of a picture, as one prediction."""
        first, *others = seen
        if self.card.output == "labels":
            return LabelledPrediction(image, first.astype(self.labels.mask_dtype), self.labels)
        _, *views = self.views
        answers = [Answer(other, view.flipped) for other, view in zip(others, views, strict=True)]
        return Prediction(image, first, self.labels, self.resize, self.crf, answers, self.abstain)

    def _answers(self, images: Sequence[NDArray[np.uint8]], view: View) -> NDArray[Any]:
        """float32 [B, K, h, w], or labels [B, H, W]: what the runtime says of pictures of one size."""
        height, width = view.size(*images[0].shape[:2])
        batch = np.empty((len(images), 3, height, width), np.float32)
        for planes, image in zip(batch, images, strict=True):
            seen = image.astype(np.float32) / np.float32(255)
            if (height, width) != image.shape[:2]:
                import cv2

                seen = cv2.resize(seen, (width, height), interpolation=cv2.INTER_LINEAR)
            planes[...] = (seen[:, ::-1] if view.flipped else seen).transpose(2, 0, 1)
        return self._checked(self.session(batch), len(images))

    def _checked(self, answers: NDArray[Any], count: int) -> NDArray[Any]:
        """The answers, if they are of the form and for the classes that the card names."""
        shape = (count, self.labels.num_classes, "h", "w") if self.card.output == "logits" else (count, "H", "W")
        known = [side for side in shape if isinstance(side, int)]
        if answers.ndim != len(shape) or list(answers.shape[: len(known)]) != known:
            raise CheckpointError(
                f"{self.name} answers with numbers of shape {list(answers.shape)}, where "
                f"[{', '.join(map(str, shape))}] was expected: give a file of this form, or as many labels as it has."
            )
        return answers


def planes_of(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [H, W, 3] as the batch [1, 3, H, W] that exported files take."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def load_exported(
    path: str | Path,
    *,
    choice: Choice | None = None,
    labels: LabelSpace | None = None,
    crf: DenseCRFConfig | None = None,
    views: Views = PLAIN,
) -> ExportedPredictor:
    """Read an exported file and make it predict.

    Args:
        path: The file, .onnx, .xml, .tflite or .mlpackage.
        choice: What computes, and how exactly; by default what is fastest in float32.
        labels: What the outputs mean, for a file of another program that takes float32 RGB [B, 3, H, W] in 0..1.
        crf: A dense CRF that moves the boundaries onto the edges of each picture.
        views: At which sizes each picture is seen, and whether mirrored; the answers are averaged.

    Raises:
        CheckpointError: If the file is missing, damaged, or does not say what its outputs mean and `labels` does not.
        ConfigError: If no runtime is installed, or the choices do not fit the file.
    """
    path = Path(path)
    card = read_card(path)
    if card is None and path.suffix.lower() in OF_ONE_SIZE:
        raise ConfigError(
            f"{path} does not say how to use it, as `atrous export` did not write it: run `atrous import {path}` and "
            f"give what that writes."
        )
    if labels is not None:
        known = card or ExportCard(name=path.stem, labels=labels)
        card = known.model_copy(update={"labels": labels})
    if card is None:
        raise ConfigError(
            f"{path} does not say what its classes are, as `atrous export` did not write it: name them with "
            f"--labels FILE, or export it again."
        )
    choice = choice or choose_runtime("auto", "float32", exported=True, suffix=path.suffix.lower())
    return ExportedPredictor(open_session(path, choice), card, choice=choice, crf=crf, views=views)
