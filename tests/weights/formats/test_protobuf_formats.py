from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrous.errors import CheckpointError
from atrous.networks import DeepLabV3Config, MobileNetV2Config
from atrous.weights.formats.graphdef import parse_graph_def, read_graph_def
from atrous.weights.formats.onnx import parse_onnx, read_onnx
from atrous.weights.formats.operators import MalformedError
from tests.real import REAL, real
from tests.tiny_data import one_sentence
from tests.weights.formats.files import as_onnx, random_network, small_graph_def, write
from tests.weights.fuzzing import survived

PORTRAIT = REAL / "weights/portrait_dm05_513"


@pytest.fixture(scope="module")
def small_onnx() -> bytes:
    config = DeepLabV3Config(backbone=MobileNetV2Config(width=0.25), rates=(), context_channels=8)
    return as_onnx(random_network(config), (33, 33))


def test_a_graph_comes_in_an_order_that_can_be_computed() -> None:
    graph = parse_graph_def(small_graph_def())
    assert [operator.name for operator in graph.operators if operator.op != "NoOp"] == ["found", "normed"]
    found = graph.operators[[operator.name for operator in graph.operators].index("found")]
    assert found.inputs == ("picture", "kernel/read")
    assert found.attributes["strides"] == (1, 2, 2, 1)
    assert found.attributes["padding"] == b"SAME"
    np.testing.assert_array_equal(graph.constants["kernel/read"].reshape(-1), np.arange(108))
    assert graph.constants["ones"].tolist() == [1.5] * 4
    assert graph.inputs == ("picture",)


def test_a_graph_that_depends_on_itself_is_refused() -> None:
    protos: Any = pytest.importorskip("tensorboard.compat.proto.graph_pb2")
    graph = protos.GraphDef()
    for name, source in (("a", "b"), ("b", "a")):
        node = graph.node.add()
        node.name, node.op = name, "Identity"
        node.input.append(source)
    with pytest.raises(MalformedError, match="depends on itself"):
        parse_graph_def(graph.SerializeToString())


def test_a_value_that_is_repeated_beyond_measure_takes_no_memory() -> None:
    protos: Any = pytest.importorskip("tensorboard.compat.proto.graph_pb2")
    graph = protos.GraphDef()
    node = graph.node.add()
    node.name, node.op = "huge", "Const"
    node.attr["value"].tensor.dtype = 1
    node.attr["value"].tensor.tensor_shape.dim.add().size = 2**40
    node.attr["value"].tensor.float_val.extend([1.0])
    with pytest.raises(MalformedError):
        parse_graph_def(graph.SerializeToString())


@real
def test_the_real_frozen_graph_is_that_of_tensorflows_protocol_buffers() -> None:
    protos: Any = pytest.importorskip("tensorboard.compat.proto.graph_pb2")
    path = PORTRAIT / "frozen_inference_graph.pb"
    graph, theirs = read_graph_def(path), protos.GraphDef()
    theirs.ParseFromString(path.read_bytes())
    nodes = {node.name: node for node in theirs.node}
    for operator in graph.operators:
        assert nodes[operator.name].op == operator.op
    compared = 0
    for name, value in graph.constants.items():
        tensor = nodes[name].attr["value"].tensor
        if nodes[name].op == "Const" and tensor.dtype == 1 and tensor.tensor_content:
            np.testing.assert_array_equal(value.reshape(-1), np.frombuffer(tensor.tensor_content, np.float32))
            compared += 1
    assert compared > 200


@real
def test_the_real_onnx_file_is_that_of_the_onnx_package() -> None:
    onnx: Any = pytest.importorskip("onnx")
    numpy_helper: Any = pytest.importorskip("onnx.numpy_helper")
    path = PORTRAIT / "deeplab_nchw.onnx"
    graph, theirs = read_onnx(path), onnx.load(str(path)).graph
    assert [operator.op for operator in graph.operators] == [n.op_type for n in theirs.node if n.op_type != "Constant"]
    for tensor in theirs.initializer:
        np.testing.assert_array_equal(graph.constants[tensor.name], numpy_helper.to_array(tensor))
    assert graph.inputs == ("MobilenetV2/MobilenetV2/input:0",)


def test_what_torch_exports_is_read_as_the_onnx_package_reads_it(small_onnx: bytes) -> None:
    onnx: Any = pytest.importorskip("onnx")
    theirs = onnx.load_from_string(small_onnx).graph
    graph = parse_onnx(small_onnx)
    assert [operator.op for operator in graph.operators] == [n.op_type for n in theirs.node if n.op_type != "Constant"]
    assert {tensor.name for tensor in theirs.initializer} <= graph.constants.keys()


@pytest.mark.parametrize("read", [read_graph_def, read_onnx])
def test_what_is_no_such_file_is_refused_in_one_sentence(read: Any, tmp_path: Path) -> None:
    for name, data in {"empty": b"", "text": b"hello, world" * 10, "endless": b"\x0a\xff\xff\xff\xff\x7f" * 9}.items():
        with pytest.raises(CheckpointError) as refusal:
            read(write(tmp_path / name, data))
        assert one_sentence(refusal.value)


def test_no_damage_makes_the_readers_fail_otherwise(small_onnx: bytes) -> None:
    for parse, data in ((parse_graph_def, small_graph_def()), (parse_onnx, small_onnx)):
        refusals, slowest = survived(parse, MalformedError, [data], count=1000, seed=0)
        assert refusals > 200
        assert slowest < 10  # no file makes it hang; a busy machine needs its time
