"""Exported files are served as checkpoints are, and without torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.errors import CheckpointError
from atrous.inference.exported import ExportedPredictor, load_exported
from atrous.inference.runtimes import Choice
from tests.colour_graph import write_colour_graph
from tests.inference.tflites import SIZE, write_pointwise
from tests.server.serving import pixels_of, png_of, refusal, sent, serving, some_mask
from tests.tiny_data import LABELS

ONNXRUNTIME = Choice("onnxruntime", "float32", "to test")


@pytest.fixture
def predictor(tmp_path: Path) -> ExportedPredictor:
    return load_exported(write_colour_graph(tmp_path / "colours.onnx"), choice=ONNXRUNTIME)


def test_an_exported_file_answers_what_is_asked(predictor: ExportedPredictor) -> None:
    mask = some_mask()
    with serving({"graph": predictor}) as client:
        np.testing.assert_array_equal(pixels_of(sent(client, png_of(mask)).content), mask)
        answer = sent(client, png_of(mask), answer="areas,polygons", tolerance=0).json()
        assert client.get("v1/model").json()["title"] == "colour graph"
    assert {area["index"]: area["pixels"] for area in answer["areas"]} == {
        int(index): int((mask == index).sum()) for index in np.unique(mask)
    }
    assert sum(polygon["area"] for polygon in answer["polygons"]) == pytest.approx(mask.size)


def test_pictures_of_one_size_are_one_batch_for_an_exported_file(
    predictor: ExportedPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = [some_mask(seed=seed) for seed in range(3)]
    batches: list[int] = []
    session = predictor.session

    def counted(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        batches.append(len(batch))
        return session(batch)

    monkeypatch.setattr(predictor, "session", counted)
    predictions = predictor.predictions([LABELS.color_table[mask] for mask in masks])
    assert batches == [3]
    for mask, prediction in zip(masks, predictions, strict=True):
        np.testing.assert_array_equal(prediction.mask, mask)
        alone = predictor(LABELS.color_table[mask])
        np.testing.assert_allclose(prediction.probabilities, alone.probabilities, atol=1e-5)


def test_a_file_for_single_pictures_says_so_and_takes_them_one_by_one(tmp_path: Path) -> None:
    predictor = load_exported(write_colour_graph(tmp_path / "single.onnx", batch=1), choice=ONNXRUNTIME)
    image = LABELS.color_table[some_mask()]
    with pytest.raises(CheckpointError, match=r"does not take float32 pictures \[2, 3, 24, 32\]"):
        predictor.predictions([image, image])
    np.testing.assert_array_equal(predictor(image).mask, some_mask())


def test_a_server_of_an_exported_file_imports_no_torch(tmp_path: Path) -> None:
    mask = some_mask()
    (tmp_path / "picture.png").write_bytes(png_of(mask))
    program = f"""
import sys
from pathlib import Path
from starlette.testclient import TestClient
from atrous.inference.opening import open_predictor
from atrous.server.app import create_app
from atrous.server.service import Service

service = Service({{"graph": open_predictor({str(write_colour_graph(tmp_path / "colours.onnx"))!r})}})
service.warm_up()
with TestClient(create_app(service), base_url="http://127.0.0.1") as client:
    picture = Path({str(tmp_path / "picture.png")!r}).read_bytes()
    answer = client.post("/v1/segment", content=picture, headers={{"Content-Type": "image/png"}})
assert answer.status_code == 200, answer.text
Path({str(tmp_path / "mask.png")!r}).write_bytes(answer.content)
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr
    np.testing.assert_array_equal(pixels_of((tmp_path / "mask.png").read_bytes()), mask)


def test_probabilities_of_a_picture_seen_in_windows_are_refused_in_words(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert.interpreter")
    larger = png_of(some_mask((SIZE[0] + 40, SIZE[1])))
    with serving({"phone": load_exported(write_pointwise(tmp_path / "a.tflite"))}) as client:
        assert sent(client, larger).status_code == 200
        assert "seen in windows" in refusal(sent(client, larger, answer="probabilities"), 406, "not_acceptable")
