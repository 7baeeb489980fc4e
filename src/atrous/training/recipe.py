"""A recipe: all that a training depends on, as one complete YAML file."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, model_validator

from atrous.config import Config, overridden, override, parse, read_yaml
from atrous.data import DataConfig
from atrous.data.augmentation import AugmentationConfig
from atrous.networks import NetworkConfig
from atrous.training.losses import CrossEntropyConfig, LossConfig
from atrous.training.optimizer import OptimizerConfig
from atrous.training.schedule import PolyConfig, ScheduleConfig
from atrous.training.trackers import TrackerName
from atrous.weights.finding import find_model
from atrous.weights.starting import network_of

Metric = Literal["mean_iou", "mean_dice", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou"]
TrainingPrecision = Literal["float32", "bfloat16", "float16"]
Count = Annotated[int, Field(ge=1)]


class TrainingConfig(Config):
    """How long, in which batches, and in which arithmetic."""

    steps: Count | None = None
    """Updates of the weights."""
    epochs: Annotated[float, Field(gt=0)] | None = None
    """How often each picture is seen, in place of `steps`."""
    batch_size: Count
    """Pictures that pass the network together."""
    accumulation: Count = 1
    """Batches whose gradients make one update."""
    train_on: str = "train"
    """The split that is learned from."""
    validate_on: str = "val"
    """The split whose score chooses the best checkpoint."""
    validate_every: Count | None = None
    """Steps between two validations, each of which saves the run; by default a tenth of all steps."""
    best_by: Metric = "mean_iou"
    """The score by which the best checkpoint is chosen."""
    best_class: str | None = None
    """The class whose IoU is that score instead."""
    stop_after: Count | None = None
    """Validations in a row without a better score that end the training early."""
    log_every: Count = 10
    """Steps between two lines of the log."""
    shown_pictures: Annotated[int, Field(ge=0, le=100)] = 3
    """Pictures of `validate_on` that TensorBoard shows after each validation, with truth, prediction and errors."""
    show_graph: bool = False
    """Whether TensorBoard shows the graph of the network; it takes seconds to draw."""
    trackers: tuple[TrackerName, ...] = ()
    """Who else gets every row of the log: wandb, mlflow, if they are installed."""
    save_minutes: Annotated[float, Field(ge=0)] = 10.0
    """Minutes between two saves, which is the most that a killed run loses; 0 saves after each step."""
    keep_every: Count | None = None
    """Steps between two checkpoints that are kept under checkpoints/, beside the best and the last."""
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The share of the training pictures that is used, drawn by the seed; a smaller one becomes part of the name."""
    val_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The share of the val pictures that validations look at, drawn by the seed; the reports say so."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides initial weights, order, augmentation and dropout."""
    precision: Literal["auto", TrainingPrecision] = "auto"
    """Arithmetic of forward and backward; auto: bfloat16 where the device gains from it. Weights stay float32. The loss
    is scaled for float16, so that its gradients do not vanish: for GPUs without bfloat16."""
    average_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """What stays of the moving average of the weights at each step, such as 0.999; the average is what is validated
    and saved. Without it there is none."""
    channels_last: bool | Literal["auto"] = "auto"
    """Memory layout of the network; auto: on CPU and CUDA, whose convolutions are faster so."""
    compile: bool = False
    """Whether torch compiles the network before the first step, which takes a minute or more; for GPUs."""
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    """Processes that read and augment, 0 for a thread of this one; they change nothing but the speed."""
    cache_gigabytes: Annotated[float, Field(ge=0, le=1024)] = 1.0
    """How much memory may keep decoded training pictures, so that their files are read once; 0 for none. What a small
    data set does not need is not taken."""
    cache_folder: Path | None = None
    """Where they are kept in a file instead, which vanishes with the run."""
    freeze_backbone: bool = False
    """Train only what is not backbone; its weights and the statistics of its norms stay as they are."""
    start_from: str | None = None
    """A checkpoint whose weights the training starts from, or a name that `atrous models` lists; its network is the
    one that is trained, unless the recipe has a `network`. Classes are taken over by their names."""
    check_first: bool = True
    """Read all files once before the first step, so that a fault is found now and not at night."""
    skip_pictures: Annotated[int, Field(ge=0)] = 10
    """Training pictures that may turn unreadable later: each is named, and others take its places. One more, and the
    training saves and ends."""

    @model_validator(mode="after")
    def _either_steps_or_epochs(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            given = "neither `steps` nor `epochs` is given" if self.steps is None else "`steps` and `epochs` are given"
            raise ValueError(f"{given}: give one of them, and where a recipe has the other, write null there")
        return self

    def steps_for(self, pictures: int) -> int:
        """Updates of the weights for so many training pictures; the last epoch is rounded up to whole steps."""
        if self.steps is not None:
            return self.steps
        return math.ceil((self.epochs or 0) * pictures / (self.batch_size * self.accumulation))


def _cross_entropy_unless_named(loss: object) -> object:
    return {"kind": "cross_entropy", **loss} if isinstance(loss, dict) else loss


class Recipe(Config):
    """Network, data, augmentation, loss, optimizer, schedule and training, each with its own choices."""

    name: Annotated[str, Field(min_length=1, pattern=r"^[\w.+-]+$")]
    """What the run and its checkpoints are called."""
    network: NetworkConfig
    data: DataConfig
    augmentation: AugmentationConfig
    loss: Annotated[LossConfig, BeforeValidator(_cross_entropy_unless_named)] = CrossEntropyConfig()
    """Cross-entropy where no kind is named, so that `loss.class_weights: balanced` is enough."""
    optimizer: OptimizerConfig
    schedule: ScheduleConfig = PolyConfig()
    training: TrainingConfig


def read_recipe(path: Path, assignments: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply `key=value` overrides to it.

    Raises:
        ConfigError: If the file is missing, or a key is unknown or a value impossible; the sentence names the nearest
            valid key.
    """
    content = override(read_yaml(path), assignments)
    recipe: Recipe = parse(Recipe, _with_network(content), overridden(str(path), assignments))
    return recipe


def _with_network(content: dict[str, Any]) -> dict[str, Any]:
    """The recipe with the network of the weights that it starts from, if it chooses none itself."""
    training = content.get("training")
    start = training.get("start_from") if isinstance(training, dict) else None
    if content.get("network") is not None or not isinstance(start, str):
        return content
    return {**content, "network": network_of(find_model(start)).model_dump(mode="json")}


def recipe_text(recipe: Recipe) -> str:
    """The recipe as YAML, every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=120)
