"""Damage to files, drawn from a seed: what a reader of strangers' bytes has to bear."""

import struct
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutants(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield damaged copies: flipped bytes, cut ends, extreme numbers, pieces moved and doubled."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        data = bytearray(seeds[int(random.integers(len(seeds)))])
        for _ in range(random.integers(1, 5)):
            if data:
                _damage(data, random)
        yield bytes(data)


def _damage(data: bytearray, random: np.random.Generator) -> None:
    place = int(random.integers(len(data)))
    match int(random.integers(5)):
        case 0:
            data[place] = int(random.integers(256))
        case 1:
            del data[place:]
        case 2:
            number = int(EXTREMES[random.integers(len(EXTREMES))])
            data[place : place + 4] = struct.pack("<I", number)
        case 3:
            length = int(random.integers(1, 64))
            data[place:place] = data[place : place + length]
        case _:
            del data[place : place + int(random.integers(1, 64))]


def survived(
    parse: Callable[[bytes], object], refused: type[Exception], seeds: Sequence[bytes], count: int, seed: int
) -> tuple[int, float]:
    """Return how many mutants were refused, and the seconds that the slowest took.

    Any other exception than `refused` goes through.
    """
    refusals, slowest = 0, 0.0
    for data in mutants(seeds, count, seed):
        started = time.perf_counter()
        try:
            parse(data)
        except refused:
            refusals += 1
        slowest = max(slowest, time.perf_counter() - started)
    return refusals, slowest
