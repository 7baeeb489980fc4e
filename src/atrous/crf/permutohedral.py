"""The permutohedral lattice: a Gaussian filter over points of any dimension, in time linear in the points.

Source: Adams, Baek and Davis 2010, "Fast high-dimensional filtering using the permutohedral lattice", with the in-depth
account of its arithmetic in Adams's thesis. Points lie in simplices, whose vertices are kept in a hash table. A filter
splats what stands at the points onto the vertices, blurs along each of the lattice's d + 1 directions, and slices.

A vertex's key is a sum of its coordinates, each times a constant, modulo 2**64. So a step along the lattice adds a
constant to the key, and no vertex remembers its coordinates. That two of a million vertices share a key has a chance of
about one in ten million; for the few thousand steps that a picture is wide in its five dimensions, there is none.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from atrous.threads import Threads

Ints = NDArray[np.uint32]
Floats = NDArray[np.float32]

MULTIPLIER = np.uint64(6364136223846793005)
"""Its powers make keys. Knuth's, for random numbers: chosen so that sums of its powers hardly ever meet."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2**64 by the golden ratio: the high bits of its multiples are spread evenly over a table."""


class Lattice(NamedTuple):
    """N points in the simplices of M vertices."""

    vertices: Ints
    """uint32 [N, E]: the vertices around each point; E is d + 1, rounded up to a multiple of 3."""
    shares: Floats
    """float32 [N, E]: how much of each vertex the point is; 0 where E is more than d + 1."""
    first: Ints
    """uint32 [M + 1]: where the entries of each vertex begin in `points` and `portions`."""
    points: Ints
    """uint32 [N * (d + 1)]: the points of each vertex, in their order."""
    portions: Floats
    """float32 [N * (d + 1)]: `shares`, ordered as `points`."""
    lines: tuple[tuple[Ints, Ints], ...]
    """For each direction the vertices that have neighbours, line after line, and where each line begins."""


def permutohedral_lattice(features: Floats, threads: Threads) -> Lattice:
    """Find the vertices around points, and who their neighbours are.

    Args:
        features: float32 [N, d], in standard deviations.
        threads: What computes.
    """
    count, dimensions = features.shape
    multipliers = np.cumprod(np.full(dimensions, MULTIPLIER))
    keys = np.empty((count, dimensions + 1), np.uint64)
    shares = np.zeros((count, -(-(dimensions + 1) // 3) * 3), np.float32)
    threads.spread(partial(_embed, features, multipliers, keys, shares), count)
    table, vertices, known = _number(keys, shares.shape[1])
    steps = multipliers.sum() - np.append(multipliers, np.uint64(0)) * np.uint64(dimensions + 1)
    lines = threads.map(partial(_lines, table, known), list(steps))
    first, points, portions = _by_vertex(vertices, shares, len(known), dimensions + 1)
    return Lattice(vertices, shares, first, points, portions, tuple(lines))


@njit(cache=True, nogil=True)
def _embed(features, multipliers, keys, shares, start, stop):  # type: ignore[no-untyped-def]  # numba
    """The keys of the vertices around each point and its barycentric coordinates in them (sections 3.1 and 3.2)."""
    d = features.shape[1]
    scale = np.empty(d, np.float64)
    for i in range(d):
        # A blur of all directions has a variance of 2/3 (d + 1)², in the units of the lattice.
        scale[i] = np.sqrt(2 / 3) * (d + 1) / np.sqrt((i + 1) * (i + 2))
    elevated, rank = np.empty(d + 1), np.empty(d + 1, np.int64)
    corner, barycentric = np.empty(d + 1, np.int64), np.empty(d + 2)
    for point in range(start, stop):
        below = 0.0
        for i in range(d, 0, -1):
            value = features[point, i - 1] * scale[i - 1]
            elevated[i] = below - i * value
            below += value
        elevated[0] = below
        excess = np.int64(0)
        for i in range(d + 1):
            nearest = np.int64(np.floor(elevated[i] / (d + 1) + 0.5))
            corner[i] = nearest * (d + 1)
            excess += nearest
            rank[i] = 0
        for i in range(d):
            for j in range(i + 1, d + 1):
                if elevated[i] - corner[i] < elevated[j] - corner[j]:
                    rank[i] += 1
                else:
                    rank[j] += 1
        for i in range(d + 1):  # back onto the plane of coordinates that sum to zero
            rank[i] += excess
            if rank[i] < 0:
                rank[i] += d + 1
                corner[i] += d + 1
            elif rank[i] > d:
                rank[i] -= d + 1
                corner[i] -= d + 1
        barycentric[:] = 0
        for i in range(d + 1):
            share = (elevated[i] - corner[i]) / (d + 1)
            barycentric[d - rank[i]] += share
            barycentric[d - rank[i] + 1] -= share
        barycentric[0] += 1 + barycentric[d + 1]
        for vertex in range(d + 1):
            key = np.uint64(0)
            for i in range(d):
                step = vertex if rank[i] <= d - vertex else vertex - (d + 1)
                key += np.uint64(corner[i] + step) * multipliers[i]
            keys[point, vertex] = key
            shares[point, vertex] = barycentric[vertex]


@njit(cache=True, nogil=True, inline="always")
def _slot(table, known, key, shift):  # type: ignore[no-untyped-def]  # numba
    """Where the key stands in the table, or the free place where it belongs."""
    mask = table.shape[0] - 1
    slot = np.int64((key * GOLDEN) >> shift)
    while table[slot] >= 0 and known[table[slot]] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def _number(keys, width):  # type: ignore[no-untyped-def]  # numba
    """Number the keys in the order of their first use: the hash table, the number of each, the key of each number."""
    bits = 16
    table, known = np.full(1 << bits, -1, np.int32), np.empty(1 << bits, np.uint64)
    places = np.zeros((keys.shape[0], width), np.uint32)
    count = 0
    for point in range(keys.shape[0]):
        for entry in range(keys.shape[1]):
            key = keys[point, entry]
            if point > 0 and keys[point - 1, entry] == key:
                places[point, entry] = places[point - 1, entry]
                continue
            slot = _slot(table, known, key, np.uint64(64 - bits))
            if table[slot] < 0:
                if 2 * count >= table.shape[0]:
                    bits += 1
                    table, known = _larger_table(known, count, bits)
                    slot = _slot(table, known, key, np.uint64(64 - bits))
                table[slot], known[count] = count, key
                count += 1
            places[point, entry] = table[slot]
    return table, places, known[:count].copy()


@njit(cache=True, nogil=True)
def _larger_table(known, count, bits):  # type: ignore[no-untyped-def]  # numba
    table, keys = np.full(1 << bits, -1, np.int32), np.empty(1 << bits, np.uint64)
    keys[:count] = known[:count]
    for vertex in range(count):
        table[_slot(table, keys, keys[vertex], np.uint64(64 - bits))] = vertex
    return table, keys


@njit(cache=True, nogil=True)
def _lines(table, known, step):  # type: ignore[no-untyped-def]  # numba
    """Follow one direction from vertex to vertex, without those that have no neighbours: a blur leaves them alone."""
    count = known.shape[0]
    shift = np.uint64(64 - int(np.round(np.log2(table.shape[0]))))
    following, preceded = np.empty(count, np.int32), np.zeros(count, np.bool_)
    for vertex in range(count):
        following[vertex] = table[_slot(table, known, known[vertex] + step, shift)]
        if following[vertex] >= 0:
            preceded[following[vertex]] = True
    order, starts = np.empty(count, np.uint32), np.empty(count + 1, np.uint32)
    filled = begun = 0
    for vertex in range(count):
        if following[vertex] < 0 or preceded[vertex]:
            continue
        starts[begun] = filled
        begun += 1
        member = vertex
        while member >= 0:
            order[filled] = member
            filled += 1
            member = following[member]
    starts[begun] = filled
    return order[:filled].copy(), starts[: begun + 1].copy()


@njit(cache=True, nogil=True)
def _by_vertex(vertices, shares, count, width):  # type: ignore[no-untyped-def]  # numba
    """The points of each vertex."""
    first = np.zeros(count + 2, np.uint32)
    for point in range(vertices.shape[0]):
        for entry in range(width):
            first[vertices[point, entry] + 2] += 1
    first = np.cumsum(first).astype(np.uint32)
    points = np.empty(vertices.shape[0] * width, np.uint32)
    portions = np.empty(vertices.shape[0] * width, np.float32)
    for point in range(vertices.shape[0]):
        for entry in range(width):
            place = first[vertices[point, entry] + 1]
            points[place], portions[place] = point, shares[point, entry]
            first[vertices[point, entry] + 1] += 1
    return first[:-1].copy(), points, portions
