import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from atrous.errors import CheckpointError, ConfigError, ExportError
from atrous.images import read_image, read_mask, write_image
from atrous.inference.export_gate import compare_answers, require_agreement
from atrous.inference.exported import load_exported
from atrous.inference.exported_file import read_card
from atrous.inference.predictor import Predictor
from atrous.inference.runtimes import Choice
from atrous.inference.to_onnx import card_of, write_onnx
from atrous.inference.views import Views
from atrous.networks import build_network
from atrous.networks.segmentation import SegmentationNetwork
from atrous.weights.checkpoint import CheckpointInfo
from tests.cli.terminal import Terminal
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, noise

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.slow  # the exporter takes 15 s, however small the network

ONNXRUNTIME = Choice("onnxruntime", "float32", "to test")


@pytest.fixture(scope="module")
def network() -> SegmentationNetwork:
    torch.manual_seed(0)
    network = build_network(SMALL_NETWORKS[0], LABELS.num_classes).eval()
    torch.nn.init.normal_(network.classifier.get_parameter("weight"))
    return network


@pytest.fixture(scope="module")
def exported(network: SegmentationNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    info = CheckpointInfo(name="tiny", network=SMALL_NETWORKS[0], labels=LABELS, scores={"mean_iou": 0.5})
    write_onnx(path, network, card_of(network, info))
    return path


def test_the_file_says_what_prediction_needs(exported: Path, network: SegmentationNetwork) -> None:
    card = read_card(exported)
    assert card is not None
    assert (card.name, card.labels, card.output, card.resize) == ("tiny", LABELS, "logits", network.resize)
    assert card.scores == {"mean_iou": 0.5}
    assert card.pixels["order"] == "rgb"
    assert card.pixels["mean"] == pytest.approx(network.pixels.mean.flatten().tolist())


def test_the_file_answers_like_the_network_at_any_size(exported: Path, network: SegmentationNetwork) -> None:
    theirs = load_exported(exported, choice=ONNXRUNTIME)
    ours = Predictor(network, LABELS, name="tiny", device=torch.device("cpu"))
    for size in ((64, 64), (65, 33), (31, 47), (16, 90)):
        image = noise(size, 0)
        mask = theirs(image).mask
        assert mask.shape == size
        assert (mask == ours(image).mask).mean() > 0.999
        np.testing.assert_allclose(theirs(image).probabilities, ours(image).probabilities, atol=1e-4)


def test_several_views_are_averaged_as_by_torch(exported: Path, network: SegmentationNetwork) -> None:
    views = Views(scales=(1.0,), flip=True)
    theirs = load_exported(exported, choice=ONNXRUNTIME, views=views)
    ours = Predictor(network, LABELS, name="tiny", device=torch.device("cpu"), views=views)
    np.testing.assert_allclose(
        theirs(noise((40, 56), 0)).probabilities, ours(noise((40, 56), 0)).probabilities, atol=1e-4
    )


def test_a_file_of_other_weights_does_not_pass_the_gate(exported: Path, network: SegmentationNetwork) -> None:
    card = read_card(exported)
    assert card is not None
    assert require_agreement(exported, network, card).same_labels >= 0.999
    torch.manual_seed(1)
    other = build_network(SMALL_NETWORKS[0], LABELS.num_classes).eval()
    assert compare_answers(exported, other, card).difference > 0.01
    with pytest.raises(ExportError, match="answers otherwise than the network"):
        require_agreement(exported, other, card)


def test_prediction_from_it_imports_neither_torch_nor_what_else_is_slow(exported: Path, tmp_path: Path) -> None:
    picture, output = tmp_path / "a.png", tmp_path / "masks"
    write_image(picture, noise((40, 56), 0))
    words = ["atrous", "predict", str(exported), str(picture), "--output", str(output), "--save", "mask"]
    slow = ["torch", "numba", "scipy", "rich", "openvino", "atrous.data"]
    ending = f"try: main()\nfinally: print([name for name in {slow} if name in sys.modules])"
    program = f"import sys; sys.argv = {words!r}\nfrom atrous.cli import main\n{ending}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Runtime: onnxruntime in float32, " in done.stdout
    mask = load_exported(exported, choice=ONNXRUNTIME)(picture).mask
    np.testing.assert_array_equal(read_mask(output / "a.png"), mask)


def test_a_file_without_our_words_needs_labels(exported: Path, tmp_path: Path, atrous: Terminal) -> None:
    import onnx

    model = onnx.load(exported)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    assert read_card(tmp_path / "bare.onnx") is None
    with pytest.raises(ConfigError, match="does not say what its classes are"):
        load_exported(tmp_path / "bare.onnx", choice=ONNXRUNTIME)

    picture, names = tmp_path / "a.png", tmp_path / "names.yaml"
    write_image(picture, noise((40, 56), 0))
    command = ("predict", tmp_path / "bare.onnx", picture, "--output", tmp_path, "--save", "color", "--labels", names)
    names.write_text("names: [ground, cat, dog]\ncolors: [[0, 0, 0], [255, 0, 0], [0, 0, 255]]\n")
    assert atrous(*command).code == 0
    mask = load_exported(exported, choice=ONNXRUNTIME)(picture).mask
    colors = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]])
    np.testing.assert_array_equal(read_image(tmp_path / "a_color.png"), colors[mask])
    names.write_text("names: [ground, cat]\n")
    assert "[1, 3, 10, 14], where [1, 2, h, w] was expected" in atrous.fails(*command)


def test_a_file_that_takes_something_else_is_refused_in_one_sentence(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 5]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", ends[:1], ends[1:])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "a.onnx")
    predictor = load_exported(tmp_path / "a.onnx", choice=ONNXRUNTIME, labels=LABELS)
    with pytest.raises(CheckpointError, match="does not take float32 pictures"):
        predictor(noise((40, 56), 0))


@pytest.fixture
def atrous(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)
