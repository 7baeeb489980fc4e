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

from atrous.inference.opening import open_predictor
from atrous.networks import build_network
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from tests.cli.terminal import Terminal, process
from tests.colour_graph import write_colour_graph
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
    np.testing.assert_array_equal(pixels_of(masks[0]), open_predictor(checkpoint)(image).mask)


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


def test_a_runtime_that_cannot_do_what_is_asked_is_said(atrous: Terminal, tmp_path: Path) -> None:
    exported = write_colour_graph(tmp_path / "colours.onnx")
    assert "torch reads no ONNX file" in atrous.fails("serve", exported, "--port", 0, "--runtime", "torch")
    half = ("--port", 0, "--runtime", "onnxruntime", "--precision", "bfloat16")
    assert "computes in float32" in atrous.fails("serve", exported, *half)


def test_a_file_of_another_program_needs_the_names_of_its_classes(
    atrous: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[str] = []
    monkeypatch.setattr("atrous.server.running.run", lambda *given: served.append(given[1].getsockname()[0]))
    theirs, names = write_colour_graph(tmp_path / "theirs.onnx", card=None), tmp_path / "names.yaml"
    assert "--labels FILE" in atrous.fails("serve", theirs, "--port", 0)
    names.write_text("names: [ground, cat, dog]\n")
    done = atrous("serve", theirs, "--port", 0, "--runtime", "onnxruntime", "--labels", names)
    assert (done.code, done.err, served) == (0, "", ["127.0.0.1"])
    assert "Runtime: onnxruntime in float32, as asked for." in done.out


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
