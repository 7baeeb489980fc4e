"""LiteRT files by the converter, which the extra `litert` brings; it takes half a minute, however small the network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from atrous.data.samples import Sample
from atrous.errors import ExportError
from atrous.evaluation.verified_export import Export, export_verified
from atrous.inference.export_gate import compare_answers, require_agreement
from atrous.inference.exported import load_exported
from atrous.inference.exported_file import read_card
from atrous.inference.predictor import Predictor
from atrous.inference.to_litert import litert_of
from atrous.inference.to_onnx import Output
from atrous.weights.checkpoint import Checkpoint
from tests.small import checkpoint
from tests.tiny_data import LABELS, InMemory, noise

pytest.importorskip("litert_torch")
pytestmark = pytest.mark.slow
SIZE = (129, 160)


def predictor(model: Checkpoint) -> Predictor:
    return Predictor(model.network, LABELS, name="tiny", device=torch.device("cpu"))


def labelled(model: Checkpoint) -> InMemory:
    """Pictures whose truth is what the network says."""
    pictures = [noise(SIZE, seed) for seed in range(3)]
    return InMemory([Sample(picture, predictor(model)(picture).mask, str(n)) for n, picture in enumerate(pictures)])


@pytest.fixture(scope="module")
def contents() -> dict[Output, bytes]:
    return {output: litert_of(checkpoint().network, output, SIZE) for output in ("logits", "labels")}


@pytest.fixture(autouse=True)
def _converted_once(contents: dict[Output, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.inference.to_litert.litert_of", lambda _network, output, _size: contents[output])


def test_a_file_answers_scores_and_predicts_like_the_network(tmp_path: Path) -> None:
    model, path = checkpoint(), tmp_path / "a.tflite"
    agreement, comparison = export_verified(path, model, Export(size=SIZE, measured=labelled(model)))
    assert agreement.difference < 1e-4
    assert comparison is not None
    assert comparison.file > 0.999
    card = read_card(path)
    assert card is not None
    assert (card.name, card.labels, card.size, card.layout) == ("tiny", LABELS, SIZE, "nhwc")
    assert card.comparison["pictures"] == 3
    image = noise(SIZE, 9)
    np.testing.assert_allclose(
        load_exported(path)(image).probabilities, predictor(model)(image).probabilities, atol=1e-4
    )
    assert [each.name for each in tmp_path.iterdir()] == ["a.tflite"]


def test_labels_are_those_of_the_network(tmp_path: Path) -> None:
    path, image = tmp_path / "a.tflite", noise(SIZE, 9)
    export_verified(path, checkpoint(), Export(size=SIZE, output="labels"))
    assert (load_exported(path)(image).mask == predictor(checkpoint())(image).mask).mean() > 0.999


def test_int8_is_smaller_and_is_held_to_its_score(tmp_path: Path) -> None:
    model = checkpoint()
    wanted = Export(size=SIZE, calibration=labelled(model), measured=labelled(model), largest_loss=90)
    export_verified(tmp_path / "float.tflite", model, Export(size=SIZE))
    _, comparison = export_verified(tmp_path / "int8.tflite", model, wanted)
    assert comparison is not None
    assert comparison.file < 1
    card = read_card(tmp_path / "int8.tflite")
    assert card is not None
    assert card.precision == "int8"
    assert load_exported(tmp_path / "int8.tflite").precision == "int8"
    sizes = [(tmp_path / f"{name}.tflite").stat().st_size for name in ("int8", "float")]
    assert sizes[0] < 0.7 * sizes[1]
    with pytest.raises(ExportError, match="loses"):
        export_verified(tmp_path / "no.tflite", model, wanted._replace(largest_loss=0))
    assert not (tmp_path / "no.tflite").exists()


def test_a_file_of_other_weights_does_not_pass_the_gate(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    export_verified(path, checkpoint(), Export(size=SIZE))
    card = read_card(path)
    assert card is not None
    assert compare_answers(path, checkpoint(1).network, card).difference > 0.01
    with pytest.raises(ExportError, match="answers otherwise than the network"):
        require_agreement(path, checkpoint(1).network, card)
