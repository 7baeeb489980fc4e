"""Every command that a document names exists, with its options; recipes know the keys that are changed."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from atrous.cli import app
from atrous.training.recipe import read_recipe
from atrous.weights.bundled import bundled_names
from atrous.weights.catalog import CATALOG

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = re.compile(r"^```sh[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]*\batrous [^`\n]*)`")
SEPARATORS = {"&", "&&", "|", "||", ";", ">", ")", "("}
PROGRAM: Any = typer.main.get_command(app)  # of a class that Typer does not name
MODELS = {*bundled_names(), *(release.name for release in CATALOG)}


class Command(NamedTuple):
    """One command line: the words behind `atrous`, and whether a reader types it as it stands."""

    words: list[str]
    whole: bool


def commands_of(document: Path) -> list[Command]:
    text = document.read_text(encoding="utf-8")
    blocks = [line for block in SHELL.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    spans = SPAN.findall(FENCED.sub("", text))
    found = [Command(words, whole=True) for line in blocks for words in atrous_words(line)]
    return found + [Command(words, whole=False) for span in spans for words in atrous_words(span)]


def atrous_words(line: str) -> Iterator[list[str]]:
    """The words behind each `atrous` of a line that is called as a program, up to what the shell does with it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>()")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in SEPARATORS:
            words.append(word)
            continue
        if "atrous" in words and called(words):
            yield words[words.index("atrous") + 1 :]
        words = []


def called(words: list[str]) -> bool:
    """Whether `atrous` is the program, and not an argument such as a name to install or build."""
    place = words.index("atrous")
    return all("=" in word for word in words[:place]) or words[place - 1] == "-m"


def resolved(words: list[str]) -> tuple[Any, list[str]]:
    """The command and what is left of the words."""
    command, rest = PROGRAM, words
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"there is no `atrous {' '.join(words)}`"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def require_options(command: Any, words: list[str]) -> None:
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "-h"}
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known]
    assert unknown == [], f"`{command.name}` has no {unknown}"


def require_recipe(words: list[str]) -> None:
    """The recipe of the repository takes these changes, and starts from a network that there is."""
    recipe = ROOT / words[0]
    if recipe.parent != ROOT / "recipes" or recipe.name == "recipe.yaml":
        return
    changes = [word for word in words[1:] if re.match(r"[a-z_.]+=", word)]
    start = read_recipe(recipe, changes).training.start_from
    assert start is None or start in MODELS or start.endswith(".safetensors") or start == "NAME"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_of_a_document_exist(document: Path) -> None:
    for words, whole in commands_of(document):
        command, rest = resolved(words)
        require_options(command, rest)
        if whole and "--help" not in rest:  # which ends the program
            command.make_context(str(command.name), list(rest), resilient_parsing=False)
        if command.name == "train" and rest:
            require_recipe(rest)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_released_networks_that_a_document_names_are_in_the_list(document: Path) -> None:
    makers = "|".join(sorted({name.split("-")[0] for name in MODELS}))
    named = re.findall(rf"`((?:{makers})-[a-z0-9.-]*[a-z0-9])`", document.read_text(encoding="utf-8"))
    assert [name for name in named if name not in MODELS] == []


def test_a_command_that_does_not_exist_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh no-run\nX=1 atrous trian a && torchrun -m atrous train --fast b\n```\nor `atrous data look`\n"
    )
    assert [words for words, _ in commands_of(page)] == [["trian", "a"], ["train", "--fast", "b"], ["data", "look"]]
    with pytest.raises(AssertionError, match="there is no"):
        resolved(["trian", "a"])
    with pytest.raises(AssertionError, match="--fast"):
        require_options(*resolved(["train", "--fast", "b"]))
