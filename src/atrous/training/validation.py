"""Validation while a network is trained: the last checkpoint is scored as its users will run it."""

from typing import NamedTuple, get_args

import torch

from atrous.errors import ImageError, MaskError
from atrous.evaluation.evaluate import Tally, report_of, tally
from atrous.evaluation.example_cards import Example
from atrous.evaluation.examples import predict_examples
from atrous.evaluation.report import EvaluationReport, write_report
from atrous.inference.predictor import Predictor, load
from atrous.networks import build_network
from atrous.training.events import write_pictures
from atrous.training.interrupt import Interrupt
from atrous.training.logs import RunLog
from atrous.training.lookout import OnTrain, look_at_validation, say_all, score_on_train
from atrous.training.recipe import Metric
from atrous.training.run import Run, checkpoint_info, name_of
from atrous.training.schedule import PlateauConfig
from atrous.training.selection import chosen_score, describe_score
from atrous.training.watch import Finding
from atrous.weights.checkpoint import save_checkpoint


def validation_is_due(run: Run) -> bool:
    """Whether the validation of this step is still to be made; step 0 has none."""
    state, plan = run.state, run.recipe.training
    every = plan.validate_every or max(1, run.steps // 10)
    reached = state.step % every == 0 or run.complete
    return reached and state.step > 0 and state.validated < state.step


class Validation(NamedTuple):
    """What was found about the last checkpoint."""

    report: EvaluationReport
    examples: list[Example]
    """Pictures to look at."""
    on_train: OnTrain | None
    """The scores on some pictures of train."""


def validate(run: Run, interrupt: Interrupt) -> Validation | None:
    """Score the last checkpoint, which must have been saved; None if a signal broke it off.

    Of several processes each predicts its share of the pictures; the main one alone has examples.
    """
    processes, split = run.processes, run.val_split
    tallied: Tally | None = None
    on_train: OnTrain | None = None
    examples: list[Example] = []
    predictor = predictor_of(run)
    if not interrupt.requested:
        with interrupt.breaks_off():
            mine = tally(predictor, split, run.progress, processes.share)
            if processes.main:
                examples = predict_examples(predictor, split, run.recipe.training.shown_pictures)
                on_train = score_on_train(predictor, run.train_split, run.recipe.augmentation.crop)
            tallied = mine
    tallies = [tallied for tallied in processes.gather(tallied) if tallied is not None]
    if len(tallies) < processes.count:
        return None
    return Validation(processes.from_main(lambda: report_of(predictor, split, tallies)), examples, on_train)


def validate_if_it_can_be_done(run: Run, interrupt: Interrupt, log: RunLog | None) -> Validation | None:
    """As `validate`; a validation on the way is left out if a picture of it has turned unreadable, and counts as made.

    Raises:
        ImageError, MaskError: If that is the last validation, without which there is no score.
    """
    try:
        with run.processes.agreeing():
            return validate(run, interrupt)
    except (ImageError, MaskError) as error:
        state = run.state
        if run.complete or not run.recipe.training.skip_pictures:
            raise
        state.validated = state.step
        sentence = f"The validation of step {state.step} is left out: {error}"
        say_all(run, log, [Finding(f"validation {state.step}", sentence)], state.step, validated=True)
        return None


def predictor_of(run: Run) -> Predictor:
    """The last checkpoint as its users will run it; in all but the main process, which wrote it, from their memory."""
    if run.processes.main:
        return load(run.folder.last)
    labels = run.train_split.labels
    with torch.device("meta"):
        network = build_network(run.recipe.network, labels.num_classes)
    weights = {name: tensor.cpu().contiguous().clone() for name, tensor in run.learner.answering.state_dict().items()}
    network.load_state_dict(weights, assign=True)
    return Predictor(network, labels, name=name_of(run.recipe))


def keep_if_best(run: Run, validation: Validation, log: RunLog | None) -> None:
    """Note the scores of the present weights; keep these as the best if they are."""
    report, examples, on_train = validation
    scores, state, say = report.scores, run.state, run.progress.say
    score, name = chosen_score(scores, run.recipe.training), describe_score(run.recipe.training)
    better = state.judge(score)
    with run.processes.agreeing():
        if better and run.processes.main:
            save_checkpoint(run.folder.best, run.learner.answering, checkpoint_info(run, report))
            write_report(run.folder.report, report)
    if log:
        values = {f"val_{metric}": getattr(scores, metric) for metric in get_args(Metric)}
        log.write(step=state.step, **values, **({} if on_train is None else {"train_mean_iou": on_train.whole}))
        with log.writing() as events:
            write_pictures(events, state.step, examples, report.labels)
    verdict = "the best so far" if better else f"best {state.best_score:.1%} at step {state.best_step}"
    say(f"step {state.step}: {run.val_split.split} {name} {score:.1%} ({verdict})")
    look_at_validation(run, log, report, on_train)
    draw_consequences(run, name)


def draw_consequences(run: Run, name: str) -> None:
    """Cut the learning rate, or say that the training ends, where the score `name` has not grown for too long."""
    state, schedule = run.state, run.recipe.schedule
    since = f"{state.unimproved} validations in a row brought no better {name}"
    if isinstance(schedule, PlateauConfig) and state.cut_after(schedule.patience):
        run.progress.say(f"The learning rate is cut to {schedule.factor**state.cuts:g} of the first: {since}.")
    if run.stopped_early:
        run.progress.say(f"Stopped at step {state.step}: {since}.")
