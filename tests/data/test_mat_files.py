"""MATLAB's files: what scipy reads is read, and hostile ones end in one sentence."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from atrous.data.mat_files import HEADER, mat_mask, read_mat, strings_of
from atrous.errors import AtrousError, DatasetError, MaskError
from tests.tiny_data import one_sentence


def written(path: Path, *, packed: bool, **variables: object) -> Path:
    savemat(path, variables, do_compression=packed)
    return path


def refused(path: Path, key: str = "values") -> str:
    with pytest.raises(DatasetError) as caught:
        read_mat(path, key)
    return one_sentence(caught.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float64, np.bool_])
def test_a_matrix_is_read_as_scipy_reads_it(tmp_path: Path, packed: bool, dtype: type[np.generic]) -> None:
    values = np.random.default_rng(0).integers(0, 200, (7, 9)).astype(dtype)
    path = written(tmp_path / "a.mat", packed=packed, other=np.ones(3), values=values)
    assert np.array_equal(read_mat(path, "values"), loadmat(path)["values"])
    assert mat_mask(read_mat(path, "values"), path).tolist() == values.astype(int).tolist()


@pytest.mark.parametrize("packed", [False, True])
def test_structs_and_cells_are_read_as_scipy_reads_them(tmp_path: Path, packed: bool) -> None:
    names = np.empty((1, 3), object)
    names[0, :] = ["wall", "door, double door", "sky"]
    path = written(tmp_path / "a.mat", packed=packed, index={"names": names, "counts": np.eye(3), "empty": np.zeros(0)})
    index = read_mat(path, "index")
    assert strings_of(index["names"].item(), path) == ["wall", "door, double door", "sky"]
    assert index["counts"].item().tolist() == np.eye(3).tolist()


def test_a_variable_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = refused(written(tmp_path / "a.mat", packed=True, other=np.ones(3)))
    assert "a.mat has no variable `values`" in text


@pytest.mark.parametrize("values", [[[0.5]], [[-1]], [[70000]], [[np.nan]], [[1j]], [1, 2], [[]], [["a"]]])
def test_what_is_no_matrix_of_class_indices_is_no_mask(values: list[object]) -> None:
    with pytest.raises(MaskError):
        mat_mask(np.array(values), Path("a.mat"))


@pytest.mark.parametrize("values", [[[0, 255]], [[0, 256]]])
def test_a_mask_has_16_bits_only_where_it_needs_them(values: list[list[int]]) -> None:
    mask = mat_mask(np.array(values, np.int64), Path("a.mat"))
    assert mask.dtype == (np.uint8 if values[0][1] < 256 else np.uint16)


def matrix(matrix_class: int, sizes: tuple[int, ...], *parts: bytes) -> bytes:
    """An element of a matrix that claims these sizes."""
    inner = element(6, struct.pack("<II", matrix_class, 0)) + element(5, struct.pack(f"<{len(sizes)}i", *sizes))
    return element(14, inner + element(1, b"values") + b"".join(parts))


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def hostile(path: Path, content: bytes) -> Path:
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + content)
    assert path.stat().st_size > HEADER
    return path


@pytest.mark.parametrize(("matrix_class", "sizes"), [(1, (30000, 30000)), (4, (1, 2**31 - 1)), (6, (2**20, 2**20))])
def test_a_claim_of_more_entries_than_bytes_is_refused_before_room_is_made(
    tmp_path: Path, matrix_class: int, sizes: tuple[int, int]
) -> None:
    for content in (matrix(matrix_class, sizes), element(15, zlib.compress(matrix(matrix_class, sizes)))):
        assert f"claims {sizes[0] * sizes[1]} entries" in refused(hostile(tmp_path / "a.mat", content))


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.data.mat_files.LARGEST", 2**16)
    packed = zlib.compress(matrix(6, (1, 2**17), element(9, bytes(2**20))))
    assert "too large" in refused(hostile(tmp_path / "a.mat", element(15, packed)))


def test_cells_in_cells_without_end_are_refused(tmp_path: Path) -> None:
    content = matrix(6, (1, 1), element(2, b"\x01"))
    for _ in range(40):
        content = matrix(1, (1, 1), content)
    assert "nested too deeply" in refused(hostile(tmp_path / "a.mat", content))


def test_damaged_files_end_in_one_sentence(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    cells = np.empty((1, 2), object)
    cells[0, :] = ["one", np.ones(3)]
    for packed in (False, True):
        whole = written(tmp_path / "a.mat", packed=packed, values={"a": cells, "b": np.eye(4)}).read_bytes()
        for _ in range(300):
            content = bytearray(whole)
            for place in random.integers(HEADER, len(whole), random.integers(1, 5)):
                content[place] = random.integers(256)
            path = tmp_path / "b.mat"
            path.write_bytes(content[: random.integers(HEADER, len(whole) + 1)])
            try:
                read_mat(path, "values")
            except AtrousError as error:
                one_sentence(error)
