import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from sklearn.utils.class_weight import compute_class_weight

from atrous.data.faults.balance import balancing_weights
from atrous.data.samples import Sample
from atrous.data.shapes import GeneratedShapes, ShapesConfig
from atrous.data.statistics import DatasetStatistics, boundary_lengths, statistics, write_statistics_json
from atrous.errors import MaskError
from atrous.labels import LabelSpace
from tests.tiny_data import LABELS, InMemory, noise, one_sentence, random_mask

MASKS = [random_mask((9, 13), seed) for seed in range(4)]
SAMPLES = [Sample(noise(mask.shape, seed), mask, str(seed)) for seed, mask in enumerate(MASKS)]


def counted() -> DatasetStatistics:
    return statistics([InMemory(SAMPLES)])


def test_pixels_and_pictures_of_each_class_are_counted() -> None:
    (split,) = counted().splits
    everything = np.concatenate([mask.ravel() for mask in MASKS])
    for value, entry in enumerate(split.classes):
        assert entry.pixels == (everything == value).sum()
        assert entry.pictures == sum((mask == value).any() for mask in MASKS)
        assert entry.share == pytest.approx((everything == value).sum() / (everything < 3).sum())
    assert split.ignored == pytest.approx((everything == 255).mean())
    assert [(size.height, size.width, size.pictures) for size in split.sizes] == [(9, 13, 4)]


def test_mean_and_deviation_are_those_of_all_pixels() -> None:
    (split,) = counted().splits
    pixels = np.concatenate([sample.image.reshape(-1, 3) for sample in SAMPLES]) / 255
    assert split.mean == pytest.approx(pixels.mean(axis=0))
    assert split.deviation == pytest.approx(pixels.std(axis=0))
    assert np.array_equal(np.sum(split.histograms, axis=1), [len(pixels)] * 3)


def test_boundaries_are_the_sides_that_face_another_value() -> None:
    for mask in MASKS:
        expected: Counter[int] = Counter()
        for y, x in np.ndindex(mask.shape):
            for other_y, other_x in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if 0 <= other_y < mask.shape[0] and 0 <= other_x < mask.shape[1]:
                    expected[int(mask[y, x])] += int(mask[y, x] != mask[other_y, other_x])
        assert boundary_lengths(mask, LABELS).tolist() == [expected[value] for value in range(3)]


def test_objects_are_the_connected_components_that_scipy_finds() -> None:
    (split,) = counted().splits
    for value, entry in enumerate(split.classes):
        sizes = []
        for mask in MASKS:
            components, count = ndimage.label(mask == value, structure=np.ones((3, 3)))
            sizes += ndimage.sum_labels(mask == value, components, range(1, count + 1)).tolist()
        assert entry.objects == len(sizes)
        assert entry.largest_object == max(sizes)
        assert entry.mean_object == pytest.approx(np.mean(sizes))
        octaves = Counter(int(size).bit_length() - 1 for size in sizes)
        assert entry.object_sizes == tuple(octaves[octave] for octave in range(max(octaves) + 1))


def test_classes_together_are_counted_in_pictures() -> None:
    half = [Sample(noise((2, 2), 0), np.array([[0, 1], [1, 0]], np.uint8), "a")]
    half += [Sample(noise((2, 2), 1), np.array([[0, 2], [2, 255]], np.uint8), "b")]
    (split,) = statistics([InMemory(half)]).splits
    assert split.together == ((2, 1, 1), (1, 1, 0), (1, 0, 1))


def test_weights_balance_as_the_formula_of_median_frequency_does() -> None:
    (split,) = counted().splits
    frequencies = [
        sum(int((mask == value).sum()) for mask in MASKS) / sum(mask.size for mask in MASKS if (mask == value).any())
        for value in range(3)
    ]
    assert [entry.weight for entry in split.classes] == pytest.approx(np.median(frequencies) / np.array(frequencies))


def test_weights_are_sklearns_up_to_a_factor_where_every_picture_shows_every_class() -> None:
    truth = np.repeat([0, 1, 2], [50, 30, 5])
    ours = np.array(balancing_weights([50, 30, 5], [85, 85, 85]), float)
    sklearns = compute_class_weight("balanced", classes=np.arange(3), y=truth)
    assert ours / ours[0] == pytest.approx(sklearns / sklearns[0])


def test_a_class_that_does_not_occur_has_no_weight() -> None:
    assert balancing_weights([4, 0], [8, 0]) == [1.0, None]


def test_two_processes_count_what_one_counts() -> None:
    streets = [GeneratedShapes(ShapesConfig(height=32, width=32, train=66, val=4), name) for name in ("train", "val")]
    assert statistics(streets, workers=2) == statistics(streets)


def test_masks_of_16_bits_are_counted() -> None:
    many = LabelSpace.from_names([str(index) for index in range(300)])
    mask = np.array([[0, 299, 299], [299, 65535, 299]], np.uint16)
    (split,) = statistics([InMemory([Sample(noise((2, 3), 0), mask, "a")], many)]).splits
    assert (split.classes[299].pixels, split.classes[299].objects, split.classes[299].boundary) == (4, 1, 5)
    assert split.ignored == pytest.approx(1 / 6)


def test_a_value_of_no_class_is_refused() -> None:
    spoiled = Sample(noise((2, 2), 0), np.array([[0, 1], [9, 9]], np.uint8), "a")
    with pytest.raises(MaskError) as caught:
        statistics([InMemory([spoiled])])
    assert "a.png has value 9 on 2 pixels" in one_sentence(caught.value)


def test_the_json_is_read_back_as_it_was(tmp_path: Path) -> None:
    found = counted()
    write_statistics_json(tmp_path / "stats.json", found)
    assert DatasetStatistics.model_validate(json.loads((tmp_path / "stats.json").read_text())) == found
