import json
from pathlib import Path

import pytest
import torch

from atrous.networks import DeepLabV3Config, MobileNetV2Config
from atrous.weights.checkpoint import load_checkpoint
from tests.cli.terminal import Terminal
from tests.real import REAL, real
from tests.weights.formats.files import as_onnx, random_network, write


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    config = DeepLabV3Config(backbone=MobileNetV2Config(width=0.25), rates=(), context_channels=8)
    return write(tmp_path / "small.onnx", as_onnx(random_network(config), (33, 33)))


def test_an_import_leaves_a_checkpoint_and_a_report(onnx_file: Path, tmp_path: Path, atrous: Terminal) -> None:
    labels = tmp_path / "names.txt"
    labels.write_text("sky\nsea\nland\nship\n")
    output = tmp_path / "out" / "small.safetensors"
    done = atrous("import", onnx_file, output, "--labels", labels)
    assert done.code == 0
    assert "recognised as deeplab_v3 on mobilenet_v2" in done.out
    assert "sky, sea, land, ship" in done.out
    assert "differ from those of the file's own graph" in done.out
    assert load_checkpoint(output).info.labels.names == ("sky", "sea", "land", "ship")
    report = json.loads(output.with_suffix(".import.json").read_text())
    assert report["ecosystem"] == "ONNX"
    assert len(report["sha256"]) == 64
    assert len(report["matched"]) > 200


def test_quiet_says_nothing(onnx_file: Path, tmp_path: Path, atrous: Terminal) -> None:
    assert atrous("import", onnx_file, tmp_path / "a.safetensors", "--quiet").out == ""


def test_what_cannot_be_imported_is_one_sentence_and_leaves_nothing(
    onnx_file: Path, tmp_path: Path, atrous: Terminal
) -> None:
    output = tmp_path / "a.safetensors"
    text = write(tmp_path / "a.tflite", b"hello")
    assert "There is no file" in atrous.fails("import", tmp_path / "none.tflite", output)
    assert "a.tflite" in atrous.fails("import", text, output)
    assert "tflite" in atrous.fails("import", text, output, "--as", "tflite")
    assert "--as" in atrous.fails("import", onnx_file, output, "--as", "tflit")
    assert "21 classes, but the network has 4" in atrous.fails("import", onnx_file, output, "--labels", "voc")
    assert "did you mean `voc`" in atrous.fails("import", onnx_file, output, "--labels", "vok")
    assert not output.exists()


def test_a_state_dict_that_lacks_a_tensor_needs_leave(tmp_path: Path, atrous: Terminal) -> None:
    models = pytest.importorskip("torchvision.models")
    state = models.resnet18(weights=None).state_dict()
    del state["fc.bias"]
    torch.save(state, tmp_path / "a.pth")
    output = tmp_path / "a.safetensors"
    assert "--allow-partial 'classifier.bias'" in atrous.fails("import", tmp_path / "a.pth", output)
    done = atrous("import", tmp_path / "a.pth", output, "--allow-partial", "classifier.*")
    assert done.code == 0
    assert "1 missing, drawn at random: classifier.bias" in done.out


@real
def test_a_released_model_segments_a_photo(tmp_path: Path, atrous: Terminal) -> None:
    output = tmp_path / "voc.safetensors"
    model = REAL / "weights/deeplabv3_mnv2_pascal_quant.tflite"
    assert atrous("import", model, output, "--labels", "voc").code == 0
    picture = REAL / "weights/grace_hopper.bmp"
    done = atrous("predict", output, picture, "-o", tmp_path / "masks")
    assert done.code == 0
    from atrous.images import read_mask

    mask = read_mask(tmp_path / "masks/grace_hopper.png")
    person = 15
    assert float((mask == person).mean()) > 0.3
