"""Caffemodels are written by the runtime of protocol buffers from the published fields, and answered by plain torch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from atrous.errors import CheckpointError
from atrous.networks import DeepLabV1Config, DeepLabV2Config, build_network
from atrous.weights.formats.caffemodel import parse_caffemodel, read_caffemodel
from atrous.weights.formats.operators import MalformedError
from atrous.weights.importing import import_weights, recognized
from tests.networks.oracles import relative_difference
from tests.tiny_data import one_sentence
from tests.weights.fuzzing import survived

Blobs = dict[str, tuple[str, list[np.ndarray[Any, Any]]]]


def messages(*, old: bool) -> Any:
    """The published messages, of the fields that matter, as classes of the protobuf runtime."""
    descriptor_pb2: Any = pytest.importorskip("google.protobuf.descriptor_pb2")
    factory: Any = pytest.importorskip("google.protobuf.message_factory")
    pool: Any = pytest.importorskip("google.protobuf.descriptor_pool")
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    kinds = {"int32": 5, "int64": 3, "float": 2, "double": 1, "string": 9, "message": 11}

    def message(name: str, *fields: tuple[str, int, str, bool, str]) -> None:
        made = file.message_type.add(name=name)
        for field, number, kind, repeated, of in fields:
            entry = made.field.add(name=field, number=number, type=kinds[kind], label=3 if repeated else 1)
            if kind == "message":
                entry.type_name = f".caffe.{of}"
            if repeated and kind in ("float", "int64"):
                entry.options.packed = True

    message("BlobShape", ("dim", 1, "int64", True, ""))
    message(
        "BlobProto",
        ("shape", 7, "message", False, "BlobShape"),
        ("data", 5, "float", True, ""),
        *((side, number, "int32", False, "") for number, side in enumerate(("num", "channels", "height", "width"), 1)),
    )
    message("BatchNormParameter", ("eps", 3, "float", False, ""))
    layer = [("name", 4 if old else 1, "string", False, ""), ("blobs", 6 if old else 7, "message", True, "BlobProto")]
    if old:
        layer.append(("type", 5, "int32", False, ""))
    else:
        layer += [("type", 2, "string", False, ""), ("batch_norm_param", 139, "message", False, "BatchNormParameter")]
    message("Layer", *layer)
    message("NetParameter", ("name", 1, "string", False, ""), ("layer", 2 if old else 100, "message", True, "Layer"))
    types = pool.DescriptorPool()
    types.Add(file)
    return factory.GetMessageClass(types.FindMessageTypeByName("caffe.NetParameter"))


def written(layers: Blobs, *, old: bool = False) -> bytes:
    network = messages(old=old)(name="deeplab")
    for name, (kind, blobs) in layers.items():
        layer = network.layer.add(name=name, type=4 if old else kind)
        for values in blobs:
            blob = layer.blobs.add()
            if old:
                sides = (1,) * (4 - values.ndim) + values.shape
                blob.num, blob.channels, blob.height, blob.width = sides
            else:
                blob.shape.dim.extend(values.shape)
            blob.data.extend(values.reshape(-1).tolist())
        if kind == "BatchNorm":
            layer.batch_norm_param.eps = 1e-5
    content: bytes = network.SerializeToString()
    return content


def blobs_of(state: dict[str, Tensor], names: dict[str, str]) -> Blobs:
    """Convolutions with weight and bias, from our names to theirs."""
    return {
        theirs: ("Convolution", [state[f"{ours}.weight"].numpy(), state[f"{ours}.bias"].numpy()])
        for ours, theirs in names.items()
    }


def vgg_names() -> dict[str, str]:
    counts = (2, 2, 3, 3, 3)
    names = {
        f"backbone.stages.{stage}.{2 * index}": f"conv{stage + 1}_{index + 1}"
        for stage, count in enumerate(counts)
        for index in range(count)
    }
    return {**names, "context.branches.0.fc6": "fc6", "context.branches.0.fc7": "fc7", "classifier": "fc8_voc12"}


@pytest.fixture(scope="module")
def v1() -> tuple[dict[str, Tensor], bytes]:
    torch.manual_seed(0)
    state = build_network(DeepLabV1Config(hidden_channels=16), 21).state_dict()
    return state, written(blobs_of(state, vgg_names()))


def plain_v1(blobs: dict[str, list[Tensor]], image: Tensor) -> Tensor:
    """DeepLab-LargeFOV from its blobs, for a picture in RGB of 0..1: BGR, mean pixels, 3x3 pools, rates 2 and 12."""
    mean = torch.tensor([104.008, 116.669, 122.675]).reshape(1, 3, 1, 1)
    x = 255 * image.flip(1) - mean
    for stage, count in enumerate((2, 2, 3, 3, 3), start=1):
        for index in range(1, count + 1):
            rate = 2 if stage == 5 else 1
            weight, bias = blobs[f"conv{stage}_{index}"]
            x = F.relu(F.conv2d(x, weight, bias, padding=rate, dilation=rate))
        x = F.max_pool2d(x, 3, stride=2 if stage < 4 else 1, padding=1, ceil_mode=True)
    x = F.avg_pool2d(x, 3, stride=1, padding=1)
    (fc6, bias6), (fc7, bias7), (fc8, bias8) = (blobs[name] for name in ("fc6", "fc7", "fc8_voc12"))
    x = F.relu(F.conv2d(x, fc6, bias6, padding=12, dilation=12))
    x = F.relu(F.conv2d(x, fc7, bias7))
    return F.conv2d(x, fc8, bias8)


@torch.no_grad()
def test_deeplab_v1_answers_like_its_blobs(v1: tuple[dict[str, Tensor], bytes], tmp_path: Path) -> None:
    path = tmp_path / "train_iter_6000.caffemodel"
    path.write_bytes(v1[1])
    assert recognized(path) == "caffe"
    imported = import_weights(path)
    assert isinstance(imported.config, DeepLabV1Config)
    assert (imported.config.kernel_size, imported.config.rate, imported.num_classes) == (3, 12, 21)
    network = build_network(imported.config, 21).eval()
    network.load_state_dict(imported.tensors)
    blobs = {layer.name: [torch.from_numpy(blob.copy()) for blob in layer.blobs] for layer in read_caffemodel(path)}
    image = torch.rand(1, 3, 49, 65, generator=torch.Generator().manual_seed(0))
    assert relative_difference(network.low_resolution_logits(image), plain_v1(blobs, image)) < 1e-4


def test_the_older_form_holds_the_same(v1: tuple[dict[str, Tensor], bytes]) -> None:
    state, new = v1
    old = parse_caffemodel(written(blobs_of(state, vgg_names()), old=True))
    for a, b in zip(old, parse_caffemodel(new), strict=True):
        assert (a.name, a.type) == (b.name, "Convolution")
        for x, y in zip(a.blobs, b.blobs, strict=True):
            np.testing.assert_array_equal(x.reshape(-1), y.reshape(-1))


@torch.no_grad()
def test_deeplab_v2_reads_sums_factors_and_scales(tmp_path: Path) -> None:
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    layers: Blobs = {}

    def convolution(name: str, norm: str, scale: str, out: int, into: int, kernel: int) -> None:
        weight = random.standard_normal((out, into, kernel, kernel), np.float32) * 0.05
        layers[name] = ("Convolution", [weight])
        statistics = [3 * random.random(out, np.float32), 3 * random.random(out, np.float32) + 1]
        layers[norm] = ("BatchNorm", [*statistics, np.array([3.0], np.float32)])
        layers[scale] = ("Scale", [random.random(out, np.float32), random.random(out, np.float32)])

    convolution("conv1", "bn_conv1", "scale_conv1", 64, 3, 7)
    into = 64
    for stage, (width, count) in enumerate(((64, 3), (128, 4), (256, 23), (512, 3)), start=2):
        for number in range(count):
            letter = "abc"[number] if count == 3 else "a" if number == 0 else f"b{number}"
            units = [("branch2a", width, into, 1), ("branch2b", width, width, 3), ("branch2c", 4 * width, width, 1)]
            if number == 0:
                units.insert(0, ("branch1", 4 * width, into, 1))
            for branch, out, inside, kernel in units:
                place = f"{stage}{letter}_{branch}"
                convolution(f"res{place}", f"bn{place}", f"scale{place}", out, inside, kernel)
            into = 4 * width
    for number in range(4):
        blobs = [random.standard_normal((5, 2048, 3, 3), np.float32), random.random(5, np.float32)]
        layers[f"fc1_voc12_c{number}"] = ("Convolution", blobs)
        layers[f"fc1_voc12_c{number}_res05"] = ("Convolution", blobs)
    path = tmp_path / "v2.caffemodel"
    path.write_bytes(written(layers))
    imported = import_weights(path, "caffe")
    assert isinstance(imported.config, DeepLabV2Config)
    assert (imported.config.rates, imported.num_classes) == ((6, 12, 18, 24), 5)
    assert imported.config.pixels.order == "bgr"
    tensors = imported.tensors
    np.testing.assert_allclose(
        tensors["backbone.stages.2.22.layers.1.norm.running_mean"], layers["bn4b22_branch2b"][1][0] / 3, rtol=1e-6
    )
    np.testing.assert_allclose(
        tensors["backbone.stages.0.0.shortcut.norm.running_var"], layers["bn2a_branch1"][1][1] / 3, rtol=1e-6
    )
    np.testing.assert_array_equal(tensors["backbone.stages.3.2.layers.2.norm.bias"], layers["scale5c_branch2c"][1][1])
    np.testing.assert_array_equal(tensors["classifier.branches.3.weight"], layers["fc1_voc12_c3"][1][0])


def test_what_is_no_deeplab_of_caffe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.caffemodel"
    path.write_bytes(written({"ip1": ("InnerProduct", [np.ones((2, 3), np.float32)])}))
    with pytest.raises(CheckpointError, match="ip1") as refusal:
        import_weights(path, "caffe")
    assert one_sentence(refusal.value)


def test_no_damage_makes_the_reader_fail_otherwise() -> None:
    small = written({"conv": ("Convolution", [np.ones((2, 3, 3, 3), np.float32), np.ones(2, np.float32)])})
    refusals, slowest = survived(parse_caffemodel, MalformedError, [small], count=2000, seed=0)
    assert refusals > 400
    assert slowest < 1
