import hashlib
import os
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from atrous import download as module
from atrous.download import cache_folder, download, is_offline
from atrous.errors import DownloadError, OutputError
from atrous.progress import Lines
from tests.local_server import LocalServer, Served, serving, serving_paths
from tests.tiny_data import one_sentence

CONTENT = np.random.default_rng(0).integers(0, 256, 3_000_000, np.uint8).tobytes()
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No test waits; the seconds that a user would have waited are written down."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.delenv("ATROUS_OFFLINE", raising=False)
    return waited


def ranges(server: LocalServer) -> list[str | None]:
    return [wanted for _, wanted in server.requests]


def test_a_file_is_fetched_once_and_checked_from_then_on(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.bin"
    with serving(a_bin=Served(CONTENT)) as server:
        assert download([server("a.bin")], target, sha256=HASH) == target
        download([server("a.bin")], target, sha256=HASH[:8])
        assert len(server.requests) == 1
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]
    target.write_bytes(b"other")
    with pytest.raises(DownloadError, match=r"a\.bin is another file than was published .*: remove it"):
        download(["http://127.0.0.1:9/a.bin"], target, sha256=HASH)
    assert target.exists()


def test_what_broke_off_is_continued_and_not_begun_again(tmp_path: Path) -> None:
    with serving(a_bin=Served(CONTENT, failures=[0, 0])) as server:
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)
        assert ranges(server) == [None, "bytes=1500000-", "bytes=2250000-"]


def test_another_call_continues_where_the_last_one_failed(tmp_path: Path) -> None:
    with serving(a_bin=Served(CONTENT, failures=[0, 503, 503, 503, 503])) as server:
        with pytest.raises(DownloadError, match=r"503 .*what has come is kept") as error:
            download([server("a.bin")], tmp_path / "a.bin")
        one_sentence(error.value)
        assert not (tmp_path / "a.bin").exists()
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)
        assert ranges(server)[-1] == "bytes=1500000-"


@pytest.mark.parametrize("change", ["etag", "no ranges", "no validator", "weak validator"])
def test_a_file_that_may_have_changed_is_begun_again(tmp_path: Path, change: str) -> None:
    served = Served(CONTENT[::-1], failures=[0, 404])
    served.etag = {"no validator": None, "weak validator": 'W/"1"'}.get(change, served.etag)
    served.ranges = change != "no ranges"
    with serving(a_bin=served) as server:
        with pytest.raises(DownloadError, match=r"404 .*what has come is kept"):
            download([server("a.bin")], tmp_path / "a.bin")
        served.content, served.etag = CONTENT, '"2"' if change == "etag" else served.etag
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)


def test_a_part_that_is_too_long_is_thrown_away(tmp_path: Path) -> None:
    with serving(a_bin=Served(CONTENT, failures=[0, 404])) as server:
        with pytest.raises(DownloadError):
            download([server("a.bin")], tmp_path / "a.bin")
        with (tmp_path / "a.bin.part").open("ab") as file:
            file.write(CONTENT)
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)


def test_the_mirror_is_asked_when_the_first_address_has_nothing(tmp_path: Path) -> None:
    with serving(a_bin=Served(CONTENT)) as server:
        download([server("none.bin"), "http://127.0.0.1:9/a.bin", server("a.bin")], tmp_path / "a.bin", sha256=HASH)
        assert [path for path, _ in server.requests] == ["none.bin", "a.bin"]  # 404 is not asked again


def test_a_server_that_is_busy_is_asked_again(tmp_path: Path) -> None:
    with serving(a_bin=Served(CONTENT, failures=[503, 429])) as server:
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)
        assert len(server.requests) == 3


def test_another_file_than_was_published_is_removed(tmp_path: Path) -> None:
    with (
        serving(a_bin=Served(b"evil")) as server,
        pytest.raises(DownloadError, match=rf"has another file than was published: SHA-256 .*, not {HASH}") as error,
    ):
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)
    assert hashlib.sha256(b"evil").hexdigest() in one_sentence(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_web_page_is_not_taken_for_the_file(tmp_path: Path) -> None:
    page = Served(b"<html>please log in</html>", kind="text/html; charset=utf-8")
    with serving(a_bin=page) as server, pytest.raises(DownloadError, match="a web page where a file was expected"):
        download([server("a.bin")], tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("claimed", [2**50, -5, "many"])
def test_a_claim_beyond_reason_is_refused(claimed: int | str, tmp_path: Path) -> None:
    with serving(a_bin=Served(b"x", claimed=claimed)) as server, pytest.raises(DownloadError, match=r"claims .* bytes"):
        download([server("a.bin")], tmp_path / "a.bin")


def test_an_answer_without_length_ends_where_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT)
    with serving(a_bin=Served(chunked, headers={"Transfer-Encoding": "chunked"})) as server:
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)
        monkeypatch.setattr(module, "LARGEST", 2**20)
        with pytest.raises(DownloadError, match="sends more than"):
            download([server("a.bin")], tmp_path / "b.bin")


def test_a_disk_without_room_is_noticed_before_a_byte_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 2**62)
    with serving(a_bin=Served(b"x", claimed=2**60)) as server, pytest.raises(OutputError, match="No space"):
        download([server("a.bin")], tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_is_no_fault_of_the_network(pauses: list[float]) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full, which is always full")
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OutputError, match="No space"):
        module._append(full, b"x", Path("a.bin.part"))
    assert pauses == []


def test_another_part_than_was_asked_for_is_refused(tmp_path: Path) -> None:
    part = Served(CONTENT[5:], status=206, headers={"Content-Range": f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}"})
    with serving(a_bin=part) as server, pytest.raises(DownloadError, match="another part of the file"):
        download([server("a.bin")], tmp_path / "a.bin")


def test_a_mirror_is_asked_when_the_first_address_has_another_file(tmp_path: Path) -> None:
    with serving(spoilt_bin=Served(b"spoilt"), a_bin=Served(CONTENT)) as server:
        download([server("spoilt.bin"), server("a.bin")], tmp_path / "a.bin", sha256=HASH)


def test_a_busy_server_is_left_alone_as_long_as_it_asks(pauses: list[float], tmp_path: Path) -> None:
    with serving(a_bin=Served(CONTENT, failures=[503, 429], headers={"Retry-After": "7"})) as server:
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)
    assert pauses == [7, 7]


def test_a_server_that_is_not_there_is_asked_four_times(pauses: list[float], tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="refused") as error:
        download(["http://127.0.0.1:9/a.bin"], tmp_path / "a.bin")
    assert str(tmp_path / "a.bin") in one_sentence(error.value)
    assert pauses == [1, 2, 4]


def test_what_came_whole_before_a_crash_is_not_fetched_twice(tmp_path: Path) -> None:
    with serving(a_bin=Served(CONTENT)) as server:
        (tmp_path / "a.bin.part").write_bytes(CONTENT)
        (tmp_path / "a.bin.part.json").write_text(f'["{server("a.bin")}", "\\"1\\""]')
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)
        assert ranges(server) == [f"bytes={len(CONTENT)}-"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("note", ["", "[", "{}", "[1, 2, 3]", '["http://elsewhere/a.bin", "\\"1\\""]'])
def test_a_part_that_nobody_vouches_for_is_begun_again(note: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(b"who knows")
    (tmp_path / "a.bin.part.json").write_text(note)
    with serving(a_bin=Served(CONTENT)) as server:
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)
        assert ranges(server) == [None]


def test_several_at_once_fetch_a_file_once(tmp_path: Path) -> None:
    with serving(a_bin=Served(CONTENT)) as server:
        calls = [threading.Thread(target=download, args=([server("a.bin")], tmp_path / "a.bin")) for _ in range(3)]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        assert len(server.requests) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_progress_counts_mebibytes_to_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(a_bin=Served(CONTENT)) as server:
        download([server("a.bin")], tmp_path / "a.bin", progress=Lines())
    assert "Fetching a.bin (MiB) 3/3 (100 %)" in capsys.readouterr().out


def test_encryption_is_not_given_up_on_the_way() -> None:
    asked = urllib.request.Request("https://example.org/a.bin")
    with pytest.raises(module._UnavailableError, match="not encrypted"):
        module._Redirects().redirect_request(asked, None, 302, "Found", {}, "http://example.org/a.bin")


def test_redirections_lead_to_http_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    files = {"a": Served(b"", redirect=secret.as_uri()), "b": Served(b"", redirect="/c"), "c": Served(CONTENT)}
    with serving_paths(files) as server:
        with pytest.raises(DownloadError):
            download([server("a")], tmp_path / "a.bin")
        download([server("b")], tmp_path / "b.bin", sha256=HASH)
    with pytest.raises(ValueError, match="no address of http"):
        download([secret.as_uri()], tmp_path / "c.bin")


def test_offline_it_is_said_which_file_goes_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATROUS_OFFLINE", "1")
    with serving(a_bin=Served(CONTENT)) as server:
        with pytest.raises(DownloadError) as error:
            download([server("a.bin")], tmp_path / "a.bin")
        assert str(error.value) == (
            f"a.bin is not here and ATROUS_OFFLINE forbids the network: fetch {server('a.bin')} elsewhere and put it "
            f"there as {tmp_path / 'a.bin'}."
        )
        assert server.requests == []
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert download(["http://127.0.0.1:9/a.bin"], tmp_path / "a.bin", sha256=HASH).exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with serving(a_bin=Served(CONTENT)) as server, pytest.raises(OutputError, match="file"):
        download([server("a.bin")], tmp_path / "file" / "a.bin")


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("yes", True), ("0", False), ("", False), ("no", False)])
def test_offline_is_what_the_variable_says(value: str, offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATROUS_OFFLINE", value)
    assert is_offline() is offline


def test_the_cache_lies_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATROUS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ATROUS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "atrous"


@pytest.mark.parametrize(
    ("addresses", "sha256"), [((), None), (("http://127.0.0.1:9/a",), "abc"), (("http://127.0.0.1:9/a",), "x" * 64)]
)
def test_what_cannot_be_asked_for_is_a_slip(addresses: tuple[str, ...], sha256: str | None, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"address|SHA-256"):
        download(addresses, tmp_path / "a.bin", sha256=sha256)
