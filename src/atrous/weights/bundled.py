"""Models that come with the package: trained here, small, and at hand without a network."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "bundled"
"""Of each model a checkpoint, NAME.safetensors, and its card, NAME.md: data, terms, protocol and score."""


def bundled_names() -> list[str]:
    """Return the names of all models that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def bundled(name: str) -> Path | None:
    """Return the checkpoint of a bundled model; None if there is none of this name."""
    return FOLDER / f"{name}.safetensors" if name in bundled_names() else None


def card_of(name: str) -> str:
    """Return what a bundled model's card says, as Markdown."""
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")
