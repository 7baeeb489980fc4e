"""Pictures larger than memory: windows that overlap, each with a margin of context, that fade into each other."""

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from atrous.inference.ahead import ahead, mapped
from atrous.labels import LabelSpace, Mask

if TYPE_CHECKING:
    from atrous.inference.exported import ExportedPredictor
    from atrous.inference.prediction import Prediction
    from atrous.inference.predictor import Predictor

    AnyPredictor: TypeAlias = Predictor | ExportedPredictor

GRID = 64
"""Windows begin at multiples of it, so that a network's strides fall on the same pixels as in the whole picture."""


class WindowLayout(NamedTuple):
    """How windows lie over a picture."""

    side: int
    """Pixels of a window's side; windows at the right and lower edge may be smaller."""
    margin: int
    """Pixels along a window's inner edges whose answers are left to its neighbour: there it sees too little context."""
    fade: int = 32
    """Pixels over which one window's answer turns into the next one's."""

    @property
    def step(self) -> int:
        """Pixels from one window to the next."""
        return max(GRID, (self.side - 2 * self.margin - self.fade) // GRID * GRID)


class Interval(NamedTuple):
    """One window along one side of a picture, which reaches over all of `length` pixels."""

    start: int
    stop: int
    enter: slice
    """Pixels of the picture over which it takes over from the window before."""
    leave: slice
    """Pixels of the picture over which the next window takes over."""

    def within(self, part: slice) -> slice:
        """Pixels of the picture as pixels of the window."""
        return slice(part.start - self.start, part.stop - self.start)

    @property
    def alone(self) -> slice:
        """Pixels of the picture that no other window answers for."""
        return slice(self.enter.stop, self.leave.start)


def intervals(length: int, layout: WindowLayout) -> list[Interval]:
    """Lay windows along a side of a picture.

    Each pixel belongs to one window, or to two where one fades into the next. Where the last window overlaps more than
    it must, it takes over in the middle.
    """
    if length <= layout.side:
        return [Interval(0, length, slice(0, 0), slice(length, length))]
    last = math.ceil((length - layout.side) / GRID) * GRID
    starts = [*range(0, last, layout.step), last]
    stops = [min(start + layout.side, length) for start in starts]
    centres = [(start + stop) // 2 for start, stop in zip(starts[1:], stops, strict=False)]
    seams = [slice(centre - layout.fade // 2, centre + layout.fade // 2) for centre in centres]
    enters, leaves = [slice(0, 0), *seams], [*seams, slice(length, length)]
    return [Interval(*each) for each in zip(starts, stops, enters, leaves, strict=True)]


class Strip(NamedTuple):
    """The pixels that one row of windows sees."""

    image: NDArray[np.uint8]
    """uint8 [h, W, 3]."""
    valid: NDArray[np.bool_]
    """[h, W]: where the picture has been recorded at all; elsewhere the mask has the ignore value."""


def segment_rows(
    predictor: "AnyPredictor",
    read: Callable[[int, int], Strip],
    size: tuple[int, int],
    layout: WindowLayout,
    done: int = 0,
    across: WindowLayout | None = None,
) -> Generator[Mask]:
    """Segment a picture from top to bottom, one row of windows after the other.

    In the pixels that two windows share, their probabilities are averaged, with weights that go from one to the other
    as the squares of a cosine and a sine. So away from there, the mask is what one window says.

    Args:
        predictor: Any; views, dense CRF and abstaining work within each window.
        read: Gives the rows from a first to behind a last one.
        size: (height, width) of the picture.
        layout: How the windows lie.
        done: Rows of the mask that are known already, from a run before; they are not yielded again.
        across: How they lie from left to right, where that is otherwise than from top to bottom.

    Yields:
        uint8 or uint16 [h, W]: the next rows of the mask, some hundreds at a time.
    """
    rows = intervals(size[0], layout)
    first = max((number for number, row in enumerate(rows) if row.enter.start <= done), default=0)
    first -= first > 0  # the window before fades into it
    stitcher = _Stitcher(predictor, size[1], across or layout)
    with closing(ahead(((row, read(row.start, row.stop)) for row in rows[first:]), 1)) as strips:
        for row, strip in strips:
            mask = stitcher.add(row, strip)
            known = max(done - row.enter.start, 0)
            if known < len(mask):
                yield mask[known:]


def segment_in_windows(
    predictor: "AnyPredictor", image: NDArray[np.uint8], layout: WindowLayout, across: WindowLayout | None = None
) -> Mask:
    """Segment a picture that fits into memory, but not into that of the network: uint8 or uint16 [H, W]."""

    def read(start: int, stop: int) -> Strip:
        return Strip(image[start:stop], np.ones((stop - start, image.shape[1]), np.bool_))

    height, width = image.shape[:2]
    return np.concatenate(list(segment_rows(predictor, read, (height, width), layout, across=across)))


class _Stitcher:
    """Joins rows of windows; of the row before it keeps the probabilities in the rows that both share."""

    def __init__(self, predictor: "AnyPredictor", width: int, layout: WindowLayout) -> None:
        self.predictor, self.columns = predictor, intervals(width, layout)
        self.labels: LabelSpace = predictor.labels
        self.above: NDArray[np.float32] | None = None

    def add(self, row: Interval, strip: Strip) -> Mask:
        """The rows of the mask from where a row of windows takes over to where the next one begins to."""
        kept = slice(row.enter.start, row.leave.start)
        size = kept.stop - kept.start, self.columns[-1].stop
        mask: Mask = np.full(size, self.labels.ignore_index, self.labels.mask_dtype)
        entered = row.enter.stop - row.enter.start
        above = self._nothing(entered) if self.above is None else self.above  # None: it begins in the middle, or on top
        below = self._nothing(row.leave.stop - row.leave.start)
        beside = None

        def join(answered: tuple[Interval, "Prediction"]) -> None:
            nonlocal beside
            column, prediction = answered
            self._fade(prediction, row.enter, row, column, above)
            self._fade(prediction, row.leave, row, column, below)
            beside = self._fill(prediction, row, column, beside, mask[row.enter.stop - kept.start :])

        for _ in mapped(join, self._predictions(row, strip), threads=1, count=1):
            pass  # it fills while the network is at the next window
        mask[:entered] = self._decided(above)
        self.above = below
        mask[~strip.valid[row.within(kept)]] = self.labels.ignore_index
        return mask

    def _predictions(self, row: Interval, strip: Strip) -> Iterator[tuple[Interval, "Prediction"]]:
        """What the network says of each window in which there is anything to see."""
        mine = row.within(slice(row.enter.start, row.leave.stop))
        for column in self.columns:
            if strip.valid[mine, column.enter.start : column.leave.stop].any():
                yield column, self.predictor(np.ascontiguousarray(strip.image[:, column.start : column.stop]))

    def _fade(
        self, prediction: "Prediction", rows: slice, row: Interval, column: Interval, total: NDArray[np.float32]
    ) -> None:
        """Add what a window says of some rows that it shares with another row of windows."""
        if rows.start == rows.stop:
            return
        mine = slice(column.enter.start, column.leave.stop)
        probabilities = prediction.probabilities_in(row.within(rows), column.within(mine))
        down = _rising(rows) if rows == row.enter else _falling(rows)
        across = np.concatenate((_rising(column.enter), np.ones(_length(column.alone)), _falling(column.leave)))
        total[:, :, mine] += probabilities * (down[:, None] * across).astype(np.float32)

    def _fill(
        self,
        prediction: "Prediction",
        row: Interval,
        column: Interval,
        beside: tuple[slice, NDArray[np.float32]] | None,
        mask: Mask,
    ) -> tuple[slice, NDArray[np.float32]]:
        """Fill the rows that no other row of windows answers for; return what the next window has to add to."""
        rows = row.within(row.alone)
        mask[:, column.alone] = prediction.mask[rows, column.within(column.alone)]
        if _length(column.enter):
            entering = prediction.probabilities_in(rows, column.within(column.enter))
            entering = entering * _rising(column.enter).astype(np.float32)
            if beside is not None and beside[0] == column.enter:
                entering += beside[1]
            mask[:, column.enter] = self._decided(entering)
        leaving = prediction.probabilities_in(rows, column.within(column.leave))
        return column.leave, leaving * _falling(column.leave).astype(np.float32)

    def _decided(self, probabilities: NDArray[np.float32]) -> Mask:
        from atrous.inference.most_probable import most_probable  # with numba, which takes its time

        abstain = np.float32(self.predictor.abstain)
        labels = most_probable(probabilities, abstain, self.labels.ignore_index)
        return np.asarray(labels, self.labels.mask_dtype)

    def _nothing(self, rows: int) -> NDArray[np.float32]:
        return np.zeros((self.labels.num_classes, rows, self.columns[-1].stop), np.float32)


def _rising(part: slice) -> NDArray[np.float64]:
    """From nearly 0 to nearly 1; with `_falling` it sums to 1."""
    count = _length(part)
    return np.sin((np.arange(count) + 0.5) / max(count, 1) * np.pi / 2) ** 2


def _falling(part: slice) -> NDArray[np.float64]:
    return _rising(part)[::-1]


def _length(part: slice) -> int:
    return int(part.stop - part.start)
