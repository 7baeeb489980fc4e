"""What the server has done, in the text format of Prometheus (version 0.0.4), written by hand: it is a few lines."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds, in seconds, of the buckets of requests."""
BATCH_BOUNDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Upper bounds, in pictures, of the buckets of batches."""


class Histogram:
    """How many values lie below each of some bounds."""

    def __init__(self, name: str, what: str, bounds: Sequence[float]) -> None:
        """Begin at nothing."""
        self._name, self._what, self._bounds = name, what, bounds
        self._buckets: Counter[int] = Counter()
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self._buckets[sum(value > bound for bound in self._bounds)] += 1
        self._sum += value

    def lines(self) -> list[str]:
        """As Prometheus reads it: each bucket holds those before it, too."""
        sums = list(accumulate(self._buckets[index] for index in range(len(self._bounds) + 1)))
        bounds = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        buckets = (f'{self._name}_bucket{{le="{bound}"}} {count}' for bound, count in zip(bounds, sums, strict=True))
        head = _head(self._name, "histogram", self._what)
        return [*head, *buckets, f"{self._name}_sum {self._sum:.6f}", f"{self._name}_count {sums[-1]}"]


class Metrics:
    """Counters, from when the server started; any thread may count."""

    def __init__(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        """Begin at nothing.

        Args:
            gauges: What is read when it is asked for: by name, its description and how it is read.
        """
        self._lock = threading.Lock()
        self._gauges = gauges
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._durations = Histogram(
            "atrous_request_seconds", "Seconds from the head of a request to the end of its answer.", BOUNDS
        )
        self._batches = Histogram(
            "atrous_batch_pictures", "Pictures that went through a network together.", BATCH_BOUNDS
        )
        self._pictures: Counter[str] = Counter()
        self._pixels = 0
        self._computing = 0.0

    def count_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count an answer; the path is one of the server's own, so that nobody can invent labels."""
        with self._lock:
            self._requests[method, path, status] += 1
            self._durations.add(seconds)

    def count_picture(self, model: str, pixels: int, seconds: float) -> None:
        """Count a picture that was segmented, and how long that took."""
        with self._lock:
            self._pictures[model] += 1
            self._pixels += pixels
            self._computing += seconds

    def count_batch(self, pictures: int) -> None:
        """Count pictures that a network computed together."""
        with self._lock:
            self._batches.add(pictures)

    def text(self) -> str:
        """Everything, as Prometheus reads it."""
        with self._lock:
            lines = [*self._request_lines(), *self._durations.lines(), *self._picture_lines()]
            lines += self._batches.lines()
        for name, (what, read) in self._gauges.items():
            lines += [*_head(name, "gauge", what), f"{name} {read():g}"]
        return "\n".join(lines) + "\n"

    def _request_lines(self) -> list[str]:
        name = "atrous_requests_total"
        counts = (
            f'{name}{{method="{method}",path="{path}",status="{status}"}} {count}'
            for (method, path, status), count in sorted(self._requests.items())
        )
        return [*_head(name, "counter", "Requests that were answered."), *counts]

    def _picture_lines(self) -> list[str]:
        pictures = (
            f'atrous_pictures_total{{model="{_escaped(model)}"}} {count}'
            for model, count in sorted(self._pictures.items())
        )
        return [
            *_head("atrous_pictures_total", "counter", "Pictures that were segmented."),
            *pictures,
            *_head("atrous_pixels_total", "counter", "Pixels of these pictures."),
            f"atrous_pixels_total {self._pixels}",
            *_head("atrous_computing_seconds_total", "counter", "Seconds that these pictures took."),
            f"atrous_computing_seconds_total {self._computing:.6f}",
        ]


def _head(name: str, kind: str, what: str) -> list[str]:
    return [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
