"""Pictures that wait together are computed together, and each is answered as if it had come alone."""

import threading
from collections.abc import Iterable, Sequence

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from atrous.inference.predictor import Prediction, Predictor
from atrous.inference.views import Views
from atrous.networks import build_network
from atrous.server.computing import batch_limit
from atrous.server.limits import Limits
from tests.server.serving import (
    CPU,
    PATIENCE,
    Held,
    colour_reader,
    eventually,
    pixels_of,
    png_of,
    refusal,
    sent,
    serving,
    some_mask,
)
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, noise

SIZES = ((24, 32), (24, 32), (40, 32), (24, 32), (40, 32), (24, 32))
MASKS = [some_mask(size, seed) for seed, size in enumerate(SIZES)]


class Waiting:
    """Requests that are on their way at the same time, behind one that the server computes."""

    def __init__(self, client: httpx.Client, held: Held, bodies: Iterable[bytes]) -> None:
        bodies = list(bodies)
        self.answers = dict[int, httpx.Response]()
        self._first = self._send(client, -1, png_of(some_mask()))
        assert held.begun.acquire(timeout=PATIENCE)
        self._others = list[threading.Thread]()
        for number, body in enumerate(bodies, start=1):
            self._others.append(self._send(client, number - 1, body))
            eventually(lambda number=number: client.get("healthz").json()["waiting"] == number)  # type: ignore[misc]
        held.free.release(1 + len(bodies))

    def finish(self) -> list[httpx.Response]:
        for thread in (self._first, *self._others):
            thread.join(PATIENCE)
        return [self.answers[number] for number in range(len(self._others))]

    def _send(self, client: httpx.Client, number: int, body: bytes) -> threading.Thread:
        thread = threading.Thread(target=lambda: self.answers.update({number: sent(client, body)}))
        thread.start()
        return thread


def batches_of(client: httpx.Client) -> dict[str, str]:
    lines = client.get("metrics").text.splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if line.startswith("atrous_batch_pictures"))


@pytest.mark.parametrize("network", SMALL_NETWORKS, ids=lambda config: config.kind)
def test_a_predictor_says_of_pictures_together_what_it_says_of_each(network: object) -> None:
    torch.manual_seed(0)
    built = build_network(network, LABELS.num_classes)  # type: ignore[arg-type]
    predictor = Predictor(built, LABELS, name="small", device=CPU, views=Views(scales=(1.0, 0.5), flip=True))
    images = [noise((45, 61), seed) for seed in range(5)]
    for image, together in zip(images, predictor.predictions(images), strict=True):
        alone = predictor(image)
        np.testing.assert_array_equal(together.mask, alone.mask)
        np.testing.assert_allclose(together.probabilities, alone.probabilities, atol=1e-5)
        assert together.image is image


def test_pictures_of_two_sizes_are_not_predicted_together() -> None:
    with pytest.raises(ValueError, match="one size"):
        colour_reader().predictions([noise((8, 8), 0), noise((8, 9), 0)])


def test_waiting_pictures_of_one_size_are_computed_together_and_all_are_right() -> None:
    held = Held()
    with serving({"held": held}, Limits(batch=3)) as client:
        answers = Waiting(client, held, map(png_of, MASKS)).finish()
        for mask, answer in zip(MASKS, answers, strict=True):
            np.testing.assert_array_equal(pixels_of(answer.content), mask)
        batches = batches_of(client)
    assert batches['atrous_batch_pictures_bucket{le="1"}'] == "2"  # the first, and the fourth of its size
    assert batches['atrous_batch_pictures_bucket{le="2"}'] == "3"
    assert batches['atrous_batch_pictures_bucket{le="4"}'] == "4"
    assert (batches["atrous_batch_pictures_sum"], batches["atrous_batch_pictures_count"]) == ("7.000000", "4")


def test_a_broken_picture_of_a_batch_harms_no_other() -> None:
    held = Held()
    bodies = [png_of(mask) for mask in MASKS if mask.shape == (24, 32)]
    bodies[1] = bodies[1][:-30]  # its header is whole
    with serving({"held": held}, Limits(batch=8)) as client:
        answers = Waiting(client, held, bodies).finish()
        refusal(answers[1], 422, "unreadable_picture")
        assert [answer.status_code for answer in answers] == [200, 422, 200, 200]
        np.testing.assert_array_equal(pixels_of(answers[3].content), MASKS[5])


class Narrow(Held):
    """A predictor that has no memory for two pictures."""

    def predictions(self, images: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        if len(images) > 1:
            raise RuntimeError("out of memory")
        return super().predictions(images)


def test_pictures_that_cannot_be_computed_together_are_computed_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    held = Narrow()
    with serving({"held": held}, Limits(batch=8)) as client:
        answers = Waiting(client, held, map(png_of, MASKS[:2])).finish()
        for mask, answer in zip(MASKS, answers, strict=False):
            np.testing.assert_array_equal(pixels_of(answer.content), mask)
        assert batches_of(client)['atrous_batch_pictures_bucket{le="1"}'] == "3"
    assert "2 pictures could not be computed together (out of memory)" in caplog.text


def test_a_client_that_goes_away_is_left_out_of_its_batch() -> None:
    held = Held()
    with serving({"held": held}, Limits(batch=8)) as client:
        first = threading.Thread(target=lambda: sent(client, png_of(MASKS[0])))
        first.start()
        assert held.begun.acquire(timeout=PATIENCE)
        with pytest.raises(httpx.ReadTimeout):
            client.post("v1/segment", content=png_of(MASKS[1]), headers={"Content-Type": "image/png"}, timeout=0.5)
        eventually(lambda: client.get("healthz").json()["waiting"] == 0)
        held.free.release(2)
        first.join(PATIENCE)
        np.testing.assert_array_equal(pixels_of(sent(client, png_of(MASKS[3])).content), MASKS[3])
        assert batches_of(client)["atrous_batch_pictures_sum"] == "2.000000"


def test_what_is_too_large_or_no_picture_is_said_before_it_waits() -> None:
    held = Held()
    with serving({"held": held}, Limits(pixels=1000)) as client:
        first = threading.Thread(target=lambda: sent(client, png_of(MASKS[0])))
        first.start()
        assert held.begun.acquire(timeout=PATIENCE)
        refusal(sent(client, png_of(MASKS[2])), 413, "picture_too_large")
        refusal(sent(client, b"no picture"), 422, "unreadable_picture")
        held.free.release()
        first.join(PATIENCE)


def test_a_batch_has_no_more_pixels_than_one_picture_may_have() -> None:
    limits = Limits(pixels=1_000_000, batch=16)
    assert batch_limit((100, 100), limits, on_gpu=False) == 16
    assert batch_limit((500, 500), limits, on_gpu=False) == 4
    assert batch_limit((1000, 1000), limits, on_gpu=True) == 1


def test_by_default_a_processor_computes_only_small_pictures_together() -> None:
    assert [batch_limit((side, side), Limits(), on_gpu=False) for side in (1, 64, 128, 256, 1000)] == [8, 8, 8, 2, 1]
    assert [batch_limit((side, side), Limits(), on_gpu=True) for side in (64, 1000, 4000)] == [8, 8, 1]
