from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from atrous.data.file_tree import Folder
from atrous.data.pairs import ImageMaskPair, pair_by_stem, require_equal_sizes
from atrous.data.samples import PairedFiles, remap
from atrous.data.stray_labels import describe_strays, known_labels, stray_labels
from atrous.errors import DatasetError, DatasetNotFoundError, ImageError, MaskError
from atrous.images import ReadableFile, read_image, read_mask, write_image, write_mask
from atrous.labels import LabelSpace, Mask
from atrous.picture_paths import images_below
from tests.real import REAL, real

THREE = LabelSpace.from_names(["background", "cat", "dog"])
MANY = LabelSpace.from_names([f"class {index}" for index in range(300)])


def noise(height: int, width: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def image_at(path: Path, height: int = 4, width: int = 6, seed: int = 0) -> Path:
    write_image(path, noise(height, width, seed))
    return path


def mask_at(path: Path, height: int = 4, width: int = 6, seed: int = 0) -> Path:
    write_mask(path, np.random.default_rng(seed).choice(np.array([0, 1, 2, 255], np.uint8), (height, width)), THREE)
    return path


def pair_at(folder: Path, name: str, seed: int = 0) -> ImageMaskPair:
    return ImageMaskPair(
        image_at(folder / f"images/{name}.jpg", seed=seed), mask_at(folder / f"masks/{name}.png", seed=seed)
    )


def path_of(file: ReadableFile) -> Path:
    assert isinstance(file, Path)
    return file


def split_of(*pairs: ImageMaskPair, values: dict[int, int] | None = None) -> PairedFiles:
    return PairedFiles("pets", "val", THREE, pairs, values)


def test_a_sample_is_the_upright_picture_its_mask_and_its_name(tmp_path: Path) -> None:
    pairs = [pair_at(tmp_path, name, seed) for seed, name in enumerate(["tom", "rex.2"])]
    dataset = split_of(*pairs)
    assert (dataset.title, dataset.split, dataset.labels, len(dataset)) == ("pets", "val", THREE, 2)
    for sample, pair, index in zip(dataset, pairs, range(2), strict=True):  # type: ignore[call-overload]
        np.testing.assert_array_equal(sample.image, read_image(pair.image))
        np.testing.assert_array_equal(sample.mask, read_mask(pair.mask))
        assert dataset.source_of(index) == str(pair.mask)
    assert [dataset[index].name for index in range(2)] == ["tom", "rex.2"]


def test_samples_of_one_stem_in_two_folders_have_two_names(tmp_path: Path) -> None:
    dataset = split_of(pair_at(tmp_path / "a", "0"), pair_at(tmp_path / "b", "1"), pair_at(tmp_path / "b", "0"))
    names = [dataset[index].name for index in range(3)]
    assert names[1] == "1"
    assert len(set(names)) == 3


def test_a_name_that_a_mac_wrote_in_two_characters_is_the_same_name(tmp_path: Path) -> None:
    write_image(tmp_path / "images/u\u0308.png", np.zeros((2, 3, 3), np.uint8))
    write_mask(tmp_path / "masks/\u00fc.png", np.zeros((2, 3), np.uint8), LabelSpace.from_names(["a"]))
    assert len(pair_by_stem(Folder(tmp_path / "images"), Folder(tmp_path / "masks"))) == 1


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(DatasetError, match="The split val of pets is empty: a picture and its mask were expected"):
        split_of()


def test_a_missing_file_is_refused_by_its_name(tmp_path: Path) -> None:
    pair = pair_at(tmp_path, "tom")
    with pytest.raises(ImageError, match=r"There is no picture .*none\.jpg"):
        split_of(ImageMaskPair(tmp_path / "none.jpg", pair.mask))[0]
    with pytest.raises(MaskError, match=r"There is no mask .*none\.png"):
        split_of(ImageMaskPair(pair.image, tmp_path / "none.png"))[0]
    with pytest.raises(MaskError, match=r"There is no mask .*none\.png"):
        require_equal_sizes(ImageMaskPair(pair.image, tmp_path / "none.png"))
    with pytest.raises(DatasetError, match=r"none\.png cannot be read \(No such file or directory\)"):
        split_of(ImageMaskPair(pair.image, tmp_path / "none.png")).fingerprint()


def test_sizes_that_differ_are_named_and_nothing_is_resized(tmp_path: Path) -> None:
    pair = ImageMaskPair(image_at(tmp_path / "a.jpg", 4, 6), mask_at(tmp_path / "a.png", 6, 4))
    for fail in (lambda: split_of(pair)[0], lambda: require_equal_sizes(pair)):
        with pytest.raises(MaskError) as error:
            fail()
        assert str(error.value).startswith(f"{pair.mask} is 4x6, but its picture {pair.image} is 6x4 (width x height)")
    require_equal_sizes(pair_at(tmp_path, "same"))


def test_a_value_map_says_what_the_values_of_the_files_mean(tmp_path: Path) -> None:
    pair = pair_at(tmp_path, "tom")
    stored = read_mask(pair.mask)
    mask = split_of(pair, values={2: 255, 0: 1, 77: 2})[0].mask
    meaning = {0: 1, 1: 1, 2: 255, 255: 255}
    np.testing.assert_array_equal(mask, np.vectorize(meaning.__getitem__)(stored))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("seed", range(5))
def test_remapping_agrees_with_asking_pixel_by_pixel(dtype: type[np.uint8] | type[np.uint16], seed: int) -> None:
    random = np.random.default_rng(seed)
    mask: Mask = random.integers(0, np.iinfo(dtype).max, (30, 40), dtype, endpoint=True)
    keys = [*mask.ravel()[:20].tolist(), 255, 256, 65535, -1, 70000]
    values = {int(key): int(random.integers(0, 256)) for key in keys}
    expected = [[values.get(value, value) for value in row] for row in mask.tolist()]
    remapped = remap(mask, values)
    assert remapped.dtype == dtype
    assert remapped.tolist() == expected


def test_remapping_exchanges_values_and_leaves_the_given_mask_alone() -> None:
    mask = np.array([[0, 1, 2]], np.uint8)
    assert remap(mask, {0: 1, 1: 0}).tolist() == [[1, 0, 2]]
    assert mask.tolist() == [[0, 1, 2]]
    assert remap(mask, {}) is mask


def test_a_meaning_above_8_bits_makes_the_mask_16_bits_wide() -> None:
    remapped = remap(np.array([[0, 255]], np.uint8), {255: MANY.ignore_index})
    assert remapped.dtype == np.uint16
    assert remapped.tolist() == [[0, 65535]]


@pytest.mark.parametrize("meaning", [-1, 65536])
def test_a_meaning_that_is_no_mask_value_is_a_slip(meaning: int) -> None:
    with pytest.raises(ValueError, match="are no mask values"):
        remap(np.zeros((1, 1), np.uint8), {0: meaning})


@pytest.mark.parametrize(("labels", "dtype"), [(THREE, np.uint8), (THREE, np.uint16), (MANY, np.uint16)])
@pytest.mark.parametrize("largest", [2, 3, 255, 256, 65535])
def test_stray_labels_agree_with_counting_by_hand(
    labels: LabelSpace, dtype: type[np.uint8] | type[np.uint16], largest: int
) -> None:
    largest = min(largest, np.iinfo(dtype).max)
    mask: Mask = np.random.default_rng(largest).integers(0, largest, (50, 60), dtype, endpoint=True)
    mask[0] = labels.ignore_index
    known = {*range(labels.num_classes), labels.ignore_index}
    counts = Counter(mask.ravel().tolist())
    assert stray_labels(mask, labels) == {value: count for value, count in counts.items() if value not in known}


def test_a_mask_without_pixels_has_no_strays() -> None:
    assert stray_labels(np.zeros((0, 5), np.uint8), THREE) == {}


def test_strays_are_described_with_file_value_and_pixels_and_not_without_end() -> None:
    assert describe_strays("a.png", {37: 12, 9: 1}) == "a.png has value 37 on 12 pixels, value 9 on 1 pixel"
    text = describe_strays("a.png", dict.fromkeys(range(3, 203), 5))
    assert text.endswith("value 10 on 5 pixels and 192 more values")


def test_the_values_that_a_mask_may_have_are_told_in_words() -> None:
    assert known_labels(THREE) == "0..2 (background to dog) and 255 (ignore)"
    assert known_labels(LabelSpace.from_names(["road"])) == "0 (road) and 255 (ignore)"
    assert known_labels(MANY) == "0..299 (class 0 to class 299) and 65535 (ignore)"


def test_the_fingerprint_stays_as_long_as_nothing_changes(tmp_path: Path) -> None:
    pairs = [pair_at(tmp_path / "here", name, seed) for seed, name in enumerate("ab")]
    elsewhere = [pair_at(tmp_path / "there", name, seed) for seed, name in enumerate("ab")]
    fingerprint = split_of(*pairs).fingerprint()
    assert split_of(*pairs).fingerprint() == split_of(*elsewhere, values={}).fingerprint() == fingerprint
    values = {np.uint8(255): np.int64(2)}
    assert split_of(*pairs, values=values).fingerprint() == split_of(*pairs, values={255: 2}).fingerprint()  # type: ignore[arg-type]


def test_the_fingerprint_changes_with_any_byte_name_order_class_and_meaning(tmp_path: Path) -> None:
    first, second = (pair_at(tmp_path, name, seed) for seed, name in enumerate("ab"))
    seen = {
        split_of(first, second).fingerprint(),
        split_of(second, first).fingerprint(),
        split_of(first).fingerprint(),
        split_of(first, second, values={255: 0}).fingerprint(),
        split_of(first, second, values={255: 1}).fingerprint(),
        PairedFiles("pets", "val", LabelSpace.from_names(["background", "dog", "cat"]), [first, second]).fingerprint(),
        split_of(
            first, ImageMaskPair(second.image, path_of(second.mask).rename(tmp_path / "masks/c.png"))
        ).fingerprint(),
    }
    assert len(seen) == 7
    for path in map(path_of, first):
        whole = path.read_bytes()
        for place in (0, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            seen.add(split_of(first).fingerprint())
        path.write_bytes(whole)
    assert len(seen) == 13


def test_pairs_are_made_by_name_and_never_by_running_number(tmp_path: Path) -> None:
    # A converter that numbers its masks gives the picture 000003 the mask of the third picture, whichever that is.
    for name in ("000003", "000007", "000001.b", "city/000003"):
        image_at(tmp_path / "images" / f"{name}.jpg")
        mask_at(tmp_path / "masks" / f"{name}.png")
    pairs = pair_by_stem(Folder(tmp_path / "images"), Folder(tmp_path / "masks"))
    found = [
        (str(path_of(i).relative_to(tmp_path / "images")), str(path_of(m).relative_to(tmp_path / "masks")))
        for i, m in pairs
    ]
    assert found == [
        ("000001.b.jpg", "000001.b.png"),
        ("000003.jpg", "000003.png"),
        ("000007.jpg", "000007.png"),
        ("city/000003.jpg", "city/000003.png"),
    ]


def test_masks_that_are_numbered_otherwise_than_their_pictures_are_refused(tmp_path: Path) -> None:
    for name in ("000003", "000007", "000009"):
        image_at(tmp_path / "images" / f"{name}.jpg")
    for name in ("0", "1", "2"):
        mask_at(tmp_path / "masks" / f"{name}.png")
    with pytest.raises(DatasetError) as error:
        pair_by_stem(Folder(tmp_path / "images"), Folder(tmp_path / "masks"))
    assert str(error.value) == (
        f"{tmp_path}/images/000003.jpg has no mask: {tmp_path}/masks/000003.png was expected "
        f"(and so for 2 more pictures). Add the mask or take the picture out."
    )


def test_an_unpaired_mask_is_named(tmp_path: Path) -> None:
    image_at(tmp_path / "images/a.jpg")
    for name in "ab":
        mask_at(tmp_path / f"masks/{name}.png")
    with pytest.raises(DatasetError, match=r"masks/b\.png has no picture: one named b was expected in .*images\. Add"):
        pair_by_stem(Folder(tmp_path / "images"), Folder(tmp_path / "masks"))


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_two_files_of_one_name_are_refused(tmp_path: Path, kind: str) -> None:
    pair_at(tmp_path, "a")
    image_at(tmp_path / kind / "a.bmp")
    with pytest.raises(DatasetError, match=r"a\.bmp and .*a\.(jpg|png) have the same name: rename one"):
        pair_by_stem(Folder(tmp_path / "images"), Folder(tmp_path / "masks"))


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    pair_at(tmp_path, "a")
    with pytest.raises(DatasetNotFoundError, match=r"There is no folder .*none"):
        pair_by_stem(Folder(tmp_path / "images"), Folder(tmp_path / "none"))
    with pytest.raises(DatasetNotFoundError, match=r"There is no folder .*none"):
        pair_by_stem(Folder(tmp_path / "none"), Folder(tmp_path / "masks"))


CAMVID = LabelSpace.from_names(
    "sky building pole road pavement tree sign fence car pedestrian bicyclist void".split()  # noqa: SIM905
)
VOC = LabelSpace.from_names([f"class {index}" for index in range(21)])


@real
@pytest.mark.parametrize(
    ("images", "masks", "labels"),
    [
        ("camvid/images/val", "camvid/masks/val", CAMVID),
        ("voc/VOCdevkit/VOC2012/JPEGImages", "voc/VOCdevkit/VOC2012/SegmentationClassAug", VOC),
    ],
    ids=["CamVid", "VOC"],
)
def test_real_masks_hold_stated_values_alone_and_have_the_size_of_their_pictures(
    images: str, masks: str, labels: LabelSpace
) -> None:
    for mask_path in images_below(REAL / masks)[::10][:36]:
        pair = ImageMaskPair(REAL / images / f"{mask_path.stem}.jpg", mask_path)
        require_equal_sizes(pair)
        sample = PairedFiles("real", "val", labels, [pair])[0]
        assert sample.image.shape == (*sample.mask.shape, 3)
        assert stray_labels(sample.mask, labels) == {}, mask_path


@real
def test_the_real_pictures_of_camvid_pair_with_their_masks() -> None:
    for split, count in (("train", 367), ("val", 101)):
        assert len(pair_by_stem(Folder(REAL / "camvid/images" / split), Folder(REAL / "camvid/masks" / split))) == count
