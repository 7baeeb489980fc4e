"""Small generated videos, as files and as frames, and what is in them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from atrous.inference.video_file import Frame
from atrous.labels import LabelSpace, Mask
from tests.tiny_data import LABELS

MILLISECONDS = Fraction(1, 1000)
RATE = 25


class Scene(NamedTuple):
    """Frames with their truth."""

    images: list[NDArray[np.uint8]]
    truths: list[Mask]

    @property
    def frames(self) -> list[Frame]:
        pairs = enumerate(self.images)
        return [Frame(image, number, Fraction(number, RATE), Fraction(1, RATE)) for number, image in pairs]


def moving_square(count: int, noise: float = 0, speed: int = 3, seed: int = 0, labels: LabelSpace = LABELS) -> Scene:
    """A square of class 1 moves over ground of class 0, in the colours of the classes; each frame has its own noise."""
    rng = np.random.default_rng(seed)
    images: list[NDArray[np.uint8]] = []
    truths: list[Mask] = []
    for number in range(count):
        truth = np.zeros((96, 144), np.uint8)
        truth[32:64, 8 + speed * number : 40 + speed * number] = 1
        noisy = labels.color_table[truth] + rng.normal(0, noise, (96, 144, 3))
        images.append(np.clip(noisy, 0, 255).astype(np.uint8))
        truths.append(truth)
    return Scene(images, truths)


def flicker(masks: Sequence[Mask], truths: Sequence[Mask]) -> float:
    """The share of pixels whose label changes although the truth does not."""
    still = np.stack(truths[1:]) == np.stack(truths[:-1])
    changes = np.stack(masks[1:]) != np.stack(masks[:-1])
    return float((changes & still).sum() / still.sum())


def iou(masks: Sequence[Mask], truths: Sequence[Mask]) -> float:
    """Of class 1, over all frames."""
    predicted, true = np.stack(masks) == 1, np.stack(truths) == 1
    return float((predicted & true).sum() / (predicted | true).sum())


def plain_frames(count: int, size: tuple[int, int] = (48, 64)) -> list[NDArray[np.uint8]]:
    """Frames of one grey each, lighter by the frame."""
    return [np.full((*size, 3), 20 + 5 * number, np.uint8) for number in range(count)]


def write_video(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    times: Sequence[int] | None = None,
    codec: Any = "libx264",
    sound: Any = None,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
) -> Path:
    """Write a video as a stranger would: with frames in another order than they are shown, times in milliseconds.

    Args:
        path: Its suffix names the format.
        images: uint8 [H, W, 3] each.
        times: Of each frame; 40 ms apart by default.
        codec: Of the pictures.
        sound: The codec of a tone beside them.
        rotation: Degrees, counter-clockwise, by which a player is to turn them.
        options: Of the format.
        pixel_format: Of the pictures.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        pictures = container.add_stream(codec, rate=RATE)
        assert isinstance(pictures, av.VideoStream)
        pictures.height, pictures.width = images[0].shape[:2]
        pictures.pix_fmt = pixel_format
        if path.suffix != ".avi":
            pictures.codec_context.time_base = MILLISECONDS
        if rotation:
            pictures.set_display_rotation(rotation)
        tone = _tone_stream(container, sound) if sound else None
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number if path.suffix == ".avi" else times[number] if times else 40 * number
            frame.time_base = Fraction(1, RATE) if path.suffix == ".avi" else MILLISECONDS
            container.mux(pictures.encode(frame))
            if tone:
                container.mux(tone.encode(_tone(number)))
        container.mux(pictures.encode())
        if tone:
            container.mux(tone.encode())
    return path


def _tone_stream(container: Any, codec: Any) -> Any:
    stream = container.add_stream(codec, rate=44100)
    stream.layout = "mono"
    return stream


def _tone(number: int) -> av.AudioFrame:
    samples = (np.sin(np.arange(1764) * 0.05 * (1 + number)) * 8000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 44100, number * 1764, Fraction(1, 44100)
    return frame


def times_of(path: Path) -> list[Fraction]:
    """When each frame is shown, as PyAV reads it."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [Fraction(frame.pts) * (frame.time_base or 0) for frame in frames if frame.pts is not None]


def images_of(path: Path, pixels: str = "rgb24") -> list[NDArray[Any]]:
    """All frames, as PyAV decodes them."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=pixels) for frame in container.decode(video=0)]


def sound_of(path: Path) -> list[tuple[bytes, Fraction]]:
    """Each packet of the sound, with its time."""
    with av.open(str(path)) as container:
        packets = container.demux(audio=0)
        return [(bytes(packet), packet.pts * packet.time_base) for packet in packets if packet.pts is not None]
