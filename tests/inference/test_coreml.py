"""CoreML computes on macOS alone: elsewhere the network stands in for it, behind a package that coremltools made."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from atrous.errors import CheckpointError, ConfigError, ExportError
from atrous.evaluation.verified_export import Export, export_verified
from atrous.inference.exported_file import COREML_MODEL, read_card
from atrous.inference.opening import open_predictor
from atrous.inference.phone_runtimes import coreml_session
from tests.small import checkpoint
from tests.tiny_data import LABELS, noise

SIZE = (129, 160)


def test_where_nothing_can_check_the_file_that_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(ConfigError, match="checked on macOS alone: export it there"):
        export_verified(tmp_path / "a.mlpackage", checkpoint(), Export())
    assert not list(tmp_path.iterdir())


def test_a_session_hands_over_one_picture_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class MLModel:
        def __init__(self, path: str, compute_units: str) -> None:
            assert (path, compute_units) == (str(tmp_path), "cpu")

        def predict(self, given: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
            assert given["image"].shape == (1, 3, *SIZE)
            return {"logits": 2 * given["image"]}

    fake = SimpleNamespace(models=SimpleNamespace(MLModel=MLModel), ComputeUnit=SimpleNamespace(CPU_ONLY="cpu"))
    monkeypatch.setitem(sys.modules, "coremltools", fake)
    batch = np.random.default_rng(0).random((2, 3, *SIZE), np.float32)
    np.testing.assert_array_equal(coreml_session(tmp_path)(batch), 2 * batch)


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="Cannot read"):
        read_card(tmp_path / "none.mlpackage")
    model = tmp_path / "a.mlpackage" / COREML_MODEL
    model.parent.mkdir(parents=True)
    model.write_bytes(b"hello, world")
    with pytest.raises(CheckpointError, match="no CoreML file or a damaged one"):
        read_card(tmp_path / "a.mlpackage")


@pytest.mark.slow
class TestConversion:
    @pytest.mark.parametrize("output", ["logits", "labels"])
    def test_a_package_takes_and_gives_what_its_card_says(self, output: Any) -> None:
        pytest.importorskip("coremltools")
        from atrous.inference.to_coreml import coreml_of

        description = coreml_of(checkpoint().network, output, SIZE).get_spec().description
        (image,), (answer,) = description.input, description.output
        assert (image.name, list(image.type.multiArrayType.shape)) == ("image", [1, 3, *SIZE])
        shape = [1, 3, 33, 40] if output == "logits" else [1, *SIZE]
        assert (answer.name, list(answer.type.multiArrayType.shape)) == (output, shape)

    def test_a_package_that_answers_is_kept_and_one_that_does_not_leaves_the_older(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("coremltools")
        from atrous.inference import to_coreml

        model, path = checkpoint(), tmp_path / "a.mlpackage"
        computing = model.network

        def session(_path: Path) -> Any:
            return lambda batch: computing.low_resolution_logits(torch.from_numpy(batch)).detach().numpy()

        made = to_coreml.coreml_of(model.network, "logits", SIZE)
        monkeypatch.setattr(to_coreml, "coreml_of", lambda *_: made)
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setattr("atrous.inference.runtimes.coreml_session", session)
        for _ in range(2):  # the second replaces the first
            export_verified(path, model, Export(size=SIZE))
        card = read_card(path)
        assert card is not None
        assert (card.name, card.size, card.layout, card.labels) == ("tiny", SIZE, "nchw", LABELS)
        assert open_predictor(path)(noise(SIZE, 0)).mask.shape == SIZE
        computing = checkpoint(1).network
        with pytest.raises(ExportError, match="answers otherwise"):
            export_verified(path, model, Export(size=SIZE))
        assert read_card(path) == card
        assert [each.name for each in tmp_path.iterdir()] == ["a.mlpackage"]
