import json
import os
import resource
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from atrous.errors import CheckpointError, OutputError
from atrous.labels import LabelSpace
from atrous.networks import NetworkConfig, SegmentationNetwork, build_network
from atrous.weights.checkpoint import (
    METADATA_KEY,
    CheckpointInfo,
    load_checkpoint,
    load_tensors,
    read_info,
    save_checkpoint,
    save_halved,
    save_tensors,
)
from tests.small import SMALL_NETWORKS
from tests.tiny_data import one_sentence

LABELS = LabelSpace(names=("sky", "straße"), colors=((1, 2, 3), (4, 5, 6)))
INFO = CheckpointInfo(
    name="mine",
    network=SMALL_NETWORKS[0],
    labels=LABELS,
    recipe={"name": "mine", "training": {"steps": 3, "rates": [0.1, None, True]}},
    scores={"mean_iou": 1 / 3, "classes": {"straße": 0.25}},
    provenance={"steps": 3, "date": "2026-11-21"},
)


def trained(config: NetworkConfig = SMALL_NETWORKS[0]) -> SegmentationNetwork:
    """A network whose biases and statistics are chance, too."""
    torch.manual_seed(0)
    network = build_network(config, 2)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim == 1:
                tensor.uniform_(0.5, 1.5)
    return network.eval()


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return trained().state_dict()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "a.safetensors"
    save_checkpoint(path, trained(), INFO)
    return path.read_bytes()


def refused(path: Path) -> str:
    """What loading a file says; reading its description alone must say something or succeed."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    text = one_sentence(caught.value)
    assert str(path) in text
    try:
        read_info(path)
    except CheckpointError as error:
        one_sentence(error)
    return text


@pytest.mark.parametrize("config", SMALL_NETWORKS, ids=lambda config: config.kind)
def test_a_loaded_network_gives_the_same_logits_bit_for_bit(config: NetworkConfig, tmp_path: Path) -> None:
    network = trained(config)
    info = INFO.model_copy(update={"network": config})
    save_checkpoint(tmp_path / "a.safetensors", network, info)
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    image = torch.rand(1, 3, 33, 47)
    with torch.no_grad():
        assert torch.equal(loaded.network(image), network(image))
    assert not any(module.training for module in loaded.network.modules())


def test_what_is_known_about_a_network_travels_with_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.safetensors", trained(), INFO)
    for info in (load_checkpoint(tmp_path / "a.safetensors").info, read_info(tmp_path / "a.safetensors")):
        assert info == INFO
        assert info.labels.names == ("sky", "straße")
        assert info.labels.colors == ((1, 2, 3), (4, 5, 6))
        assert info.labels.ignore_index == 255


def test_a_loaded_network_can_be_trained_on_and_saved_over_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, trained(), INFO)
    network = load_checkpoint(path).network.train()
    network(torch.rand(2, 3, 32, 32)).mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    with torch.no_grad():
        network.classifier.get_parameter("weight").add_(1)
    save_checkpoint(path, network, INFO)
    assert torch.equal(
        load_checkpoint(path).network.classifier.get_parameter("weight"), network.classifier.get_parameter("weight")
    )


def test_weights_of_half_precision_become_those_of_the_network(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = tmp_path / "a.safetensors"
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    save_tensors(path, halves, INFO.model_dump_json())
    network = load_checkpoint(path).network
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert network(torch.rand(1, 3, 32, 32)).isfinite().all()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_checkpoint_has_the_permissions_of_any_new_file(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "a.safetensors"
    before = os.umask(umask)
    try:
        save_tensors(path, {"a": torch.zeros(1)}, "{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_tensors_that_share_or_skip_memory_are_written_as_they_are(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    save_tensors(tmp_path / "a.safetensors", {"turned": base.T, "part": base[:, 1:3]}, "{}")
    read, _ = load_tensors(tmp_path / "a.safetensors", "checkpoint")
    assert torch.equal(read["turned"], base.T)
    assert torch.equal(read["part"], base[:, 1:3])


def test_a_missing_file_and_a_folder_say_so(tmp_path: Path) -> None:
    assert "There is no checkpoint" in refused(tmp_path / "nowhere.safetensors")
    assert f"such as {tmp_path}/best.safetensors" in refused(tmp_path)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"], ids=["too long", "impossible"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"\0", b"no checkpoint\n" * 50, b"\xff" * 100, b"{}"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    assert "is no checkpoint of atrous" in refused(path)


class Trap:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, ("trapped",)


def test_a_pickle_is_refused_and_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.pth"
    torch.save({"state_dict": Trap()}, path)
    assert "pickles (.pth, .pt, .ckpt) are never opened here" in refused(path)
    assert not (tmp_path / "trapped").exists()


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, whole: bytes) -> None:
    header = 8 + int.from_bytes(whole[:8], "little")
    path = tmp_path / "a.safetensors"
    for length in (1, 7, 8, 9, header // 2, header - 1, header, header + 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path)
    path.write_bytes(whole + b"\0")
    refused(path)


def test_no_flipped_byte_of_the_header_ends_in_anything_but_one_sentence(tmp_path: Path, whole: bytes) -> None:
    random = np.random.default_rng(0)
    header = 8 + int.from_bytes(whole[:8], "little")
    description = whole.index(b'"__metadata__"'), whole.index(b"}}") + 400
    path = tmp_path / "a.safetensors"
    places = [*range(8), *random.integers(*description, 30), *random.integers(8, header, 40)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] = random.integers(0, 256) if place % 2 else damaged[place] ^ 1
        path.write_bytes(damaged)
        for read in (load_checkpoint, read_info):
            try:
                read(path)
            except CheckpointError as error:
                one_sentence(error)


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}])
def test_weights_that_others_wrote_are_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata=metadata)
    assert "does not say whose weights it holds" in refused(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2", "NaN", "[]", "null", '"text"', "1" * 5000, "[" * 10**6, '{"a":' * 10**5, "\u2028"]
)
def test_a_description_that_is_none_is_refused_at_once(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={METADATA_KEY: text})
    started = time.monotonic()
    refused(path)
    assert time.monotonic() - started < 5


def described(path: Path, tensors: dict[str, Tensor], place: str, value: Any) -> Path:
    """Write a checkpoint whose description has another value at one place."""
    data = json.loads(INFO.model_dump_json())
    *parents, last = place.split(".")
    table = data
    for key in parents:
        table = table[key]
    table[last] = value
    save_tensors(path, tensors, json.dumps(data))
    return path


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("format", "atrous-checkpoint-9", "`format`: input should be 'atrous-checkpoint-1'"),
        ("network.kind", "deeplab_v9", "there is no kind `deeplab_v9`"),
        ("network.backbone.kind", "vgg", "there is no kind `vgg`"),
        ("network.contxt", 3, "there is no key `contxt`"),
        ("network.output_stride", 7, "`network.output_stride`"),
        ("labels.names", ["a", "a"], "the class name 'a' stands 2 times"),
        ("labels.names", ["a"], "1 classes have 2 colours"),
        ("labels", {"names": ["a"], "colors": [[0, 0, 0]]}, "classifier"),
        ("network", None, "`network`"),
        ("recipe", [], "`recipe`"),
    ],
)
def test_an_impossible_description_names_the_place(
    tmp_path: Path, tensors: dict[str, Tensor], place: str, value: Any, words: str
) -> None:
    assert words in refused(described(tmp_path / "a.safetensors", tensors, place, value))


@pytest.mark.parametrize("channels", [10**5, 10**9, 10**18, 10**30])
def test_a_network_of_absurd_size_is_refused_at_once_and_takes_no_memory(
    tmp_path: Path, tensors: dict[str, Tensor], channels: int
) -> None:
    path = described(tmp_path / "a.safetensors", tensors, "network.context_channels", channels)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    refused(path)
    assert time.monotonic() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_tensors_must_be_those_of_the_network(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = tmp_path / "a.safetensors"
    missing = {name: tensor for name, tensor in tensors.items() if name != "classifier.bias"}
    for given, words in (
        (missing, "lacks the tensor classifier.bias"),
        ({**tensors, "extra\nline": torch.zeros(1)}, r"holds a tensor 'extra\nline'"),
        ({**tensors, "classifier.bias": torch.zeros(3)}, "The tensor classifier.bias"),
        ({**tensors, "classifier.bias": torch.zeros(2, dtype=torch.int64)}, "The tensor classifier.bias"),
        ({}, "lacks the tensor"),
    ):
        save_tensors(path, given, INFO.model_dump_json())
        assert words in refused(path)


def test_nothing_is_left_when_the_disk_is_full_and_the_old_file_stays(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(whole)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OutputError) as caught:
            save_checkpoint(path, trained(), INFO)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in one_sentence(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
    assert path.read_bytes() == whole


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
def test_nothing_is_left_when_saving_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    def half(_: object, path: Path, **_options: object) -> None:
        path.write_bytes(b"half")
        raise failure

    monkeypatch.setattr("atrous.weights.checkpoint.save_file", half)
    with pytest.raises(failure):
        save_checkpoint(tmp_path / "a.safetensors", trained(), INFO)
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught:
        save_checkpoint(tmp_path / "file" / "a.safetensors", trained(), INFO)
    one_sentence(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_the_space_holds_the_same_network_but_for_the_rounding_of_its_kernels(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    save_checkpoint(whole, trained(), INFO)
    save_halved(half, load_checkpoint(whole), dtype)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    before, after = load_checkpoint(whole), load_checkpoint(half)
    assert after.info.provenance == {**INFO.provenance, "kernels": str(dtype).removeprefix("torch.")}
    for name, tensor in after.network.state_dict().items():
        old = before.network.state_dict()[name]
        assert tensor.dtype == old.dtype
        expected = old.to(dtype).to(old.dtype) if old.dim() > 1 else old
        assert torch.equal(tensor, expected), name


def test_a_kernel_too_large_for_the_type_stays_whole(tmp_path: Path) -> None:
    path, network = tmp_path / "a.safetensors", trained()
    kernel = network.state_dict()["classifier.weight"].fill_(1e6)
    save_checkpoint(path, network, INFO)
    save_halved(path, load_checkpoint(path), torch.float16)
    assert torch.equal(load_checkpoint(path).network.state_dict()["classifier.weight"], kernel)
