"""A predictor turns any picture into a mask of the picture's own size."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from atrous.crf import DenseCRFConfig
from atrous.inference.device import DTYPES, Precision, best_device
from atrous.inference.device_label_map import device_label_map, in_memory_of_its_own
from atrous.inference.folding import folded
from atrous.inference.prediction import Prediction, pixels_of, pixels_of_one_size, require_same_number
from atrous.inference.runtimes import Choice, Session, open_session
from atrous.inference.views import PLAIN, WHOLE, Answer, View, Views
from atrous.labels import LabelSpace, Mask
from atrous.networks.layers import ResizeMode, resize_bilinear
from atrous.networks.segmentation import SegmentationNetwork
from atrous.progress import Progress, Silent
from atrous.weights.checkpoint import Checkpoint, load_checkpoint
from atrous.weights.finding import find_model

__all__ = ["Prediction", "Predictor", "load", "require_same_number"]

if TYPE_CHECKING:
    from atrous.inference.smoothing import SmoothingConfig


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
        session: Session | None = None,
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
            session: What computes the network's low-resolution logits in its stead, if anything.

        Raises:
            ConfigError: If the CRF's compatibility matrix is for another number of classes.
        """
        require_same_number(crf, labels)
        self.device = device or best_device()
        self.network = network.to(self.device).eval()
        self.labels, self.name, self.precision, self.crf, self.views = labels, name, precision, crf, views
        self.abstain = abstain
        self.session = session

    @property
    def output_stride(self) -> int:
        """Pixels of the image per pixel of the deepest features."""
        return self.network.output_stride

    @property
    def resize(self) -> ResizeMode:
        """How its logits are enlarged."""
        return self.network.resize

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU computes."""
        return self.device.type == "cuda"

    def __call__(self, image: NDArray[np.uint8] | str | Path) -> Prediction:
        """Predict one picture, whole; the answer is of its own size.

        Args:
            image: uint8 RGB [H, W, 3], or the path of a picture.

        Raises:
            ImageError: If a path holds no readable picture.
            ValueError: If an array is no such picture.
        """
        (prediction,) = self.predictions([pixels_of(image)])
        return prediction

    def predictions(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Predict pictures of one size, which the network sees together; each answer is that of its picture alone.

        A runtime may add numbers up in another order for more pictures: logits then differ by rounding, about 1e-5.

        Args:
            images: uint8 RGB [H, W, 3] each, at least one.

        Raises:
            ValueError: If an array is no such picture, or their sizes differ.
        """
        pixels = pixels_of_one_size(images)
        views = tuple(self.views)
        answers = [self._logits(pixels, view) for view in views]
        masks = self._masks(answers, pixels[0].shape[:2])
        logits = [answer.cpu().numpy() for answer in answers]
        return [
            Prediction(
                image,
                logits[0][number],
                self.labels,
                self.network.resize,
                self.crf,
                [Answer(seen[number], view.flipped) for seen, view in zip(logits[1:], views[1:], strict=True)],
                self.abstain,
                masks[number],
            )
            for number, image in enumerate(pixels)
        ]

    @torch.inference_mode()
    def _masks(self, answers: Sequence[Tensor], size: tuple[int, int]) -> Sequence[Mask | None]:
        """The masks of all pictures where a GPU has the logits and they alone decide; else none yet."""
        (*others, logits) = answers
        if others or self.crf or self.abstain or not in_memory_of_its_own(logits):
            return [None] * len(logits)
        maps = (device_label_map(one, size, self.network.resize) for one in logits)
        return [one.cpu().numpy().astype(self.labels.mask_dtype, copy=False) for one in maps]

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

    def logits(self, image: NDArray[np.uint8], view: View = WHOLE) -> Tensor:
        """The network's logits at its own resolution, float32 [K, h, w], on the CPU."""
        return self._logits([image], view)[0].cpu()

    @torch.inference_mode()
    def _logits(self, images: Sequence[NDArray[np.uint8]], view: View) -> Tensor:
        """The same of pictures of one size, float32 [B, K, h, w], where they were computed."""
        # Seen as [B, 3, H, W], pictures [B, H, W, 3] are already channels last. Torch wants them writable: a copy.
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(self.device)
        size = view.size(*batch.shape[-2:])
        if self.session is not None:
            seen = resize_bilinear(batch.float() / 255, size, self.network.resize)
            return torch.from_numpy(self.session((seen.flip(3) if view.flipped else seen).numpy()))
        with torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "float32"):
            seen = resize_bilinear(batch.float() / 255, size, self.network.resize)
            logits = self.network.low_resolution_logits(seen.flip(3) if view.flipped else seen)
        return logits.float()


def load(
    model: str | Path,
    *,
    device: torch.device | None = None,
    precision: Precision = "float32",
    crf: DenseCRFConfig | None = None,
    views: Views = PLAIN,
    output_stride: int | None = None,
    abstain: float = 0.0,
    choice: Choice | None = None,
    compiled: bool = False,
    progress: Progress | None = None,
) -> Predictor:
    """Read a checkpoint and make it predict.

    Args:
        model: A path of a checkpoint or of a .pt2 that `atrous export` wrote, a name that `atrous models` lists, or
            `hf://owner/model`; what is not here is fetched.
        device: Where it computes; by default a GPU if there is one.
        precision: The type of its arithmetic; the logits are float32 in any case.
        crf: A dense CRF that moves the boundaries onto the edges of each picture.
        views: At which sizes each picture is seen, and whether mirrored; the answers are averaged.
        output_stride: Another one than the network was trained at, at the same weights: 8 is finer and slower.
        abstain: Where the largest probability is lower, masks have the ignore value.
        choice: What computes, and how exactly; by default torch, in `precision`, with the network as it is stored.
        compiled: Whether torch compiles the network when a size of picture is first seen, which takes up to a minute.
        progress: Shows a download.

    Raises:
        CheckpointError: If the file is missing, damaged, or no checkpoint of atrous.
        DownloadError: If it cannot be fetched.
        ConfigError: If the CRF's compatibility matrix is for another number of classes, or the network cannot have
            this output stride.
    """
    checkpoint = _read(model, progress)
    network, info = checkpoint.network, checkpoint.info
    if output_stride is not None:
        network = network.with_output_stride(output_stride)
    session = None
    if choice is not None:
        network, precision = folded(network), choice.precision
        session = _converted(network, checkpoint, choice, progress) if choice.runtime != "torch" else None
    if compiled:
        from atrous.inference.compiling import compile_logits

        network = (network if choice else folded(network)).to(device or best_device())
        compile_logits(network, progress)
    return Predictor(
        network,
        info.labels,
        name=info.name,
        device=device if session is None else torch.device("cpu"),
        precision=precision,
        crf=crf,
        views=views,
        session=session,
        abstain=abstain,
    )


def _read(model: str | Path, progress: Progress | None) -> Checkpoint:
    if Path(model).suffix.lower() != ".pt2":
        return load_checkpoint(find_model(model, progress))
    from atrous.inference.program_file import load_program

    return load_program(Path(model))


def _converted(
    network: SegmentationNetwork, checkpoint: Checkpoint, choice: Choice, progress: Progress | None
) -> Session:
    """The network in another runtime, by way of an exported file that is not kept."""
    from atrous.inference.to_onnx import card_of, write_onnx

    (progress or Silent()).say("Converting the network; `atrous export` does this once and for all.")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        write_onnx(path, network, card_of(network, checkpoint.info))
        return open_session(path, choice)
