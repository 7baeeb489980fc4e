"""Prediction from an exported ONNX file: the same answers as from its checkpoint, without torch."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atrous.crf import DenseCRFConfig
from atrous.errors import ConfigError
from atrous.inference.exported_file import ExportCard, read_card
from atrous.inference.prediction import LabelledPrediction, Prediction, pixels_of, require_same_number
from atrous.inference.runtimes import Choice, Session, choose_runtime, open_session
from atrous.inference.views import PLAIN, Answer, View, Views
from atrous.labels import LabelSpace

SUFFIX = ".onnx"


class ExportedPredictor:
    """A runtime that has read an exported file, with the file's label space."""

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
        self.session, self.card, self.choice, self.crf, self.views = session, card, choice, crf, views
        self.labels, self.name, self.precision = card.labels, card.name, choice.precision
        self.output_stride = card.output_stride
        self.abstain = 0.0
        """Where the largest probability is lower, masks have the ignore value; labels alone are certain."""

    def __call__(self, image: NDArray[np.uint8] | str | Path) -> Prediction:
        """Predict one picture, whole; the answer is of its own size.

        Raises:
            ImageError: If a path holds no readable picture.
            ValueError: If an array is no such picture.
        """
        pixels = pixels_of(image)
        first, *others = self.views
        answers = [Answer(self._answer(pixels, view), view.flipped) for view in others]
        answer = self._answer(pixels, first)
        if self.card.output == "logits":
            return Prediction(pixels, answer, self.labels, self.card.resize, self.crf, answers, self.abstain)
        return LabelledPrediction(pixels, answer.astype(self.labels.mask_dtype), self.labels)

    def _answer(self, image: NDArray[np.uint8], view: View) -> NDArray[np.float32]:
        """float32 [K, h, w], or labels [H, W]."""
        height, width = view.size(*image.shape[:2])
        seen = image.astype(np.float32) / np.float32(255)
        if (height, width) != image.shape[:2]:
            import cv2

            seen = cv2.resize(seen, (width, height), interpolation=cv2.INTER_LINEAR)
        seen = seen[:, ::-1] if view.flipped else seen
        answer: NDArray[np.float32] = self.session(np.ascontiguousarray(seen.transpose(2, 0, 1)[None]))[0]
        return answer


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
        path: The ONNX file.
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
    if labels is not None:
        known = card or ExportCard(name=path.stem, labels=labels)
        card = known.model_copy(update={"labels": labels})
    if card is None:
        raise ConfigError(
            f"{path} does not say what its classes are, as `atrous export` did not write it: give the labels in "
            f"Python, `load_exported(path, labels=...)`, or export it again."
        )
    choice = choice or choose_runtime("auto", "float32", exported=True)
    return ExportedPredictor(open_session(path, choice), card, choice=choice, crf=crf, views=views)
