"""Run lengths: masks as the lengths of runs of 0 and 1 by turns, starting with 0.

COCO counts down its columns and may pack the lengths into a string; CVAT counts along its rows.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]

MOST_PIXELS = 2**28
"""More than any picture that is read has, and less than memory."""


def decode_runs(runs: Sequence[int], size: tuple[int, int], *, by_columns: bool) -> Bits:
    """Turn run lengths into a mask.

    Args:
        runs: Lengths of runs of 0 and 1 by turns; the first is of 0 and may be empty.
        size: (height, width).
        by_columns: Whether the pixels are counted down the columns, as COCO does, or along the rows, as CVAT does.

    Raises:
        ValueError: If the runs do not fill the size exactly.
    """
    height, width = size
    total = sum(map(int, runs))
    if total != height * width or min(runs, default=0) < 0 or total > MOST_PIXELS:
        raise ValueError(f"its runs fill {total} pixels and not {width}x{height}")
    lengths = np.asarray(runs, np.int64)
    values = np.zeros(len(lengths), np.bool_)
    values[1::2] = True
    bits = np.repeat(values, lengths)
    return bits.reshape(width, height).T if by_columns else bits.reshape(height, width)


def encode_runs(bits: Bits, *, by_columns: bool) -> list[int]:
    """Turn a mask into run lengths; the opposite of `decode_runs`."""
    flat = (bits.T if by_columns else bits).ravel()
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    if not flat.size:
        return [0]
    return np.diff(changes, prepend=0, append=flat.size).tolist()  # type: ignore[no-any-return]


def unpack_runs(text: str) -> list[int]:
    """Unpack COCO's string of run lengths.

    Each character is 48 more than six bits: five of the number, lowest first, and one (32) that says that it goes on;
    the last one's bit 16 is the sign. From the fourth on, a number is the difference to the length two before it.

    Source: the format of the COCO API's masks (`rleToString` of cocodataset/cocoapi), as a fact.

    Raises:
        ValueError: If the string is none of these.
    """
    runs: list[int] = []
    number = shift = 0
    for character in text:
        six = ord(character) - 48
        if not 0 <= six < 64 or shift > 60:
            raise ValueError("it is no string of packed run lengths")
        number |= (six & 31) << shift
        shift += 5
        if six & 32:
            continue
        if six & 16:
            number -= 1 << shift
        runs.append(number + runs[-2] if len(runs) > 2 else number)
        number = shift = 0
    if shift:
        raise ValueError("its last number is cut off")
    return runs


def pack_runs(runs: Sequence[int]) -> str:
    """Pack run lengths into COCO's string; the opposite of `unpack_runs`."""
    text = []
    for place, run in enumerate(runs):
        number = run - runs[place - 2] if place > 2 else run
        while True:
            five, number = number & 31, number >> 5
            done = number == (-1 if five & 16 else 0)
            text.append(chr(48 + (five if done else five | 32)))
            if done:
                break
    return "".join(text)
