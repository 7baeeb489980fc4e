"""Arguments and options that several commands share."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from atrous.crf import DenseCRFConfig
    from atrous.inference.runtimes import Runtime, WantedPrecision
    from atrous.inference.views import Views
    from atrous.labels import LabelSpace

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A checkpoint (.safetensors), a name of `atrous models`, or hf://owner/model."
    ),
]
Dataset = Annotated[
    str, typer.Argument(metavar="DATASET", help="A folder with dataset.yaml, or KIND:PATH such as camvid:data/camvid.")
]
Choices = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it
    typer.Argument(metavar="KEY=VALUE", help="Choices of the kind, such as subset=true."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run that is in the output folder.")]

Crf = Annotated[bool, typer.Option("--crf", help="Move the boundaries onto the picture's edges, by a dense CRF.")]
CrfFile = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads it
    typer.Option("--crf-config", metavar="FILE", help="Its choices, as YAML; `atrous crf tune` writes some."),
]
RuntimeName = Annotated[
    str, typer.Option("--runtime", help="What computes: auto, torch, onnxruntime, openvino, litert or coreml.")
]
PrecisionName = Annotated[
    str, typer.Option("--precision", help="float32, bfloat16, or auto: bfloat16 where the processor has it.")
]
LabelsFile = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--labels", metavar="FILE", help="YAML with names, and colors if wanted, for exported files that lack them."
    ),
]
Scales = Annotated[
    str, typer.Option("--scales", metavar="LIST", help="At which sizes each picture is seen, such as 0.75,1,1.5.")
]
Flip = Annotated[bool, typer.Option("--flip", help="See each picture mirrored, too; all answers are averaged.")]
OutputStride = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--output-stride", help="Another one than in training: 8 is finer, and slower."),
]


def program() -> str:
    """How to type this command again: `atrous` where the shell finds it, else the path by which it was called."""
    called = Path(sys.argv[0])
    if shutil.which("atrous") or called.name != "atrous":
        return "atrous"
    return os.path.relpath(called) if called.is_absolute() else str(called)


def flowing(text: str) -> str:
    """Join the lines of each paragraph."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def chosen_crf(*, crf: bool, crf_config: Path | None) -> "DenseCRFConfig | None":
    """The dense CRF that two options ask for; a file asks for one, too."""
    if not crf and crf_config is None:
        return None
    from atrous.config import parse, read_yaml
    from atrous.crf import DenseCRFConfig

    choices = read_yaml(crf_config) if crf_config else {}
    chosen: DenseCRFConfig = parse(DenseCRFConfig, choices, str(crf_config))
    return chosen


def chosen_labels(file: Path | None) -> "LabelSpace | None":
    """The label space that a file names: `names`, a list, and `colors`, one [red, green, blue] for each, if wanted."""
    if file is None:
        return None
    from atrous.config import parse, read_yaml
    from atrous.labels import LabelSpace, voc_colors

    data = read_yaml(file)
    if isinstance(data.get("names"), list):
        data.setdefault("colors", voc_colors(len(data["names"])))
    labels: LabelSpace = parse(LabelSpace, data, str(file))
    return labels


def chosen_runtime(runtime: str, precision: str) -> "tuple[Runtime, WantedPrecision]":
    """What is to compute, and how exactly, as two options say."""
    from atrous.config import parse
    from atrous.inference.runtimes import Runtime, WantedPrecision

    return parse(Runtime, runtime, "--runtime"), parse(WantedPrecision, precision, "--precision")


def parsed_size(text: str) -> tuple[int, int]:
    """(height, width) as the option --size has them: 513x513, or one number for both."""
    from atrous.errors import ConfigError

    height, _, width = text.lower().replace("×", "x").partition("x")
    if not all(side.isdecimal() and 0 < int(side) <= 65536 for side in (height, width or height)):
        raise ConfigError(f"--size {text} is no size: write height and width, as in 513x513.")
    return int(height), int(width or height)


def chosen_views(scales: str, *, flip: bool) -> "Views":
    """The views of each picture that two options ask for."""
    from atrous.config import parse
    from atrous.errors import ConfigError
    from atrous.inference.views import Views

    try:
        numbers = [float(word) for word in scales.split(",")]
    except ValueError:
        raise ConfigError(
            f"--scales {scales} is no list of numbers: write them with commas, as in 0.75,1,1.5."
        ) from None
    views: Views = parse(Views, {"scales": numbers, "flip": flip}, f"--scales {scales}")
    return views
