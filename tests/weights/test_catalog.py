import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch
import torchvision

import atrous
from atrous.weights import catalog
from atrous.weights.catalog import CATALOG, ReleasedWeights
from atrous.weights.importing import import_weights
from atrous.weights.known_labels import known_labels
from tests.local_server import Served, serving
from tests.real import REAL, real

CLASSES = {"voc": 21, "cityscapes": 19, "ade20k": 151, "coco-stuff": 182, "deepfashion2": 14}


def by_origin(origin: str) -> list[ReleasedWeights]:
    return [entry for entry in CATALOG if entry.name.startswith(f"{origin}-")]


def test_names_are_unique_and_easy_to_type() -> None:
    names = [entry.name for entry in CATALOG]
    assert len(set(names)) == len(names) > 70
    assert [name for name in names if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{2,37}", name)] == []


def test_every_entry_can_be_fetched_or_says_how() -> None:
    for entry in CATALOG:
        assert bool(entry.addresses) != bool(entry.by_hand)
        for address in (*entry.addresses, *filter(None, [entry.by_hand]), entry.page):
            parts = urlsplit(address)
            assert parts.scheme in ("http", "https")
            assert "." in parts.netloc
            assert " " not in address
        assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}|None", str(entry.sha256))
        assert entry.megabytes is None or 1 < entry.megabytes < 1000
        assert all((entry.what, entry.trained_on, entry.licence))


def test_different_files_have_different_names_in_the_cache() -> None:
    files = {entry.addresses or entry.by_hand: entry.file_name for entry in CATALOG}
    assert len(set(files.values())) == len(files)


def test_an_archive_says_which_of_its_files_is_meant_and_nothing_else_does() -> None:
    for entry in CATALOG:
        is_archive = any(address.endswith((".tar.gz", ".tgz", ".zip")) for address in entry.addresses)
        assert is_archive == (entry.member is not None), entry.name


def test_classes_are_those_of_data_sets_that_are_known_here() -> None:
    for labels in {entry.labels for entry in CATALOG if entry.labels}:
        assert known_labels(labels, CLASSES[labels]).num_classes == CLASSES[labels]


def test_every_score_has_its_protocol_and_no_classifier_has_one() -> None:
    for entry in CATALOG:
        assert all(0 < score.mean_iou < 100 and score.data and score.protocol for score in entry.scores)
        assert entry.labels or not entry.scores


@pytest.mark.parametrize("entry", by_origin("torchvision"), ids=lambda entry: entry.name)
def test_torchvision_itself_has_these_weights_with_this_address_size_and_score(entry: ReleasedWeights) -> None:
    every = [
        weights
        for name in torchvision.models.list_models()
        if not name.startswith("quantized")
        for weights in torchvision.models.get_model_weights(name)
    ]
    (theirs,) = {weights for weights in every if weights.url == entry.addresses[0]}
    assert entry.sha256 == theirs.url.removesuffix(".pth").rsplit("-", 1)[1]
    assert entry.megabytes == pytest.approx(theirs.meta["_file_size"] * 1.048576, abs=0.1)
    measured = theirs.meta["_metrics"].get("COCO-val2017-VOC-labels")
    assert [score.mean_iou for score in entry.scores] == ([measured["miou"]] if measured else [])


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("torchvision-lraspp", "lraspp_mobilenet_v3_large"),
        ("torchvision-v3-mobilenet-v3", "deeplabv3_mobilenet_v3_large"),
        ("torchvision-resnet18", "resnet18"),
        ("torchvision-mobilenet-v2", "mobilenet_v2"),
        ("torchvision-mobilenet-v3-small", "mobilenet_v3_small"),
        pytest.param("torchvision-v3-resnet50", "deeplabv3_resnet50", marks=pytest.mark.slow),
        pytest.param("torchvision-vgg16", "vgg16", marks=pytest.mark.slow),
        pytest.param("torchvision-resnet152", "resnet152", marks=pytest.mark.slow),
    ],
)
def test_a_file_of_torchvision_is_imported_as_the_entry_says(name: str, model: str, tmp_path: Path) -> None:
    """With random weights: the released ones have the same names and shapes."""
    entry = catalog.released(name)
    choices = {"weights_backbone": None} if entry.labels else {}
    network = torchvision.models.get_model(
        model, weights=None, **choices, **{"aux_loss": True} if "v3-" in model else {}
    )
    torch.save(network.state_dict(), tmp_path / "a.pth")
    found = import_weights(tmp_path / "a.pth", allow_partial=entry.allow_partial)
    assert found.num_classes == (21 if entry.labels else 1000)


@real
def test_a_released_model_is_known_by_its_hash_and_predicts_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = catalog.released("tflite-voc-mobilenet-v2-0.5")
    content = (REAL / "weights/deeplabv3.tflite").read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry.sha256
    monkeypatch.setenv("ATROUS_CACHE", str(tmp_path))
    monkeypatch.delenv("ATROUS_OFFLINE", raising=False)
    with serving(a_tflite=Served(content)) as server:
        monkeypatch.setattr(catalog, "CATALOG", (entry._replace(addresses=(server("a.tflite"),)),))
        predictor = atrous.load(entry.name)
    photo = sorted((REAL / "voc/VOCdevkit/VOC2012/JPEGImages").glob("*.jpg"))[0]
    assert predictor(photo).mask.shape
    assert predictor.labels.names[15] == "person"
