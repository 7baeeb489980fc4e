"""`atrous demo`: the whole road on generated pictures, with a page at its end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.cli.options import Quiet, program

if TYPE_CHECKING:
    from atrous.evaluation.example_cards import Example
    from atrous.labels import LabelSpace
    from atrous.training.recipe import Recipe
    from atrous.training.run_folder import RunFolder

STEPS = 1900


def demo(
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder that gets everything.")] = Path("demo"),
    steps: Annotated[int, typer.Option("--steps", min=1, help="Training steps: fewer are faster and worse.")] = STEPS,
    quiet: Quiet = False,
) -> None:
    """Draw street scenes, train DeepLabv3+ on them, score it, predict, and write a page; needs no data, no network.

    It takes two to three minutes on two processor cores. The folder gets data/ (the pictures), best.safetensors (the
    network), report.json (its scores on the test split), predictions/ and index.html.
    """
    from atrous.data import open_split
    from atrous.data.folder import write_folder
    from atrous.data.shapes import GeneratedShapes, ShapesConfig
    from atrous.evaluation.evaluate import evaluate
    from atrous.evaluation.examples import predict_examples, predict_telling
    from atrous.evaluation.report import write_report
    from atrous.evaluation.report_page import write_report_page
    from atrous.inference.predictor import load
    from atrous.progress import terminal_progress
    from atrous.training.run_folder import RunFolder
    from atrous.training.run_page import train_score, training_curves, training_warnings
    from atrous.training.train import train

    progress = terminal_progress(quiet=quiet)
    recipe = demo_recipe(output / "data", steps)
    folder = RunFolder(output)
    require_own(folder, recipe)

    progress.say("1/4 Drawing street scenes")
    shapes = ShapesConfig(train=1000)
    write_folder(output / "data", [GeneratedShapes(shapes, split) for split in ("train", "val", "test")], progress)
    progress.say("2/4 Training")
    if not train(recipe, output, overwrite=True, progress=progress).finished:
        progress.say("Stopped before the end: the same command starts again.")
        return
    progress.say("3/4 Scoring on pictures that training never saw")
    test = open_split(recipe.data, "test")
    predictor = load(folder.best)
    report = evaluate(predictor, test, progress)
    write_report(folder.report, report)
    progress.say("4/4 Writing the page")
    examples = predict_examples(predictor, test, count=12)
    write_predictions(output, examples, test.labels)
    photo = f"{output}/data/images/test/{examples[0].name}.png"
    ways_on = next_steps(folder, photo, steps)
    page = output / "index.html"
    write_report_page(
        page,
        report,
        title="atrous demo",
        examples=predict_telling(predictor, test, report, count=18),
        curves=training_curves(folder),
        warnings=training_warnings(folder),
        next_steps=ways_on,
        train_iou=train_score(folder),
        recipe=recipe.model_dump(mode="json"),
    )
    progress.say(f"\nTest mIoU {report.scores.mean_iou:.1%}, pixel accuracy {report.scores.pixel_accuracy:.1%}.")
    progress.say(f"Look at  {page}")
    progress.say(f"Type     {ways_on[0][1]}")


def require_own(folder: "RunFolder", recipe: "Recipe") -> None:
    """Refuse a folder that holds anything but an earlier demo.

    Raises:
        OutputError: It names what is there.
    """
    from atrous.errors import OutputError

    folder.require_usable(recipe, resume=False, overwrite=True)
    entries = sorted(path.name for path in folder.path.glob("*") if not path.name.startswith("."))
    stopped_while_drawing = entries == ["data"] and _is_drawn(folder.path / "data")
    if entries and not stopped_while_drawing and not _is_demo(folder, recipe):
        raise OutputError(
            f"{folder.path} holds something else than a demo ({', '.join(entries[:3])}{', ...' * (len(entries) > 3)}): "
            f"choose a new folder with --output."
        )


def _is_demo(folder: "RunFolder", recipe: "Recipe") -> bool:
    from atrous.errors import ConfigError
    from atrous.training.recipe import read_recipe

    try:
        stored = read_recipe(folder.recipe)
    except ConfigError:  # there is none, or it is not ours
        return False
    same_data = stored.data.kind == "folder" and stored.data.root.resolve() == (folder.path / "data").resolve()
    return same_data and stored.name == recipe.name


def _is_drawn(data: Path) -> bool:
    """Whether nothing but generated pictures is there."""
    from atrous.data.shapes import SPLITS

    files = [path.name for path in data.rglob("*") if path.is_file()]
    return all(name == "dataset.yaml" or name.startswith(tuple(f"{split}_" for split in SPLITS)) for name in files)


def demo_recipe(data: Path, steps: int) -> "Recipe":
    """The recipe of the demo: a small network that learns the generated streets in about two minutes."""
    from atrous.data.augmentation import AugmentationConfig
    from atrous.data.folder import FolderConfig
    from atrous.networks import DeepLabV3PlusConfig, MobileNetV2Config
    from atrous.training.optimizer import AdamWConfig
    from atrous.training.recipe import Recipe, TrainingConfig
    from atrous.training.schedule import PolyConfig

    return Recipe(
        name="demo",
        network=DeepLabV3PlusConfig(
            backbone=MobileNetV2Config(width=0.5),
            context_channels=64,
            low_level_channels=24,
            decoder_channels=64,
            separable=False,
        ),
        data=FolderConfig(root=data),
        augmentation=AugmentationConfig(crop=(96, 128), scale=(1, 1)),
        # Ten times the usual rate: from random weights, and with so few steps, nothing else gets far enough.
        optimizer=AdamWConfig(learning_rate=0.04),
        schedule=PolyConfig(warmup_steps=steps // 20),
        training=TrainingConfig(steps=steps, batch_size=4, validate_every=max(1, steps // 2)),
    )


def next_steps(folder: "RunFolder", photo: str, steps: int) -> list[tuple[str, str]]:
    """What to do with the network now: words, and the command."""
    test = f"{folder.best} {folder.path / 'data'} --split test"
    longer = f"{folder.recipe} training.steps={3 * steps} --output runs/demo"
    return [
        ("Segment a picture, this one or a photo of yours", f"{program()} predict {folder.best} {photo}"),
        ("Score the network again", f"{program()} evaluate {test}"),
        ("Train on, or with other choices", f"{program()} train {longer}"),
    ]


def write_predictions(output: Path, examples: "list[Example]", labels: "LabelSpace") -> None:
    """Write masks and overlays of the examples, and the picture that shows some of them beside their truth."""
    from atrous.images import write_image, write_mask
    from atrous.visualization import Panel, colorize, overlay, side_by_side

    for example in examples:
        write_mask(output / "predictions" / f"{example.name}.png", example.prediction, labels)
        picture = overlay(example.image, example.prediction, labels)
        write_image(output / "predictions" / f"{example.name}_overlay.jpg", picture)
    captions = ("picture", "truth", "prediction")
    rows = []
    for number, (_, image, *masks, _) in enumerate(examples[:3]):
        shown = (image, *(colorize(mask, labels) for mask in masks))
        twice = [picture.repeat(2, axis=0).repeat(2, axis=1) for picture in shown]
        rows.append([Panel(caption * (number == 0), picture) for caption, picture in zip(captions, twice, strict=True)])
    write_image(output / "examples.png", side_by_side(rows, labels))
