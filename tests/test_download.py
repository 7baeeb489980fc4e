import hashlib
from pathlib import Path

import numpy as np
import pytest

from atrous.download import cache_folder, download
from atrous.errors import DownloadError, OutputError
from tests.local_server import LocalServer, Served, serving, serving_paths

CONTENT = np.random.default_rng(0).integers(0, 256, 3_000_000, np.uint8).tobytes()
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.download.SECONDS_BETWEEN", 0.0)


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
    with serving(a_bin=Served(CONTENT, failures=[0, 503, 503, 503])) as server:
        with pytest.raises(DownloadError, match=r"503 .*what has come is kept"):
            download([server("a.bin")], tmp_path / "a.bin")
        assert not (tmp_path / "a.bin").exists()
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)
        assert ranges(server)[-1] == "bytes=1500000-"


@pytest.mark.parametrize("change", ["etag", "no ranges", "no validator", "weak validator"])
def test_a_file_that_may_have_changed_is_begun_again(tmp_path: Path, change: str) -> None:
    served = Served(CONTENT[::-1], failures=[0])
    served.etag = {"no validator": None, "weak validator": 'W/"1"'}.get(change, served.etag)
    served.ranges = change != "no ranges"
    with serving(a_bin=served) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("atrous.download.ATTEMPTS", 1)
            with pytest.raises(DownloadError, match="broke off after 1500000 of 3000000 bytes"):
                download([server("a.bin")], tmp_path / "a.bin")
        served.content, served.etag = CONTENT, '"2"' if change == "etag" else served.etag
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)


def test_a_part_that_is_too_long_is_thrown_away(tmp_path: Path) -> None:
    with serving(a_bin=Served(CONTENT, failures=[0])) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("atrous.download.ATTEMPTS", 1)
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
        pytest.raises(DownloadError, match=rf"a\.bin is another file than was published \(SHA-256 .*not {HASH}"),
    ):
        download([server("a.bin")], tmp_path / "a.bin", sha256=HASH)
    assert list(tmp_path.iterdir()) == []


def test_a_web_page_is_not_taken_for_the_file(tmp_path: Path) -> None:
    page = Served(b"<html>please log in</html>", kind="text/html; charset=utf-8")
    with serving(a_bin=page) as server, pytest.raises(DownloadError, match="a web page instead of the file"):
        download([server("a.bin")], tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_claim_beyond_reason_is_refused(tmp_path: Path) -> None:
    with serving(a_bin=Served(b"x", claimed=2**50)) as server, pytest.raises(DownloadError, match="it claims"):
        download([server("a.bin")], tmp_path / "a.bin")


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


def test_the_cache_lies_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATROUS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("ATROUS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "atrous"


def test_a_hash_that_is_too_short_to_mean_anything_is_a_slip(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fewer than 8 digits"):
        download(["http://127.0.0.1:9/a.bin"], tmp_path / "a.bin", sha256="abc")
