"""A real server on a port of this machine, whose network reads classes off colours: every answer is known."""

import io
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import numpy as np
import torch
import uvicorn
from numpy.typing import NDArray
from PIL import Image

from atrous.inference.predictor import Prediction, Predictor
from atrous.labels import LabelSpace, Mask
from atrous.server.app import create_app
from atrous.server.limits import Limits
from atrous.server.running import bound_socket, configured, url_of
from atrous.server.service import Service
from tests.tiny_data import LABELS, network_that_knows_colours

if TYPE_CHECKING:
    from atrous.inference.sliding_window import AnyPredictor

CPU = torch.device("cpu")
PATIENCE = 120.0
"""Seconds; the machine may have other work."""


def colour_reader(labels: LabelSpace = LABELS) -> Predictor:
    return Predictor(network_that_knows_colours(labels), labels, name="colour reader", device=CPU)


class Held(Predictor):
    """A predictor that waits until it is let go, and says when it has begun."""

    def __init__(self) -> None:
        super().__init__(network_that_knows_colours(LABELS), LABELS, name="held", device=CPU)
        self.begun, self.free = threading.Semaphore(0), threading.Semaphore(0)

    def predictions(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        self.begun.release()
        assert self.free.acquire(timeout=PATIENCE)
        return super().predictions(images)


@contextmanager
def serving(
    models: "Mapping[str, AnyPredictor] | None" = None,
    limits: Limits | None = None,
    token: str | None = None,
    origins: Collection[str] = (),
) -> Iterator[httpx.Client]:
    """Yield a client of a server that runs in a thread until the block ends."""
    service = Service(models or {"colours": colour_reader()}, limits, token)
    taken = bound_socket("127.0.0.1", 0)
    server = uvicorn.Server(configured(create_app(service, origins, own_names_only=True), seconds=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
    thread.start()
    try:
        eventually(lambda: server.started)
        with httpx.Client(base_url=url_of(taken), timeout=PATIENCE) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def png_of(mask: Mask, labels: LabelSpace = LABELS, *, compressed: int = 6) -> bytes:
    """A picture that shows the colours of a mask."""
    return encoded(labels.color_table[mask], "PNG", compress_level=compressed)


def encoded(image: NDArray[np.uint8], picture_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, picture_format, **options)
    return file.getvalue()


def some_mask(size: tuple[int, int] = (24, 32), seed: int = 0) -> Mask:
    """Classes in blocks, as in pictures."""
    blocks = np.random.default_rng(seed).integers(0, LABELS.num_classes, (size[0] // 8 + 1, size[1] // 8 + 1))
    mask: Mask = np.kron(blocks, np.ones((8, 8), np.int64))[: size[0], : size[1]].astype(np.uint8)
    return mask


def pixels_of(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)))


def sent(client: httpx.Client, content: bytes, **query: str | float) -> httpx.Response:
    return client.post("v1/segment", content=content, params=query, headers={"Content-Type": "image/png"})


def refusal(response: httpx.Response, status: int, kind: str) -> str:
    """The sentence of a request that was refused as expected."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"kind", "message"}
    assert response.json()["kind"] == kind
    message = response.json()["message"]
    assert isinstance(message, str)
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 500
    return message
