import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from atrous.errors import OutputError
from atrous.files import cannot_write, make_folder, replacing, write_text
from atrous.images import write_image


def everything_in(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_written_file_is_there_with_its_folders_and_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "größer\n")
    assert (tmp_path / "a/b/c.txt").read_bytes() == "größer\n".encode()
    assert everything_in(tmp_path) == {"a/b/c.txt": "größer\n"}


def test_a_written_file_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "a long old text")
    write_text(tmp_path / "a.txt", "new")
    assert everything_in(tmp_path) == {"a.txt": "new"}


def test_until_the_block_ends_the_old_file_stays(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert everything_in(tmp_path) == {"a.txt": "new"}


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_the_old_file_stays_when_the_block_fails(tmp_path: Path, failure: type[BaseException]) -> None:
    write_text(tmp_path / "a.txt", "old")

    def write_half() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("ne")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert everything_in(tmp_path) == {"a.txt": "old"}


def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("x" * 255), "whole")
    assert everything_in(tmp_path) == {"x" * 255: "whole"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space is left on the disk of out.txt: free some"),
        (errno.EDQUOT, "No space is left"),
        (errno.EACCES, "out.txt may not be written: choose another place"),
        (errno.EROFS, "out.txt may not be written: choose another place"),
        (errno.ENOTDIR, "a file stands where a folder was expected"),
        (errno.EIO, "out.txt cannot be written (Input/output error): choose another place"),
    ],
)
def test_each_reason_has_its_own_sentence(number: int, words: str) -> None:
    assert words in str(cannot_write(Path("out.txt"), OSError(number, os.strerror(number))))


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "a.txt", "old")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"No space is left on the disk of .*a\.txt: free some, then run"):
        write_text(tmp_path / "a.txt", "new")
    assert everything_in(tmp_path) == {"a.txt": "old"}


WRITE_BEYOND_THE_LIMIT = """
import sys
from pathlib import Path
import numpy as np
from atrous.errors import OutputError
from atrous.files import write_text
from atrous.images import write_image
noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
folder = Path(sys.argv[1])
for write in (
    lambda: write_text(folder / "a.txt", "x" * 100_000),
    lambda: write_image(folder / "a.png", noise),
    lambda: write_image(folder / "a.jpg", noise),
):
    try:
        write()
    except OutputError as error:
        print(error)
"""


def test_a_real_limit_on_the_size_of_files_is_one_sentence_and_leaves_the_old_files(tmp_path: Path) -> None:
    for name in ("a.txt", "a.png", "a.jpg"):
        (tmp_path / name).write_text("old")
    result = subprocess.run(
        [sys.executable, "-B", "-c", WRITE_BEYOND_THE_LIMIT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == [
        f"{tmp_path / name} cannot be written (File too large): choose another place with --output."
        for name in ("a.txt", "a.png", "a.jpg")
    ]
    assert everything_in(tmp_path) == dict.fromkeys(("a.txt", "a.png", "a.jpg"), "old")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_device_that_is_full_is_one_sentence(tmp_path: Path) -> None:
    def write() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_text("new")

    with pytest.raises(OutputError, match="No space is left on the disk of"):
        write()
    assert everything_in(tmp_path) == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(OutputError, match="may not be written: choose another place"):
        write_text(tmp_path / "a.txt", "new")


@pytest.mark.parametrize("place", ["file/a.txt", "file/deeper/a.txt"])
def test_a_parent_that_is_a_file_is_refused_in_one_sentence(tmp_path: Path, place: str) -> None:
    write_text(tmp_path / "file", "old")
    with pytest.raises(OutputError, match=r"a\.txt cannot be written: a file stands where a folder was expected"):
        write_text(tmp_path / place, "new")
    with pytest.raises(OutputError, match="a file stands where a folder was expected"):
        make_folder(tmp_path / place)
    assert everything_in(tmp_path) == {"file": "old"}


def test_a_folder_in_the_place_of_the_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OutputError, match=r"a\.txt cannot be written \(Is a directory\)"):
        write_text(tmp_path / "a.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_name_that_is_too_long_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long"):
        write_image(tmp_path / ("x" * 300 + ".png"), np.zeros((1, 1, 3), np.uint8))
    assert everything_in(tmp_path) == {}


def test_a_folder_is_made_with_its_parents_and_may_be_there_already(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert make_folder(folder) == make_folder(folder) == folder
    assert folder.is_dir()
