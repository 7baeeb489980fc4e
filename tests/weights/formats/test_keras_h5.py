import json
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from atrous.errors import CheckpointError
from atrous.weights.formats.keras_h5 import CHILD, is_hdf5, read_keras_h5
from atrous.weights.formats.keras_h5_child import main
from tests.weights.fuzzing import mutants
from tests.weights.keras_files import Layers, write_keras_h5

LAYERS: Layers = [("conv", [("conv/kernel", [1, 1, 2, 3]), ("conv/bias", [3])]), ("bn", [("bn/gamma", [3])])]


def test_weights_are_read_by_layer_and_role_in_the_order_of_the_model(tmp_path: Path) -> None:
    weights = write_keras_h5(tmp_path / "a.h5", LAYERS, whole_model=True)
    file = read_keras_h5(tmp_path / "a.h5")
    assert list(file.weights) == ["conv/kernel", "conv/bias", "bn/gamma"]
    for name, tensor in file.weights.items():
        assert np.array_equal(tensor.numpy(), weights[name])
    assert json.loads(file.config or "")["class_name"] == "Functional"


def test_names_of_keras_2_and_of_models_within_models_are_the_same(tmp_path: Path) -> None:
    layers: Layers = [
        ("base", [("conv/kernel:0", [1, 1, 2, 3]), ("other/bias:0", [3])]),
        ("decoder", [("conv2d_6/kernel:0", [1, 1, 3, 4])]),
        ("bn", [("bn_1/gamma:0", [3])]),  # made a second time in one session
    ]
    write_keras_h5(tmp_path / "a.h5", layers)
    assert list(read_keras_h5(tmp_path / "a.h5").weights) == [
        "conv/kernel", "other/bias", "conv2d_6/kernel", "bn/gamma",
    ]  # fmt: skip


def test_long_lists_of_names_come_in_pieces(tmp_path: Path) -> None:
    write_keras_h5(tmp_path / "a.h5", LAYERS)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file.attrs["layer_names"]
        file.attrs["layer_names0"] = np.array(["conv"], dtype="S")
        file.attrs["layer_names1"] = np.array(["bn"], dtype="S")
    assert list(read_keras_h5(tmp_path / "a.h5").weights) == ["conv/kernel", "conv/bias", "bn/gamma"]


def test_it_is_recognised_behind_a_block_of_somebody_elses_bytes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024):
        pass
    assert is_hdf5(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_bytes(b"x" * 5000)
    assert not is_hdf5(tmp_path / "b.h5")


def test_the_new_weights_of_keras_3_are_named_as_what_they_are(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file.create_group("layers/dense/vars")
    with pytest.raises(CheckpointError, match=r"does not name its layers: load it in Keras"):
        read_keras_h5(tmp_path / "a.weights.h5")


def hostile(path: Path, kind: str) -> None:
    write_keras_h5(path, LAYERS)
    with h5py.File(path, "a") as file:
        del file["conv/conv/kernel"]
        place = file["conv/conv"]
        match kind:
            case "huge":
                place.create_dataset("kernel", (2**20, 2**12), "f4", chunks=(64, 64), compression="gzip")
            case "external link":
                place["kernel"] = h5py.ExternalLink("/etc/passwd", "x")
            case "external storage":
                place.create_dataset("kernel", (4,), "f4", external=[("/etc/passwd", 0, 16)])
            case "virtual":
                layout = h5py.VirtualLayout((4,), "f4")
                layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
                place.create_virtual_dataset("kernel", layout)
            case "soft link":
                place["kernel"] = h5py.SoftLink("/conv/conv/bias")
            case "text":
                place["kernel"] = "hello"
            case "group":
                place.create_group("kernel")
            case _:
                pass  # it is lost


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("huge", "more than 2 GiB"),
        ("external link", "lies in another place"),
        ("external storage", "lies in another file"),
        ("virtual", "lies in another file"),
        ("soft link", "lies in another place"),
        ("text", "no array of real numbers"),
        ("group", "lacks the weights"),
        ("lost", "lacks the weights"),
    ],
)
def test_hostile_files_are_refused_in_one_sentence(kind: str, words: str, tmp_path: Path) -> None:
    hostile(tmp_path / "a.h5", kind)
    began = time.monotonic()
    with pytest.raises(CheckpointError, match=rf"a\.h5 is no file of Keras that can be read \(.*{words}"):
        read_keras_h5(tmp_path / "a.h5")
    assert time.monotonic() - began < 10  # mostly the start of the process that reads


def test_the_death_of_the_reading_process_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keras_h5(tmp_path / "a.h5", LAYERS)
    deadly = tmp_path / "deadly.py"
    deadly.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr("atrous.weights.formats.keras_h5.CHILD", deadly)
    with pytest.raises(CheckpointError, match="makes the HDF5 library fail"):
        read_keras_h5(tmp_path / "a.h5")
    deadly.write_text("while True: pass")
    monkeypatch.setattr("atrous.weights.formats.keras_h5.SECONDS", 0.3)
    with pytest.raises(CheckpointError, match="without end"):
        read_keras_h5(tmp_path / "a.h5")
    assert CHILD.exists()


def test_without_h5py_it_is_said_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keras_h5(tmp_path / "a.h5", LAYERS)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(CheckpointError, match=r"pip install 'atrous\[keras\]'"):
        read_keras_h5(tmp_path / "a.h5")
    with pytest.raises(CheckpointError, match="There is no file"):
        read_keras_h5(tmp_path / "none.h5")


def test_no_damage_makes_it_fail_otherwise(tmp_path: Path) -> None:
    write_keras_h5(tmp_path / "whole.h5", LAYERS)
    refusals = 0
    for data in mutants([(tmp_path / "whole.h5").read_bytes()], 300, seed=0):
        (tmp_path / "a.h5").write_bytes(data)
        refusals += "error" in main(str(tmp_path / "a.h5"), str(tmp_path / "a.safetensors"))
    assert refusals > 30
