"""Pictures that are nearly the same: copies that were stored again, cut a little, or made lighter or darker.

Frames of a video that follow each other are no copies, however alike they are: what moves between them shows, once
the two are laid upon each other. Both steps work on thumbnails of 96x96 grey pixels.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.progress import Progress, Silent, track

ALIKE = 0.95
"""Least correlation of two small, blurred views, one of which may be cut, for two pictures to be compared closely."""

COPIED = 0.975
"""Least correlation of details that nine of ten parts of a copy must have.

Measured: copies of pictures of CamVid and VOC have 0.979 and more (JPEG of quality 25, half the size, 10 % cut away,
a quarter lighter); frames of CamVid 1/15 s apart, the car standing still, have at most 0.972."""

PERHAPS = 0.8
"""The same at half the size, below which a closer look is not worth its time."""

VIEW = 12  # pixels of both sides of a view
BITS = 14  # of a key: enough that few others share one, few enough that a copy shares one of the keys
KEYS = 24
AT_ONCE = 8192  # views
NEIGHBOURS = 12  # of one key that are compared, so that a thousand grey pictures are not all compared with each other
MOST_LIGHT, LEAST_LIGHT = 245, 10  # beyond them a pixel may have been cut off by making the picture lighter or darker

Image = NDArray[np.float32]
Warp = NDArray[np.float32]
Views = NDArray[np.float16]


def find_lookalikes(
    thumbnails: NDArray[np.uint8], distinct: NDArray[np.intp], progress: Progress | None = None
) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers of pictures that are nearly the same, the smaller number first.

    The time grows as N log N: pictures are compared only with those that share a key with them.

    Args:
        thumbnails: uint8 [N, 96, 96].
        distinct: The numbers of pictures to compare, without those that are the same as others to the last bit.
        progress: Where the progress is shown.
    """
    if len(distinct) < 2:
        return
    candidates = _candidates(_views(thumbnails, distinct))
    for first, second in track(candidates, progress or Silent(), "Comparing", len(candidates)):
        one, other = int(distinct[first]), int(distinct[second])
        if is_copy(thumbnails[one], thumbnails[other]):
            yield (one, other) if one < other else (other, one)


def is_copy(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Whether two thumbnails show the same picture, apart from cuts of some per cent, light, and compression."""
    one, other = first.astype(np.float32), second.astype(np.float32)
    small, other_small = _halved(one), _halved(other)
    there, back = _aligned(small, other_small, STILL, 5), _aligned(other_small, small, STILL, 5)
    if there.likeness < back.likeness:  # a cut picture is laid upon the whole one more surely than the other way
        one, other, small, other_small, there = other, one, other_small, small, back
    if _common_details(small, other_small, there.warp) < PERHAPS:
        return False
    start = there.warp.copy()
    start[:, 2] *= 2  # twice as many pixels
    return _common_details(one, other, _aligned(one, other, start, 3).warp) >= COPIED


def _views(thumbnails: NDArray[np.uint8], numbers: NDArray[np.intp]) -> Views:
    """[N, 11, 144]: the whole picture and ten cuts of it, small, each of mean 0 and length 1."""
    views = np.zeros((len(numbers), len(WINDOWS), VIEW * VIEW), np.float16)
    for row, number in enumerate(numbers):
        blurred = cv2.GaussianBlur(np.asarray(thumbnails[number]), (0, 0), 1.5)
        parts = [blurred[top:bottom, left:right] for top, left, bottom, right in WINDOWS]
        small = [cv2.resize(part, (VIEW, VIEW), interpolation=cv2.INTER_AREA).ravel() for part in parts]
        vectors = np.array(small, np.float32)
        vectors -= vectors.mean(axis=1, keepdims=True)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        flat = lengths < VIEW  # a deviation of less than one step of grey: nothing is seen
        views[row] = np.where(flat, 0, vectors / np.maximum(lengths, 1e-6))
    return views


def _windows(side: int) -> list[tuple[int, int, int, int]]:
    """(top, left, bottom, right) of the whole, and of 95 % and 90 % of it in the middle and in each corner."""
    windows = [(0, 0, side, side)]
    for kept in (round(0.95 * side), round(0.9 * side)):
        rest = side - kept
        starts = ((rest // 2, rest // 2), (0, 0), (0, rest), (rest, 0), (rest, rest))
        windows += [(top, left, top + kept, left + kept) for top, left in starts]
    return windows


WINDOWS = _windows(96)


def _candidates(views: Views) -> list[tuple[int, int]]:
    """Rows whose whole view is like some view of another, found by keys that they share."""
    windows = views.shape[1]
    shown = np.flatnonzero(views.reshape(-1, views.shape[2]).any(axis=1))
    found: set[tuple[int, int]] = set()
    for keys in _keys(views):
        order = shown[np.argsort(keys[shown], kind="stable")]
        for distance in range(1, min(NEIGHBOURS * windows, len(order))):
            here, there = order[:-distance], order[distance:]
            same = keys[here] == keys[there]
            if not same.any():
                break
            found.update(_alike(views, here[same], there[same]))
    return sorted(found)


def _keys(views: Views) -> NDArray[np.int16]:
    """[KEYS, N * 11]: of each view the signs of random projections; the more alike two are, the more keys they share.

    Source: Charikar 2002, Similarity estimation techniques from rounding algorithms.
    """
    flat = views.reshape(-1, views.shape[2])
    common = views[:, 0].mean(axis=0, dtype=np.float32)  # what all have in common tells nothing
    directions = np.random.default_rng(0).standard_normal((flat.shape[1], KEYS * BITS), np.float32)
    keys = np.empty((KEYS, len(flat)), np.int16)
    for start in range(0, len(flat), AT_ONCE):
        signs = (flat[start : start + AT_ONCE].astype(np.float32) - common) @ directions > 0
        keys[:, start : start + AT_ONCE] = (signs.reshape(-1, KEYS, BITS) @ (1 << np.arange(BITS))).T
    return keys


def _alike(views: Views, here: NDArray[np.intp], there: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """The pairs of rows among pairs of views of which one shows a whole picture and both are alike."""
    windows = views.shape[1]
    whole = ((here % windows == 0) | (there % windows == 0)) & (here // windows != there // windows)
    flat = views.reshape(-1, views.shape[2])
    ones, others = (flat[place[whole]].astype(np.float32) for place in (here, there))
    alike = np.einsum("ij,ij->i", ones, others) > ALIKE
    rows, other_rows = here[whole][alike] // windows, there[whole][alike] // windows
    for row, other in zip(rows.tolist(), other_rows.tolist(), strict=True):
        yield (row, other) if row < other else (other, row)


STILL: Warp = np.eye(2, 3, dtype=np.float32)
LAY = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
PARTS = 8  # in each direction
LEAST_PARTS = 8  # of all 64 that must show something
LARGEST_CUT, LARGEST_TURN = 0.2, 0.05


class Aligned(NamedTuple):
    """How one picture is laid upon another."""

    likeness: float
    warp: Warp


def _aligned(first: Image, second: Image, start: Warp, blur: int) -> Aligned:
    """The affine map that makes the second most like the first; of likeness -1 if it found no way.

    Source: Evangelidis and Psarakis 2008, Parametric image alignment using enhanced correlation coefficient
    maximization.
    """
    try:
        likeness, warp = cv2.findTransformECC(first, second, start.copy(), cv2.MOTION_AFFINE, STOP, None, blur)
    except cv2.error:
        return Aligned(-1.0, start)
    return Aligned(float(likeness), np.asarray(warp, np.float32))


def _common_details(first: Image, second: Image, warp: Warp) -> float:
    """The correlation of details that nine of ten parts have at least, with the second laid upon the first.

    0 if too few parts show anything, or the map does more than a cut does.
    """
    scales, turns = abs(warp[[0, 1], [0, 1]] - 1), abs(warp[[0, 1], [1, 0]])
    if scales.max() > LARGEST_CUT or turns.max() > LARGEST_TURN:
        return 0.0
    side = len(first)
    laid = cv2.warpAffine(second, warp, (side, side), flags=LAY, borderMode=cv2.BORDER_REPLICATE)
    covered = cv2.warpAffine(np.ones_like(second), warp, (side, side), flags=LAY) > 0.999
    seen = cv2.erode(covered.astype(np.float32), np.ones((3, 3), np.uint8))
    cut_off = _is_cut_off(first) | _is_cut_off(laid)
    seen[cv2.dilate(cut_off.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = 0
    one, other = (_details(image) * seen for image in (first, laid))
    products, ones, others, share = (_parts(values) for values in (one * other, one * one, other * other, seen))
    strongest = np.maximum(ones, others)
    used = (share > 0.6) & (strongest > max(4.0, 0.1 * float(np.median(strongest))))
    if used.sum() < LEAST_PARTS:
        return 0.0
    return float(np.percentile((products / np.sqrt(ones * others + 1e-6))[used], 10))


def _is_cut_off(image: Image) -> NDArray[np.bool_]:
    return (image > MOST_LIGHT) | (image < LEAST_LIGHT)


def _halved(image: Image) -> Image:
    side = len(image) // 2
    small: Image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return small


def _details(image: Image) -> Image:
    fine: Image = cv2.GaussianBlur(image, (0, 0), 1.0) - cv2.GaussianBlur(image, (0, 0), 4.0)
    return fine


def _parts(values: Image) -> Image:
    means: Image = cv2.resize(values, (PARTS, PARTS), interpolation=cv2.INTER_AREA)
    return means
