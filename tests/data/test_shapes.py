import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.config import parse
from atrous.data.samples import Sample
from atrous.data.shapes import SHAPES_LABELS, SPLITS, GeneratedShapes, ShapesConfig, draw_scene
from atrous.data.stray_labels import stray_labels
from atrous.errors import ConfigError, DatasetError

SIZE = (120, 160)
IGNORE = SHAPES_LABELS.ignore_index


@pytest.fixture(scope="module")
def scenes() -> list[Sample]:
    return [draw_scene(0, "train", index, SIZE) for index in range(24)]


def test_the_same_seed_split_and_index_draw_the_same_scene() -> None:
    first, again = (draw_scene(3, "val", 5, SIZE) for _ in range(2))
    assert first.name == again.name
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.mask, again.mask)


def test_seeds_splits_and_indices_share_no_scene() -> None:
    masks = [
        draw_scene(seed, split, index, (48, 64)).mask for seed in range(2) for split in SPLITS for index in range(4)
    ]
    assert len({mask.tobytes() for mask in masks}) == len(masks)


@pytest.mark.parametrize("size", [(120, 160), (33, 47), (96, 256)])
def test_image_and_mask_have_the_size_that_was_asked_for(size: tuple[int, int]) -> None:
    scene = draw_scene(0, "test", 0, size)
    assert scene.image.shape == (*size, 3)
    assert scene.mask.shape == size
    assert scene.image.dtype == scene.mask.dtype == np.uint8


def test_a_larger_picture_shows_the_same_scene() -> None:
    small, large = (draw_scene(0, "train", 2, size).mask for size in ((120, 160), (240, 320)))
    seen = large[1::2, 1::2]
    certain = (small != IGNORE) & (seen != IGNORE)
    assert (small == seen)[certain].mean() > 0.99


def test_every_class_and_the_ignore_value_occur_and_nothing_else(scenes: list[Sample]) -> None:
    values = np.unique([scene.mask for scene in scenes])
    assert values.tolist() == [*range(SHAPES_LABELS.num_classes), IGNORE]
    assert not any(stray_labels(scene.mask, SHAPES_LABELS) for scene in scenes)


def test_the_outlines_take_little_of_a_picture(scenes: list[Sample]) -> None:
    shares = [(scene.mask == IGNORE).mean() for scene in scenes]
    assert 0.02 < np.mean(shares) < 0.12


def test_two_classes_never_touch_without_an_outline_between_them(scenes: list[Sample]) -> None:
    for scene in scenes:
        for one, other in ((scene.mask[1:], scene.mask[:-1]), (scene.mask[:, 1:], scene.mask[:, :-1])):
            assert not ((one != other) & (one != IGNORE) & (other != IGNORE)).any()


def test_poles_are_thin_and_signs_are_small(scenes: list[Sample]) -> None:
    assert 1.5 < np.median(_widths(scenes, "pole")) < 5
    assert 4 < np.median(_widths(scenes, "sign")) < 16


def _widths(scenes: list[Sample], name: str) -> list[int]:
    """The lengths of all horizontal runs of a class."""
    index = SHAPES_LABELS.names.index(name)
    edges = [np.diff(np.pad(scene.mask == index, ((0, 0), (1, 1))).astype(int).ravel()) for scene in scenes]
    return [length for edge in edges for length in np.flatnonzero(edge == -1) - np.flatnonzero(edge == 1)]


def test_the_sensor_is_noisy(scenes: list[Sample]) -> None:
    for scene in scenes:
        sky = scene.mask == SHAPES_LABELS.names.index("sky")
        beside = sky[:, 1:] & sky[:, :-1]
        assert np.median(np.abs(np.diff(scene.image.astype(int), axis=1)[beside])) >= 1


def test_colour_alone_does_not_tell_the_classes_apart(scenes: list[Sample]) -> None:
    colors = np.concatenate([scene.image.reshape(-1, 3) for scene in scenes]).astype(float)
    classes = np.concatenate([scene.mask.ravel() for scene in scenes])
    means = np.stack([colors[classes == index].mean(0) for index in range(SHAPES_LABELS.num_classes)])
    unseen = [draw_scene(0, "test", index, SIZE) for index in range(12)]
    assert np.mean([_mean_iou(_nearest(means, scene.image), scene.mask) for scene in unseen]) < 0.4


def _nearest(means: NDArray[np.float64], image: NDArray[np.uint8]) -> NDArray[np.int64]:
    nearest: NDArray[np.int64] = np.square(image[..., None, :] - means).sum(-1).argmin(-1)
    return nearest


def _mean_iou(prediction: NDArray[np.int64], mask: NDArray[np.integer]) -> float:
    valid = mask != IGNORE
    pairs = [((prediction == index) & valid, mask == index) for index in np.unique(mask[valid])]
    return float(np.mean([(seen & true).sum() / (seen | true).sum() for seen, true in pairs]))


def test_a_data_set_has_as_many_scenes_as_its_config_says() -> None:
    config = ShapesConfig(height=48, width=64, train=3, val=2, test=1)
    assert [len(GeneratedShapes(config, split)) for split in SPLITS] == [3, 2, 1]
    val = GeneratedShapes(config, "val")
    assert [val[index].name for index in range(len(val))] == ["val_00000", "val_00001"]
    with pytest.raises(IndexError):
        val[2]


def test_an_unknown_split_is_answered_with_the_three_that_there_are() -> None:
    with pytest.raises(DatasetError, match=r"no split 'dev': choose one of train, val, test\.$"):
        GeneratedShapes(ShapesConfig(), "dev")


@pytest.mark.parametrize(
    ("key", "value"), [("seed", -1), ("height", 8), ("width", 100_000), ("train", 0), ("val", -3), ("test", 0.5)]
)
def test_an_impossible_choice_is_refused_in_one_sentence_that_names_it(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"^recipe: `{key}`: .*\.$"):
        parse(ShapesConfig, {key: value}, "recipe")


def test_the_fingerprint_changes_with_all_that_the_pictures_depend_on() -> None:
    config = ShapesConfig(test=5)
    others = [config.model_copy(update=change) for change in ({"seed": 1}, {"height": 96}, {"width": 96}, {"test": 6})]
    prints = [GeneratedShapes(one, "test").fingerprint() for one in (config, *others)]
    prints.append(GeneratedShapes(config, "val").fingerprint())
    assert len(set(prints)) == len(prints)
    assert prints[0] == GeneratedShapes(ShapesConfig(test=5), "test").fingerprint()
