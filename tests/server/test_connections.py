import socket
import time
from collections.abc import Iterator
from unittest.mock import Mock
from urllib.parse import urlsplit

import httpx
import pytest

from atrous.server import connections
from atrous.server.connections import PatientProtocol
from tests.server.serving import PATIENCE, eventually, png_of, sent, serving, some_mask

PICTURE = png_of(some_mask())
HEAD = b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr(connections, "SECONDS_FOR_A_HEAD", 0.5)
    monkeypatch.setattr(connections, "SECONDS_WITHOUT_READING", 0.5)
    with serving() as client:
        yield client
        assert sent(client, PICTURE).status_code == 200  # whatever happened, the server goes on


def connected(client: httpx.Client) -> socket.socket:
    address = urlsplit(str(client.base_url))
    assert address.hostname
    assert address.port
    return socket.create_connection((address.hostname, address.port), timeout=PATIENCE)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    answer = b""
    try:
        while more := connection.recv(65536):
            answer += more
    except ConnectionResetError:
        pass
    return answer


@pytest.mark.parametrize("begun", [b"", b"GET /heal", HEAD, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /"])
def test_a_head_that_never_ends_is_not_waited_for(client: httpx.Client, begun: bytes) -> None:
    with connected(client) as connection:
        connection.sendall(begun)
        answer = all_of(connection)
    assert answer.count(b"HTTP/1.1") == begun.count(b"\r\n\r\n")


@pytest.mark.parametrize(
    "words",
    [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9\r\n\r\n", b"GET  /\x00 HTTP/1.1\r\n\r\n"],
)
def test_what_is_no_http_is_answered_in_json(client: httpx.Client, words: bytes) -> None:
    with connected(client) as connection:
        connection.sendall(words)
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n") or not answer  # TLS may stay a head that never ends
    assert answer == b"" or b'"kind": "no_request"' in answer


def test_broken_chunks_end_their_request_alone(client: httpx.Client) -> None:
    with connected(client) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nnonsense\r\n")
        assert b"400" in all_of(connection).partition(b"\r\n")[0]


def test_an_upload_that_is_cut_off_leaves_nothing(client: httpx.Client) -> None:
    for _ in range(20):
        with connected(client) as connection:
            connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + PICTURE)
    eventually(lambda: "atrous_held_bytes 0\n" in client.get("metrics").text)
    eventually(lambda: 'path="/v1/segment",status="499"} 20' in client.get("metrics").text)


def test_the_rest_of_a_refused_upload_is_not_waited_for(client: httpx.Client) -> None:
    with connected(client) as connection:
        connection.sendall(HEAD + b"Content-Length: 99000000000\r\n\r\nabc")
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 413")


def test_an_answer_that_nobody_reads_is_given_up(client: httpx.Client) -> None:
    large = png_of(some_mask((1500, 1500)))
    with connected(client) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        head = HEAD.replace(b"/segment", b"/segment?answer=probabilities")
        connection.sendall(head + f"Content-Length: {len(large)}\r\n\r\n".encode() + large)
        eventually(lambda: 'path="/v1/segment",status="200"} 1' in client.get("metrics").text)
        time.sleep(4 * connections.SECONDS_WITHOUT_READING)  # and reads nothing
        answer = all_of(connection)
    assert len(answer) < 1500 * 1500 * 3 * 4


@pytest.mark.parametrize(("unread", "broken_off"), [([9e6, 7e6, 5e6, 3e6], False), ([9e6, 7e6, 6.9e6], True)])
def test_who_reads_a_large_answer_slowly_gets_it_and_who_stops_does_not(unread: list[float], broken_off: bool) -> None:
    protocol = object.__new__(PatientProtocol)
    protocol.flow, protocol.transport, protocol.loop = Mock(), Mock(), Mock()
    protocol.transport.get_write_buffer_size.side_effect = [size for size in unread for _ in range(2)][1:]
    protocol.pause_writing()
    for look in range(len(unread) - 1):
        assert not protocol.transport.abort.called
        protocol.loop.call_later.call_args_list[look].args[1]()  # 30 seconds have gone by
    assert protocol.transport.abort.called == broken_off


def test_a_connection_is_kept_for_the_next_request(client: httpx.Client) -> None:
    with connected(client) as connection:
        for _ in range(3):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
            time.sleep(0.7)
