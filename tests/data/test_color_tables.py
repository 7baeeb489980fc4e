"""Tables of colours in every form that people write, and masks read by them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atrous.data.color_tables import USUAL_NAMES, ColorMasks, find_color_table, read_color_table
from atrous.data.file_tree import Folder
from atrous.errors import DatasetError, MaskError
from atrous.labels import Color
from tests.data.sources.layouts import write_colors
from tests.tiny_data import noise, one_sentence

TABLE = {"void": (0, 0, 0), "road side": (128, 64, 128), "car": (0, 0, 142)}

FORMS = {
    "a.json": '{"void": [0, 0, 0], "road side": [128, 64, 128], "car": "#00008E"}',
    "b.json": '[{"name": "void", "color": [0, 0, 0]}, {"name": "road side", "color": "#804080"}, '
    '{"name": "car", "colour": [0, 0, 142]}]',
    "c.json": '{"classes": {"void": [0, 0, 0], "road side": [128, 64, 128], "car": [0, 0, 142]}, "made by": "us"}',
    "d.yaml": "classes:\n  - {name: void, color: [0, 0, 0]}\n  - {name: road side, color: [128, 64, 128]}\n"
    "  - {name: car, color: '#00008e'}\n",
    "e.yml": "void: [0, 0, 0]\nroad side: [128, 64, 128]\ncar: [0, 0, 142]\n",
    "f.csv": "name,r,g,b\nvoid,0,0,0\nroad side, 128, 64, 128\ncar,0,0,142\n",
    "g.csv": "R,G,B,class\n0,0,0,void\n128,64,128,road side\n0,0,142,car\n",
    "h.csv": "void,0,0,0\n\nroad side,128,64,128\ncar,0,0,142",
    "i.txt": "0 0 0\t\tvoid\n128 64 128\troad side\n0 0 142 car\n\n",
    "j.txt": "# label:color_rgb:parts:actions\nvoid:0,0,0::\nroad side:128,64,128::\ncar:0,0,142:wheel,door:\n",
    "k.txt": "void 0 0 0\nroad side, 128, 64, 128\ncar\t0\t0\t142\n",
}


def written(folder: Path, name: str, text: str) -> Folder:
    (folder / name).write_text(text)
    return Folder(folder)


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_table_in_its_order(tmp_path: Path, name: str) -> None:
    table = read_color_table(written(tmp_path, name, FORMS[name]), name)
    assert (table, list(table)) == (TABLE, list(TABLE))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", ""),
        ("a.json", "[1, 2]"),
        ("a.json", '{"road": [1, 2]}'),
        ("a.json", '{"road": [1, 2, 256]}'),
        ("a.json", '{"road": "red"}'),
        ("a.json", '{"road": [1, 2, 3], "road": [1, 2, 4]}'),
        ("a.json", '{"road": [1, 2, 3], "car": [1, 2, 3]}'),
        ("a.json", '[{"name": "road"}]'),
        ("a.json", "[" * 100_000),
        ("a.json", "{}"),
        ("a.yaml", "road: [1, 2, 3]\nroad: [1, 2, 4]"),
        ("a.yaml", "- road"),
        ("a.csv", "name,r,g,b\nroad,1,2"),
        ("a.csv", "road,1,2,x"),
        ("a.txt", "road"),
        ("a.txt", "1 2 3 road\n1 2 3 car"),
        ("a.txt", "-1 2 3 road"),
    ],
)
def test_what_is_no_table_is_one_sentence(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_color_table(written(tmp_path, name, text), name)
    assert f"{tmp_path}/{name}" in one_sentence(caught.value)


def test_a_table_is_looked_for_and_asked_for_if_there_are_two(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"write classes\.json"):
        find_color_table(Folder(tmp_path))
    written(tmp_path, USUAL_NAMES[-1], "")
    assert find_color_table(Folder(tmp_path)) == USUAL_NAMES[-1]
    written(tmp_path, USUAL_NAMES[0], "")
    with pytest.raises(DatasetError, match="several tables"):
        find_color_table(Folder(tmp_path))


def by_force(colors: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], meanings: dict[Color, int]) -> list[list[int]]:
    return [[meanings[(int(r), int(g), int(b))] for r, g, b in row] for row in colors]


@pytest.mark.parametrize("count", [1, 2, 20, 300])
def test_each_pixel_gets_the_meaning_of_its_colour(tmp_path: Path, count: int) -> None:
    listed = np.unique(noise((count, 1), count).reshape(-1, 3), axis=0)
    places = np.random.default_rng(count).permutation(len(listed))
    meanings = {(int(r), int(g), int(b)): int(place) for (r, g, b), place in zip(listed, places, strict=True)}
    colors = listed[np.random.default_rng(0).integers(len(listed), size=(9, 7))]
    write_colors(tmp_path / "a.png", colors)
    mask = ColorMasks(meanings, "the table")(tmp_path / "a.png")
    assert mask.tolist() == by_force(colors, meanings)
    assert mask.dtype == (np.uint8 if count < 300 else np.uint16)


def test_palettes_and_transparent_pictures_give_their_colours(tmp_path: Path) -> None:
    colors = np.array([[(0, 0, 0), (128, 64, 128)]], np.uint8)
    picture = Image.fromarray(colors)
    picture.quantize().save(tmp_path / "a.png")
    picture.convert("RGBA").save(tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        assert ColorMasks({(0, 0, 0): 0, (128, 64, 128): 7}, "the table")(tmp_path / name).tolist() == [[0, 7]]


def test_an_unknown_colour_is_named_with_its_pixel_and_count(tmp_path: Path) -> None:
    colors = np.zeros((4, 5, 3), np.uint8)
    colors[1, 3] = colors[2, 0] = (9, 8, 7)
    write_colors(tmp_path / "a.png", colors)
    with pytest.raises(MaskError) as caught:
        ColorMasks({(0, 0, 0): 0}, "classes.json")(tmp_path / "a.png")
    assert "a.png has the colour (9, 8, 7) at pixel (x 3, y 1), one of 2 in all" in one_sentence(caught.value)


def test_a_jpeg_is_no_mask_since_it_blurs_colours(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(tmp_path / "a.jpg")
    with pytest.raises(MaskError, match="blurs the colours"):
        ColorMasks({(0, 0, 0): 0}, "classes.json")(tmp_path / "a.jpg")
