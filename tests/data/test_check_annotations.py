"""What a check tells of annotations made of shapes, which no mask of theirs shows."""

from pathlib import Path

import pytest

from atrous.cli.data_convert import print_written
from atrous.data import DataConfig, open_split, parse_dataset
from atrous.data.check import Checked, check, open_to_check, write_repaired
from atrous.data.convert import convert_dataset
from atrous.data.export import export_dataset
from atrous.data.sources.coco import CocoConfig
from atrous.data.splits import divide
from atrous.errors import DatasetError, OutputError
from atrous.images import write_image
from tests.annotated_data import (
    SIZE,
    SQUARE,
    WRITERS,
    coco_content,
    labelme_xml,
    write_coco_set,
    write_cvat_set,
    write_json,
    write_labelme_xml_set,
    write_pictures,
    write_yolo_set,
)
from tests.tiny_data import LABELS, InMemory, noise, one_sentence


def sentences(config: DataConfig, kind: str) -> list[str]:
    return [finding.sentence for finding in checked(config).report.findings if finding.kind == kind]


def checked(config: DataConfig) -> Checked:
    return check(open_to_check(config))


@pytest.mark.parametrize("name", WRITERS)
def test_a_picture_beside_annotated_ones_that_no_annotation_names_is_told(name: str, tmp_path: Path) -> None:
    config = WRITERS[name][0](tmp_path)
    assert sentences(config, "unannotated") == []
    picture = next(path for path in sorted(tmp_path.rglob("b.*")) if path.suffix in (".png", ".jpg"))
    write_image(picture.with_stem("c"), noise(SIZE, 3))
    told = sentences(config, "unannotated")
    if name in ("yolo", "coco-panoptic"):  # a picture without a text file shows nothing; of panoptic all are listed
        assert told == []
    else:
        assert told == [f"{picture.with_stem('c')} has no annotation, so that no split shows them."]


def test_objects_without_an_area_are_counted_by_the_check_and_by_the_conversion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(tmp_path / "source/val2017")
    objects = [{"category_id": 2, "segmentation": [SQUARE[0] + SQUARE[2]]}, {"category_id": 5, "bbox": [1, 1, 2, 2]}]
    write_json(tmp_path / "source/annotations/instances_val2017.json", coco_content(objects))
    config = CocoConfig(root=tmp_path / "source")
    assert sentences(config, "no-area")[0].startswith("4 annotated objects of val have no area")
    print_written("it", convert_dataset([open_split(config, "val")], tmp_path / "out", "x"), tmp_path)
    assert (
        "0 pixels claimed by shapes of several classes, 4 objects without an area left out" in capsys.readouterr().out
    )


def test_splits_whose_classes_differ_are_found_and_not_written(tmp_path: Path) -> None:
    config = write_coco_set(tmp_path)
    write_pictures(tmp_path / "train2017")
    content = coco_content([])
    content["categories"] = [{"id": 2, "name": "square"}, {"id": 4, "name": "ball"}, {"id": 5, "name": "bar"}]
    write_json(tmp_path / "annotations/instances_train2017.json", content)
    found = checked(config)
    told = [finding.sentence for finding in found.report.findings if finding.kind == "other-classes"]
    assert told == [
        "val has 3 classes and train has 4; the first that differs is 2, which is bar in val and ball in train."
    ]
    assert found.report.spoils
    with pytest.raises(OutputError, match="give all splits the same classes"):
        write_repaired(found, tmp_path / "mended")
    assert not (tmp_path / "mended").exists()


def test_splits_whose_classes_differ_are_neither_divided_nor_exported(tmp_path: Path) -> None:
    labels = LABELS.model_copy(update={"names": tuple(reversed(LABELS.names))})
    splits = [InMemory([]), InMemory([], labels, "val")]
    for act in (lambda: divide(splits, {"a": 1.0}), lambda: export_dataset(splits, tmp_path / "out", "coco")):
        with pytest.raises(DatasetError, match="The splits train and val of tiny have other classes"):
            act()
    assert not (tmp_path / "out").exists()


def test_the_boxes_of_a_detector_in_xml_are_refused(tmp_path: Path) -> None:
    config = write_labelme_xml_set(tmp_path)
    corners = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax></bndbox>"
    (tmp_path / "a.xml").write_text(labelme_xml("a.png", f"<object><name>square</name>{corners}</object>"))
    with pytest.raises(DatasetError, match=r"a\.xml has the box of a detector \(`bndbox`\)") as refusal:
        _ = open_split(config, "all")[0]
    assert one_sentence(refusal.value)


def test_yolo_without_a_single_text_file_is_refused_and_not_taken_for_background(tmp_path: Path) -> None:
    config = write_yolo_set(tmp_path)
    (tmp_path / "labels").rename(tmp_path / "label")
    with pytest.raises(DatasetError, match=r"names 2 pictures for train, none of which.*labels/train/a\.txt"):
        open_split(config, "train")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ([["a", 2, 3, 4, 5, 6]], r"`segmentation\.0\.0` cannot be read: a number was expected \(given: 'a'\)"),
        ({"size": [10], "counts": "x"}, r"`segmentation\.size\.1` is missing"),
        (7, "`segmentation` cannot be read: a table of fields was expected"),
    ],
)
def test_a_wrong_field_is_told_in_words_of_the_file(wrong: object, told: str, tmp_path: Path) -> None:
    config = write_coco_set(tmp_path)
    content = coco_content([{"category_id": 2, "segmentation": wrong}])
    write_json(tmp_path / "annotations/instances_val2017.json", content)
    with pytest.raises(DatasetError, match=told) as refusal:
        _ = open_split(config, "val")[0]
    assert one_sentence(refusal.value)


def test_a_dataset_may_be_given_as_a_path(tmp_path: Path) -> None:
    assert parse_dataset(tmp_path) == parse_dataset(str(tmp_path))


def test_a_data_set_that_is_given_by_its_file_is_checked_with_its_pictures(tmp_path: Path) -> None:
    write_cvat_set(tmp_path)
    write_image(tmp_path / "images/c.png", noise(SIZE, 3))
    assert len(sentences(parse_dataset(f"cvat:{tmp_path}/annotations.xml"), "unannotated")) == 1
