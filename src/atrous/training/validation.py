"""Validation while a network is trained: the last checkpoint is scored as its users will run it."""

from atrous.evaluation.evaluate import evaluate
from atrous.evaluation.report import EvaluationReport, write_report
from atrous.inference.predictor import load
from atrous.training.interrupt import Interrupt
from atrous.training.logs import RunLog
from atrous.training.run import Run, checkpoint_info
from atrous.weights.checkpoint import save_checkpoint


def validation_is_due(run: Run) -> bool:
    """Whether the validation of this step is still to be made; step 0 has none."""
    state, plan = run.state, run.recipe.training
    every = plan.validate_every or max(1, plan.steps // 10)
    reached = state.step % every == 0 or run.complete
    return reached and state.step > 0 and state.validated < state.step


def validate(run: Run, interrupt: Interrupt) -> EvaluationReport | None:
    """Score the last checkpoint, which must have been saved; None if a signal broke it off."""
    if interrupt.requested:
        return None
    with interrupt.breaks_off():
        return evaluate(load(run.folder.last), run.val_split, run.progress)
    return None


def keep_if_best(run: Run, report: EvaluationReport, log: RunLog) -> None:
    """Note the scores of the present weights; keep these as the best if they are."""
    scores, state = report.scores, run.state
    state.validated = state.step
    better = scores.mean_iou > state.best_score
    if better:
        state.best_score, state.best_step = scores.mean_iou, state.step
        save_checkpoint(run.folder.best, run.learner.network, checkpoint_info(run, report))
        write_report(run.folder.report, report)
    log.write(step=state.step, val_mean_iou=scores.mean_iou, val_pixel_accuracy=scores.pixel_accuracy)
    verdict = "the best so far" if better else f"best {state.best_score:.1%} at step {state.best_step}"
    run.progress.say(f"step {state.step}: {run.val_split.split} mIoU {scores.mean_iou:.1%} ({verdict})")
