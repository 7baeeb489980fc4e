"""What `atrous doctor` says of a machine on which something is missing, too old, or does not fit."""

import json
import shutil
import sys
from collections import namedtuple
from importlib import metadata
from pathlib import Path

import pytest

from atrous.cli import doctor_machine, doctor_packages
from atrous.cli.doctor_packages import FOR, OF_DEVELOPERS, Finding, fits, look_at_packages
from tests.cli.terminal import Terminal

Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Versions that differ from those that are installed; None for what is not."""
    pretended: dict[str, str | None] = {}
    real = metadata.version

    def version(name: str) -> str:
        found = pretended[name] if name in pretended else real(name)
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(doctor_packages, "import_module", lambda name: sys.modules.get(name))  # takes no time
    return pretended


def found(name: str) -> Finding:
    return next(finding for finding in look_at_packages() if finding.name == name)


def test_here_everything_is_in_order(atrous: Terminal) -> None:
    code, out, err = atrous("doctor")
    assert (code, err) == (0, "")
    assert "broken" not in out
    assert out.endswith("Prediction, training and evaluation can run.\n")


def test_programs_get_json(atrous: Terminal, versions: dict[str, str | None]) -> None:
    versions["fastapi"] = None
    document = json.loads(atrous("doctor", "--json").out)
    assert document["ok"] is True
    serve = next(finding for finding in document["findings"] if finding["name"] == "serve")
    assert serve["state"] == "missing"
    assert serve["mend"] == "pip install 'atrous[serve]'"


def test_what_every_use_needs_and_is_not_there_is_broken(atrous: Terminal, versions: dict[str, str | None]) -> None:
    versions["scipy"] = None
    code, out, _ = atrous("doctor")
    assert code == 1
    assert "pip install --upgrade 'scipy>=1.13'" in out
    assert "1 thing is broken" in out


def test_a_package_that_is_too_old_is_broken(versions: dict[str, str | None]) -> None:
    versions["torch"] = "2.9.1"
    assert found("torch").state == "broken"
    assert found("torch").mend == "pip install --upgrade 'torch>=2.10'"


def test_a_package_that_cannot_be_imported_is_broken_and_says_why(
    versions: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions["opencv-python-headless"] = "4.12.0"

    def without_a_library(name: str) -> None:
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr(doctor_packages, "import_module", without_a_library)
    finding = found("opencv-python-headless")
    assert finding.state == "broken"
    assert "libGL.so.1" in finding.fact
    assert finding.mend.endswith("'opencv-python-headless==4.12.0'")


@pytest.mark.parametrize(
    ("torch", "torchvision", "state"),
    [
        ("2.14.1+cu130", "0.29.1", "ok"),
        ("2.10.0", "0.25.0+cpu", "ok"),
        ("2.14.1", "0.28.0", "note"),
        ("2.10.0", "0.29.1", "note"),
    ],
)
def test_a_torchvision_for_another_torch_is_noted(
    torch: str, torchvision: str, state: str, versions: dict[str, str | None]
) -> None:
    versions.update(torch=torch, torchvision=torchvision)
    finding = found("torchvision")
    assert finding.state == state
    assert finding.mend in ("", f"pip install 'torchvision==0.{int(torch[2:4]) + 15}.*'")


def test_without_torchvision_nothing_is_said_of_it(versions: dict[str, str | None]) -> None:
    versions["torchvision"] = None
    assert "torchvision" not in [finding.name for finding in look_at_packages()]


@pytest.mark.parametrize("extra", sorted(FOR))
def test_a_missing_extra_is_named_with_its_use_and_its_line(extra: str, versions: dict[str, str | None]) -> None:
    for line in metadata.requires("atrous") or []:
        if f"extra == '{extra}'" in line:
            versions[line.partition(">=")[0].partition("[")[0]] = None
    finding = found(extra)
    assert (finding.state, finding.mend) == ("missing", f"pip install 'atrous[{extra}]'")
    assert FOR[extra] in finding.fact


def test_every_extra_says_what_it_is_for() -> None:
    extras = metadata.metadata("atrous").get_all("Provides-Extra") or []
    assert sorted(extras) == sorted([*FOR, *OF_DEVELOPERS])


def test_a_source_tree_that_is_not_installed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", unknown)
    assert found("atrous").mend == "pip install -e ."


@pytest.mark.parametrize(
    ("version", "wanted", "fitting"),
    [
        ("2.14.1+cu130", ">=2.10", True),
        ("2.9", ">=2.10", False),
        ("2.10", ">=2.10.0", True),
        ("1.4.3", "==1.4.*", True),
        ("1.5", "==1.4.*", False),
        ("1.5", ">=1,<1.5", False),
        ("2.3", "!=2.3", False),
        ("1.0.dev3", "", True),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, wanted: str, fitting: bool) -> None:
    assert fits(version, wanted) is fitting


def test_more_threads_than_cores_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "processors", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    finding = doctor_machine._threads()
    assert finding.state == "note"
    assert finding.mend.startswith("export OMP_NUM_THREADS=")


@pytest.mark.parametrize(("content", "cores"), [("150000 100000", 1), ("400000 100000", 4), ("max 100000", None)])
def test_the_quota_of_a_container_is_read(content: str, cores: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert doctor_machine._quota(tmp_path / "cpu.max") == cores


def test_a_little_shared_memory_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(64 * 2**20, 0, 64 * 2**20))
    monkeypatch.setattr(Path, "is_dir", lambda _: True)
    assert [finding.state for finding in doctor_machine._memory() if finding.name == "shared memory"] == ["note"]


def test_a_folder_for_models_that_may_not_be_written_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ATROUS_CACHE", str(tmp_path / "file" / "models"))
    finding = doctor_machine._models()
    assert finding.state == "note"
    assert "ATROUS_CACHE" in finding.mend


def test_loops_that_have_no_place_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "atrous.inference.cells", None)
    finding = doctor_machine._compiled_loops()
    assert finding.state == "broken"
    assert "NUMBA_CACHE_DIR" in finding.mend


def test_without_a_display_show_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert doctor_machine._display().state == "missing"
