"""The loss: which one a recipe chooses, and how its parts add up over answers, pictures and batches."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Literal, NamedTuple, assert_never

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from atrous.config import Config
from atrous.labels import LabelSpace
from atrous.networks import WeightedLogits
from atrous.training.class_weights import NOT_COUNTED, ClassPixels, ClassWeights, weights_of_classes
from atrous.training.pixel_losses import cross_entropy_sum, focal_sum, hard_pixels_sum, weigh_pixels
from atrous.training.region_losses import count_pictures, dice_sum, lovasz_sum

CPU = torch.device("cpu")
COUNTED = ("balanced", "median_frequency", "enet")
MOST_NAMED = 40  # classes in one sentence


class CrossEntropyConfig(Config):
    """Cross-entropy over the pixels that have a class, the loss of all DeepLab papers."""

    kind: Literal["cross_entropy"] = "cross_entropy"
    class_weights: ClassWeights = "none"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the truth that is dealt to all classes evenly."""


class FocalConfig(Config):
    """Cross-entropy in which easy pixels count less, each by (1 - p) ^ gamma (arXiv:1708.02002)."""

    kind: Literal["focal"] = "focal"
    gamma: Annotated[float, Field(ge=0)] = 2.0
    class_weights: ClassWeights = "none"


class HardPixelsConfig(Config):
    """Cross-entropy of the hardest pixels of each picture: online hard example mining, top-k."""

    kind: Literal["ohem"] = "ohem"
    fraction: Annotated[float, Field(gt=0, le=1)] = 0.25
    """The share of a picture's labelled pixels that counts."""
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    """Pixels whose true class is less probable than this count in any case."""
    class_weights: ClassWeights = "none"


class DiceConfig(Config):
    """1 - Dice of each class that a picture shows (arXiv:1606.04797)."""

    kind: Literal["dice"] = "dice"
    smooth: Annotated[float, Field(ge=0)] = 0.0
    """Added to numerator and denominator, in pixels."""


class LovaszConfig(Config):
    """Lovász-Softmax of each class that a picture shows (arXiv:1705.08790)."""

    kind: Literal["lovasz"] = "lovasz"


PlainLossConfig = Annotated[
    CrossEntropyConfig | FocalConfig | HardPixelsConfig | DiceConfig | LovaszConfig, Field(discriminator="kind")
]


class WeightedLossConfig(Config):
    """A loss in a sum."""

    weight: Annotated[float, Field(gt=0)] = 1.0
    loss: PlainLossConfig


class SumConfig(Config):
    """A weighted sum of losses."""

    kind: Literal["sum"] = "sum"
    terms: Annotated[tuple[WeightedLossConfig, ...], Field(min_length=1)]


LossConfig = Annotated[
    CrossEntropyConfig | FocalConfig | HardPixelsConfig | DiceConfig | LovaszConfig | SumConfig,
    Field(discriminator="kind"),
]


class Term(NamedTuple):
    """One loss of a sum; over any pictures it is `weight` times the sum of sums, by the sum of sizes."""

    name: str
    weight: float
    sum_of: Callable[[Tensor, Tensor], Tensor]
    """From logits [B, K, h, w] and the mask at their size, a float32 scalar."""
    size_of: Callable[[Tensor], float]
    """From the mask at its own size, what the sum is divided by."""
    by_pixel: bool
    """Whether the sum grows with the number of pixels, and not only with that of pictures."""
    class_weights: Tensor | None = None


class Loss(NamedTuple):
    """The loss of a training, made ready for its classes."""

    terms: tuple[Term, ...]

    def sizes(self, masks: Sequence[Tensor], add_up: Callable[[list[float]], list[float]] = list) -> list[float]:
        """What the sum of each term is divided by, for all batches of a step; never zero.

        Args:
            masks: Of the batches.
            add_up: Adds those of other processes, place by place, where several make the step.
        """
        sizes = [float(sum(term.size_of(mask) for mask in masks)) for term in self.terms]
        return [size or 1.0 for size in add_up(sizes)]

    def of(self, outputs: Sequence[WeightedLogits], mask: Tensor, sizes: Sequence[float]) -> Tensor:
        """The share of one batch in the loss of a step: those of all its batches add up to it.

        Args:
            outputs: What `training_logits` returned.
            mask: Integers of any width [B, H, W].
            sizes: As `sizes` returned for all batches of the step.

        Returns:
            float32 scalar.
        """
        pairs = zip(self.terms, sizes, strict=True)
        return torch.stack([term.weight * loss_sum(term, outputs, mask) / size for term, size in pairs]).sum()


def loss_sum(term: Term, outputs: Sequence[WeightedLogits], mask: Tensor) -> Tensor:
    """Sum the weighted losses of all answers of a network: of itself, its scales, its auxiliary head.

    Logits of another size than the mask meet the mask sampled to theirs, each for the pixels that it stands for. So
    divided by the size of the whole mask it is a mean, at whatever size the logits are.

    Returns:
        float32 scalar.
    """
    total = torch.zeros((), device=mask.device)
    for logits, weight in outputs:
        size = logits.shape[-2:]
        sampled = mask
        if size != mask.shape[-2:]:
            # The nearest pixel to the middle of the area that a logit covers when it is resized to the image.
            sampled = F.interpolate(mask[:, None].float(), size=size, mode="nearest-exact")[:, 0]
        pixels_per_logit = mask[0].numel() / sampled[0].numel() if term.by_pixel else 1.0
        total = total + weight * pixels_per_logit * term.sum_of(logits, sampled)
    return total


def build_loss(
    config: LossConfig, labels: LabelSpace, pixels: ClassPixels = NOT_COUNTED, device: torch.device = CPU
) -> Loss:
    """Make the loss of a recipe ready for its classes.

    Args:
        config: The choice.
        labels: The classes.
        pixels: How often the classes occur in training; needed if `needs_pixel_counts`.
        device: Where it is computed.

    Raises:
        ConfigError: If weights are given to a class that does not exist.
    """
    parts = config.terms if isinstance(config, SumConfig) else (WeightedLossConfig(loss=config),)
    return Loss(tuple(_term(part, labels, pixels, device) for part in parts))


def needs_pixel_counts(config: LossConfig) -> bool:
    """Whether a loss weighs classes by how often they occur."""
    parts = [part.loss for part in config.terms] if isinstance(config, SumConfig) else [config]
    return any(getattr(part, "class_weights", "none") in COUNTED for part in parts)


def describe_loss(loss: Loss, labels: LabelSpace) -> str:
    """Say what the loss is, read from the live object, with what each class weighs."""
    parts = []
    for term in loss.terms:
        part = term.name if term.weight == 1 else f"{term.weight:g} x {term.name}"
        if term.class_weights is not None:
            weights = list(zip(labels.names, term.class_weights.tolist(), strict=True))
            listed = ", ".join(f"{name} {weight:.3g}" for name, weight in weights[:MOST_NAMED])
            part += f" with class weights {listed}{', ...' * (len(weights) > MOST_NAMED)}"
        parts.append(part)
    return f"Loss: {' + '.join(parts)}"


def _term(part: WeightedLossConfig, labels: LabelSpace, pixels: ClassPixels, device: torch.device) -> Term:
    config, ignore = part.loss, labels.ignore_index
    if isinstance(config, DiceConfig | LovaszConfig):
        size_of: Callable[[Tensor], float] = partial(count_pictures, ignore_index=ignore)
        return Term(config.kind, part.weight, _sum_of(config, ignore, None), size_of, by_pixel=False)
    weights = weights_of_classes(config.class_weights, labels, pixels)
    size_of = partial(weigh_pixels, ignore_index=ignore, class_weights=weights)
    sum_of = _sum_of(config, ignore, None if weights is None else weights.to(device))
    return Term(config.kind, part.weight, sum_of, size_of, by_pixel=True, class_weights=weights)


def _sum_of(config: PlainLossConfig, ignore: int, weights: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
    """From logits and mask to the sum of a loss."""
    match config:
        case CrossEntropyConfig(label_smoothing=smoothing):
            return partial(cross_entropy_sum, ignore_index=ignore, class_weights=weights, label_smoothing=smoothing)
        case FocalConfig(gamma=gamma):
            return partial(focal_sum, ignore_index=ignore, gamma=gamma, class_weights=weights)
        case HardPixelsConfig(fraction=fraction, probability=probability):
            return partial(
                hard_pixels_sum,
                ignore_index=ignore,
                fraction=fraction,
                probability=probability,
                class_weights=weights,
            )
        case DiceConfig(smooth=smooth):
            return partial(dice_sum, ignore_index=ignore, smooth=smooth)
        case LovaszConfig():
            return partial(lovasz_sum, ignore_index=ignore)
        case _:
            assert_never(config)
