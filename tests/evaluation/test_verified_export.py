import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from atrous.data.samples import Sample
from atrous.errors import CheckpointError, ConfigError, DatasetError, ExportError, MaskError
from atrous.evaluation.export_scores import compare_scores, require_scores
from atrous.evaluation.verified_export import Export, export_verified
from atrous.inference.exported_file import read_card
from atrous.inference.opening import open_predictor
from atrous.inference.prediction import LabelledPrediction
from atrous.inference.predictor import Predictor, load
from atrous.inference.to_onnx import card_of, write_onnx
from atrous.labels import LabelSpace
from atrous.weights.checkpoint import Checkpoint
from tests.small import checkpoint
from tests.tiny_data import LABELS, InMemory, noise

slow = pytest.mark.slow  # the exporters take some seconds, however small the network
PICTURE = noise((40, 56), 0)


def predictor(model: Checkpoint) -> Predictor:
    return Predictor(model.network, LABELS, name="tiny", device=torch.device("cpu"))


def labelled(model: Checkpoint, count: int = 3) -> InMemory:
    """Pictures whose truth is what the network says, so that it scores 100 %; their first row is ignored."""
    answer, samples = predictor(model), []
    for seed in range(count):
        mask = answer(noise((48, 64), seed)).mask.copy()
        mask[0] = LABELS.ignore_index
        samples.append(Sample(noise((48, 64), seed), mask, str(seed)))
    return InMemory(samples)


def test_scores_are_those_of_counting_pixels() -> None:
    ours, other = checkpoint(), checkpoint(1)
    data = labelled(ours)
    compared = compare_scores(predictor(ours), predictor(other), data)
    assert compared.network == 1
    truth = np.concatenate([sample.mask.ravel() for sample in data.samples])
    found = np.concatenate([predictor(other)(sample.image).mask.ravel() for sample in data.samples])
    counted = truth != LABELS.ignore_index
    for k, each in enumerate(compared.classes):
        inside = ((truth == k) & (found == k)).sum()
        outside = (((truth == k) | (found == k)) & counted).sum()
        assert each.file == (pytest.approx(inside / outside) if outside else None)
    present = [each.file for each in compared.classes if each.file is not None]
    assert compared.file == pytest.approx(np.mean(present))
    assert compared.loss == pytest.approx(100 * (1 - compared.file))


def test_a_file_that_loses_too_much_is_refused_with_its_worst_class() -> None:
    ours = checkpoint()
    compared = compare_scores(predictor(ours), predictor(checkpoint(1)), labelled(ours))
    require_scores(compared, largest_loss=100)
    with pytest.raises(ExportError, match=r"loses .* points of mIoU on 3 pictures .* most in (ground|cat|dog)"):
        require_scores(compared, largest_loss=1)


def test_scores_need_the_same_classes() -> None:
    ours = checkpoint()
    foreign = InMemory(labelled(ours).samples, LabelSpace.from_names(["ground", "cat", "cow"]))
    with pytest.raises(DatasetError, match="class 2 is 'dog'"):
        compare_scores(predictor(ours), predictor(ours), foreign)


def test_a_label_of_no_class_is_named() -> None:
    ours = checkpoint()
    stray = InMemory([Sample(PICTURE, np.full(PICTURE.shape[:2], 7, np.uint8), "a")])
    with pytest.raises(MaskError, match=r"labels of no class \(a\.png.* 7"):
        compare_scores(predictor(ours), predictor(ours), stray)


def test_what_cannot_be_exported_is_said_before_anything_is_done(tmp_path: Path) -> None:
    ours = checkpoint()
    data = labelled(ours, 1)
    with pytest.raises(
        ConfigError, match=r"one of \.onnx \(ONNX\), \.xml \(OpenVINO IR\), \.pt2 .*\.tflite .*\.mlpackage"
    ):
        export_verified(tmp_path / "a.pb", ours, Export())
    with pytest.raises(ConfigError, match="float32 alone"):
        export_verified(tmp_path / "a.pt2", ours, Export(calibration=data, measured=data))
    with pytest.raises(ConfigError, match="labelled pictures with --data"):
        export_verified(tmp_path / "a.onnx", ours, Export(calibration=data))
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxscript")
    path = tmp_path_factory.mktemp("traced") / "tiny.onnx"
    model = checkpoint()
    write_onnx(path, model.network, card_of(model.network, model.info))
    return path


@pytest.fixture
def traced_once(traced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's trace, which takes long, is made once."""
    monkeypatch.setattr(
        "atrous.evaluation.verified_export.write_onnx", lambda path, _network, _card: shutil.copy(traced, path)
    )


@slow
@pytest.mark.usefixtures("traced_once")
def test_openvinos_file_answers_and_says_the_same(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    ours = checkpoint()
    verified = export_verified(tmp_path / "a.xml", ours, Export(measured=labelled(ours)))
    assert verified.comparison is not None
    assert verified.comparison.loss < 0.1
    assert sorted(os.listdir(tmp_path)) == ["a.bin", "a.xml"]
    card = read_card(tmp_path / "a.xml")
    assert card is not None
    assert (card.name, card.labels, card.scores) == ("tiny", LABELS, {"mean_iou": 0.5})
    assert card.comparison["pictures"] == 3
    mask = open_predictor(tmp_path / "a.xml")(PICTURE).mask
    assert (mask == predictor(ours)(PICTURE).mask).mean() > 0.999
    with pytest.raises(ConfigError, match="onnxruntime reads no OpenVINO IR file"):
        open_predictor(tmp_path / "a.xml", runtime="onnxruntime")


@slow
def test_labels_of_every_pixel_are_those_of_the_network(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    ours = checkpoint()
    export_verified(tmp_path / "a.onnx", ours, Export(output="labels"))
    for size in ((40, 56), (33, 71)):
        prediction = open_predictor(tmp_path / "a.onnx", runtime="onnxruntime")(noise(size, 1))
        assert isinstance(prediction, LabelledPrediction)
        assert prediction.mask.shape == size
        assert prediction.mask.dtype == LABELS.mask_dtype
        assert (prediction.mask == predictor(ours)(noise(size, 1)).mask).mean() > 0.999
        np.testing.assert_array_equal(prediction.probabilities.argmax(axis=0), prediction.mask)


@slow
@pytest.mark.usefixtures("traced_once")
def test_int8_tells_what_it_loses_and_is_kept_only_within_the_limit(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    import onnx

    ours = checkpoint()
    data = labelled(ours)
    verified = export_verified(tmp_path / "a.onnx", ours, Export("logits", data, data, largest_loss=100))
    card = read_card(tmp_path / "a.onnx")
    assert card is not None
    assert card.precision == open_predictor(tmp_path / "a.onnx").precision == "int8"
    assert verified.comparison is not None
    assert card.comparison == verified.comparison.model_dump(mode="json")
    graph = onnx.load(tmp_path / "a.onnx").graph
    weights = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    quantized = [value for value in weights.values() if value.dtype == np.int8 and value.ndim == 4]
    assert len(quantized) > 50
    assert [
        value.shape[0] for value in weights.values() if value.dtype == np.float32 and value.shape[1:] == (16, 1, 1)
    ] == [3]
    with pytest.raises(ExportError, match="and was not kept"):
        export_verified(tmp_path / "b.onnx", ours, Export("logits", data, data, largest_loss=-101))
    assert os.listdir(tmp_path) == ["a.onnx"]


@slow
def test_a_program_of_torch_answers_and_is_read_without_executing_it(tmp_path: Path) -> None:
    ours = checkpoint()
    path = tmp_path / "a.pt2"
    export_verified(path, ours, Export())
    module = torch.export.load(path).module()
    batch = torch.rand(1, 3, 50, 70)
    torch.testing.assert_close(module(batch), ours.network.low_resolution_logits(batch), rtol=1e-4, atol=1e-4)
    found = load(path)
    assert (found.name, found.labels) == ("tiny", LABELS)
    assert (found(PICTURE).mask == predictor(ours)(PICTURE).mask).mean() > 0.999

    _with_pickles(path, tmp_path / "pickled.pt2")
    with pytest.raises(CheckpointError, match="damaged or of another version of torch"):
        load(tmp_path / "pickled.pt2")
    (tmp_path / "cut.pt2").write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"no torch\.export file or a damaged one|was not written by"):
        load(tmp_path / "cut.pt2")


def _with_pickles(path: Path, changed: Path) -> None:
    with zipfile.ZipFile(path) as given, zipfile.ZipFile(changed, "w") as written:
        for name in given.namelist():
            content = given.read(name)
            if name.endswith("_weights_config.json"):
                listed = json.loads(content)
                for entry in listed["config"].values():
                    entry["use_pickle"] = True
                content = json.dumps(listed).encode()
            written.writestr(name, content)


@slow
@pytest.mark.usefixtures("traced_once")
def test_int8_predicts_as_openvinos_file_too(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    ours = checkpoint()
    data = labelled(ours)
    verified = export_verified(tmp_path / "a.xml", ours, Export("logits", data, data, largest_loss=100))
    assert sorted(os.listdir(tmp_path)) == ["a.bin", "a.xml"]
    assert 'element_type="i8"' in (tmp_path / "a.xml").read_text()
    opened = open_predictor(tmp_path / "a.xml")
    assert opened.precision == "int8"
    assert verified.comparison is not None
    again = compare_scores(predictor(ours), opened, data)
    assert again.file == pytest.approx(verified.comparison.file)
    assert (opened(PICTURE).mask == predictor(ours)(PICTURE).mask).mean() > 0.8
