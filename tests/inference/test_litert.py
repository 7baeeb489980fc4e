"""Prediction from LiteRT files; that the converter makes such files is in test_to_litert.py."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.crf import DenseCRFConfig
from atrous.errors import CheckpointError, ConfigError, ImageError
from atrous.images import read_mask, write_image
from atrous.inference.exported import load_exported
from atrous.inference.exported_file import read_card
from atrous.inference.opening import open_predictor
from atrous.inference.phone_runtimes import litert_session
from atrous.inference.sliding_window import segment_in_windows
from atrous.inference.video import levels_of
from atrous.inference.views import Views
from atrous.inference.window_memory import fitting_layout
from atrous.progress import Silent
from atrous.weights.formats.tflite import parse_tflite
from tests.cli.terminal import Terminal
from tests.inference.tflites import CARD, SIZE, WEIGHTS, expected_mask, pointwise_tflite, write_pointwise
from tests.tiny_data import noise

pytest.importorskip("ai_edge_litert.interpreter")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pointwise(tmp_path_factory.mktemp("litert") / "tiny.tflite")


def test_the_card_comes_back_and_the_graph_is_as_before(file: Path) -> None:
    assert read_card(file) == CARD
    before, after = parse_tflite(pointwise_tflite()), parse_tflite(file.read_bytes())
    assert after.operators == before.operators
    np.testing.assert_array_equal(after.constants["w"], WEIGHTS.reshape(3, 1, 1, 3))


def test_weights_begin_at_multiples_of_16_bytes(file: Path) -> None:
    assert file.read_bytes().index(WEIGHTS.tobytes()) % 16 == 0


def test_a_session_takes_channels_first_in_batches(file: Path) -> None:
    batch = np.random.default_rng(0).random((3, 3, *SIZE), np.float32)
    found = litert_session(file, threads=1)(batch)
    np.testing.assert_allclose(found, np.einsum("kc,bchw->bkhw", WEIGHTS, batch), atol=1e-6)


@pytest.mark.parametrize("size", [SIZE, (90, 120), (128, 50), (300, 200), (100, 400), (400, 100), (257, 321)])
def test_a_picture_of_any_size_has_the_mask_of_its_pixels(file: Path, size: tuple[int, int]) -> None:
    image = noise(size, 0)
    mask = load_exported(file)(image).mask
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, expected_mask(image))


def test_a_smaller_picture_has_its_own_probabilities(file: Path) -> None:
    image = noise((90, 120), 0)
    prediction = load_exported(file)(image)
    logits = image.astype(np.float64) / 255 @ WEIGHTS.T
    shares = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(prediction.probabilities, shares.transpose(2, 0, 1), atol=1e-6)
    confidence = prediction.confidence(7)
    assert confidence is not None
    np.testing.assert_allclose(confidence, shares.max(axis=2)[::7, ::7], atol=1e-6)


def test_a_crf_sees_a_smaller_picture_without_what_was_added(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, crf = noise((90, 120), 0), DenseCRFConfig()
    padded = load_exported(file, crf=crf)(image)

    def refine(probabilities: NDArray[np.float32], guide: NDArray[np.uint8], _: DenseCRFConfig) -> NDArray[np.float32]:
        np.testing.assert_array_equal(guide, image)
        return np.ascontiguousarray(probabilities[::-1])

    monkeypatch.setattr("atrous.crf.refine", refine)
    best = load_exported(file)(image).probabilities[::-1].argmax(axis=0)
    np.testing.assert_array_equal(padded.mask, best)
    np.testing.assert_array_equal(padded.refined_by(None).mask, expected_mask(image))


@pytest.mark.parametrize("size", [(90, 120), (300, 200)])
def test_pixels_of_doubt_are_left_out_at_any_size(file: Path, size: tuple[int, int]) -> None:
    image = noise(size, 0)
    predictor = load_exported(file)
    predictor.abstain = 0.6
    logits = image.astype(np.float64) / 255 @ WEIGHTS.T
    doubtful = (np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)).max(axis=2) < 0.6
    assert 0.1 < doubtful.mean() < 0.99
    mask = predictor(image).mask
    assert ((mask == CARD.labels.ignore_index) == doubtful).mean() > 0.95  # the seams of windows average
    assert (mask == np.where(doubtful, 255, expected_mask(image))).mean() > 0.95


def test_a_larger_picture_has_no_probabilities_and_its_sentence_says_what_to_do(
    file: Path, tmp_path: Path, atrous: Terminal
) -> None:
    with pytest.raises(ImageError, match="export it with --size 300x200"):
        _ = load_exported(file)(noise((300, 200), 0)).probabilities
    image = noise((300, 200), 0)
    write_image(tmp_path / "a.png", image)
    command = ("predict", file, tmp_path / "a.png", "--output", tmp_path / "out", "--save")
    assert "export it with --size 300x200" in atrous(*command, "probabilities").err
    assert not (tmp_path / "out" / "a_probabilities.npz").exists()
    assert atrous(*command, "mask").code == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "a.png"), expected_mask(image))


def test_a_raster_is_seen_in_windows_that_fit(file: Path) -> None:
    layout = fitting_layout(load_exported(file), 400, 3, 8.0, Silent())
    assert layout.side == 128
    image = noise((300, 400), 0)
    np.testing.assert_array_equal(segment_in_windows(load_exported(file), image, layout), expected_mask(image))


def test_several_scales_are_for_files_of_any_size(file: Path) -> None:
    with pytest.raises(ConfigError, match="pictures of one size"):
        load_exported(file, views=Views(scales=(0.5, 1.0)))
    image = noise(SIZE, 0)
    np.testing.assert_array_equal(load_exported(file, views=Views(flip=True))(image).mask, expected_mask(image))


def test_pictures_that_go_together_are_answered_each_by_itself(file: Path) -> None:
    for size in (SIZE, (90, 120)):
        images = [noise(size, seed) for seed in range(3)]
        for image, prediction in zip(images, load_exported(file).predictions(images), strict=True):
            np.testing.assert_array_equal(prediction.mask, expected_mask(image))


def test_a_video_has_frames_of_its_size(file: Path) -> None:
    predictor = load_exported(file)
    assert predictor.logits(noise(SIZE, 0)).shape == (3, *SIZE)
    assert len(levels_of(predictor)) == 1
    with pytest.raises(ConfigError, match="tiny takes pictures of 128x160: export it with --size 90x120"):
        predictor.logits(noise((90, 120), 0))


def test_litert_is_what_computes_such_files(file: Path, tmp_path: Path) -> None:
    assert open_predictor(file).choice.runtime == "litert"  # type: ignore[union-attr]
    for runtime in ("torch", "onnxruntime", "openvino", "coreml"):
        with pytest.raises(ConfigError, match=f"{runtime} reads no LiteRT file: take --runtime litert, or give"):
            open_predictor(file, runtime=runtime)
    with pytest.raises(ConfigError, match=r"litert reads no checkpoint: run `atrous export MODEL model.tflite`"):
        open_predictor(tmp_path / "a.safetensors", runtime="litert")


def test_prediction_imports_neither_torch_nor_what_else_is_slow(file: Path, tmp_path: Path) -> None:
    picture, output = tmp_path / "a.png", tmp_path / "masks"
    write_image(picture, noise((90, 120), 0))
    words = ["atrous", "predict", str(file), str(picture), "--output", str(output), "--save", "mask"]
    slow = ["torch", "numba", "scipy", "rich", "openvino", "onnxruntime", "atrous.data"]
    ending = f"try: main()\nfinally: print([name for name in {slow} if name in sys.modules])"
    program = f"import sys; sys.argv = {words!r}\nfrom atrous.cli import main\n{ending}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Runtime: litert in float32, whose file it is." in done.stdout
    assert "XNNPACK" not in done.stderr
    np.testing.assert_array_equal(read_mask(output / "a.png"), expected_mask(noise((90, 120), 0)))


def test_a_damaged_file_is_refused_in_one_sentence(file: Path, tmp_path: Path) -> None:
    whole, damaged = file.read_bytes(), tmp_path / "a.tflite"
    for end in (0, 3, 8, 100, len(whole) // 2, len(whole) - 5):
        damaged.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match=r"a\.tflite"):
            load_exported(damaged)


def test_no_changed_byte_ends_the_process(file: Path, tmp_path: Path) -> None:
    whole, damaged, chance = file.read_bytes(), tmp_path / "a.tflite", random.Random(0)
    refused = 0
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        damaged.write_bytes(content)
        try:
            load_exported(damaged)(noise(SIZE, 0))
        except (CheckpointError, ConfigError):
            refused += 1
    assert 10 < refused < 200


def test_a_file_of_another_program_is_to_be_imported(tmp_path: Path, atrous: Terminal) -> None:
    theirs, picture = tmp_path / "theirs.tflite", tmp_path / "a.png"
    theirs.write_bytes(pointwise_tflite())
    write_image(picture, noise((90, 120), 0))
    assert read_card(theirs) is None
    assert f"run `atrous import {theirs}`" in atrous.fails("predict", theirs, picture)


@pytest.fixture
def atrous(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)
