import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.crf.filtering import normalized
from atrous.crf.lanes import WIDTHS
from atrous.crf.permutohedral import permutohedral_lattice
from atrous.threads import Threads
from tests.crf.by_force import LatticeByForce, sum_over_all_pairs, symmetrically_normalized
from tests.crf.lattices import filtered

ONE = Threads(1)


def some_points(count: int, dimensions: int, spread: float = 1.5) -> NDArray[np.float32]:
    return (np.random.default_rng(dimensions).normal(size=(count, dimensions)) * spread).astype(np.float32)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5, 6])
def test_the_filter_is_that_of_a_lattice_in_whole_numbers(dimensions: int) -> None:
    points = some_points(32, dimensions)
    result = filtered(permutohedral_lattice(points, ONE), np.eye(32, dtype=np.float32))
    np.testing.assert_allclose(result, LatticeByForce(points).matrix(), atol=1e-6)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
def test_the_filter_is_nearly_the_sum_over_all_pairs(dimensions: int) -> None:
    points = np.random.default_rng(0).uniform(0, 3, (400, dimensions)).astype(np.float32)
    rows = np.random.default_rng(1).random((400, 8), np.float32)
    result = filtered(normalized(permutohedral_lattice(points, ONE), ONE), rows)
    np.testing.assert_allclose(result, symmetrically_normalized(sum_over_all_pairs(points)) @ rows, rtol=0.3)


def test_a_point_far_from_all_others_hears_itself_alone() -> None:
    points = np.array([[0.3, 0.4], [900.5, -700.2], [-3e6, 2e6]], np.float32)
    result = filtered(normalized(permutohedral_lattice(points, ONE), ONE), np.ones((3, 4), np.float32))
    np.testing.assert_allclose(result, 1, rtol=1e-6)


@pytest.mark.parametrize("dimensions", [2, 5])
def test_the_shares_of_a_point_are_positive_and_sum_to_one(dimensions: int) -> None:
    lattice = permutohedral_lattice(some_points(500, dimensions), ONE)
    assert lattice.shares.min() >= -1e-6
    np.testing.assert_allclose(lattice.shares.sum(axis=1), 1, rtol=1e-5)


def test_there_are_as_many_vertices_as_different_whole_numbers() -> None:
    points = some_points(300, 5, spread=9)
    lattice = permutohedral_lattice(points, ONE)
    assert len(lattice.first) - 1 == len(LatticeByForce(points).vertices)


def test_a_hash_table_that_grew_still_finds_all() -> None:
    points = np.repeat(some_points(20_000, 5, spread=40), 2, axis=0)
    lattice = permutohedral_lattice(points, ONE)
    assert len(lattice.first) - 1 > 2**16
    np.testing.assert_array_equal(lattice.vertices[::2], lattice.vertices[1::2])
    assert lattice.first[-1] == len(lattice.points) == 40_000 * 6


@pytest.mark.parametrize("width", WIDTHS)
def test_each_label_is_filtered_for_itself_whatever_the_width(width: int) -> None:
    lattice = permutohedral_lattice(some_points(200, 5), ONE)
    rows = np.random.default_rng(0).random((200, width), np.float32)
    each = [filtered(lattice, np.repeat(column[:, None], 4, axis=1))[:, 0] for column in rows.T]
    np.testing.assert_allclose(filtered(lattice, rows), np.stack(each, axis=1), rtol=1e-5)


def test_threads_change_no_bit() -> None:
    points = some_points(999, 5)
    rows = np.random.default_rng(0).random((999, 24), np.float32)
    results = []
    for count in (1, 2, 3, 7):
        with Threads(count) as threads:
            results.append(filtered(permutohedral_lattice(points, threads), rows, threads))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
