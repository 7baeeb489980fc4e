"""Sound and subtitles from one video into another, packet by packet, without decoding them."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atrous.inference.video_container import CONTAINERS, open_container

if TYPE_CHECKING:
    from av import Packet
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.subtitles.stream import SubtitleStream


class SoundCopy:
    """Copies what accompanies the pictures, always as far as the pictures have come."""

    def __init__(self, source: "InputContainer", target: "OutputContainer") -> None:
        """Announce the streams to the target; such as its format cannot hold are left out."""
        held = target.supported_codecs
        copied = [stream for stream in _accompaniment(source) if _codec(stream) in held]
        self.target = target
        self.streams = {stream.index: target.add_stream_from_template(stream) for stream in copied}
        self._packets = self._of(source, copied)
        self._waiting: Packet[Any] | None = None

    def copy_until(self, time: Fraction | None) -> None:
        """Copy all packets that are due at `time` seconds; without a time, all that are left."""
        while packet := self._waiting or next(self._packets, None):
            self._waiting = packet
            stamp = packet.pts if packet.dts is None else packet.dts
            if time is not None and stamp is not None and stamp * packet.time_base > time:
                return
            self._waiting = None
            packet.stream = self.streams[packet.stream_index]
            self.target.mux(packet)

    def _of(self, source: "InputContainer", streams: "list[AudioStream | SubtitleStream]") -> Iterator["Packet[Any]"]:
        from av import FFmpegError

        try:
            if streams:  # of none, PyAV would hand out the packets of all
                yield from (packet for packet in source.demux(streams) if packet.size)
        except FFmpegError:  # the file ends here; whoever reads the pictures says so
            return


@contextmanager
def sound_copy(path: Path, target: "OutputContainer") -> Iterator[SoundCopy]:
    """A copy of the sound and the subtitles of the video at `path`.

    Raises:
        VideoError: If the file cannot be read.
    """
    with open_container(path) as source:
        yield SoundCopy(source, target)


def best_suffix(path: Path) -> str:
    """Return .mp4, which is played everywhere, or .mkv if that alone can hold the sound and the subtitles of a video.

    Raises:
        VideoError: If the file cannot be read.
    """
    with open_container(path) as source:
        needed = {_codec(stream) for stream in _accompaniment(source)}
    return min(CONTAINERS, key=lambda suffix: len(needed - _held(suffix)))


def _held(suffix: str) -> set[str]:
    """The codecs that a format can hold."""
    from io import BytesIO

    import av

    with av.open(BytesIO(), "w", format=CONTAINERS[suffix]) as container:
        return container.supported_codecs


def _accompaniment(source: "InputContainer") -> "list[AudioStream | SubtitleStream]":
    streams: list[AudioStream | SubtitleStream] = [*source.streams.audio, *source.streams.subtitles]
    return sorted((stream for stream in streams if _codec(stream)), key=lambda stream: stream.index)


def _codec(stream: "AudioStream | SubtitleStream") -> str:
    """Its codec as FFmpeg calls it; empty where it knows none."""
    context = stream.codec_context
    return context.codec.canonical_name if context else ""
