"""Data sets from a server on this machine: fetched, checked, unpacked without trust, and read."""

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from atrous.data import KINDS, open_split, parse_dataset
from atrous.data.downloads import download_dataset
from atrous.data.releases import RELEASES, DatasetFile, Release, Request
from atrous.data.sources import voc_trainaug
from atrous.data.unpacking import unpack
from atrous.errors import AtrousError, ConfigError, DatasetError, DownloadError
from tests.cli.terminal import Terminal
from tests.data.sources.layouts import packed
from tests.data.sources.test_pets import write_pets
from tests.data.sources.test_voc import write_sbd, write_voc
from tests.local_server import LocalServer, Served, serving_paths
from tests.tiny_data import one_sentence


def tar_of(folder: Path, *names: str) -> bytes:
    """A compressed tar of some folders of a folder."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name in names:
            tar.add(folder / name, name)
    return content.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    monkeypatch.setattr("atrous.download.SECONDS_BETWEEN", 0.0)
    with serving_paths({}) as running:
        yield running


def offer(
    server: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: dict[str, bytes],
    unpacked: dict[str, str] | None = None,
) -> None:
    """Let the server have the files of a data set, whose first address has nothing."""
    files = []
    for path, served in content.items():
        server.files[path] = Served(served)
        addresses = (server(f"nothing/{path}"), server(path))
        files.append(DatasetFile(path, addresses, md5(served), (unpacked or {}).get(path)))
    monkeypatch.setitem(RELEASES, name, Release(name, "1 MB", "none", tuple(files), name))


def offer_voc_and_sbd(server: LocalServer, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    write_voc(folder / "VOCdevkit/VOC2012")
    (folder / "kit").mkdir()
    (folder / "VOCdevkit").rename(folder / "kit/VOCdevkit")
    offer(server, monkeypatch, "voc", {"voc.tar": packed(folder / "kit", "tar").read_bytes()})
    write_sbd(folder / "benchmark_RELEASE/dataset")
    files = {"benchmark.tgz": tar_of(folder, "benchmark_RELEASE"), "benchmark_RELEASE/dataset/train_noval.txt": b"a\n"}
    offer(server, monkeypatch, "sbd", files, {"benchmark.tgz": "benchmark_RELEASE/dataset/train.txt"})


def test_what_was_fetched_is_read_from_the_same_folder(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(voc_trainaug, "PICTURES", 5)
    offer_voc_and_sbd(server, monkeypatch, tmp_path / "made")
    for name in ("voc", "sbd"):
        download_dataset(name, tmp_path / "data")
    assert len(open_split(parse_dataset(f"voc:{tmp_path / 'data'}"), "train")) == 3
    assert len(open_split(parse_dataset(f"sbd:{tmp_path / 'data'}"), "train")) == 3
    trainaug = open_split(parse_dataset(f"voc-trainaug:{tmp_path / 'data'}"), "train")
    assert len({trainaug[index].name for index in range(len(trainaug))}) == 5
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["benchmark_RELEASE", "voc.tar"]


def test_what_is_there_is_not_fetched_again(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offer_voc_and_sbd(server, monkeypatch, tmp_path / "made")
    for _ in range(2):
        download_dataset("sbd", tmp_path / "data")
    assert [path for path, _ in server.requests if not path.startswith("nothing")] == [
        "benchmark.tgz",
        "benchmark_RELEASE/dataset/train_noval.txt",
    ]


def test_the_pets_are_unpacked_without_what_archivers_left(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = write_pets(tmp_path / "made")
    files = {f"{name}.tar.gz": tar_of(made, name) for name in ("images", "annotations")}
    marks = {"images.tar.gz": "images/Abyssinian_2.jpg", "annotations.tar.gz": "annotations/trainval.txt"}
    offer(server, monkeypatch, "pets", files, marks)
    download_dataset("pets", tmp_path / "data")
    assert len(open_split(parse_dataset(f"pets:{tmp_path / 'data'}"), "test")) == 2
    assert not list(tmp_path.glob("data/**/._*"))
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["annotations", "images"]


def test_another_file_than_was_published_is_removed_or_left_to_whom_it_belongs(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offer(server, monkeypatch, "voc", {"voc.tar": b"published"})
    server.files["voc.tar"] = Served(b"something else")
    with pytest.raises(DownloadError) as caught:
        download_dataset("voc", tmp_path)
    assert f"(MD5 {md5(b'something else')}, not {md5(b'published')}) and was removed" in one_sentence(caught.value)
    assert not list(tmp_path.iterdir())
    (tmp_path / "voc.tar").write_bytes(b"mine")
    with pytest.raises(DownloadError, match="remove it, and it is fetched"):
        download_dataset("voc", tmp_path)
    assert (tmp_path / "voc.tar").read_bytes() == b"mine"


def test_without_the_network_the_sentence_says_which_file_goes_where(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offer(server, monkeypatch, "voc", {"voc.tar": b"published"})
    monkeypatch.setenv("ATROUS_OFFLINE", "1")
    with pytest.raises(DownloadError) as caught:
        download_dataset("voc", tmp_path)
    assert f"put it there as {tmp_path}/voc.tar" in one_sentence(caught.value)


@pytest.mark.parametrize("name", [name for name, release in RELEASES.items() if isinstance(release, Request)])
def test_what_needs_a_login_is_explained(name: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        download_dataset(name, tmp_path)
    text = one_sentence(caught.value)
    assert "https://" in text
    kind = re.search(rf"read (?:it|them) as ([\w-]+):{re.escape(str(tmp_path))}", text)
    assert kind is not None
    assert kind[1] in KINDS


def test_every_release_has_addresses_hashes_and_a_kind_that_reads_it() -> None:
    for name, release in RELEASES.items():
        if isinstance(release, Release):
            assert release.kind in KINDS
            for file in release.files:
                assert all(re.fullmatch(r"https?://[^\s{}]+", address) for address in file.addresses), name
                assert file.md5 is None or re.fullmatch(r"[0-9a-f]{32}", file.md5)
                assert (file.unpacked is not None) == file.name.endswith((".tgz", ".tar.gz"))


def test_a_name_that_is_not_known_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean `camvid`"):
        download_dataset("canvid", tmp_path)


def hostile(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        good = tarfile.TarInfo("good/a.txt")
        good.size = 4
        tar.addfile(good, io.BytesIO(b"good"))
        for member in members:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


@pytest.mark.parametrize("name", ["../outside.txt", "/outside.txt", "good/../../outside.txt", "C:/outside.txt"])
def test_an_archive_that_names_places_outside_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    archive = hostile(tmp_path / "a.tgz", member(name, size=3))
    with pytest.raises(DatasetError) as caught:
        unpack(archive, tmp_path / "out")
    assert "outside" in one_sentence(caught.value)
    assert not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "outside.txt").exists()


def test_links_devices_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    strange = [
        member("good/link", tarfile.SYMTYPE, "../../secret"),
        member("good/link/through.txt", size=1),
        member("good/hard", tarfile.LNKTYPE, "/etc/passwd"),
        member("good/pipe", tarfile.FIFOTYPE),
        member("good/.hidden", size=1),
    ]
    unpack(hostile(tmp_path / "a.tgz", *strange), tmp_path / "out")
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert found == ["good/a.txt", "good/link/through.txt"]
    assert (tmp_path / "secret").read_text() == "secret"


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.data.unpacking.MOST_BYTES", 1000)
    with pytest.raises(DatasetError, match="unpacks to more than"):
        unpack(hostile(tmp_path / "a.tgz", member("good/b", size=2000)), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("keep", [0, 10, 60, 200, 3000])
def test_a_damaged_archive_leaves_nothing_and_is_one_sentence(tmp_path: Path, keep: int) -> None:
    content = hostile(tmp_path / "a.tgz", *(member(f"good/{number}", size=997) for number in range(40))).read_bytes()
    uncompressed = gzip.decompress(content)
    (tmp_path / "a.tgz").write_bytes(content[:keep] if keep < 3000 else gzip.compress(uncompressed)[: keep // 10])
    with pytest.raises(AtrousError) as caught:
        unpack(tmp_path / "a.tgz", tmp_path / "out")
    one_sentence(caught.value)
    assert not list((tmp_path / "out").iterdir())


def test_the_command_says_terms_size_and_how_to_read_it(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offer_voc_and_sbd(server, monkeypatch, tmp_path / "made")
    atrous = Terminal(monkeypatch, capsys)
    code, out, err = atrous("data", "download", "voc", tmp_path / "data")
    assert (code, err) == (0, "")
    assert out.startswith("voc: 1 MB. Terms: none.\n")
    assert out.endswith(f"Read it as voc:{tmp_path / 'data'}\n")
    assert atrous("data", "download", "voc", tmp_path / "data", "--quiet") == (0, "", "")
    assert "register at https://www.cityscapes-dataset.com" in atrous.fails("data", "download", "cityscapes", tmp_path)
