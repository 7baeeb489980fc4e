from pathlib import Path

import numpy as np
import pytest

from atrous.data.polygons import LabelledPolygon, keyhole, polygons_of, ring_area, simplified
from atrous.data.rasterizing import fill
from atrous.images import read_mask
from atrous.labels import LabelSpace, Mask
from tests.data.shapes_by_force import on_canvas
from tests.real import REAL, real

LABELS = LabelSpace.from_names(["a", "b", "c"])


def drawn(polygons: list[LabelledPolygon], size: tuple[int, int], *, cut: bool = False) -> Mask:
    mask = np.full(size, 255, np.uint8)
    for polygon in polygons:
        rings = [keyhole(polygon)] if cut else [polygon.outline, *polygon.holes]
        mask[on_canvas(fill([rings], size), size)] = polygon.label
    return mask


def random_masks(count: int) -> list[Mask]:
    random = np.random.default_rng(0)
    sizes = random.integers(1, 14, (count, 2)).tolist()
    return [random.choice(np.array([0, 0, 0, 1, 2, 255], np.uint8), (height, width)) for height, width in sizes]


def test_without_tolerance_the_polygons_give_the_mask_back() -> None:
    for mask in random_masks(200):
        polygons = polygons_of(mask, LABELS, tolerance=0)
        for cut in (False, True):
            assert np.array_equal(drawn(polygons, (mask.shape[0], mask.shape[1]), cut=cut), mask)
        for label in range(3):
            areas = [polygon.area for polygon in polygons if polygon.label == label]
            assert sum(areas) == (mask == label).sum()
            assert all(area > 0 for area in areas)


def test_an_area_has_one_polygon_and_each_hole_a_ring() -> None:
    mask = np.zeros((7, 9), np.uint8)
    mask[1:6, 1:8] = 1
    mask[2:4, 2:4] = 0
    mask[3:5, 5:7] = 2
    ground, frame, block, *others = polygons_of(mask, LABELS, tolerance=0)
    assert (ground.label, len(ground.holes), ground.area) == (0, 1, 63 - 35)
    assert (frame.label, len(frame.holes), frame.area) == (1, 2, 35 - 8)
    assert (others[0].label, others[0].area) == (2, 4) if block.label == 0 else block.label == 2
    assert [tuple(corner) for corner in frame.outline.tolist()] == [(8, 1), (8, 6), (1, 6), (1, 1)]
    assert all(
        ring_area(hole) < 0 < ring_area(polygon.outline) for polygon in (ground, frame) for hole in polygon.holes
    )


def test_pixels_that_touch_at_a_corner_are_two_areas() -> None:
    mask = np.array([[1, 255], [255, 1]], np.uint8)
    assert [polygon.area for polygon in polygons_of(mask, LABELS, tolerance=0)] == [1, 1]
    assert polygons_of(np.full((3, 3), 255, np.uint8), LABELS) == []
    assert polygons_of(np.zeros((0, 0), np.uint8), LABELS) == []


def test_stairs_become_a_straight_line() -> None:
    mask = np.tril(np.ones((60, 60), np.uint8))
    steps, straight = (polygons_of(mask, LABELS, tolerance)[-1].outline for tolerance in (0, 0.5))
    assert len(steps) > 100
    assert len(straight) < 9


@pytest.mark.parametrize("tolerance", [0.3, 0.5, 1.0, 3.0])
def test_a_simplified_ring_stays_near_the_sides_of_the_pixels(tolerance: float) -> None:
    y, x = np.mgrid[:80, :80]
    mask = ((x - 40) ** 2 + (y - 38) ** 2 < 900).astype(np.uint8)
    outline = polygons_of(mask, LABELS, tolerance=0)[-1].outline
    ring = simplified(outline, tolerance)
    middles = (outline + np.roll(outline, -1, axis=0)) / 2
    starts, ends = ring, np.roll(ring, -1, axis=0)
    ahead = ends - starts
    share = ((middles[:, None] - starts) * ahead).sum(axis=2) / (ahead**2).sum(axis=1)
    nearest = starts + share.clip(0, 1)[..., None] * ahead
    distances = np.linalg.norm(middles[:, None] - nearest, axis=2).min(axis=1)
    assert distances.max() <= tolerance + 1e-5
    assert len(ring) < 0.6 * len(outline)


@real
@pytest.mark.skipif(not REAL.is_dir(), reason=f"there is no {REAL}")
@pytest.mark.parametrize(
    ("folder", "void", "count"),
    [("camvid/masks/val", 11, 11), ("voc/VOCdevkit/VOC2012/SegmentationClassAug", 255, 21)],
)
def test_real_masks_survive_the_way_there_and_back(folder: str, void: int, count: int) -> None:
    labels = LabelSpace.from_names([str(place) for place in range(count)])
    both, either = np.zeros(count), np.zeros(count)
    for path in sorted((REAL / folder).glob("*.png"))[::5][:20]:
        mask = np.where(read_mask(Path(path)) == void, 255, read_mask(Path(path))).astype(np.uint8)
        again = drawn(polygons_of(mask, labels), (mask.shape[0], mask.shape[1]), cut=True)
        for label in range(count):
            both[label] += ((mask == label) & (again == label)).sum()
            either[label] += ((mask == label) | (again == label)).sum()
    assert (both[either > 0] / either[either > 0]).min() > 0.98
