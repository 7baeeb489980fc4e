"""The checkpoint in tests/files/tensorflow was written by TensorFlow itself; a script beside it says how."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from atrous.errors import CheckpointError
from atrous.weights.formats.bundle import masked_checksum, read_tensorflow_checkpoint
from tests.tiny_data import one_sentence
from tests.weights.fuzzing import mutants

FILES = Path(__file__).parents[2] / "files/tensorflow"
INDEX, DATA = "model.ckpt.index", "model.ckpt.data-00000-of-00001"
SHAPES = {
    "MobilenetV2/Conv/weights": (3, 3, 3, 8),
    "MobilenetV2/Conv/BatchNorm/gamma": (8,),
    "MobilenetV2/Conv/BatchNorm/moving_variance": (8,),
    "MobilenetV2/expanded_conv/depthwise/depthwise_weights": (3, 3, 8, 1),
    "logits/semantic/biases": (21,),
}


@pytest.mark.parametrize("name", ["model.ckpt", INDEX, DATA])
def test_every_variable_has_the_values_that_tensorflow_wrote(name: str) -> None:
    variables = read_tensorflow_checkpoint(FILES / name)
    assert variables.keys() == {*SHAPES, "global_step"}
    assert variables["global_step"].tolist() == 30000
    for number, (variable, shape) in enumerate(SHAPES.items()):
        expected = np.arange(number, number + np.prod(shape), dtype=np.float32).reshape(shape)
        np.testing.assert_array_equal(variables[variable], expected)


def test_the_checksum_is_that_of_the_specification() -> None:
    """RFC 3720, section B.4: CRC-32C of 32 zeros is 0x8a9136aa; then turned and shifted."""
    crc = 0x8A9136AA
    assert masked_checksum(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def damaged_copy(folder: Path, name: str, data: bytes) -> Path:
    for file in (INDEX, DATA):
        shutil.copy(FILES / file, folder / file)
    (folder / name).write_bytes(data)
    return folder / "model.ckpt"


def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    for name, step in ((INDEX, 7), (DATA, 101)):
        good = (FILES / name).read_bytes()
        unfound = 0
        for place in range(0, len(good), step):
            data = bytearray(good)
            data[place] ^= 1
            try:
                read_tensorflow_checkpoint(damaged_copy(tmp_path, name, bytes(data)))
                unfound += 1  # an empty table of statistics, and the zeros that fill the footer
            except CheckpointError:
                continue
        assert unfound <= (8 if name == INDEX else 0)


def test_missing_and_cut_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.index"):
        read_tensorflow_checkpoint(tmp_path / "none")
    for name in (INDEX, DATA):
        data = (FILES / name).read_bytes()
        with pytest.raises(CheckpointError) as refusal:
            read_tensorflow_checkpoint(damaged_copy(tmp_path, name, data[: len(data) // 2]))
        assert one_sentence(refusal.value)
    (tmp_path / DATA).unlink()
    shutil.copy(FILES / INDEX, tmp_path / INDEX)
    with pytest.raises(CheckpointError, match="data-00000"):
        read_tensorflow_checkpoint(tmp_path / INDEX)


def test_no_damage_makes_it_fail_otherwise(tmp_path: Path) -> None:
    refused = 0
    for data in mutants([(FILES / INDEX).read_bytes()], 500, seed=0):
        try:
            read_tensorflow_checkpoint(damaged_copy(tmp_path, INDEX, data))
        except CheckpointError:
            refused += 1
    assert refused > 400
