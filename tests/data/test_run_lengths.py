import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.data.run_lengths import decode_runs, encode_runs, pack_runs, unpack_runs

SIZES = [(1, 1), (1, 7), (5, 1), (6, 9), (40, 37)]


def random_bits(size: tuple[int, int], seed: int) -> NDArray[np.bool_]:
    random = np.random.default_rng(seed)
    bits: NDArray[np.bool_] = random.random(size) < random.choice([0.0, 0.05, 0.5, 0.95, 1.0])
    return bits


def runs_by_force(bits: NDArray[np.bool_], *, by_columns: bool) -> list[int]:
    runs, current = [0], False
    for bit in (bits.T if by_columns else bits).ravel():
        if bit != current:
            runs.append(0)
            current = bool(bit)
        runs[-1] += 1
    return runs


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("by_columns", [True, False])
def test_runs_are_what_counting_gives_and_lead_back(size: tuple[int, int], by_columns: bool) -> None:
    for seed in range(20):
        bits = random_bits(size, seed)
        runs = encode_runs(bits, by_columns=by_columns)
        assert runs == runs_by_force(bits, by_columns=by_columns)
        assert np.array_equal(decode_runs(runs, size, by_columns=by_columns), bits)
        assert unpack_runs(pack_runs(runs)) == runs


@pytest.mark.parametrize("size", SIZES)
def test_packed_runs_are_those_of_pycocotools(size: tuple[int, int]) -> None:
    oracle = pytest.importorskip("pycocotools.mask")
    for seed in range(20):
        bits = random_bits(size, seed)
        packed = oracle.encode(np.asfortranarray(bits.astype(np.uint8)))
        assert pack_runs(encode_runs(bits, by_columns=True)) == packed["counts"].decode()
        assert np.array_equal(decode_runs(unpack_runs(packed["counts"].decode()), size, by_columns=True), bits)


@pytest.mark.parametrize("runs", [[0], [5, 5, 5], [3, -1, 4], [10**30], [], [2**63, 1]])
def test_runs_that_do_not_fill_their_size_are_refused(runs: list[int]) -> None:
    with pytest.raises(ValueError, match="its runs fill"):
        decode_runs(runs, (2, 3), by_columns=True)
    with pytest.raises(ValueError, match="its runs fill"):
        decode_runs([2**40], (2**20, 2**20), by_columns=True)  # more than memory


@pytest.mark.parametrize("text", ["ü", " ", "P", "PPPPPPPPPPPPPPPPPPPP", "0~"])
def test_a_string_that_is_none_of_runs_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"cut off|no string"):
        unpack_runs(text)
