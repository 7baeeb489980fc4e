"""Each fault is planted in a clean set: exactly it is found, and the corrected copy has it no longer."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from atrous.data.check import check, open_to_check, write_check_json, write_repaired
from atrous.data.faults.finding import KINDS
from atrous.data.faults.numberings import CITYSCAPES_IDS, COCO_STUFF, COCO_THINGS
from atrous.data.faults.survey import MOST_SUSPECTS
from atrous.data.folder import FolderConfig, folder
from atrous.data.shapes import SHAPES_LABELS, GeneratedShapes
from atrous.data.sources.camvid import CamVidConfig
from atrous.errors import DatasetNotFoundError, OutputError
from atrous.labels import LabelSpace
from atrous.visualization import colorize
from tests.data.faults.planted import (
    STREETS,
    all_masks,
    change_description,
    checked,
    image_file,
    jpeg,
    kinds,
    load_image,
    load_mask,
    mask_file,
    repaired,
    save,
    save_palette,
    write_clean,
    write_relabelled,
)
from tests.tiny_data import one_sentence

TEN = {value: value for value in range(10)}
ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clean(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def root(clean: Path, tmp_path: Path) -> Path:
    """A copy of the clean set, to spoil."""
    return Path(shutil.copytree(clean, tmp_path / "data"))


def test_a_clean_set_has_no_findings(clean: Path) -> None:
    assert checked(clean).report.findings == ()


def test_a_generated_set_that_lies_nowhere_has_no_findings() -> None:
    assert check(open_to_check(STREETS.model_copy(update={"val": 4}))).report.findings == ()


def test_two_processes_find_what_one_finds(root: Path) -> None:
    save(mask_file(root, 3), np.where(load_mask(mask_file(root, 3)) == 2, 77, load_mask(mask_file(root, 3))))
    for index in range(12):  # enough pictures that processes are worth it
        for turn in range(5):
            for path in (image_file(root, index), mask_file(root, index)):
                pixels = np.rot90(np.asarray(Image.open(path).convert("RGB" if "images" in path.parts else "L")), 2)
                flipped = pixels if turn % 2 else pixels[:, ::-1]
                Image.fromarray(np.ascontiguousarray(flipped)).save(path.with_name(f"{path.stem}_{turn}.png"))
    opened = open_to_check(FolderConfig(root=root))
    assert check(opened, workers=2).report == check(opened).report


def test_a_mask_without_a_picture_is_found(root: Path, tmp_path: Path) -> None:
    image_file(root, 4).unlink()
    result = checked(root)
    assert kinds(result) == ["unpaired"]
    assert result.report.findings[0].files == (str(mask_file(root, 4)),)
    assert len(folder(FolderConfig(root=repaired(result, tmp_path / "mended")), "train")) == 11


def test_a_picture_without_a_mask_is_told_of_a_near_name(root: Path) -> None:
    mask_file(root, 4).rename(mask_file(root, 4).with_name("train_00004b.png"))
    result = checked(root)
    assert kinds(result) == ["unpaired", "unpaired"]
    assert "train_00004b is near" in result.report.findings[0].sentence


def test_two_pictures_of_one_name_are_found(root: Path) -> None:
    save(image_file(root, 4).with_suffix(".jpg"), load_image(image_file(root, 4)))
    result = checked(root)
    assert kinds(result) == ["unpaired"]
    assert "the same name as" in result.report.findings[0].sentence


@pytest.mark.parametrize("place", [image_file, mask_file])
def test_a_truncated_file_is_found_and_the_others_are_checked_too(root: Path, tmp_path: Path, place: object) -> None:
    path = place(root, 2)  # type: ignore[operator]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    mask = load_mask(mask_file(root, 7)).copy()
    mask[5, 9] = 99
    save(mask_file(root, 7), mask)
    result = checked(root)
    assert kinds(result) == ["unreadable", "unknown-value"]
    assert str(path) in result.report.findings[0].sentence
    assert len(folder(FolderConfig(root=repaired(result, tmp_path / "mended")), "train")) == 11


def test_a_value_of_no_class_is_found_with_its_pixel(root: Path, tmp_path: Path) -> None:
    mask = load_mask(mask_file(root, 7)).copy()
    mask[20:23, 30:34] = 37
    save(mask_file(root, 7), mask)
    result = checked(root)
    (finding,) = result.report.findings
    assert (finding.kind, finding.pixel, finding.value, finding.count) == ("unknown-value", (30, 20), 37, 12)
    assert result.report.spoils
    mended = load_mask(mask_file(repaired(result, tmp_path / "mended"), 7))
    assert np.array_equal(mended, np.where(mask == 37, 255, mask))


def test_a_mask_of_another_size_is_resized_to_the_nearest_pixel(root: Path, tmp_path: Path) -> None:
    mask = load_mask(mask_file(root, 1))
    save(mask_file(root, 1), mask[::2, ::2])
    result = checked(root)
    assert kinds(result) == ["sizes-differ"]
    mended = load_mask(mask_file(repaired(result, tmp_path / "mended"), 1))
    assert mended.shape == mask.shape
    assert np.array_equal(mended[::2, ::2], mask[::2, ::2])


def test_a_mask_of_another_shape_is_left_out(root: Path, tmp_path: Path) -> None:
    save(mask_file(root, 1), load_mask(mask_file(root, 1))[:40])
    result = checked(root)
    assert kinds(result) == ["sizes-differ"]
    assert len(folder(FolderConfig(root=repaired(result, tmp_path / "mended")), "train")) == 11


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
def test_a_mask_that_ignores_the_rotation_of_its_picture_is_found(root: Path, tmp_path: Path, orientation: int) -> None:
    upright, mask = load_image(image_file(root, 5)), load_mask(mask_file(root, 5))
    back = {6: 1, 8: 3, 3: 2}.get(orientation)  # quarter turns from upright to stored
    for path, pixels in ((image_file(root, 5), upright), (mask_file(root, 5), mask)):
        if back is not None:
            stored = np.rot90(pixels, back)
        elif orientation == 2:
            stored = pixels[:, ::-1]
        elif orientation == 4:
            stored = pixels[::-1]
        else:
            transposed = pixels.swapaxes(0, 1)
            stored = transposed if orientation == 5 else transposed[::-1, ::-1]
        picture = Image.fromarray(np.ascontiguousarray(stored))
        exif = picture.getexif()
        if "images" in path.parts:
            exif[ORIENTATION] = orientation
        picture.save(path, exif=exif)
    assert np.array_equal(load_image(image_file(root, 5)), upright)
    result = checked(root)
    assert kinds(result) == ["exif-rotation"]
    assert np.array_equal(load_mask(mask_file(repaired(result, tmp_path / "mended"), 5)), mask)


def test_a_mask_that_was_drawn_on_the_upright_picture_is_right(root: Path) -> None:
    picture = Image.fromarray(np.rot90(load_image(image_file(root, 5)), 2))
    exif = picture.getexif()
    exif[ORIENTATION] = 3
    picture.save(image_file(root, 5), exif=exif)
    assert kinds(checked(root)) == []


def test_masks_of_0_and_255_are_found_in_a_set_of_two_classes(tmp_path: Path) -> None:
    labels = LabelSpace.from_names(["background", "house"])
    values = {value: int(value in (1, 2)) for value in range(10)}
    root = write_relabelled(tmp_path / "data", labels, values)
    assert kinds(checked(root)) == []
    truths = {path: load_mask(path) == 1 for path in all_masks(root)}
    for path, truth in truths.items():
        save(path, (truth * 255).astype(np.uint8))
    result = checked(root)
    assert set(kinds(result)) == {"binary-255"}
    assert len(kinds(result)) == 18
    copy = repaired(result, tmp_path / "mended")
    for path, truth in truths.items():
        assert np.array_equal(load_mask(copy / path.relative_to(root)), truth)


def test_a_set_of_0_and_255_without_description_is_found_too(tmp_path: Path) -> None:
    root = write_relabelled(tmp_path / "data", LabelSpace.from_names(["a", "b"]), {v: v % 2 for v in range(10)})
    (root / "dataset.yaml").unlink()
    for path in all_masks(root):
        save(path, ((load_mask(path) == 1) * 255).astype(np.uint8))
    result = check(open_to_check(FolderConfig(root=root), ("ground", "thing")))
    assert set(kinds(result)) == {"undescribed", "binary-255"}
    assert folder(FolderConfig(root=repaired(result, tmp_path / "mended")), "val").labels.names == ("ground", "thing")


@pytest.mark.parametrize("colour", ["classes", "equal channels"])
def test_colours_where_indices_are_meant_are_found(root: Path, tmp_path: Path, colour: str) -> None:
    mask = load_mask(mask_file(root, 0))
    if colour == "equal channels":
        mask = np.where(mask == 255, 0, mask).astype(np.uint8)
        save(mask_file(root, 0), np.repeat(mask[..., None], 3, axis=2))
    else:
        save(mask_file(root, 0), colorize(mask, SHAPES_LABELS))
    result = checked(root)
    assert kinds(result) == ["colour-mask"]
    assert np.array_equal(load_mask(mask_file(repaired(result, tmp_path / "mended"), 0)), mask)


def test_a_colour_picture_that_shows_no_class_is_left_out(root: Path, tmp_path: Path) -> None:
    save(mask_file(root, 0), np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8))
    result = checked(root)
    assert kinds(result) == ["colour-mask"]
    assert len(folder(FolderConfig(root=repaired(result, tmp_path / "mended")), "train")) == 11


def test_the_brightness_of_colours_is_found_where_indices_are_meant(root: Path, tmp_path: Path) -> None:
    mask = load_mask(mask_file(root, 0))
    grey = np.asarray(Image.fromarray(colorize(mask, SHAPES_LABELS)).convert("L"))
    save(mask_file(root, 0), grey)
    result = checked(root)
    assert kinds(result) == ["grey-of-colours"]
    assert np.array_equal(load_mask(mask_file(repaired(result, tmp_path / "mended"), 0)), mask)


def test_a_palette_in_another_order_than_the_classes_is_found(root: Path, tmp_path: Path) -> None:
    mask = load_mask(mask_file(root, 0))
    order = np.random.default_rng(0).permutation(10)
    table = np.arange(256)
    table[order] = np.arange(10)
    palette = SHAPES_LABELS.color_table.copy()
    palette[:10] = SHAPES_LABELS.color_table[order]
    save_palette(mask_file(root, 0), table[mask].astype(np.uint8), palette)
    result = checked(root)
    assert kinds(result) == ["palette-order"]
    assert np.array_equal(load_mask(mask_file(repaired(result, tmp_path / "mended"), 0)), mask)


def test_a_jpeg_of_indices_is_found_and_left_out(root: Path, tmp_path: Path) -> None:
    save(mask_file(root, 0).with_suffix(".jpg"), np.asarray(Image.open(mask_file(root, 0))))
    mask_file(root, 0).unlink()
    result = checked(root)
    assert kinds(result) == ["lossy-mask"]
    assert len(folder(FolderConfig(root=repaired(result, tmp_path / "mended")), "train")) == 11


def test_a_jpeg_of_colours_is_read_back_by_the_nearest_colour(root: Path, tmp_path: Path) -> None:
    mask = load_mask(mask_file(root, 0))
    save(mask_file(root, 0).with_suffix(".jpg"), colorize(mask, SHAPES_LABELS))
    mask_file(root, 0).unlink()
    result = checked(root)
    assert kinds(result) == ["lossy-mask"]
    again = load_mask(mask_file(repaired(result, tmp_path / "mended"), 0))
    assert (again == mask).mean() > 0.97


@pytest.mark.parametrize("quality", [None, 60, 90])
def test_values_invented_by_interpolation_or_jpeg_are_found(root: Path, tmp_path: Path, quality: int | None) -> None:
    mask = load_mask(mask_file(root, 0))
    if quality is None:
        spoiled = cv2.resize(cv2.resize(mask, (64, 48), interpolation=cv2.INTER_LINEAR), (128, 96))
    else:
        spoiled = jpeg(mask, quality)
    save(mask_file(root, 0), spoiled)
    result = checked(root)
    assert kinds(result) == ["invented-values"]
    x, y = result.report.findings[0].pixel or (0, 0)
    assert spoiled[y, x] == result.report.findings[0].value
    again = load_mask(mask_file(repaired(result, tmp_path / "mended"), 0))
    assert set(np.unique(again)) <= {*range(10), 255}
    if quality is None:
        assert (again == mask).mean() > 0.8


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["road", *map(str, range(17)), "bicycle"], CITYSCAPES_IDS),
        ([f"stuff {index}" for index in range(171)], COCO_STUFF),
        ([f"thing {index}" for index in range(80)], COCO_THINGS),
        (["wall", *map(str, range(148)), "flag"], tuple(range(1, 151))),
        ([f"class {index}" for index in range(10)], tuple(range(1, 11))),
    ],
    ids=["Cityscapes", "COCO-Stuff", "COCO", "ADE20K", "one too large"],
)
def test_a_numbering_of_another_kind_is_named_and_mended(
    tmp_path: Path, names: list[str], numbers: tuple[int, ...]
) -> None:
    labels = LabelSpace.from_names(names)
    classes = np.linspace(0, len(names) - 1, 10).astype(int).tolist()  # the last one shows that numbers are too large
    root = write_relabelled(tmp_path / "data", labels, dict(enumerate(classes)))
    truths = {path: load_mask(path) for path in all_masks(root)}
    table = np.full(256, 255, np.uint8)
    table[: len(names)] = numbers
    for path, truth in truths.items():
        save(path, table[truth])
    result = checked(root)
    assert set(kinds(result)) == {"other-numbering"}
    copy = repaired(result, tmp_path / "mended")
    for path, truth in truths.items():
        assert np.array_equal(load_mask(copy / path.relative_to(root)), truth)


def test_masks_in_which_all_is_ignored_or_all_is_background_are_worth_knowing(root: Path, tmp_path: Path) -> None:
    for index, value in ((2, 255), (3, 0)):
        save(mask_file(root, index), np.full((96, 128), value, np.uint8))
    result = checked(root)
    assert kinds(result) == ["void-only", "background-only"]
    assert not result.report.spoils
    assert len(folder(FolderConfig(root=repaired(result, tmp_path / "mended")), "train")) == 11


def test_the_same_picture_in_two_splits_is_a_leak_that_training_gives_up(root: Path, tmp_path: Path) -> None:
    for place in (image_file, mask_file):
        shutil.copy(place(root, 3, "val"), place(root, 8))
    result = checked(root)
    assert kinds(result) == ["leak"]
    copy = repaired(result, tmp_path / "mended")
    assert len(folder(FolderConfig(root=copy), "train")) == 11
    assert len(folder(FolderConfig(root=copy), "val")) == 6


@pytest.mark.parametrize(("same_mask", "kind"), [(True, "duplicate"), (False, "disagreement")])
def test_the_same_picture_twice_is_found_and_its_masks_are_compared(
    root: Path, tmp_path: Path, same_mask: bool, kind: str
) -> None:
    shutil.copy(image_file(root, 3), image_file(root, 8))
    mask = load_mask(mask_file(root, 3)).copy()
    mask[:20, :20] = mask[0, 0] if same_mask else 9
    if same_mask:
        save(mask_file(root, 3), mask)
    save(mask_file(root, 8), mask)
    result = checked(root)
    assert kinds(result) == [kind]
    assert kinds(checked(repaired(result, tmp_path / "mended"))) == []


@pytest.mark.parametrize("change", ["stored again", "cut", "lighter", "smaller"])
@pytest.mark.parametrize(("split", "kind"), [("train", "near-duplicate"), ("val", "near-leak")])
def test_nearly_the_same_picture_is_found(root: Path, tmp_path: Path, change: str, split: str, kind: str) -> None:
    image, mask = load_image(image_file(root, 3)), load_mask(mask_file(root, 3))
    name = "train_00003_copy.png"
    match change:
        case "stored again":
            image = jpeg(image, 70)
        case "cut":
            image, mask = image[4:, 3:-2], mask[4:, 3:-2]
        case "lighter":
            image = (image * 0.8).astype(np.uint8) + np.uint8(20)
        case _:
            image, mask = (
                cv2.resize(image, (96, 72), interpolation=cv2.INTER_AREA),
                mask[::4, ::4].repeat(3, 0).repeat(3, 1),
            )
    save(root / "images" / split / name, image)
    save(root / "masks" / split / name, mask)
    result = checked(root)
    assert kinds(result) == [kind]
    assert kinds(checked(repaired(result, tmp_path / "mended"))) == []


def test_two_masks_that_were_exchanged_are_found_and_given_back(root: Path, tmp_path: Path) -> None:
    masks = [load_mask(mask_file(root, index)) for index in (2, 9)]
    mask_file(root, 2).rename(tmp_path / "other.png")
    mask_file(root, 9).rename(mask_file(root, 2))
    (tmp_path / "other.png").rename(mask_file(root, 9))
    result = checked(root)
    assert kinds(result) == ["swapped"]
    assert {Path(name).name for name in result.report.findings[0].files} == {"train_00002.png", "train_00009.png"}
    copy = repaired(result, tmp_path / "mended")
    for index, mask in zip((2, 9), masks, strict=True):
        assert np.array_equal(load_mask(mask_file(copy, index)), mask)


def test_a_ring_of_exchanged_masks_is_found(root: Path, tmp_path: Path) -> None:
    ring = (1, 4, 6, 10)
    masks = [load_mask(mask_file(root, index)) for index in ring]
    for index, mask in zip(ring, masks[1:] + masks[:1], strict=True):
        save(mask_file(root, index), mask)
    result = checked(root)
    assert set(kinds(result)) == {"swapped"}
    copy = repaired(result, tmp_path / "mended")
    for index, mask in zip(ring, masks, strict=True):
        assert np.array_equal(load_mask(mask_file(copy, index)), mask)


def test_classes_that_a_split_does_not_show_are_worth_knowing(root: Path) -> None:
    for index in range(12):
        mask = load_mask(mask_file(root, index))
        save(mask_file(root, index), np.where(mask == 9, 8, mask))
    result = checked(root)
    assert kinds(result) == ["never-trained", "absent-class"]
    assert SHAPES_LABELS.names[9] in result.report.findings[0].sentence
    assert not result.report.spoils


def test_an_extreme_imbalance_comes_with_the_weights_that_would_balance_it(root: Path) -> None:
    for index in range(12):
        mask = load_mask(mask_file(root, index)).copy()
        mask[mask == 9] = 8
        mask[0, 0] = 9
        save(mask_file(root, index), mask)
    result = checked(root)
    assert kinds(result) == ["imbalance"]
    assert "weights that would balance them" in result.report.findings[0].repair


def test_a_split_that_is_not_there_is_a_finding(root: Path) -> None:
    change_description(root, splits=["train", "val", "test"])
    result = checked(root)
    assert kinds(result) == ["unpaired"]
    assert "names a split test" in result.report.findings[0].sentence


def test_a_data_set_that_its_reader_refuses_is_told_in_the_readers_words(tmp_path: Path) -> None:
    write_clean(tmp_path / "data")
    image_file(tmp_path / "data", 1).unlink()
    result = check(open_to_check(CamVidConfig(root=tmp_path / "data")))
    assert "refused" in kinds(result)
    assert "has no picture" in result.report.findings[0].sentence


def test_a_folder_without_pictures_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError) as caught:
        open_to_check(FolderConfig(root=tmp_path))
    assert "holds no dataset.yaml" in one_sentence(caught.value)


def test_a_place_that_holds_something_gets_no_copy(clean: Path) -> None:
    with pytest.raises(OutputError, match="not empty"):
        write_repaired(checked(clean), clean)


def test_the_report_as_json_says_what_each_finding_weighs(root: Path, tmp_path: Path) -> None:
    save(mask_file(root, 2), np.full((96, 128), 44, np.uint8))
    result = checked(root)
    write_check_json(tmp_path / "check.json", result.report)
    content = json.loads((tmp_path / "check.json").read_text())
    assert content["spoils"] is True
    assert content["pictures"] == {"train": 12, "val": 6}
    (finding,) = content["findings"]
    assert (finding["severity"], finding["value"], finding["pixel"]) == ("spoils training", 44, [0, 0])


def test_every_finding_has_a_kind_that_is_shown() -> None:
    assert len({kind.title for kind in KINDS.values()}) == len(KINDS)
    assert len(GeneratedShapes(STREETS, "train")) < MOST_SUSPECTS
