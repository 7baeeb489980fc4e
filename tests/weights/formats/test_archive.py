import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from atrous.errors import CheckpointError, OutputError
from atrous.weights.formats import archive as module
from atrous.weights.formats.archive import unpack
from tests.tiny_data import one_sentence
from tests.weights.fuzzing import mutants


def tar_of(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def zip_of(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


FILES = {"deep/model.ckpt.index": b"index", "deep/model.ckpt.data-0": b"data", "deep/readme.txt": b"no"}


@pytest.mark.parametrize("kind", ["zip", "tar", "gz", "bz2", "xz"])
def test_only_the_wanted_files_come_out(kind: str, tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "a"
    archive = zip_of(path, FILES) if kind == "zip" else tar_of(path, FILES, "w" if kind == "tar" else f"w:{kind}")
    written = unpack(archive, "*.ckpt*", folder)
    assert {file.name: file.read_bytes() for file in written} == {
        "model.ckpt.index": b"index",
        "model.ckpt.data-0": b"data",
    }
    assert sorted(folder.iterdir()) == sorted(written)


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_paths_that_lead_elsewhere_lead_nowhere(make: object, tmp_path: Path, folder: Path) -> None:
    names = ("../../a.pth", "/tmp/b.pth", "x/../c.pth", ".d.pth", "..", "x/..")
    make(tmp_path / "evil", dict.fromkeys(names, b"x"))  # type: ignore[operator]
    assert sorted(path.name for path in unpack(tmp_path / "evil", "*", folder)) == ["a.pth", "b.pth", "c.pth"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil", "target"]


def test_links_and_devices_mean_nothing(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with tarfile.open(tmp_path / "evil", "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            member = tarfile.TarInfo(f"{kind.decode()}.pth")
            member.type, member.linkname = kind, str(tmp_path / "secret")
            tar.addfile(member)
    with pytest.raises(CheckpointError, match=r"holds no \*\.pth"):
        unpack(tmp_path / "evil", "*.pth", folder)
    assert list(folder.iterdir()) == []


def test_a_file_never_goes_through_a_link_that_came_before_it(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with tarfile.open(tmp_path / "evil", "w") as tar:
        link = tarfile.TarInfo("a.pth")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        tar.addfile(link)
        member = tarfile.TarInfo("a.pth")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    assert unpack(tmp_path / "evil", "*.pth", folder)[0].read_bytes() == b"evil"
    assert (tmp_path / "secret").read_text() == "secret"


def test_of_two_files_with_one_name_the_first_is_taken(tmp_path: Path, folder: Path) -> None:
    archive = tar_of(tmp_path / "a.tar", {"one/a.pth": b"one", "two/a.pth": b"two"})
    assert [path.read_bytes() for path in unpack(archive, "*.pth", folder)] == [b"one"]


@pytest.mark.parametrize("make", [zip_of, lambda path, files: tar_of(path, files, "w:gz")], ids=["zip", "tar"])
def test_a_bomb_is_stopped_though_each_of_its_files_is_small(
    make: object, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 10_000)
    make(tmp_path / "bomb", {f"{number}.pth": bytes(1000) for number in range(100)})  # type: ignore[operator]
    with pytest.raises(CheckpointError, match="unpacks to more than 10000 bytes"):
        unpack(tmp_path / "bomb", "*.pth", folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 10_000


def test_a_place_that_cannot_be_written_is_no_fault_of_the_archive(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        unpack(tar_of(tmp_path / "a.tar", FILES), "*.ckpt*", tmp_path / "not" / "there")


def test_no_damage_makes_it_fail_otherwise(tmp_path: Path, folder: Path) -> None:
    seeds = [
        zip_of(tmp_path / "zip", FILES).read_bytes(),
        tar_of(tmp_path / "tar", FILES).read_bytes()[:4096],
        *(tar_of(tmp_path / kind, FILES, f"w:{kind}").read_bytes() for kind in ("gz", "bz2", "xz")),
    ]
    refused = 0
    for data in mutants(seeds, 400, seed=0):
        (tmp_path / "damaged").write_bytes(data)
        try:
            unpack(tmp_path / "damaged", "*.ckpt*", folder)
        except CheckpointError as error:
            one_sentence(error)
            refused += 1
    assert refused > 50
