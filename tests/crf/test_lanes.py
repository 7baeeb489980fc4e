import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from atrous.crf.lanes import (
    FLOOR,
    WIDTHS,
    add,
    exp_minus,
    lanes_of,
    largest,
    load,
    multiply,
    multiply_add,
    store,
    total,
    zero,
)


@njit
def every_word(lanes, rows, number, results, numbers):  # type: ignore[no-untyped-def]  # numba
    first, second = load(lanes, rows, 1), load(lanes, rows, np.uint32(2))
    store(results, 0, add(first, second))
    store(results, 1, multiply(first, second))
    store(results, 2, multiply(first, number))
    store(results, 3, multiply_add(first, second, zero(lanes)))
    store(results, 4, multiply_add(first, number, second))
    store(results, 5, exp_minus(first, largest(first)))
    numbers[0], numbers[1] = largest(first), total(first)


def rows_of(width: int) -> NDArray[np.float32]:
    return np.random.default_rng(width).normal(size=(3, width)).astype(np.float32) * 9


@pytest.mark.parametrize("width", WIDTHS)
def test_rows_reckon_as_numpy_does(width: int) -> None:
    rows, results, numbers = rows_of(width), np.zeros((6, width), np.float32), np.zeros(2, np.float32)
    every_word(lanes_of(width), rows, np.float32(0.5), results, numbers)
    _, a, b = rows
    expected = [a + b, a * b, a * 0.5, a * b, a * 0.5 + b, np.exp(a.astype(np.float64) - a.max())]
    np.testing.assert_allclose(results, expected, rtol=3e-6, atol=1e-6)
    np.testing.assert_allclose(numbers, [a.max(), a.sum()], rtol=1e-5)


@njit
def exponentials(lanes, rows, results):  # type: ignore[no-untyped-def]  # numba
    for index in range(len(rows)):
        store(results, index, exp_minus(load(lanes, rows, index), np.float32(0)))


def test_exponentials_are_exact_to_float32() -> None:
    exponents = np.linspace(FLOOR, 0, 80_000, dtype=np.float32).reshape(-1, 8)
    results = np.zeros_like(exponents)
    exponentials(lanes_of(8), exponents, results)
    np.testing.assert_allclose(results, np.exp(exponents.astype(np.float64)), rtol=4e-6)
    assert results[-1, -1] == 1


def test_exponents_below_the_floor_are_the_floor() -> None:
    exponents = np.array([[FLOOR, -87, -1e3, -1e9]], np.float32)
    results = np.zeros_like(exponents)
    exponentials(lanes_of(4), exponents, results)
    np.testing.assert_allclose(results, np.exp(FLOOR), rtol=4e-6)
