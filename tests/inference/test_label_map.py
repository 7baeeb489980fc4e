import sys
import tracemalloc
from collections.abc import Callable
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from atrous.inference.label_map import label_map
from atrous.networks.layers import ResizeMode, resize_bilinear

Maker = Callable[[int, tuple[int, int], int], NDArray[np.float32]]

UP, SAME, DOWN, MIXED = ((37, 53), (9, 14), (4, 5), (30, 3))


def smooth(num_classes: int, size: tuple[int, int], seed: int) -> NDArray[np.float32]:
    coarse = torch.randn(1, num_classes, 3, 3, generator=torch.Generator().manual_seed(seed))
    planes = F.interpolate(coarse, size, mode="bicubic")[0]
    return np.asarray(planes.numpy(), np.float32)


def random(num_classes: int, size: tuple[int, int], seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((num_classes, *size), np.float32)


def require_torchs_answer(logits: NDArray[np.float32], size: tuple[int, int]) -> None:
    """Compare with resizing all logits, except where the two best differ in their last bits only."""
    resized = F.interpolate(torch.from_numpy(logits)[None], size, mode="bilinear", align_corners=False)[0]
    expected = resized.argmax(dim=0).numpy()
    mask = label_map(logits, size, np.uint16)
    assert mask.shape == size
    best = resized.topk(2, dim=0).values
    certain = (best[0] - best[1]).numpy() > 1e-4
    assert certain.mean() > 0.9
    np.testing.assert_array_equal(mask[certain], expected[certain])


@pytest.mark.parametrize("size", [UP, SAME, DOWN, MIXED, (1, 1), (1, 40), (40, 1), (36, 56)])
@pytest.mark.parametrize("make", [smooth, random])
def test_it_equals_resizing_the_logits_and_taking_the_largest(make: Maker, size: tuple[int, int]) -> None:
    for seed in range(3):
        require_torchs_answer(make(5, (9, 14), seed), size)


@pytest.mark.parametrize("size", [UP, DOWN, MIXED, (1, 40), (36, 56)])
@pytest.mark.parametrize("resize", ["align_corners", "asymmetric"])
def test_it_resizes_as_the_network_does(resize: ResizeMode, size: tuple[int, int]) -> None:
    logits = smooth(5, (9, 14), 0)
    resized = resize_bilinear(torch.from_numpy(logits)[None], size, resize)[0]
    best = resized.topk(2, dim=0).values
    certain = (best[0] - best[1]).numpy() > 1e-4
    mask = label_map(logits, size, np.uint8, resize)
    np.testing.assert_array_equal(mask[certain], resized.argmax(dim=0).numpy()[certain])


@pytest.mark.parametrize("low", [(1, 1), (1, 6), (6, 1), (2, 2), (33, 33)])
@pytest.mark.parametrize("size", [(1, 1), (17, 23), (257, 65)])
def test_logits_may_be_points_lines_and_odd(low: tuple[int, int], size: tuple[int, int]) -> None:
    require_torchs_answer(random(4, low, 0), size)


def test_more_than_255_classes_fit_into_16_bits() -> None:
    logits = random(300, (5, 5), 0)
    require_torchs_answer(logits, (11, 12))
    mask = label_map(logits, (11, 12), np.uint16)
    assert mask.dtype == np.uint16
    assert mask.max() > 255


def test_one_class_is_everywhere() -> None:
    assert not label_map(random(1, (3, 3), 0), (7, 7), np.uint8).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_give_classes_nevertheless(value: float) -> None:
    logits = random(4, (6, 6), 0)
    logits[np.random.default_rng(1).random(logits.shape) < 0.4] = value
    for given in (logits, np.full_like(logits, value)):
        assert label_map(given, (20, 20), np.uint8).max() < 4


@pytest.mark.parametrize("size", [(20, 20), (3, 3)])
def test_a_tie_goes_to_the_first_class_as_in_numpy(size: tuple[int, int]) -> None:
    assert not label_map(np.zeros((3, 6, 6), np.float32), size, np.uint8).any()


def test_the_order_of_the_logits_in_memory_does_not_matter() -> None:
    logits = random(5, (6, 7), 0)
    channels_last = np.ascontiguousarray(logits.transpose(1, 2, 0)).transpose(2, 0, 1)
    other = label_map(channels_last, (20, 21), np.uint8)
    np.testing.assert_array_equal(label_map(logits, (20, 21), np.uint8), other)


@pytest.mark.parametrize("num_classes", [2, 21, 150, 182])
@pytest.mark.parametrize("resize", ["half_pixel", "align_corners", "asymmetric"])
@pytest.mark.parametrize("make", [smooth, random])
def test_near_ties_fall_as_they_do_in_torch(make: Maker, resize: ResizeMode, num_classes: int) -> None:
    for seed, (low, size) in enumerate(
        [((17, 12), (65, 47)), ((12, 17), (5, 90)), ((1, 9), (40, 7)), ((8, 8), (1, 1))]
    ):
        logits = make(num_classes, low, seed)
        resized = resize_bilinear(torch.from_numpy(logits)[None], size, resize)[0]
        best = resized.topk(2, dim=0).values
        # Without fused multiplication and addition, as on old processors, torch rounds once more.
        near = torch.finfo(torch.float32).eps * 4 * float(resized.abs().max())
        differs = label_map(logits, size, np.uint8, resize) != resized.argmax(dim=0).numpy()
        assert not differs[(best[0] - best[1]).numpy() > near].any()
        assert differs.mean() < 0.001


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_spreads_as_far_as_in_torch(value: float) -> None:
    logits = random(5, (9, 8), 0)
    logits[np.random.default_rng(1).random(logits.shape) < 0.02] = value
    expected = F.interpolate(torch.from_numpy(logits)[None], (31, 40), mode="bilinear")[0].argmax(dim=0)
    np.testing.assert_array_equal(label_map(logits, (31, 40), np.uint8), expected.numpy())


@pytest.mark.parametrize("threads", [2, 3, 50])
def test_any_number_of_threads_gives_the_same_mask(threads: int) -> None:
    logits = random(7, (11, 9), 0)
    alone = label_map(logits, (40, 33), np.uint8, threads=1)
    np.testing.assert_array_equal(label_map(logits, (40, 33), np.uint8, threads=threads), alone)


def test_large_logits_are_worth_several_threads() -> None:
    logits = smooth(40, (100, 100), 0)
    resized = F.interpolate(torch.from_numpy(logits)[None], (2100, 2000), mode="bilinear", align_corners=True)
    mask = label_map(logits, (2100, 2000), np.uint8, "align_corners")
    assert (mask == resized[0].argmax(dim=0).numpy()).mean() > 0.9999


def test_a_part_of_larger_logits_is_read_where_it_lies() -> None:
    logits = random(6, (14, 15), 0)
    part = logits[1:5, 2:9, 3:15:2]
    expected = label_map(part.copy(), (30, 31), np.uint8)
    np.testing.assert_array_equal(label_map(part, (30, 31), np.uint8), expected)


def test_no_logits_of_the_pictures_size_are_ever_in_memory() -> None:
    logits = smooth(150, (16, 32), 0)
    label_map(logits, (4, 4), np.uint8)
    tracemalloc.start()
    label_map(logits, (512, 1024), np.uint8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 512 * 1024 + 200_000


@pytest.mark.parametrize("make", [smooth, random])
@pytest.mark.parametrize("resize", ["half_pixel", "align_corners", "asymmetric"])
@pytest.mark.parametrize("size", [UP, SAME, DOWN, MIXED, (1, 1), (150, 130)])
def test_without_numba_the_first_masks_are_the_same(
    make: Maker, resize: ResizeMode, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = make(12, (9, 14), 0)
    expected = label_map(logits, size, np.uint8, resize)
    monkeypatch.delitem(sys.modules, "numba")
    first = label_map(logits, size, np.uint8, resize)
    assert first.dtype == expected.dtype
    np.testing.assert_array_equal(first, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_without_numba_what_is_no_number_spreads_as_with_it(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = random(5, (6, 8), 0)
    logits[2, 3, 4] = value
    expected = label_map(logits, (31, 40), np.uint8)
    monkeypatch.delitem(sys.modules, "numba")
    np.testing.assert_array_equal(label_map(logits, (31, 40), np.uint8), expected)


def test_numba_is_loaded_once_numpy_has_had_as_much_work_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["atrous.inference.label_map"]
    monkeypatch.delitem(sys.modules, "numba")
    monkeypatch.setattr(module, "WORTH_COMPILED_LOOPS", 100_000)
    monkeypatch.setattr(module._Blended, "by_numpy", 0)
    calls = Mock(wraps=module._compiled)
    monkeypatch.setattr(module, "_compiled", calls)
    for expected in (0, 1, 2):
        label_map(random(21, (20, 20), 0), (60, 60), np.uint8)
        assert calls.call_count == expected
