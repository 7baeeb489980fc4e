import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrous.data.json_sections import NO_NUMBER, json_sections
from atrous.data.opening import open_tree
from atrous.errors import DatasetError
from tests.tiny_data import one_sentence

CONTENT: dict[str, Any] = {
    "info": {"id": 1, "list": [{"id": 5}]},
    "version": "1.0",
    "images": [
        {"id": 7, "file_name": 'a"}],\\', "nested": {"id": 8, "more": [{"image_id": 1}]}},
        {"file_name": "ü", "id": -3},
        {"id": "7"},
        {"id": 1.5},
        {"id": 1e3},
        {"id": 999999999999999999},
        {"id": 9999999999999999999},
        {},
    ],
    "annotations": [{"id": place, "image_id": place % 5, "segmentation": [[1.5, 2.0] * 3]} for place in range(3000)],
    "licenses": [],
    "numbers": [1, 2, [3, {"id": 4}]],
}


@pytest.mark.parametrize("indent", [None, 2])
def test_every_entry_is_what_json_reads(tmp_path: Path, indent: int | None) -> None:
    (tmp_path / "x.json").write_text(json.dumps(CONTENT, indent=indent, ensure_ascii=False))
    sections = json_sections(open_tree(tmp_path), "x.json")
    assert list(sections) == ["images", "annotations", "licenses", "numbers"]
    for name in ("images", "annotations", "licenses"):
        section = sections[name]
        assert [section.read(place) for place in range(len(section))] == CONTENT[name]
    assert len(sections["numbers"]) == 0
    assert (
        sections["images"].ids.tolist()
        == [7, -3, NO_NUMBER, NO_NUMBER, NO_NUMBER, 999999999999999999] + [NO_NUMBER] * 2
    )
    assert sections["annotations"].ids.tolist() == list(range(3000))
    assert sections["annotations"].image_ids.tolist() == [place % 5 for place in range(3000)]


def test_a_section_can_be_handed_to_another_process(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(CONTENT))
    section = json_sections(open_tree(tmp_path), "x.json")["annotations"]
    packed = pickle.dumps(section)
    assert len(packed) < (tmp_path / "x.json").stat().st_size
    assert pickle.loads(packed).read(2999) == CONTENT["annotations"][2999]


@pytest.mark.parametrize(
    "text", ["", "[]", "[{}]", "{", '{"a": [}', '{"a": "', '{"a": [{]}', "{}}", "[" * 100, '{"a":' * 70, "{\\"]
)
def test_what_is_not_whole_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DatasetError) as caught:
        json_sections(open_tree(tmp_path), "x.json")
    assert "x.json is no JSON with lists" in one_sentence(caught.value)


def test_cut_texts_are_refused_at_any_place(tmp_path: Path) -> None:
    text = json.dumps({"images": CONTENT["images"], "annotations": CONTENT["annotations"][:3]})
    for length in np.random.default_rng(0).integers(0, len(text) - 1, 100).tolist():
        (tmp_path / "x.json").write_text(text[:length])
        with pytest.raises(DatasetError):
            json_sections(open_tree(tmp_path), "x.json")
