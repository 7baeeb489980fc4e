"""By which score the best checkpoint of a training is chosen."""

from atrous.config import nearest
from atrous.errors import ConfigError
from atrous.evaluation.report import Scores
from atrous.labels import LabelSpace
from atrous.training.recipe import Metric, TrainingConfig


def chosen_score(scores: Scores, plan: TrainingConfig) -> float:
    """The score that decides which checkpoint is the best, 0..1; zero for a class that is nowhere to be seen."""
    if plan.best_class is None:
        return float(getattr(scores, plan.best_by))
    return next(score.iou for score in scores.classes if score.name == plan.best_class) or 0.0


def describe_score(plan: TrainingConfig) -> str:
    """What people call that score."""
    words: dict[Metric, str] = {
        "mean_iou": "mIoU",
        "mean_dice": "mean Dice",
        "pixel_accuracy": "pixel accuracy",
        "mean_accuracy": "mean accuracy",
        "frequency_weighted_iou": "frequency-weighted IoU",
    }
    return words[plan.best_by] if plan.best_class is None else f"IoU of {plan.best_class}"


def require_known_class(plan: TrainingConfig, labels: LabelSpace) -> None:
    """Refuse to choose the best by a class that does not exist.

    Raises:
        ConfigError: It names the nearest.
    """
    if plan.best_class is not None and plan.best_class not in labels.names:
        raise ConfigError(
            f"`training.best_class`: there is no class `{plan.best_class}`; {nearest(plan.best_class, labels.names)}."
        )
