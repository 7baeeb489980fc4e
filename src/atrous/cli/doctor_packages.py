"""What `atrous doctor` finds out about packages; which ones are needed, our own metadata say."""

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import Literal, NamedTuple

State = Literal["ok", "note", "missing", "broken"]
"""missing: something that can be added; note: worth knowing; broken: what prediction or training cannot do without."""

FOR = {
    "coreml": "`atrous export` to .mlpackage and prediction from it, on macOS",
    "export": "`atrous export`, prediction from .onnx",
    "geo": "rasters larger than memory, GeoTIFF",
    "hub": "hf://owner/model",
    "keras": "importing Keras's .h5",
    "litert": "`atrous export` to .tflite, prediction from it",
    "openvino": "prediction by OpenVINO, the fastest on a CPU",
    "remote": "pictures at https://, s3:// and other addresses",
    "serve": "`atrous serve`",
    "timm": "timm's backbones",
    "video": "videos and cameras",
}
"""What each extra is good for."""
OF_DEVELOPERS = ("dev", "docs")

REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(\[[^\]]*\])?\s*\(?(?P<range>[^;)]*)\)?\s*(;.*extra == ['\"](?P<extra>[^'\"]+))?"
)
TORCHVISION_BEHIND = 15
"""torchvision 0.(N + 15) is built for torch 2.N, in each of their releases."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    name: str
    state: State
    fact: str
    mend: str = ""
    """A line for the shell."""


class Requirement(NamedTuple):
    """A package that ours needs."""

    name: str
    range: str
    """Such as `>=2.10`; empty for any."""
    extra: str
    """Which extra needs it; empty for all."""


def look_at_packages() -> Iterator[Finding]:
    """Python, what every use needs, torch with torchvision, and the extras."""
    try:
        needed = _requirements(metadata.requires("atrous") or [])
        python = metadata.metadata("atrous")["Requires-Python"] or ""
    except metadata.PackageNotFoundError:
        yield Finding("atrous", "note", "is not installed but runs from its source, so what it needs is unknown",
                      "pip install -e .")  # fmt: skip
        needed, python = {}, ""
    yield _python(python)
    faults = [fault for requirement in needed.get("", []) if (fault := _fault(requirement))]
    yield from faults
    if needed and not faults:
        fact = f"all {len(needed[''])} that every use needs are here and can be imported; torch is {_version('torch')}"
        yield Finding("packages", "ok", fact)
    yield from _torchvision()
    for extra, requirements in sorted(needed.items()):
        if extra and extra not in OF_DEVELOPERS:
            yield _extra(extra, requirements)


def _python(wanted: str) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if fits(version, wanted):
        return Finding("Python", "ok", f"{version}, {sys.executable}")
    return Finding("Python", "broken", f"{version}, but atrous needs {wanted}", "python3.12 -m venv .venv")


def _fault(needed: Requirement) -> Finding | None:
    """What is wrong with a package that every use needs; it is imported for that."""
    mend = f"pip install --upgrade '{needed.name}{needed.range}'"
    version = _version(needed.name)
    if version is None:
        return Finding(needed.name, "broken", "is not installed", mend)
    if not fits(version, needed.range):
        return Finding(needed.name, "broken", f"is {version}, but atrous needs {needed.range}", mend)
    try:
        for module in _modules_of(needed.name):
            import_module(module)
    except Exception as error:  # a package that is built for another version of another one raises anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        again = f"pip install --force-reinstall --no-deps '{needed.name}=={version}'"
        return Finding(needed.name, "broken", f"{version} cannot be imported ({reason})", again)
    return None


def _torchvision() -> Iterator[Finding]:
    """No part of atrous, but timm and many programs beside it break where it is built for another torch."""
    torch, torchvision = _version("torch"), _version("torchvision")
    if torch is None or torchvision is None:
        return
    major, minor, *_ = [*_numbers(torch), 0]
    fitting = f"0.{minor + TORCHVISION_BEHIND}"
    if major != 2 or fits(torchvision, f"=={fitting}.*"):
        yield Finding("torchvision", "ok", f"{torchvision}, which atrous itself does not use")
        return
    fact = f"{torchvision} is for another torch than {torch}: importing it, as timm does, may break"
    yield Finding("torchvision", "note", fact, f"pip install 'torchvision=={fitting}.*'")


def _extra(extra: str, needed: list[Requirement]) -> Finding:
    """Whether all is there that an extra brings."""
    versions = {each.name: _version(each.name) for each in needed}
    wrong = [each for each in needed if (version := versions[each.name]) is None or not fits(version, each.range)]
    use = f" ({FOR[extra]})" if extra in FOR else ""
    if not wrong:
        return Finding(extra, "ok", ", ".join(f"{name} {version}" for name, version in versions.items()) + use)
    lacking = ", ".join(f"{each.name} is {versions[each.name] or 'not installed'}" for each in wrong)
    return Finding(extra, "missing", lacking + use, f"pip install 'atrous[{extra}]'")


def _requirements(lines: list[str]) -> dict[str, list[Requirement]]:
    """By the extra that needs them; "" for what every use needs."""
    found: dict[str, list[Requirement]] = defaultdict(list)
    for match in map(REQUIREMENT.match, lines):
        if match:
            extra = match["extra"] or ""
            found[extra].append(Requirement(match["name"], match["range"].strip(), extra))
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _modules_of(distribution: str) -> list[str]:
    """What is imported of it: the module of its own name, else all that it brings."""
    plain = re.sub(r"[-_.]+", "-", distribution).lower()
    modules = {
        file.parts[0].partition(".")[0]
        for file in metadata.files(distribution) or []
        if file.suffix in (".py", ".so", ".pyd")
        and len(file.parts) <= 2
        and (len(file.parts) == 1 or file.name == "__init__.py")
    }
    public = sorted(module for module in modules if module.isidentifier() and not module.startswith("_"))
    return [module for module in public if module == plain] or public


def fits(version: str, wanted: str) -> bool:
    """Whether a version is in a range of the simple kind: `>=2`, `>=2,<3`, `==1.2.*`."""
    return all(_fits(version, part.strip()) for part in wanted.split(",") if part.strip())


def _fits(version: str, wanted: str) -> bool:
    match = re.match(r"(>=|<=|==|!=|<|>|~=)\s*([\w.*+]+)$", wanted)
    if match is None:
        return True  # nothing that we ever write
    sign, limit = match.groups()
    theirs = _numbers(limit)
    ours = _numbers(version) + (0,) * len(theirs)
    same = ours[: len(theirs)] == theirs
    match sign:
        case "==" | "~=":
            return same if sign == "==" else ours >= theirs and ours[: len(theirs) - 1] == theirs[:-1]
        case "!=":
            return not same
        case ">=":
            return ours >= theirs or same
        case "<=":
            return ours <= theirs or same
        case "<":
            return ours < theirs and not same
        case _:
            return ours > theirs and not same


def _numbers(version: str) -> tuple[int, ...]:
    """2.14.1+cu130 as (2, 14, 1)."""
    plain = version.partition("+")[0]
    return tuple(int(digits.group()) for part in plain.split(".") if (digits := re.match(r"\d+", part)))
