import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from atrous.server.limits import Limits
from tests.server.serving import (
    PATIENCE,
    Held,
    encoded,
    eventually,
    png_of,
    refusal,
    sent,
    serving,
    some_mask,
)
from tests.tiny_data import LABELS

SMALL = Limits(
    upload_bytes=200_000,
    held_bytes=500_000,
    pixels=10_000,
    upload_seconds=0.5,
    probability_values=3 * 24 * 32,
    polygon_corners=2_000,
)
MASK = some_mask()
PICTURE = png_of(MASK)


@pytest.fixture(scope="module")
def small() -> Iterator[httpx.Client]:
    with serving(limits=SMALL) as client:
        yield client


def noisy(size: tuple[int, int]) -> bytes:
    """A picture that hardly gets smaller by packing."""
    return encoded(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8), "PNG")


def png_header(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that says it has this size, whatever it holds."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_too_many_bytes_are_refused_by_their_stated_length(small: httpx.Client) -> None:
    assert "0.2 MB" in refusal(sent(small, b"x" * 300_000), 413, "upload_too_large")


def test_too_many_bytes_are_refused_while_they_come(small: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * 10_000

    answer = small.post("v1/segment", content=pieces(), headers={"Content-Type": "image/png"})
    refusal(answer, 413, "upload_too_large")


@pytest.mark.parametrize(("width", "height"), [(101, 100), (20_000, 20_000), (2**31 - 1, 2**31 - 1), (1, 20_000)])
def test_too_many_pixels_are_refused_by_the_header(small: httpx.Client, width: int, height: int) -> None:
    bomb = png_header(width, height, zlib.compress(bytes(100_000), 9))
    sentence = refusal(sent(small, bomb), 413, "picture_too_large")
    assert "0.01 million" in sentence


def test_a_bomb_takes_no_memory() -> None:
    rows = zlib.compress(bytes(16_000_000), 9)
    with serving() as client:
        sent(client, PICTURE)
        before = memory_of(client)
        for _ in range(3):
            refusal(sent(client, png_header(20_000, 20_000, rows)), 413, "picture_too_large")
        assert memory_of(client) - before < 60e6


def memory_of(client: httpx.Client) -> float:
    lines = client.get("metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("process_resident")).split()[1])


@pytest.mark.parametrize(
    "content", [b"", b"no picture", PICTURE[:60], PICTURE[:-30], b"\xff\xd8\xff\xe0", b"GIF89a", b"\x00" * 5000]
)
def test_what_is_no_whole_picture_is_said(small: httpx.Client, content: bytes) -> None:
    refusal(sent(small, content), 422, "unreadable_picture")


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-www-form-urlencoded", "x" * 500])
def test_a_wrong_type_of_body_is_said(small: httpx.Client, kind: str) -> None:
    answer = small.post("v1/segment", content=PICTURE, headers={"Content-Type": kind})
    assert "multipart/form-data" in refusal(answer, 415, "wrong_type")


FORM = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n' + PICTURE + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("multipart/form-data", FORM, "boundary"),
        ("multipart/form-data; boundary=b", FORM[:-20], "cut off"),
        ("multipart/form-data; boundary=b", FORM.replace(b"image", b"photo"), "no field `image`"),
        ("multipart/form-data; boundary=b", FORM[:-6] + FORM[1:], ""),
        ("multipart/form-data; boundary=c", FORM, ""),
        ("multipart/form-data; boundary=b", b"", ""),
        ("multipart/form-data; boundary=b", FORM.replace(b"--b--\r\n", FORM), "2 fields `image`"),
        ("multipart/form-data; boundary=b", FORM.replace(b"--b--\r\n", b"--b\r\nX: y\r\n\r\n\r\n" * 20), "damaged"),
        (f"multipart/form-data; boundary={'b' * 5000}", FORM, ""),
    ],
)
def test_a_wrong_form_is_said(small: httpx.Client, kind: str, content: bytes, words: str) -> None:
    answer = small.post("v1/segment", content=content, headers={"Content-Type": kind})
    assert words in refusal(answer, 400, "wrong_form")


def test_answers_that_would_be_too_large_are_refused(small: httpx.Client) -> None:
    assert sent(small, PICTURE, answer="probabilities").status_code == 200
    larger = png_of(some_mask((25, 32)))
    refusal(sent(small, larger, answer="probabilities"), 413, "answer_too_large")
    torn = noisy((90, 90))
    refusal(sent(small, torn, answer="polygons"), 413, "answer_too_large")
    assert sent(small, torn, answer="areas").status_code == 200


def test_a_slow_upload_is_ended(small: httpx.Client) -> None:
    def slowly() -> Iterator[bytes]:
        for start in range(0, len(PICTURE), 40):
            time.sleep(0.4)
            yield PICTURE[start : start + 40]

    try:
        answer = small.post("v1/segment", content=slowly(), headers={"Content-Type": "image/png"})
    except httpx.WriteError:  # the server has closed, and the client was still writing
        return
    refusal(answer, 408, "upload_too_slow")


def test_a_full_queue_answers_429_and_loses_nobody_in_it() -> None:
    held = Held()
    with serving({"held": held}, Limits(waiting=2)) as client:
        answers = list[httpx.Response]()
        threads = [
            threading.Thread(
                target=lambda seed=seed: answers.append(sent(client, png_of(some_mask(seed=seed)), answer="areas"))
            )
            for seed in range(3)
        ]
        threads[0].start()
        assert held.begun.acquire(timeout=PATIENCE)
        for thread in threads[1:]:
            thread.start()
        eventually(lambda: client.get("healthz").json()["waiting"] == 2)
        refused = sent(client, PICTURE)
        refusal(refused, 429, "busy")
        assert int(refused.headers["retry-after"]) >= 1
        held.free.release(3)
        for thread in threads:
            thread.join(PATIENCE)
        assert [answer.status_code for answer in answers] == [200] * 3
        held.free.release()
        assert sent(client, PICTURE).status_code == 200


def test_a_client_that_goes_away_gives_up_its_place() -> None:
    held = Held()
    with serving({"held": held}, Limits(waiting=1)) as client:
        first = threading.Thread(target=lambda: sent(client, PICTURE))
        first.start()
        assert held.begun.acquire(timeout=PATIENCE)
        with pytest.raises(httpx.ReadTimeout):
            client.post("v1/segment", content=PICTURE, headers={"Content-Type": "image/png"}, timeout=0.5)
        eventually(lambda: client.get("healthz").json()["waiting"] == 0)
        held.free.release()
        first.join(PATIENCE)
        assert 'path="/v1/segment",status="499"} 1' in client.get("metrics").text


def test_what_takes_too_long_is_said() -> None:
    held = Held()
    with serving({"held": held}, Limits(seconds=0.3)) as client:
        answer = sent(client, PICTURE)
        assert "0.3 seconds" in refusal(answer, 503, "took_too_long")
        held.free.release()
        eventually(lambda: held.begun.acquire(blocking=False))


def test_all_uploads_together_have_a_limit() -> None:
    limits = Limits(upload_bytes=400_000, held_bytes=500_000)
    held = Held()
    with serving({"held": held}, limits) as client:
        large = noisy((320, 400))
        assert 250_000 < len(large) < 400_000
        first = threading.Thread(target=lambda: sent(client, large))
        first.start()
        assert held.begun.acquire(timeout=PATIENCE)
        refusal(sent(client, large), 429, "busy")
        held.free.release(2)
        first.join(PATIENCE)
        assert sent(client, large).status_code == 200
        eventually(lambda: "atrous_held_bytes 0\n" in client.get("metrics").text)


def test_a_fault_of_the_server_is_said_and_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serving() as client:
        with monkeypatch.context() as broken:
            broken.setattr("atrous.server.computing.answer_of", lambda *_: 1 // 0)
            refusal(sent(client, PICTURE), 500, "fault")
        assert sent(client, PICTURE).status_code == 200
    assert "ZeroDivisionError" in caplog.text


def test_requests_open_no_file() -> None:
    opened, watching = list[str](), True

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in ("open", "os.rename", "os.remove", "os.mkdir", "subprocess.Popen"):
            opened.append(str(arguments[0]))

    with serving() as client:
        large = encoded(np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), np.uint8), "PNG", compress_level=0)
        sent(client, PICTURE, answer="mask,overlay,areas,polygons")
        pictures = [encoded(LABELS.color_table[MASK], name) for name in ("TIFF", "JPEG", "WEBP", "GIF", "JPEG2000")]
        for picture in pictures:
            sent(client, picture)
        sent(client, PICTURE, answer="probabilities")
        client.post("v1/segment", files={"image": large})
        client.get("/")  # whatever is imported or looked up at the first request has been by now
        opened.clear()
        sys.addaudithook(listen)
        for answer in ("mask,overlay,areas,polygons", "probabilities"):
            sent(client, PICTURE, answer=answer)
        assert client.post("v1/segment", files={"image": ("/etc/passwd", large)}).status_code == 200
        for picture in pictures:
            sent(client, picture)
        sent(client, b"/etc/passwd")
        client.get("../../../etc/passwd")
        client.get("/")
        watching = False
    assert opened == []
