import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from atrous.errors import CheckpointError
from atrous.weights.formats.torch_file import read_torch_file
from tests.tiny_data import one_sentence
from tests.weights.fuzzing import mutants

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2), "b.count": torch.tensor(7)}


def same(given: dict[str, Tensor], expected: dict[str, Tensor] = STATE) -> bool:
    return given.keys() == expected.keys() and all(torch.equal(given[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3, "best_pred": 0.5, "optimizer": {"state": {}}},
        {"model_state": STATE, "cur_itrs": 10},
        {"model": {"state_dict": STATE}},
        {f"module.{name}": tensor for name, tensor in STATE.items()},
        {"net": {f"module.model.{name}": tensor for name, tensor in STATE.items()}},
        {"state_dict_ema": STATE, "epoch": 3, "optimizer": {"state": {}}},
    ],
    ids=["plain", "state_dict", "model_state", "nested", "module", "net and module", "another name"],
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_every_packing_is_opened(content: dict[str, Any], zipped: bool, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert same(read_torch_file(tmp_path / "a.pth").tensors)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_number_of_numpy_beside_the_tensors_is_passed_over(kind: Any, zipped: bool, tmp_path: Path) -> None:
    """VainF's `best_score` and jfzhang95's `best_pred` are such."""
    content = {"model_state": STATE, "optimizer_state": {"state": {}}, "best_score": kind(3)}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert same(read_torch_file(tmp_path / "a.pth").tensors)


def test_a_number_of_an_older_numpy_is_passed_over(tmp_path: Path) -> None:
    torch.save(
        {"model_state": STATE, "best_score": np.float64(3)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False
    )
    older = (tmp_path / "a.pth").read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "b.pth").write_bytes(older)
    assert b"numpy.core" in older
    assert same(read_torch_file(tmp_path / "b.pth").tensors)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    assert same(read_torch_file(tmp_path / "a.safetensors").tensors)


def test_it_says_how_the_tensors_were_packed(tmp_path: Path) -> None:
    wrapped = {f"module.{name}": tensor for name, tensor in STATE.items()}
    torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "a.pth")
    notes = " ".join(read_torch_file(tmp_path / "a.pth").notes)
    assert "'state_dict'" in notes
    assert "epoch" in notes
    assert "'module.'" in notes


def test_weights_of_a_loss_beside_a_wrapped_network_keep_no_name_from_being_read(tmp_path: Path) -> None:
    wrapped = {f"model.{number}.weight": torch.ones(2) for number in range(12)}
    torch.save({"state_dict": {**wrapped, "criterion.weight": torch.ones(3)}}, tmp_path / "a.pth")
    file = read_torch_file(tmp_path / "a.pth")
    assert list(file.tensors) == [*(f"{number}.weight" for number in range(12)), "criterion.weight"]
    assert "every name began with 'model.', but for criterion.weight" in file.notes


def test_safetensors_which_keep_no_order_are_sorted_by_their_numbers(tmp_path: Path) -> None:
    save_file({f"layers.{number}.weight": torch.ones(2) for number in range(12)}, tmp_path / "a.safetensors")
    names = list(read_torch_file(tmp_path / "a.safetensors").tensors)
    assert names == [f"layers.{number}.weight" for number in range(12)]


def test_an_archive_around_a_file_of_weights_is_refused_with_what_is_in_it(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.pth", "release/a.pth")
    with pytest.raises(CheckpointError, match=r"an archive with release/a\.pth in it: unpack it"):
        read_torch_file(tmp_path / "a.zip")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_code_in_a_pickle_is_never_run(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    torch.save({"state_dict": STATE, "extra": Trap(sprung)}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps({**STATE, "x": Trap(sprung)}))
    for name in ("a.pth", "b.pth"):
        with pytest.raises(CheckpointError) as refusal:
            read_torch_file(tmp_path / name)
        assert one_sentence(refusal.value)
    assert not sprung.exists()


def test_a_whole_pickled_network_is_refused_with_the_reason(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"torch\.nn.* which may run any code.*state_dict"):
        read_torch_file(tmp_path / "a.pth")


def test_an_archive_that_would_unpack_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 50_000_000)
    with pytest.raises(CheckpointError, match="unpack to more than its own size"):
        read_torch_file(tmp_path / "bomb.pth")


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, "a text", {}], ids=str)
def test_what_holds_no_tensors_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CheckpointError) as refusal:
        read_torch_file(tmp_path / "a.pth")
    assert one_sentence(refusal.value)


def test_no_damage_makes_it_fail_otherwise(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "zip.pth")
    torch.save({"model": STATE, "best": np.float64(1)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    save_file(STATE, tmp_path / "a.safetensors")
    seeds = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    refused = 0
    for data in mutants(seeds, 300, seed=0):
        (tmp_path / "damaged").write_bytes(data)
        try:
            read_torch_file(tmp_path / "damaged")
        except CheckpointError:
            refused += 1
    assert refused > 50
