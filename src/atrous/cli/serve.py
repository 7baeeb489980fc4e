"""`atrous serve`: models as a service for programs, and as a page for people."""

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from atrous.cli.options import LabelsFile, PrecisionName, Quiet, RuntimeName, chosen_labels, chosen_runtime
from atrous.errors import ConfigError

TOKEN_VARIABLE = "ATROUS_TOKEN"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MEGA = 10**6


def serve(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="A checkpoint, an exported file, a name of `atrous models`, or NAME=MODEL to call it so; the first "
            "answers by default.",
        ),
    ],
    *,
    runtime: RuntimeName = "auto",
    precision: PrecisionName = "float32",
    labels: LabelsFile = None,
    host: Annotated[str, typer.Option(help="The address to listen at; 0.0.0.0 for all networks.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 8000,
    token_file: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it
        typer.Option(metavar="FILE", help=f"A file with the token that clients must send; or set {TOKEN_VARIABLE}."),
    ] = None,
    origin: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it
        typer.Option(metavar="URL", help="A web page, such as https://example.org, that may use the server, too."),
    ] = None,
    max_megabytes: Annotated[float, typer.Option(min=0.001, help="Of one upload.")] = 32,
    max_megapixels: Annotated[float, typer.Option(min=0.001, max=178, help="Of one picture.")] = 16,
    max_waiting: Annotated[int, typer.Option(min=1, help="Pictures that wait; one more is answered by 429.")] = 32,
    max_batch: Annotated[
        Optional[int],  # noqa: UP045 - typer reads it
        typer.Option(min=1, help="Waiting pictures of one size computed together; by default as many as pay."),
    ] = None,
    max_seconds: Annotated[float, typer.Option(min=0.001, help="That a picture may wait and take.")] = 60,
    quiet: Quiet = False,
) -> None:
    """Serve models: a page for people at /, and POST /v1/segment for programs.

    It listens on this machine alone unless --host says otherwise. Pictures stay in memory; no request reads or writes
    a file. SIGTERM or Ctrl-C stops it when what it took on is finished. /openapi.json describes all addresses.
    """
    _require_libraries()
    from atrous.inference.opening import open_predictor
    from atrous.progress import terminal_progress
    from atrous.server.app import create_app
    from atrous.server.limits import Limits
    from atrous.server.running import bound_socket, run, url_of
    from atrous.server.service import Service

    progress = terminal_progress(quiet=quiet)
    origins = [_checked_origin(given) for given in origin or []]
    token = _token(token_file)
    limits = Limits(
        upload_bytes=round(max_megabytes * MEGA),
        held_bytes=max(Limits().held_bytes, 2 * round(max_megabytes * MEGA)),
        pixels=round(max_megapixels * MEGA),
        waiting=max_waiting,
        batch=max_batch,
        seconds=max_seconds,
    )
    named, classes = _named(models), chosen_labels(labels)
    chosen, exactly = chosen_runtime(runtime, precision)
    taken = bound_socket(host, port)  # before the models, which take longer to load than to find the port taken
    opened = {
        name: open_predictor(model, runtime=chosen, precision=exactly, labels=classes, progress=progress)
        for name, model in named.items()
    }
    service = Service(opened, limits, token)
    service.warm_up()
    progress.say(f"Serving {', '.join(service.models)} at {url_of(taken)} (Ctrl-C stops)")
    if host not in LOOPBACK and token is None:
        progress.say("Anybody who reaches this machine can use it: set a token with --token-file.")
    run(create_app(service, origins, own_names_only=host in LOOPBACK), taken, limits.seconds)
    progress.say("Stopped; what was taken on is finished.")


def _require_libraries() -> None:
    from importlib.util import find_spec

    if not all(find_spec(name) for name in ("fastapi", "uvicorn", "python_multipart")):
        raise ConfigError("`atrous serve` needs FastAPI and uvicorn: pip install 'atrous[serve]'.")


def _named(models: list[str]) -> dict[str, str]:
    """The models by the names that requests call them by.

    Raises:
        ConfigError: If two have the same.
    """
    named: dict[str, str] = {}
    for given in models:
        name, _, model = given.rpartition("=")
        name = name or Path(given).stem
        if name in named:
            raise ConfigError(f"Two models are called `{name}`: call one of them otherwise, as in other={model}.")
        named[name] = model
    return named


def _token(path: Path | None) -> str | None:
    token = os.environ.get(TOKEN_VARIABLE)
    if path is not None:
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"The token file {path} cannot be read: give one that holds a line of text.") from None
    if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
        raise ConfigError("The token is empty or holds other than ASCII characters: choose a long random word.")
    return token


def _checked_origin(given: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(given)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/")
    except ValueError:
        whole = False
    if not whole or parts.query or parts.fragment:
        raise ConfigError(f"--origin {given} is no address of a site: write it as https://example.org.")
    return f"{parts.scheme}://{parts.netloc}"
