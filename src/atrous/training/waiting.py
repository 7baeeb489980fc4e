"""How long a training waits for its batches: a loader that is too slow is seen by that."""

import time
from collections.abc import Iterator

from atrous.data.loading import Batch


class TimedBatches(Iterator[Batch]):
    """Batches, and how long the loop waited for them."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        """Take the batches; the time begins when one is asked for."""
        self._batches = batches
        self._waited = self._passed = 0.0

    def __next__(self) -> Batch:
        began = time.monotonic()
        try:
            return next(self._batches)
        finally:
            self._waited += time.monotonic() - began

    def count(self, seconds: float) -> None:
        """Count the seconds of a step, waiting included."""
        self._passed += seconds

    def share(self) -> float:
        """The share of the steps that was waiting, 0..1, since this was last asked."""
        share = min(1.0, self._waited / self._passed) if self._passed else 0.0
        self._waited = self._passed = 0.0
        return share
