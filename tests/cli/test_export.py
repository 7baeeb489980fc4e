"""What users get wrong, and one whole export; tests/evaluation and tests/inference hold what is in the files."""

from pathlib import Path

import numpy as np
import pytest

from atrous.images import read_mask
from atrous.inference.exported_file import read_card
from tests.cli.terminal import Terminal

MODEL = "camvid-v3plus-mobilenet-v2"


def test_a_wrong_word_is_answered_in_one_sentence(atrous: Terminal, tmp_path: Path) -> None:
    assert "ends like no format that is written" in atrous.fails("export", MODEL, tmp_path / "a.pb")
    assert "give a data set with --data" in atrous.fails("export", MODEL, tmp_path / "a.onnx", "--int8")
    assert "--output" in atrous.fails("export", MODEL, tmp_path / "a.onnx", "--output", "masks")
    assert "leave out --size" in atrous.fails("export", MODEL, tmp_path / "a.onnx", "--size", "360x480")
    assert "at least 128x128" in atrous.fails("export", MODEL, tmp_path / "a.tflite", "--size", "64x512")
    assert "as in 513x513" in atrous.fails("export", MODEL, tmp_path / "a.tflite", "--size", "wide")
    folder = f"camvid:{tmp_path / 'none'}"
    assert "none" in atrous.fails("export", MODEL, tmp_path / "a.onnx", "--data", folder)
    assert not list(tmp_path.iterdir())


def test_labels_are_for_exported_files(atrous: Terminal, tmp_path: Path, photo: Path) -> None:
    names = tmp_path / "names.yaml"
    names.write_text("names: [ground, cat]\n")
    assert "--labels is for exported files" in atrous.fails("predict", MODEL, photo, "--labels", names)


@pytest.mark.slow  # the exporter takes 15 s
def test_the_command_writes_a_file_that_predicts_like_the_model(atrous: Terminal, tmp_path: Path, photo: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    file = tmp_path / "model.onnx"
    done = atrous("export", MODEL, file)
    assert done.code == 0
    assert f"Written: {file}; at several sizes its logits differ by at most" in done.out
    card = read_card(file)
    assert card is not None
    assert (card.name, card.labels.num_classes) == (MODEL, 11)
    masks = []
    for model, place in ((file, "file"), (MODEL, "checkpoint")):
        assert atrous("predict", model, photo, "--output", tmp_path / place, "--save", "mask").code == 0
        masks.append(read_mask(tmp_path / place / "photo.png"))
    assert np.mean(masks[0] == masks[1]) > 0.999


@pytest.fixture
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from atrous.images import write_image
    from tests.tiny_data import noise

    path = tmp_path_factory.mktemp("photo") / "photo.png"
    write_image(path, noise((90, 120), 0))
    return path
