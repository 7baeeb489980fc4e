"""Opening video files: which formats, what they say of themselves, and whether they are whole."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from atrous.errors import VideoError
from atrous.inference.stated_length import stated_length

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)

# Playlists are formats to FFmpeg, too, and would have it open whatever files and addresses they name.
FORMATS = "mov,matroska,webm,avi,flv,mpeg,mpegts,asf,ogg"

CONTAINERS = {".mp4": "mp4", ".mkv": "matroska"}
"""FFmpeg's names of the formats that are written, by suffix; the first is played everywhere."""

MICROSECONDS = 1_000_000
"""In which containers state how long they are."""


@contextmanager
def open_container(path: Path) -> Iterator["InputContainer"]:
    """Open a video file.

    Raises:
        VideoError: If the file is missing, is no video, or PyAV is not installed.
    """
    require_pyav(path)
    import av

    if not path.exists():
        raise VideoError(f"There is no video {path}: give the path of one.")
    if path.is_dir():
        raise VideoError(f"{path} is a folder where a video was expected: give the path of a file.")
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise _unreadable(path, error) from None
    with container:
        video_stream(container, path)
        yield container


def require_pyav(what: object) -> None:
    """Refuse to go on where PyAV is not installed.

    Raises:
        VideoError: It says how to install it.
    """
    if importlib.util.find_spec("av") is None:
        raise VideoError(f"{what} is a video, and PyAV, which reads and writes them, is missing: pip install av.")


def video_stream(container: "InputContainer", path: Path) -> "VideoStream":
    """The moving pictures of a file; the cover of a song is none.

    Raises:
        VideoError: If there are none.
    """
    for stream in container.streams.video:
        if not stream.disposition & stream.disposition.attached_pic:
            return stream
    raise VideoError(f"{path} has no moving pictures: give another video.")


def stated_count(container: "InputContainer", stream: "VideoStream", rate: Fraction) -> int:
    """How many frames there should be, as the file says or as its length suggests; 0 where it says nothing."""
    if stream.frames and container.format.name != "avi":  # AVI counts what was left out
        return stream.frames
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * rate)
    return round(Fraction(container.duration or 0, MICROSECONDS) * rate)


def cut_at(path: Path) -> int | None:
    """How many bytes there are of a file that should have more; None of one that is whole or does not say."""
    there = path.stat().st_size
    stated = stated_length(path)
    return there if stated is not None and stated > there else None


def _unreadable(path: Path, error: Exception) -> VideoError:
    if path.stat().st_size == 0:
        return VideoError(f"{path} is empty: give another video.")
    if isinstance(error, PermissionError):
        return VideoError(f"{path} may not be read: change its permissions.")
    if cut_at(path) is not None:
        return VideoError(f"{path} was cut off before the table of its frames: get a whole copy of this video.")
    return VideoError(f"{path} is no video that can be read: give one such as .mp4, .mov, .mkv, .webm or .avi.")
