import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import urllib.parse
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import atrous
from atrous.errors import CheckpointError, ConfigError, DownloadError
from atrous.networks import DeepLabV3Config, MobileNetV2Config
from atrous.networks.family_members import MEMBERS
from atrous.weights import catalog
from atrous.weights.catalog import CATALOG, ReleasedWeights
from atrous.weights.checkpoint import load_checkpoint, read_info
from atrous.weights.finding import checkpoint_of, find_model, unpack
from atrous.weights.hub import parse_place
from atrous.weights.importing import import_weights, save_imported
from atrous.weights.known_labels import known_labels
from tests.cli.conftest import atrous as atrous_command
from tests.cli.terminal import Terminal
from tests.local_server import Served, serving_paths
from tests.weights.formats.files import as_onnx, random_network

terminal = atrous_command  # the fixture, under a name that does not hide the package
SMALL = DeepLabV3Config(backbone=MobileNetV2Config(width=0.25), rates=(), context_channels=8)
FOUR = ("sky", "sea", "land", "ship")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATROUS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("atrous.download.SECONDS_BETWEEN", 0.0)


@pytest.fixture(scope="module")
def onnx_file() -> bytes:
    return as_onnx(random_network(SMALL), (33, 33))


def archive_of(content: bytes, kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as zipped:
            zipped.writestr("folder/small.onnx", content)
            zipped.writestr("folder/readme.txt", b"hello")
    else:
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            member = tarfile.TarInfo("folder/small.onnx")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def entry(address: str, content: bytes, member: str | None = None) -> ReleasedWeights:
    return ReleasedWeights(
        name="small",
        what="a small network",
        trained_on="nothing",
        licence="none",
        page="https://example.org",
        addresses=(address,),
        sha256=hashlib.sha256(content).hexdigest()[:8],
        member=member,
    )


@pytest.mark.parametrize("packing", ["plain", "zip", "tar.gz"])
def test_a_released_model_is_fetched_imported_and_predicts_by_its_name(
    packing: str, onnx_file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = onnx_file if packing == "plain" else archive_of(onnx_file, packing)
    path = f"files/small.{'onnx' if packing == 'plain' else packing}"
    with serving_paths({path: Served(content)}) as server:
        released = entry(server(path), content, None if packing == "plain" else "*.onnx")
        monkeypatch.setattr(catalog, "CATALOG", (*CATALOG, released))
        predictor = atrous.load("small")
        assert predictor(np.zeros((20, 30, 3), np.uint8)).mask.shape == (20, 30)
        atrous.load("small")
        assert len(server.requests) == 1  # the second time it is here
    checkpoint = checkpoint_of(released)
    assert read_info(checkpoint).name == "small"
    assert json.loads(checkpoint.with_suffix(".import.json").read_text())["ecosystem"] == "ONNX"


def test_a_path_is_itself_and_a_file_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_model("no/such/file.safetensors") == Path("no/such/file.safetensors")
    assert find_model(Path("model.pth")) == Path("model.pth")
    (tmp_path / CATALOG[0].name).write_text("mine")
    assert find_model(CATALOG[0].name) == Path(CATALOG[0].name)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(CheckpointError, match=r"There is no model `torchvision-v3-resnet5`.*did you mean `torchvis"):
        find_model("torchvision-v3-resnet5")


def test_what_no_program_can_fetch_says_what_to_do() -> None:
    with pytest.raises(DownloadError, match=r"cannot be fetched by a program\. .*Google Drive.*atrous import"):
        find_model("jfzhang95-voc-resnet101")


def test_offline_a_name_says_which_file_goes_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATROUS_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"fetch https?://\S+ elsewhere and put it there as \S+cache/released/"):
        find_model("torchvision-v3-resnet50")


def test_a_hostile_archive_writes_nothing_elsewhere(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        for name in ("../../evil.onnx", "/tmp/evil.onnx", "a/good.onnx"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
        link = tarfile.TarInfo("link.onnx")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert sorted(set(unpack(tmp_path / "evil.tar", "*.onnx", target))) == ["evil.onnx", "good.onnx"]
    assert sorted(path.name for path in target.iterdir()) == ["evil.onnx", "good.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.tar", "target"]


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.weights.finding.LARGEST_MEMBER", 1000)
    (tmp_path / "bomb.zip").write_bytes(archive_of(bytes(10_000_000), "zip"))
    with pytest.raises(OSError, match="unpacks to more"):
        unpack(tmp_path / "bomb.zip", "*.onnx", tmp_path)


def test_every_entry_of_the_catalogue_is_whole() -> None:
    assert len({entry.name for entry in CATALOG}) == len(CATALOG) > 30
    for released in CATALOG:
        assert bool(released.addresses) != bool(released.instructions)
        for address in (*released.addresses, released.page):
            parts = urllib.parse.urlsplit(address)
            assert parts.scheme in ("http", "https")
            assert parts.netloc
        if released.sha256:
            assert len(released.sha256) >= 8
            int(released.sha256, 16)
        if released.labels:
            known_labels(
                released.labels, {"voc": 21, "cityscapes": 19, "ade20k": 150, "deepfashion2": 14}[released.labels]
            )
        assert all(0 < score.mean_iou < 100 and score.protocol for score in released.scores)
    files = {(released.addresses, released.file_name) for released in CATALOG if released.addresses}
    assert len({name for _, name in files}) == len({addresses for addresses, _ in files})


def test_the_commands_list_show_and_fetch(
    onnx_file: bytes, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    listed = terminal("models").out
    assert all(entry.name in listed for entry in CATALOG)
    card = terminal("models", "describe", "tf-voc-mobilenet-v2").out
    assert "mIoU 75.32 (VOC val, output stride 16, one scale), as published" in card
    assert "not here yet: atrous models download tf-voc-mobilenet-v2" in card
    with serving_paths({"a/small.onnx": Served(onnx_file)}) as server:
        monkeypatch.setattr(catalog, "CATALOG", (*CATALOG, entry(server("a/small.onnx"), onnx_file)))
        assert "Here: " in terminal("models", "download", "small").out
    assert "Parameters:" in terminal("models", "describe", "small").out
    assert "did you mean" in terminal.fails("models", "download", "tf-voc-mobilenet")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("hf://me/model", ("me/model", None, None)),
        ("hf://me/model@v1", ("me/model", "v1", None)),
        ("hf://me/model@v1/a/b.safetensors", ("me/model", "v1", "a/b.safetensors")),
    ],
)
def test_a_place_on_the_hub_is_read(text: str, place: tuple[str, str | None, str | None]) -> None:
    assert parse_place(text) == place
    with pytest.raises(ConfigError, match="is no place on the hub"):
        parse_place("hf://model")


ASK_THE_HUB = """
import sys
from atrous.weights.finding import find_model
from atrous.errors import AtrousError
try:
    print(find_model(sys.argv[1]))
except AtrousError as error:
    print("refused:", error)
"""


def test_the_hub_is_asked_for_ours_and_for_weights_of_others(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    torch.manual_seed(0)
    transformers = pytest.importorskip("transformers")
    config = transformers.MobileNetV2Config(num_labels=4, depth_multiplier=0.35)
    config.id2label = dict(enumerate(FOUR))
    transformers.MobileNetV2ForSemanticSegmentation(config).save_pretrained(tmp_path / "theirs")
    files = {f"me/theirs/resolve/main/{name}": (tmp_path / "theirs" / name).read_bytes()
             for name in ("model.safetensors", "config.json")}  # fmt: skip
    served = {path: _as_the_hub(content) for path, content in files.items()}
    with serving_paths(served) as server:
        environment = {
            **os.environ,
            "HF_ENDPOINT": server.address,
            "HF_HOME": str(tmp_path / "hub"),
            "ATROUS_CACHE": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": "1",
        }

        def asked(place: str) -> str:
            command = [sys.executable, "-c", ASK_THE_HUB, place]
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

        imported = Path(asked("hf://me/theirs"))
        assert load_checkpoint(imported).info.labels.names == FOUR
        ours = imported.read_bytes()
        server.files["me/ours/resolve/main/atrous.safetensors"] = _as_the_hub(ours)
        assert Path(asked("hf://me/ours")).read_bytes() == ours
        assert "refused: hf://me/none" in asked("hf://me/none")


def _as_the_hub(content: bytes) -> Served:
    commit = hashlib.sha1(content).hexdigest()
    return Served(content, etag=f'"{commit}"', headers={"X-Repo-Commit": commit})


def test_torch_hub_loads_every_member_and_checkpoints(tmp_path: Path, onnx_file: bytes) -> None:
    root = str(Path(__file__).parents[2])
    small = {"backbone": {"kind": "mobilenet_v2", "width": 0.25}}
    hub: Any = torch.hub
    for member in MEMBERS:
        choices = small if member in ("deeplab_v3", "deeplab_v3plus", "image_classifier") else {}
        with torch.device("meta"):
            network = hub.load(root, member, source="local", num_classes=5, **choices)
        assert network.num_classes == 5
    (tmp_path / "a.onnx").write_bytes(onnx_file)
    save_imported(import_weights(tmp_path / "a.onnx"), tmp_path / "a.safetensors", "a")
    assert hub.load(root, "load", str(tmp_path / "a.safetensors"), source="local").num_classes == 4
    assert hub.load(root, "predictor", str(tmp_path / "a.safetensors"), source="local").name == "a"
