"""Temporal smoothing: what a network saw a moment ago counts, too, where the picture is still the same.

The average is exponential in time, so that frame rates and dropped frames do not change its length. The past is carried
along with the motion between two frames (dense inverse search: Kroeger et al. 2016, arXiv:1603.03590), counts less
where the picture is not what the motion says, and is forgotten at a cut.
"""

from typing import Annotated, NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from atrous.config import Config
from atrous.networks.layers import ResizeMode, resize_bilinear

BLUR = 5
"""Pixels of a grey picture that are averaged on each side, so that the noise of a sensor is no change of the scene."""
THUMBNAIL = (18, 32)
"""(height, width) of the pictures that cuts are seen in."""


class SmoothingConfig(Config):
    """How much the past counts."""

    half_life: Annotated[float, Field(gt=0)] = 0.05
    """Seconds after which a frame counts half as much as when it was new."""
    follow_motion: bool = True
    """Carry the past along with what moves."""
    motion_side: Annotated[int, Field(ge=32)] = 256
    """The longer side, in pixels, of the grey pictures that motion is estimated in."""
    tolerance: Annotated[float, Field(gt=0)] = 12.0
    """Grey levels, of 255, by which a place may differ from its past before that counts for little."""
    cut: Annotated[float, Field(gt=0)] = 30.0
    """Mean difference of two frames, in levels of 255, from which a new scene begins."""


class _Past(NamedTuple):
    """What is kept of the frame before."""

    logarithms: Tensor
    """float32 [1, K, h, w], of averaged probabilities."""
    grey: NDArray[np.uint8]
    """[a, b]: what was seen."""
    thumbnail: NDArray[np.int16]
    time: float


class TemporalSmoothing:
    """Averages the probabilities of successive frames; it holds what it needs of the past."""

    def __init__(self, config: SmoothingConfig, resize: ResizeMode = "half_pixel") -> None:
        """Begin without a past.

        Args:
            config: How much the past counts.
            resize: Where pixels lie on each other when the network changes its resolution.
        """
        self.config, self.resize = config, resize
        self._past: _Past | None = None
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def __call__(self, image: NDArray[np.uint8], time: float, logits: Tensor) -> Tensor:
        """Average a frame with those before it.

        Args:
            image: uint8 [H, W, 3]: the frame.
            time: When it is shown, in seconds.
            logits: float32 [K, h, w], at the network's own resolution.

        Returns:
            float32 [K, h, w]: logarithms of the averaged probabilities. They are logits up to one number per place,
            which neither their softmax nor their largest class notices, at this resolution or at any other.
        """
        present = logits.log_softmax(dim=0)[None]
        grey, thumbnail = self._grey(image), _thumbnail(image)
        past = self._past
        if past is not None and not self._is_cut(past, grey, thumbnail):
            present = self._averaged(past, grey, time, present)
        self._past = _Past(present, grey, thumbnail, time)
        return present[0]

    def _averaged(self, past: _Past, grey: NDArray[np.uint8], time: float, present: Tensor) -> Tensor:
        size = (present.shape[-2], present.shape[-1])
        before = resize_bilinear(past.logarithms, size, self.resize)
        seen_before = torch.from_numpy(past.grey)[None, None].float()
        if self.config.follow_motion:
            flow = self._flow.calc(grey, past.grey, None)
            before, seen_before = moved(before, flow), moved(seen_before, flow)
        difference = torch.from_numpy(grey) - seen_before
        sameness = torch.exp(-((difference / self.config.tolerance) ** 2))
        weight = 0.5 ** (max(time - past.time, 0) / self.config.half_life)
        share = weight * F.interpolate(sameness, size=size, mode="area")
        return torch.logaddexp(before + share.log(), present + (-share).log1p())

    def _is_cut(self, past: _Past, grey: NDArray[np.uint8], thumbnail: NDArray[np.int16]) -> bool:
        return past.grey.shape != grey.shape or float(np.abs(thumbnail - past.thumbnail).mean()) > self.config.cut

    def _grey(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        factor = min(1.0, self.config.motion_side / max(height, width))
        size = (max(round(width * factor), 16), max(round(height * factor), 16))
        grey = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.blur(grey, (BLUR, BLUR)), np.uint8)


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.asarray(cv2.resize(image, THUMBNAIL[::-1], interpolation=cv2.INTER_AREA), np.int16)


def moved(values: Tensor, flow: NDArray[np.float32]) -> Tensor:
    """Take each value from where it was.

    Args:
        values: float32 [1, C, h, w].
        flow: float32 [a, b, 2]: how far to the right and down each place was before, in pixels of the flow.

    Returns:
        float32 [1, C, h, w]; what was outside is taken from the border.
    """
    height, width = values.shape[-2:]
    flow_height, flow_width = flow.shape[:2]
    motion = torch.from_numpy(np.ascontiguousarray(flow)).permute(2, 0, 1)[None]
    across, down = F.interpolate(motion, size=(height, width), mode="bilinear", align_corners=False)[0]
    x = torch.arange(width) + 0.5 + across * (width / flow_width)
    y = (torch.arange(height) + 0.5)[:, None] + down * (height / flow_height)
    grid = torch.stack((2 * x / width - 1, 2 * y / height - 1), dim=-1)[None]
    return F.grid_sample(values, grid, mode="bilinear", padding_mode="border", align_corners=False)
