"""A label space: which classes there are, in which order, in which colours, and which value means "ignore"."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from atrous.config import Config

Channel = Annotated[int, Field(ge=0, le=255)]
Color = tuple[Channel, Channel, Channel]
Mask = NDArray[np.uint8 | np.uint16]

IGNORE_COLOR: Color = (224, 224, 192)  # the cream of VOC's void borders


class LabelSpace(Config):
    """The named classes of a data set or a network; a mask's value is an index into `names`."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    colors: tuple[Color, ...]
    """One RGB colour per class, 0..255."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        name, count = Counter(self.names).most_common(1)[0]
        if count > 1:
            raise ValueError(f"the class name {name!r} stands {count} times; each class needs a name of its own")
        if len(self.colors) != len(self.names):
            raise ValueError(f"{len(self.names)} classes have {len(self.colors)} colours; give one each")
        if len(self.names) > 65535:
            raise ValueError(f"{len(self.names)} classes do not fit into a 16-bit mask; 65535 do")
        return self

    @classmethod
    def from_names(cls, names: Sequence[str]) -> "LabelSpace":
        """A label space with the colours of `voc_colors`."""
        return cls(names=tuple(names), colors=voc_colors(len(names)))

    @property
    def num_classes(self) -> int:
        """How many classes there are; the ignore value is none of them."""
        return len(self.names)

    @property
    def ignore_index(self) -> int:
        """The mask value that belongs to no class: 255, or 65535 where 255 is a class."""
        return 255 if self.num_classes <= 255 else 65535

    @property
    def mask_dtype(self) -> type[np.uint8] | type[np.uint16]:
        """The smallest dtype that holds every class and the ignore value."""
        return np.uint8 if self.num_classes <= 255 else np.uint16

    @property
    def color_table(self) -> NDArray[np.uint8]:
        """uint8 [ignore_index + 1, 3]: the RGB colour of each mask value; values of no class have the ignore colour."""
        table = np.full((self.ignore_index + 1, 3), IGNORE_COLOR, np.uint8)
        table[: self.num_classes] = self.colors
        return table


def voc_colors(count: int) -> tuple[Color, ...]:
    """Colours that are far apart for neighbouring indices, starting with black.

    Source: the colour map of the PASCAL VOC development kit: the bits of the index, lowest first, are dealt to
    red, green and blue, highest bit of each channel first.
    """
    return tuple(_voc_color(index) for index in range(count))


def _voc_color(index: int) -> Color:
    red = green = blue = 0
    for position in range(7, -1, -1):
        red |= (index & 1) << position
        green |= (index >> 1 & 1) << position
        blue |= (index >> 2 & 1) << position
        index >>= 3
    return red, green, blue
