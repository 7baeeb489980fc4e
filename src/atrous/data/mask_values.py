"""What the values of mask files mean, for data sets whose unused values could be mistaken for classes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from atrous.errors import MaskError
from atrous.images import ReadableFile, read_mask
from atrous.labels import Mask

NOTHING = -1


@dataclass(frozen=True)
class MaskValues:
    """Reads masks whose values all have a meaning; any other value is refused, since its number may be a class's."""

    meanings: Mapping[int, int]
    """The class index, or ignore value, of every value that a file may hold."""
    what: str
    """Whose values these are, for messages."""
    read: Callable[[ReadableFile], Mask] = read_mask

    def __call__(self, file: ReadableFile) -> Mask:
        """Read a mask.

        Returns:
            uint8 [H, W], or uint16 where a meaning is above 255.

        Raises:
            MaskError: If a value has no meaning, or the file cannot be read.
        """
        values = self.read(file)
        meant = self._table()[values]
        strange = np.argwhere(meant == NOTHING)
        if len(strange):
            y, x = strange[0]
            raise MaskError(
                f"{file} has the value {values[y, x]} at pixel (x {x}, y {y}), one of {len(strange)} in all whose "
                f"value {self.what} does not have: give its own masks, or correct this one."
            )
        return meant.astype(np.uint8 if max(self.meanings.values()) <= 255 else np.uint16)

    def _table(self) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        table = np.full(65536, NOTHING, np.int32)
        table[list(self.meanings)] = list(self.meanings.values())
        return table
