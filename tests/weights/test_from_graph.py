"""Graphs become networks: what torch exports of ours, and the released models beside the project."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atrous.errors import CheckpointError
from atrous.images import read_image
from atrous.networks import (
    PUBLISHED_CELL,
    CellBranch,
    DeepLabV1Config,
    DeepLabV3Config,
    DeepLabV3PlusConfig,
    ImageClassifierConfig,
    MobileNetEdgeTPUConfig,
    MobileNetV1Config,
    MobileNetV2Config,
    MobileNetV3Config,
    NetworkConfig,
    ResNetConfig,
    build_network,
)
from atrous.networks.layers import resize_bilinear
from atrous.weights.formats.operators import Operator, OperatorGraph
from atrous.weights.from_tflite import tflite_layers
from atrous.weights.importing import import_weights, recognized, save_imported
from atrous.weights.parity import Imported
from tests.networks.oracles import random_image, relative_difference
from tests.real import REAL, real
from tests.tiny_data import one_sentence
from tests.weights.formats.files import as_onnx, random_network, small_graph_def, small_tflite, write
from tests.weights.fuzzing import mutants

WEIGHTS = REAL / "weights"
VOC = REAL / "voc/VOCdevkit/VOC2012"

EXPORTED: tuple[NetworkConfig, ...] = (
    DeepLabV3Config(backbone=MobileNetV2Config(width=0.25), rates=(), context_channels=8),
    DeepLabV3Config(backbone=MobileNetV1Config(width=0.25), context_channels=8),
    DeepLabV3Config(backbone=MobileNetEdgeTPUConfig(width=0.5), output_stride=8, rates=(6,), context_channels=8),
    DeepLabV3Config(backbone=ResNetConfig(depth=18), context_channels=8, head_convolution=True),
    DeepLabV3Config(backbone=ResNetConfig(depth=50, stem="deeplab", multi_grid=(1, 2, 4)), context_channels=8),
    DeepLabV3PlusConfig(backbone=MobileNetV2Config(width=0.5), context_channels=8, decoder_channels=12),
    DeepLabV3PlusConfig(
        backbone=MobileNetV2Config(width=0.5, divisor=1, level="depthwise"),
        output_stride=8,
        rates=(6, 12),
        context_channels=8,
        low_level_channels=6,
        decoder_channels=12,
        resize="align_corners",
    ),
    DeepLabV3PlusConfig(
        backbone=ResNetConfig(depth=18, lost_stride="doubles_rate"),
        separable=False,
        context_channels=8,
        decoder_channels=12,
        decoder_convolutions=1,
    ),
    DeepLabV3PlusConfig(backbone=MobileNetV3Config(size="small", width=1.0), context_channels=8, decoder_channels=12),
    ImageClassifierConfig(backbone=MobileNetV2Config(width=0.35), hidden_channels=16),
    ImageClassifierConfig(backbone=ResNetConfig(depth=34)),
    ImageClassifierConfig(backbone=MobileNetV3Config(size="small"), pooled_channels=16),
    DeepLabV3PlusConfig(
        backbone=MobileNetV2Config(width=0.25), cell=PUBLISHED_CELL, context_channels=16, decoder_channels=8
    ),
    DeepLabV3Config(
        backbone=MobileNetV2Config(width=0.25),
        output_stride=8,
        cell=(CellBranch(kernel=1), CellBranch(rate=(2, 6), input=0), CellBranch(kernel=5, input=1)),
        separable=True,
        separable_norm=False,
        context_channels=16,
    ),
    DeepLabV3Config(
        backbone=ResNetConfig(depth=50, stem="resnet_c"), output_stride=8, projection_kernel=3, context_channels=8
    ),
)


def loaded(imported: Imported) -> torch.nn.Module:
    network = build_network(imported.config, imported.num_classes).eval()
    network.load_state_dict(imported.tensors)
    return network


@torch.no_grad()
@pytest.mark.parametrize("config", EXPORTED, ids=lambda c: f"{c.kind}-{c.backbone.kind}")
def test_a_network_that_torch_exported_comes_back(config: NetworkConfig, tmp_path: Path) -> None:
    network = random_network(config)
    imported = import_weights(write(tmp_path / "a.onnx", as_onnx(network)))
    assert imported.report.difference is not None
    assert imported.report.difference < 1e-5
    for size in ((64, 96), (45, 67)):
        image = random_image(*size)
        assert relative_difference(loaded(imported)(image), network(image)) < 1e-4
    same = {"backbone", "rates", "output_stride", "context_channels", "decoder_channels", "hidden_channels"}
    assert imported.config.model_dump(include=same) == config.model_dump(include=same)
    assert not imported.report.missing
    assert not imported.report.left_over


def test_a_network_without_a_pyramid_is_refused_with_the_reason(tmp_path: Path) -> None:
    config = DeepLabV1Config(backbone=MobileNetV2Config(width=0.25), hidden_channels=8)
    path = write(tmp_path / "v1.onnx", as_onnx(random_network(config)))
    with pytest.raises(CheckpointError, match="pyramid pooling"):
        import_weights(path)


def test_damage_that_the_reader_lets_pass_is_refused_all_the_same(tmp_path: Path) -> None:
    good = as_onnx(random_network(EXPORTED[0]), (33, 33))
    refusals = []
    for data in mutants([good], 60, seed=0):
        try:
            import_weights(write(tmp_path / "damaged.onnx", data), "onnx")
        except CheckpointError as refusal:
            refusals.append(one_sentence(refusal))
    assert len(refusals) > 20


@pytest.mark.parametrize(("attribute", "value"), [("dilations", 2**30), ("strides", 2**30), ("strides", 0)])
def test_numbers_that_would_take_all_memory_are_refused(attribute: str, value: int, tmp_path: Path) -> None:
    onnx: Any = pytest.importorskip("onnx")
    model = onnx.load_from_string(as_onnx(random_network(EXPORTED[0]), (33, 33)))
    convolution = next(node for node in model.graph.node if node.op_type == "Conv" and node.attribute)
    for entry in convolution.attribute:
        if entry.name == attribute:
            entry.ints[:] = [value, value]
    with pytest.raises(CheckpointError, match="which no network has"):
        import_weights(write(tmp_path / "a.onnx", model.SerializeToString()))


@torch.no_grad()
def test_padding_that_is_spelled_out_for_even_sizes_is_that_of_tensorflow(tmp_path: Path) -> None:
    onnx: Any = pytest.importorskip("onnx")
    config = DeepLabV3Config(backbone=MobileNetV2Config(width=0.25), rates=(), context_channels=8)
    model = onnx.load_from_string(as_onnx(random_network(config)))
    for node in model.graph.node:
        entries = {entry.name: entry for entry in node.attribute}
        if node.op_type == "Conv" and list(entries["strides"].ints) == [2, 2]:
            entries["pads"].ints[:] = [0, 0, 1, 1]
    imported = import_weights(write(tmp_path / "a.onnx", model.SerializeToString()))
    assert imported.config.padding == "same"


def test_weights_of_16_bits_that_the_graph_makes_whole_are_read() -> None:
    graph = OperatorGraph(
        operators=(
            Operator("DEQUANTIZE", "whole", ("half",), ("whole",), {}),
            Operator("CONV_2D", "found", ("picture", "whole"), ("found",), {**WINDOW, "activation": "RELU6"}),
        ),
        constants={"half": np.ones((4, 3, 3, 3), np.float16)},
        inputs=("picture",),
        outputs=("found",),
    )
    (_, convolution) = tflite_layers(graph).layers
    assert convolution.weight is not None
    assert convolution.weight.dtype == np.float32
    assert convolution.weight.shape == (4, 3, 3, 3)


def test_files_are_recognised_by_their_content(tmp_path: Path) -> None:
    assert recognized(write(tmp_path / "a", small_tflite())) == "tflite"
    assert recognized(write(tmp_path / "b", small_graph_def())) == "frozen-graph"
    assert recognized(write(tmp_path / "c", as_onnx(random_network(EXPORTED[0])))) == "onnx"
    torch.save({"a": torch.zeros(1)}, tmp_path / "d")
    assert recognized(tmp_path / "d") == "pytorch"
    with pytest.raises(CheckpointError, match="--as"):
        recognized(write(tmp_path / "e", b"hello"))


WINDOW: dict[str, Any] = {"padding": "SAME", "stride_h": 2, "stride_w": 2, "dilation_h": 1, "dilation_w": 1}

REAL_FILES: dict[str, tuple[str, int, int, float]] = {
    "deeplabv3.tflite": ("deeplab_v3", 21, 8, 0.5),
    "deeplabv3_mnv2_pascal_quant.tflite": ("deeplab_v3", 21, 16, 1.0),
    "deeplabv3_mnv2_ade20k_int8.tflite": ("deeplab_v3plus", 32, 16, 1.0),
    "deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite": ("deeplab_v3", 19, 16, 0.75),
    "tf2_mobilenet_v2_1.0_224_ptq.tflite": ("image_classifier", 1001, 32, 1.0),
    "mobilenet_v1_0.25_224_float.tflite": ("image_classifier", 1001, 32, 0.25),
    "portrait_dm05_513/deeplab_aiseg513_dm05_float.tflite": ("deeplab_v3", 2, 8, 0.5),
    "portrait_dm05_513/frozen_inference_graph.pb": ("deeplab_v3", 2, 8, 0.5),
    "portrait_dm05_513/deeplab_nchw.onnx": ("deeplab_v3", 2, 8, 0.5),
}
"""What each is known to be: kind, classes, output stride, width of the backbone."""


@real
@pytest.mark.parametrize("name", REAL_FILES)
def test_every_released_model_is_recognised_and_answers_like_its_graph(name: str) -> None:
    imported = import_weights(WEIGHTS / name)
    config = imported.config
    width = config.backbone.model_dump()["width"]
    assert (config.kind, imported.num_classes, config.output_stride, width) == REAL_FILES[name]
    assert imported.report.difference is not None
    assert imported.report.difference < 1e-5


@real
@torch.no_grad()
def test_one_model_in_three_formats_is_one_network() -> None:
    """The ONNX file resizes otherwise than the two of TensorFlow; its network is the same."""
    files = ("deeplab_aiseg513_dm05_float.tflite", "frozen_inference_graph.pb", "deeplab_nchw.onnx")
    imported = [import_weights(WEIGHTS / "portrait_dm05_513" / file) for file in files]
    kept = {"kind", "backbone", "output_stride", "rates", "context_channels"}
    assert len({str(one.config.model_dump(include=kept)) for one in imported}) == 1
    pixels = 2 * torch.rand(1, 3, 129, 161, generator=torch.Generator().manual_seed(0)) - 1
    answers = []
    for one in imported:
        network = loaded(one)
        answers.append(network.classifier(network.context(network.backbone(pixels)[-1])))  # type: ignore[operator]
    assert relative_difference(answers[1], answers[0]) < 1e-4
    assert relative_difference(answers[2], answers[0]) < 1e-4


def interpreter_of(path: Path) -> Any:
    litert: Any = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def answer_of_interpreter(interpreter: Any, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The interpreter's output, for a picture of its own size."""
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    pixels = image[None] if given["dtype"] == np.uint8 else image[None].astype(np.float32) / 127.5 - 1
    interpreter.set_tensor(given["index"], pixels)
    interpreter.invoke()
    answer: np.ndarray[Any, Any] = interpreter.get_tensor(wanted["index"])[0]
    return answer


def pictures(interpreter: Any, paths: list[Path]) -> list[np.ndarray[Any, Any]]:
    import cv2

    height, width = interpreter.get_input_details()[0]["shape"][1:3]
    return [np.asarray(cv2.resize(read_image(path), (int(width), int(height)))) for path in paths]


def voc_pictures(count: int) -> list[Path]:
    names = (VOC / "ImageSets/Segmentation/val.txt").read_text().split()[:count]
    return [VOC / f"JPEGImages/{name}.jpg" for name in names]


@real
@torch.no_grad()
@pytest.mark.parametrize("name", ["deeplabv3.tflite", "portrait_dm05_513/deeplab_aiseg513_dm05_float.tflite"])
def test_float_models_answer_like_the_reference_interpreter(name: str) -> None:
    interpreter, imported = interpreter_of(WEIGHTS / name), import_weights(WEIGHTS / name)
    network = loaded(imported)
    for image in pictures(interpreter, voc_pictures(3)):
        theirs = answer_of_interpreter(interpreter, image).transpose(2, 0, 1)
        ours = network(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)[0].numpy()
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()
        best = np.sort(theirs, axis=0)
        certain = best[-1] - best[-2] > 1e-4 * np.abs(theirs).max()
        np.testing.assert_array_equal(ours.argmax(0)[certain], theirs.argmax(0)[certain])


@real
@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("deeplabv3_mnv2_pascal_quant.tflite", "voc"),
        ("deeplabv3_mnv2_ade20k_int8.tflite", "ade20k"),
        ("deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite", "cityscapes"),
    ],
)
def test_quantised_models_label_pictures_of_their_kind_like_the_reference_interpreter(name: str, paths: str) -> None:
    """99 % of the pixels, on average; the interpreter's own kernels agree among themselves no better."""
    of_kind = {
        "voc": voc_pictures(8),
        "ade20k": sorted((REAL / "ade20k_sample").rglob("*.jpg")),
        "cityscapes": [WEIGHTS / "cityscapes_segmentation.bmp"],
    }[paths]
    interpreter, imported = interpreter_of(WEIGHTS / name), import_weights(WEIGHTS / name)
    network, shares = loaded(imported), []
    for image in pictures(interpreter, of_kind):
        labels = answer_of_interpreter(interpreter, image)
        ours = network(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)[0].argmax(0).numpy()
        shares.append(float((ours == labels).mean()))
    assert np.mean(shares) > 0.99


@real
@torch.no_grad()
def test_the_imagenet_classifiers_see_the_uniform() -> None:
    names = (WEIGHTS / "imagenet_labels.txt").read_text().splitlines()
    for name in ("tf2_mobilenet_v2_1.0_224_ptq.tflite", "mobilenet_v1_0.25_224_float.tflite"):
        interpreter, imported = interpreter_of(WEIGHTS / name), import_weights(WEIGHTS / name)
        (image,) = pictures(interpreter, [WEIGHTS / "grace_hopper.bmp"])
        ours = loaded(imported)(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)[0, :, 0, 0]
        assert int(ours.argmax()) == int(answer_of_interpreter(interpreter, image).argmax())
        if name.startswith("tf2"):
            assert names[int(ours.argmax())] == "military uniform"


def test_what_was_imported_is_a_checkpoint_that_predicts(tmp_path: Path) -> None:
    from atrous.inference.predictor import load

    network = random_network(EXPORTED[0])
    imported = import_weights(write(tmp_path / "a.onnx", as_onnx(network)))
    save_imported(imported, tmp_path / "a.safetensors", "a")
    predictor = load(tmp_path / "a.safetensors", device=torch.device("cpu"))
    assert predictor.labels.names == ("class 0", "class 1", "class 2", "class 3")
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    batch = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        expected = network(batch)[0]
    low = resize_bilinear(predictor.logits(image)[None], (40, 56))[0]
    assert relative_difference(low, expected) < 1e-4
