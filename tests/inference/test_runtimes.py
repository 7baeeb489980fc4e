from pathlib import Path

import pytest

from atrous.errors import CheckpointError, ConfigError
from atrous.inference.exported_file import read_card
from atrous.inference.runtimes import Choice, choose_runtime, open_session, threads


def test_a_checkpoint_is_computed_by_torch_unless_another_is_asked_for() -> None:
    choice = choose_runtime("auto", "float32", exported=False)
    assert (choice.runtime, choice.precision) == ("torch", "float32")
    assert "needs no conversion" in choice.words
    assert choose_runtime("onnxruntime", "auto", exported=False)[:2] == ("onnxruntime", "float32")


def test_an_exported_file_is_computed_by_openvino_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.inference.runtimes.find_spec", lambda _name: object())
    assert choose_runtime("auto", "float32", exported=True).runtime == "openvino"
    monkeypatch.setattr("atrous.inference.runtimes.find_spec", lambda name: None if name == "openvino" else object())
    choice = choose_runtime("auto", "float32", exported=True)
    assert choice.runtime == "onnxruntime"
    assert "pip install 'atrous[openvino]'" in choice.words


def test_for_few_pictures_what_is_ready_soonest_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.inference.runtimes.find_spec", lambda _name: object())
    for pictures, runtime in ((1, "onnxruntime"), (8, "onnxruntime"), (9, "openvino"), (None, "openvino")):
        assert choose_runtime("auto", "float32", exported=True, pictures=pictures).runtime == runtime
    assert choose_runtime("auto", "bfloat16", exported=True, pictures=1)[:2] == ("openvino", "bfloat16")


def test_openvinos_own_files_are_for_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.inference.runtimes.find_spec", lambda _name: object())
    assert choose_runtime("auto", "float32", exported=True, suffix=".xml", pictures=1).runtime == "openvino"
    for wanted in ("torch", "onnxruntime"):
        with pytest.raises(ConfigError, match=f"{wanted} reads no OpenVINO IR file: take --runtime openvino"):
            choose_runtime(wanted, "float32", exported=True, suffix=".xml")


def test_auto_takes_bfloat16_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for has in (True, False):
        monkeypatch.setattr("atrous.inference.runtimes.has_bfloat16", lambda has=has: has)
        assert (choose_runtime("torch", "auto", exported=False).precision == "bfloat16") == has


def test_what_cannot_be_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="torch reads no ONNX file"):
        choose_runtime("torch", "float32", exported=True)
    with pytest.raises(ConfigError, match="--runtime openvino"):
        choose_runtime("onnxruntime", "bfloat16", exported=True)
    monkeypatch.setattr("atrous.inference.runtimes.find_spec", lambda _name: object())
    with pytest.raises(ConfigError, match="litert computes in float32 here"):
        choose_runtime("litert", "bfloat16", exported=True, suffix=".tflite")
    monkeypatch.setattr("atrous.inference.runtimes.find_spec", lambda _name: None)
    for name, extra in (("onnxruntime", "export"), ("openvino", "openvino")):
        with pytest.raises(ConfigError, match=rf"{name} is not installed: run `pip install 'atrous\[{extra}\]'`"):
            choose_runtime(name, "float32", exported=True)  # type: ignore[arg-type]
    for extra, suffix in (("litert", ".tflite"), ("coreml", ".mlpackage")):
        with pytest.raises(ConfigError, match=rf"run `pip install 'atrous\[{extra}\]'`"):
            choose_runtime("auto", "float32", exported=True, suffix=suffix)


def test_threads_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert threads() >= 1


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"no graph at all"])
def test_a_file_that_is_no_onnx_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        read_card(path)
    with pytest.raises(CheckpointError, match="cannot read"):
        open_session(path, Choice("onnxruntime", "float32", ""))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        read_card(tmp_path / "none.onnx")
