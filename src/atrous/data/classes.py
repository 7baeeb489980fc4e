"""The classes of annotations that are made of shapes: what their labels mean, and which shape lies above which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import ValidationError, model_validator

from atrous.config import Config, nearest
from atrous.errors import ConfigError, DatasetError
from atrous.labels import Color, LabelSpace, voc_colors

OverlapRule = Literal["drawing_order", "smaller_on_top", "class_priority"]
"""Which of two shapes shows where they overlap: the later one (after its layer, where there are layers), the one of
fewer pixels, or the one whose class stands later in `priority`; in doubt the later one."""


IGNORE_LABEL = "ignore"
"""The label of areas that belong to no class, as we write them and, by default, read them."""


class ShapeChoices(Config):
    """What every source of shapes lets choose."""

    background: str | None = "background"
    """The class of what no shape covers: one of that name, or one more, which is then the first. None ignores it."""
    ignore: tuple[str, ...] = (IGNORE_LABEL,)
    """Labels whose shapes are neither trained nor scored."""
    overlap: OverlapRule = "drawing_order"
    """Which shape shows where several overlap."""
    priority: tuple[str, ...] = ()
    """With `class_priority`: all classes but the background, from the lowest to the topmost."""

    @model_validator(mode="after")
    def _priority_where_it_counts(self) -> Self:
        if (self.overlap == "class_priority") != bool(self.priority):
            raise ValueError(
                "`priority` and `overlap: class_priority` belong together: give both, the classes from the lowest to "
                "the topmost, or neither"
            )
        return self


class ListedClass(Config):
    """One class as an export lists it."""

    name: str
    color: Color | None = None


@dataclass(frozen=True)
class Classes:
    """The label space, and how shapes with these labels are drawn."""

    labels: LabelSpace
    background: int
    """The mask value of what no shape covers."""
    meanings: Mapping[str, int]
    """The mask value of each label that shapes may have."""
    overlap: OverlapRule
    ranks: Mapping[int, int]
    """With `class_priority`: the place of each class from the lowest on."""

    def meaning(self, label: str, source: str) -> int:
        """The mask value of a label.

        Raises:
            DatasetError: If there is no such label.
        """
        if label not in self.meanings:
            raise DatasetError(
                f"{source} has a shape with the label {label!r}, which is no class: {nearest(label, self.meanings)}. "
                "Correct the label, or add it to the classes or to `ignore`."
            )
        return self.meanings[label]

    def rank(self, label: int) -> int:
        """Where a class lies in the priority: the background below all that is named there, what is ignored above."""
        return self.ranks.get(label, len(self.ranks))


def classes_of(listed: Sequence[ListedClass], choices: ShapeChoices, source: str) -> Classes:
    """Bring the classes that an export lists into their order: the background first, if it is no class of the list.

    Args:
        listed: The classes in the order of the export.
        choices: Background, ignored labels and the rule of overlaps.
        source: Where the list stands, for messages.

    Raises:
        DatasetError: If the list cannot be a label space.
        ConfigError: If a choice names what is no class.
    """
    trained = [entry for entry in listed if entry.name not in choices.ignore]
    if choices.background is not None and choices.background not in [entry.name for entry in trained]:
        trained.insert(0, ListedClass(name=choices.background, color=(0, 0, 0)))
    fallback = voc_colors(len(trained))
    try:
        labels = LabelSpace(
            names=tuple(entry.name for entry in trained),
            colors=tuple(entry.color or color for entry, color in zip(trained, fallback, strict=True)),
        )
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise DatasetError(f"{source} lists no classes that can be trained: {reason}.") from None
    meanings = {name: index for index, name in enumerate(labels.names)}
    background = labels.ignore_index if choices.background is None else meanings[choices.background]
    ranks = _ranks(meanings, choices, source)
    ignored = dict.fromkeys(choices.ignore, labels.ignore_index)
    return Classes(labels, background, meanings | ignored, choices.overlap, ranks)


def _ranks(meanings: Mapping[str, int], choices: ShapeChoices, source: str) -> dict[int, int]:
    if choices.overlap != "class_priority":
        return {}
    for name in choices.priority:
        if name not in meanings:
            raise ConfigError(f"`priority` names `{name}`, which is no class of {source}: {nearest(name, meanings)}.")
    missing = [name for name in meanings if name not in (*choices.priority, choices.background)]
    if missing:
        raise ConfigError(
            f"`priority` lacks {', '.join(missing)}: give all classes of {source}, from the lowest to the topmost."
        )
    ranks = {meanings[name]: place for place, name in enumerate(choices.priority)}
    if choices.background is not None:
        ranks.setdefault(meanings[choices.background], -1)
    return ranks
