"""The file was written by TensorFlow itself: tests/files/tensorflow/make_checkpoint.py."""

from pathlib import Path

import numpy as np
import pytest

from atrous.errors import CheckpointError
from atrous.weights.formats.operators import MalformedError
from atrous.weights.formats.single_file import is_single_file, parse_single_file, read_single_file
from atrous.weights.importing import recognized
from tests.weights.formats.test_bundle import FILES, INDEX, SHAPES
from tests.weights.fuzzing import mutants

SINGLE = FILES / "single.ckpt"


def test_every_variable_has_the_values_that_tensorflow_wrote() -> None:
    variables = read_single_file(SINGLE)
    assert variables.keys() == {*SHAPES, "global_step", "half", "double", "whole"}
    assert variables["global_step"].tolist() == 30000
    assert variables["half"].tolist() == np.array([0.5, -2, 1e-3], np.float16).tolist()
    assert variables["double"].tolist() == [0.5, 1 / 3]
    assert variables["whole"].tolist() == [[-1, 2], [3, 4]]
    for number, (variable, shape) in enumerate(SHAPES.items()):
        expected = np.arange(number, number + np.prod(shape), dtype=np.float32).reshape(shape)
        np.testing.assert_array_equal(variables[variable], expected)


def test_it_is_told_from_an_index_and_from_anything_else(tmp_path: Path) -> None:
    assert is_single_file(SINGLE)
    assert recognized(SINGLE) == "tensorflow"
    assert not is_single_file(FILES / INDEX)
    (tmp_path / "short").write_bytes(b"abc")
    assert not is_single_file(tmp_path / "short")
    assert not is_single_file(tmp_path)


def test_a_flipped_bit_in_a_value_is_found(tmp_path: Path) -> None:
    good = SINGLE.read_bytes()
    for place in range(0, len(good) * 3 // 4, 41):
        data = bytearray(good)
        data[place] ^= 1
        (tmp_path / "a.ckpt").write_bytes(data)
        with pytest.raises(CheckpointError, match=r"a\.ckpt is no checkpoint of TensorFlow that can be read"):
            read_single_file(tmp_path / "a.ckpt")


def test_no_damage_makes_it_fail_otherwise() -> None:
    refusals = 0
    for data in mutants([SINGLE.read_bytes()], 1000, seed=0):
        try:
            parse_single_file(data)
        except MalformedError:
            refusals += 1
    assert refusals > 900
