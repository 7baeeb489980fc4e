import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import atrous
from atrous.errors import CheckpointError, ConfigError, DownloadError
from atrous.networks import DeepLabV3Config, MobileNetV2Config
from atrous.networks.family_members import MEMBERS
from atrous.weights import bundled, catalog, finding
from atrous.weights.catalog import CATALOG, ReleasedWeights
from atrous.weights.checkpoint import load_checkpoint, read_info
from atrous.weights.finding import checkpoint_of, file_of, find_model
from atrous.weights.hub import parse_place
from atrous.weights.importing import import_weights, save_imported
from tests.cli.conftest import atrous as atrous_command
from tests.cli.terminal import Terminal
from tests.local_server import Served, serving_paths
from tests.tiny_data import one_sentence
from tests.weights.formats.files import as_onnx, random_network

terminal = atrous_command  # the fixture, under a name that does not hide the package
SMALL = DeepLabV3Config(backbone=MobileNetV2Config(width=0.25), rates=(), context_channels=8)
FOUR = ("sky", "sea", "land", "ship")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATROUS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("atrous.download.SECONDS_BETWEEN", 0.0)
    monkeypatch.delenv("ATROUS_OFFLINE", raising=False)


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


def test_what_comes_with_the_package_is_found_before_what_others_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    ours = tmp_path / f"{CATALOG[0].name}.safetensors"
    ours.write_text("")
    assert find_model(CATALOG[0].name) == ours


def test_a_checkpoint_of_several_files_is_imported_by_its_index(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def note(path: Path, **_: object) -> None:
        seen.append([path.name, *sorted(member.name for member in path.parent.iterdir())])
        raise CheckpointError("enough.")

    monkeypatch.setattr(finding, "import_weights", note)
    file = io.BytesIO()
    names = ("model.ckpt-30000.data-00000-of-00001", "model.ckpt-30000.index")
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name in ("frozen_inference_graph.pb", *names):
            tar.addfile(tarfile.TarInfo(f"deeplab/{name}"))
    with serving_paths({"a/small.tar.gz": Served(file.getvalue())}) as server:
        zoo = entry(server("a/small.tar.gz"), file.getvalue(), "*.ckpt*")
        monkeypatch.setattr(catalog, "CATALOG", (zoo,))
        with pytest.raises(CheckpointError, match="enough"):
            find_model("small")
    assert seen == [["model.ckpt-30000.index", *names]]
    assert [path.name for path in file_of(zoo).parent.iterdir()] == ["small.tar.gz"]


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(CheckpointError, match=r"There is no model `torchvision-v3-resnet5`.*did you mean `torchvis"):
        find_model("torchvision-v3-resnet5")


def test_what_no_program_can_fetch_says_what_to_do() -> None:
    with pytest.raises(DownloadError, match=r"open https://drive\.google\.com/\S+ in a browser, put the file there"):
        find_model("jfzhang95-voc-resnet101")


def test_what_was_fetched_by_hand_is_found_by_its_name(onnx_file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand = entry("http://none", onnx_file)._replace(addresses=(), by_hand="https://example.org/a", sha256=None)
    monkeypatch.setattr(catalog, "CATALOG", (by_hand,))
    with pytest.raises(DownloadError) as error:
        find_model("small")
    assert str(file_of(by_hand)) in one_sentence(error.value)
    file_of(by_hand).write_bytes(onnx_file)
    assert read_info(find_model("small")).name == "small"


def test_what_cannot_be_read_yet_is_not_even_fetched() -> None:
    with pytest.raises(CheckpointError, match=r"tf-cityscapes-edgetpu is listed, but cannot be imported yet"):
        find_model("tf-cityscapes-edgetpu")


def test_offline_a_name_says_which_file_goes_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATROUS_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"fetch https?://\S+ elsewhere and put it there as \S+cache/released/"):
        find_model("torchvision-v3-resnet50")


def test_the_commands_list_show_and_fetch(
    onnx_file: bytes, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    for width in (80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        listed = terminal("models").out
        assert all(entry.name in listed for entry in CATALOG)
        assert max(map(len, listed.splitlines())) <= width
    assert "75.3 VOC val" in listed
    card = terminal("models", "describe", "tf-voc-mobilenet-v2").out
    assert "mIoU 75.32 on VOC val (output stride 16, one scale), as published" in card
    assert "not here yet: atrous models download tf-voc-mobilenet-v2" in card
    with serving_paths({"a/small.onnx": Served(onnx_file)}) as server:
        monkeypatch.setattr(catalog, "CATALOG", (*CATALOG, entry(server("a/small.onnx"), onnx_file)))
        assert "Here: " in terminal("models", "download", "small").out
        monkeypatch.setenv("COLUMNS", "80")
        assert next(line for line in terminal("models").out.splitlines() if line.startswith(" small ")).endswith(
            "here     "
        )
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
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")  # not even a bar: nobody asked for one
            return done.stdout.strip()

        imported = Path(asked("hf://me/theirs"))
        assert load_checkpoint(imported).info.labels.names == FOUR
        ours = imported.read_bytes()
        server.files["me/ours/resolve/main/atrous.safetensors"] = _as_the_hub(ours)
        assert Path(asked("hf://me/ours")).read_bytes() == ours
        assert "refused: hf://me/none" in asked("hf://me/none")
        server.files["me/theirs/resolve/main/other/model.safetensors"] = served[
            "me/theirs/resolve/main/model.safetensors"
        ]
        again = Path(asked("hf://me/theirs/other/model.safetensors"))
        assert again != imported  # another file of the same commit
        assert imported.with_suffix(".import.json").is_file()


class Hub:
    """Takes what is uploaded, as far as our side sees the hub."""

    taken: ClassVar[list[dict[str, Any]]] = []

    def create_repo(self, repo_id: str, *, exist_ok: bool) -> None:
        if repo_id == "not/mine":
            raise PermissionError("401 Client Error: log in\nfirst")
        assert exist_ok

    def upload_file(self, **what: Any) -> str:
        self.taken.append(what)
        return f"https://huggingface.co/{what['repo_id']}/blob/main/{what['path_in_repo']}"


def test_a_checkpoint_is_stored_on_the_hub(
    onnx_file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    monkeypatch.setattr(pytest.importorskip("huggingface_hub"), "HfApi", Hub)
    (tmp_path / "a.onnx").write_bytes(onnx_file)
    checkpoint = tmp_path / "a.safetensors"
    save_imported(import_weights(tmp_path / "a.onnx"), checkpoint, "a")
    stored = terminal("models", "upload", checkpoint, "hf://me/model@v1").out
    assert stored == "Stored: https://huggingface.co/me/model/blob/main/atrous.safetensors\n"
    assert Hub.taken[-1]["path_or_fileobj"] == str(checkpoint)
    assert Hub.taken[-1]["revision"] == "v1"
    assert "401 Client Error: log in first" in terminal.fails("models", "upload", checkpoint, "hf://not/mine")
    assert "a.onnx" in terminal.fails("models", "upload", tmp_path / "a.onnx", "hf://me/model")


def test_without_the_library_of_the_hub_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DownloadError, match=r"pip install 'atrous\[hub\]'"):
        find_model("hf://me/model")


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
