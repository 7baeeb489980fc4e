from pathlib import Path

import numpy as np
import pytest

from atrous.data import open_split, splits_of
from atrous.data.annotations import AnnotatedImages, ellipse, turned
from atrous.data.rasterizing import fill
from atrous.data.run_lengths import encode_runs
from atrous.data.sources.cvat import CvatConfig
from atrous.errors import DatasetError
from tests.annotated_data import SIZE, cvat_xml, expected_mask, write_cvat_set, write_pictures
from tests.data.shapes_by_force import on_canvas
from tests.tiny_data import noise, one_sentence


def opened(root: Path, text: str, split: str = "all") -> AnnotatedImages:
    write_pictures(root / "images")
    (root / "annotations.xml").write_text(text)
    dataset = open_split(CvatConfig(root=root), split)
    assert isinstance(dataset, AnnotatedImages)
    return dataset


def refused(root: Path, text: str) -> str:
    with pytest.raises(DatasetError) as caught:
        _ = opened(root, text)[0]
    return one_sentence(caught.value)


def test_labels_have_their_order_and_their_colours(tmp_path: Path) -> None:
    dataset = opened(tmp_path, cvat_xml())
    assert dataset.title == "tiny"
    assert dataset.labels.names == ("background", "square", "bar")
    assert dataset.labels.colors == ((0, 0, 0), (255, 0, 0), (0, 0, 255))


def test_the_higher_layer_shows_whatever_the_order(tmp_path: Path) -> None:
    low = '<box label="bar" xtl="0" ytl="0" xbr="4" ybr="4" z_order="-1"/>'
    high = '<box label="square" xtl="2" ytl="2" xbr="6" ybr="6" z_order="3"/>'
    masks = [
        opened(tmp_path / str(place), cvat_xml(text))[0].mask for place, text in enumerate((low + high, high + low))
    ]
    assert np.array_equal(masks[0], masks[1])
    assert masks[0][3, 3] == 1


def test_a_mask_is_read_from_its_run_lengths(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).random((4, 6)) < 0.5
    runs = ", ".join(map(str, encode_runs(bits, by_columns=False)))
    mask = f'<mask label="bar" rle="{runs}" left="3" top="2" width="6" height="4" z_order="0"></mask>'
    assert np.array_equal(opened(tmp_path, cvat_xml(mask))[0].mask[2:6, 3:9], 2 * bits)


def test_ellipses_and_turned_boxes_are_drawn(tmp_path: Path) -> None:
    text = (
        '<ellipse label="bar" cx="6" cy="5" rx="5" ry="2" rotation="30"/>'
        '<box label="square" xtl="4" ytl="4" xbr="8" ybr="6" rotation="90.00"/>'
    )
    expected = 2 * on_canvas(fill([[turned(ellipse(6, 5, 5, 2), 30)]], SIZE), SIZE).astype(np.uint8)
    expected[3:7, 5:7] = 1
    assert np.array_equal(opened(tmp_path, cvat_xml(text))[0].mask, expected)


def test_what_has_no_area_is_passed_over_and_counted(tmp_path: Path) -> None:
    lines = '<polyline label="bar" points="0,0;9,9"/><points label="bar" points="1,1"/>'
    text = lines + '<tag label="bar"/><cuboid label="bar"/>'
    drawing = opened(tmp_path, cvat_xml(text)).drawing(0)
    assert drawing.passed_over == 4
    assert not drawing.mask.any()


def test_subsets_are_splits(tmp_path: Path) -> None:
    text = cvat_xml(image='subset="Train"').replace('name="b.png" subset="Train"', 'name="b.png" subset="Validation"')
    dataset = opened(tmp_path, text, "val")
    assert [sample.name for sample in (dataset[0],)] == ["b"]
    assert splits_of(CvatConfig(root=tmp_path)) == ("train", "val")
    assert len(open_split(CvatConfig(root=tmp_path), "all")) == 2
    (tmp_path / "images/Validation").mkdir()
    (tmp_path / "images/b.png").rename(tmp_path / "images/Validation/b.png")
    assert np.array_equal(open_split(CvatConfig(root=tmp_path), "val")[0].mask, expected_mask())


def test_several_tasks_are_one_data_set_if_their_labels_agree(tmp_path: Path) -> None:
    for task in ("one", "two"):
        write_cvat_set(tmp_path / task)
    dataset = open_split(CvatConfig(root=tmp_path), "all")
    assert len({dataset[index].name for index in range(4)}) == 4
    (tmp_path / "two/annotations.xml").write_text(cvat_xml().replace(">bar<", ">rod<"))
    with pytest.raises(DatasetError, match=r"two/annotations.xml has other labels than .*one/annotations.xml"):
        open_split(CvatConfig(root=tmp_path), "all")


def test_the_file_alone_can_be_named(tmp_path: Path) -> None:
    write_cvat_set(tmp_path)
    assert len(open_split(CvatConfig(root=tmp_path / "annotations.xml"), "all")) == 2


def test_pairs_are_made_by_name_and_not_by_number(tmp_path: Path) -> None:
    text = (
        cvat_xml()
        .replace('id="0" name="a.png"', 'id="7" name="b.png"', 1)
        .replace('id="1" name="b.png"', 'id="0" name="a.png"', 1)
    )
    dataset = opened(tmp_path, text)
    for index, (name, seed) in enumerate((("b", 1), ("a", 0))):
        assert dataset[index].name == name
        assert np.array_equal(dataset[index].image, noise(SIZE, seed))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (cvat_xml().replace('label="bar"', 'label="bra"'), "(image a.png) has a shape with the label 'bra'"),
        (cvat_xml().replace("a.png", "b.png"), "annotates the picture images/b.png twice"),
        (cvat_xml().replace('name="a.png"', 'name="../a.jpg"'), "names the picture ../a.jpg, which is not in"),
        (cvat_xml('<polygon label="bar" points="1,2;3"/>'), "not of the form x,y;x,y"),
        (cvat_xml('<polygon label="bar" points="1,nan;3,4;5,6"/>'), "not of the form x,y;x,y"),
        (cvat_xml('<polygon label="bar"/>'), "`points` is missing"),
        (cvat_xml('<box label="bar" xtl="x" ytl="0" xbr="1" ybr="1"/>'), "`xtl` cannot be read"),
        (
            cvat_xml('<mask label="bar" rle="3,4" left="0" top="0" width="2" height="2"/>'),
            "its runs fill 7 pixels and not 2x2",
        ),
        (cvat_xml('<mask label="bar" rle="3,x" left="0" top="0" width="2" height="2"/>'), "`rle` cannot be read"),
        (
            cvat_xml('<mask label="bar" rle="9" left="0" top="0" width="99999" height="99999"/>'),
            "a mask of 99999x99999",
        ),
        (cvat_xml(image='depth="3"').replace('width="12"', 'width="0"'), "`width` cannot be read"),
        ("<annotations><track/></annotations>", "tracks of a video: export the task as `CVAT for images 1.1`"),
        ("<annotation></annotation>", "no images in <annotation>"),
        (cvat_xml()[:-30], "is no XML"),
        (
            '<!DOCTYPE a [<!ENTITY b "bb">]>' + cvat_xml().partition("?>")[2],
            "is no XML that can be read (EntitiesForbidden)",
        ),
    ],
)
def test_a_fault_is_named_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    sentence = refused(tmp_path, text)
    assert words in sentence
    assert str(tmp_path) in sentence


def test_coordinates_far_away_are_cut_off(tmp_path: Path) -> None:
    text = cvat_xml('<polygon label="bar" points="-1e300,-1;1e300,-1;1e300,1e300;-1e300,1e300"/>')
    assert (opened(tmp_path, text)[0].mask == 2).all()
