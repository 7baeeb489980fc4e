import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch

from atrous.inference.predictor import load
from atrous.networks import build_network
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from tests.cli.terminal import Terminal, process
from tests.server.serving import encoded, pixels_of
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, noise

SECONDS_TO_BEGIN = 120.0


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = build_network(SMALL_NETWORKS[0], LABELS.num_classes)
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, network, CheckpointInfo(name="small", network=SMALL_NETWORKS[0], labels=LABELS))
    return path


@pytest.fixture
def port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    return number


@pytest.fixture
def server(checkpoint: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    started = process("serve", checkpoint, f"again={checkpoint}", "--port", port)
    end = time.monotonic() + SECONDS_TO_BEGIN
    while not answers(port):
        assert started.poll() is None, started.stderr and started.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.1)
    yield started
    started.kill()
    started.communicate()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_when_what_it_took_on_is_finished(
    server: "subprocess.Popen[str]", checkpoint: Path, port: int, number: signal.Signals
) -> None:
    image = noise((500, 700), 0)
    pictures = [encoded(image, "PNG")] * 4
    statuses, masks = list[int](), list[bytes]()

    def ask(picture: bytes) -> None:
        answer = httpx.post(
            f"http://127.0.0.1:{port}/v1/segment",
            content=picture,
            headers={"Content-Type": "image/png"},
            timeout=100,
        )
        statuses.append(answer.status_code)
        masks.append(answer.content)

    threads = [threading.Thread(target=ask, args=(picture,)) for picture in pictures]
    for thread in threads:
        thread.start()
    while httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=60).json()["waiting"] < 2:
        time.sleep(0.01)
    server.send_signal(number)
    for thread in threads:
        thread.join()
    out, err = server.communicate(timeout=100)
    assert (server.returncode, err) == (0, "")
    assert "Serving small, again at http://127.0.0.1" in out
    assert "Stopped; what was taken on is finished." in out
    assert statuses == [200] * 4
    np.testing.assert_array_equal(pixels_of(masks[0]), load(checkpoint)(image).mask)


def test_a_port_that_is_taken_is_said(atrous: Terminal, checkpoint: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        sentence = atrous.fails("serve", checkpoint, "--port", taken.getsockname()[1])
    assert "choose others with --host, --port" in sentence


def test_a_host_that_is_not_ours_is_said(atrous: Terminal, checkpoint: Path) -> None:
    assert "--host" in atrous.fails("serve", checkpoint, "--host", "192.0.2.1")
    assert "--host" in atrous.fails("serve", checkpoint, "--host", "no such host")


def test_two_models_need_two_names(atrous: Terminal, checkpoint: Path) -> None:
    assert "call one of them otherwise" in atrous.fails("serve", checkpoint, checkpoint, "--port", 0)


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/page", "ftp://example.org", "https://["])
def test_an_origin_is_the_address_of_a_site(atrous: Terminal, checkpoint: Path, origin: str) -> None:
    assert "https://example.org" in atrous.fails("serve", checkpoint, "--port", 0, "--origin", origin)


def test_a_token_file_holds_a_token(atrous: Terminal, checkpoint: Path, tmp_path: Path) -> None:
    assert "cannot be read" in atrous.fails("serve", checkpoint, "--token-file", tmp_path / "none")
    (tmp_path / "empty").write_text("\n")
    assert "is empty" in atrous.fails("serve", checkpoint, "--token-file", tmp_path / "empty")


def test_without_its_libraries_it_says_how_to_install_them(
    atrous: Terminal, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "pip install 'atrous[serve]'" in atrous.fails("serve", checkpoint)


def test_a_model_that_is_not_there_is_said(atrous: Terminal, tmp_path: Path) -> None:
    atrous.fails("serve", tmp_path / "none.safetensors", "--port", 0)
