from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrous.errors import CheckpointError
from atrous.weights.formats.operators import MalformedError, Quantization, dequantized
from atrous.weights.formats.tflite import parse_tflite, read_tflite
from tests.real import REAL, real
from tests.tiny_data import one_sentence
from tests.weights.formats.files import small_tflite, write
from tests.weights.fuzzing import survived

FILES = sorted(REAL.glob("weights/**/*.tflite"))


def test_operators_constants_and_quantization_are_those_that_were_written() -> None:
    graph = parse_tflite(small_tflite())
    convolution, addition = graph.operators
    assert (convolution.op, convolution.inputs, convolution.outputs) == (
        "CONV_2D",
        ("picture", "weights", "bias"),
        ("found",),
    )
    assert convolution.attributes == {
        "padding": "SAME",
        "stride_w": 2,
        "stride_h": 2,
        "activation": "RELU6",
        "dilation_w": 1,
        "dilation_h": 1,
    }
    assert (addition.op, addition.inputs) == ("ADD", ("found", "half"))
    np.testing.assert_array_equal(graph.constants["weights"], np.arange(54, dtype=np.int8).reshape(2, 3, 3, 3))
    assert graph.quantization["weights"].scale.tolist() == [0.5, 0.25]
    assert (graph.inputs, graph.outputs) == (("picture",), ("more",))
    assert graph.shapes["found"] == (1, 4, 4, 2)


def test_dequantized_values_are_scale_times_distance_from_zero() -> None:
    stored = np.array([[0, 128, 255], [1, 2, 3]], np.uint8)
    whole = Quantization(np.array([0.5], np.float32), np.array([128]), 0)
    assert dequantized(stored, whole).tolist() == [[-64, 0, 63.5], [-63.5, -63, -62.5]]
    by_row = Quantization(np.array([1, 0.1], np.float32), np.array([0, 2]), 0)
    np.testing.assert_array_equal(
        dequantized(stored, by_row), np.array([[0, 128, 255], [np.float32(-0.1), 0, np.float32(0.1)]], np.float32)
    )
    with pytest.raises(MalformedError):
        dequantized(stored, Quantization(np.ones(3, np.float32), np.zeros(3, np.int64), 0))


@real
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_constant_is_that_of_the_reference_interpreter(path: Path) -> None:
    litert: Any = pytest.importorskip("ai_edge_litert.interpreter")
    graph = read_tflite(path)
    interpreter = litert.Interpreter(str(path), experimental_preserve_all_tensors=True)
    compared = 0
    for detail in interpreter.get_tensor_details():
        name = detail["name"]
        if name in graph.constants:
            np.testing.assert_array_equal(graph.constants[name], interpreter.tensor(detail["index"])())
            assert graph.shapes[name] == tuple(detail["shape"])
            scales = detail["quantization_parameters"]["scales"]
            if scales.size:
                np.testing.assert_array_equal(graph.quantization[name].scale, scales)
            compared += 1
    assert compared == len(graph.constants) > 50


def test_what_is_no_tflite_is_refused_in_one_sentence(tmp_path: Path) -> None:
    good = small_tflite()
    for name, data in {"empty": b"", "text": b"hello, world", "cut": good[: len(good) // 2]}.items():
        with pytest.raises(CheckpointError) as refusal:
            read_tflite(write(tmp_path / name, data))
        assert one_sentence(refusal.value)
        assert name in str(refusal.value)


def test_a_gigabyte_in_a_header_is_not_believed() -> None:
    data = bytearray(small_tflite())
    for place in range(8, len(data) - 4, 4):
        damaged = bytearray(data)
        damaged[place : place + 4] = (2**30).to_bytes(4, "little")
        try:
            parse_tflite(bytes(damaged))
        except MalformedError:
            continue


def test_no_damage_makes_the_reader_fail_otherwise() -> None:
    refusals, slowest = survived(parse_tflite, MalformedError, [small_tflite()], count=2000, seed=0)
    assert refusals > 1000
    assert slowest < 1
