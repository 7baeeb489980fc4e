import numpy as np
import pytest
from pydantic import ValidationError

from atrous.config import parse
from atrous.errors import ConfigError
from atrous.labels import IGNORE_COLOR, LabelSpace, voc_colors

# The colour table that the VOC development kit prints for background and its twenty classes.
VOC = (
    (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128), (128, 128, 128),
    (64, 0, 0), (192, 0, 0), (64, 128, 0), (192, 128, 0), (64, 0, 128), (192, 0, 128), (64, 128, 128), (192, 128, 128),
    (0, 64, 0), (128, 64, 0), (0, 192, 0), (128, 192, 0), (0, 64, 128),
)  # fmt: skip


def numbered(count: int) -> LabelSpace:
    return LabelSpace.from_names([f"class {index}" for index in range(count)])


def test_the_colours_are_those_of_the_voc_development_kit() -> None:
    assert voc_colors(21) == VOC


def test_all_colours_of_an_8_bit_mask_differ_and_none_is_the_colour_of_ignored_pixels() -> None:
    assert len({*voc_colors(255), IGNORE_COLOR}) == 256


def test_the_ignored_pixels_of_voc_have_the_last_colour_of_its_table() -> None:
    assert voc_colors(256)[255] == IGNORE_COLOR


def test_more_colours_than_8_bits_have_still_differ() -> None:
    assert len(set(voc_colors(5000))) == 5000


@pytest.mark.parametrize(
    ("count", "ignore_index", "dtype"), [(1, 255, np.uint8), (255, 255, np.uint8), (256, 65535, np.uint16)]
)
def test_the_ignore_value_is_255_until_255_is_a_class(count: int, ignore_index: int, dtype: type) -> None:
    labels = numbered(count)
    assert (labels.num_classes, labels.ignore_index, labels.mask_dtype) == (count, ignore_index, dtype)


def test_the_colour_table_has_a_colour_for_every_value_of_a_mask() -> None:
    labels = LabelSpace(names=("sky", "road"), colors=((1, 2, 3), (4, 5, 6)))
    table = labels.color_table
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert table[:2].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (table[2:] == IGNORE_COLOR).all()
    assert numbered(256).color_table.shape == (65536, 3)


def test_label_spaces_are_compared_by_their_fields_even_after_their_colour_tables_were_used() -> None:
    first, same, other = numbered(3), numbered(3), numbered(4)
    assert first.color_table.shape == same.color_table.shape == other.color_table.shape
    assert first == same
    assert hash(first) == hash(same)
    assert first != other


def test_a_changed_copy_has_its_own_colours() -> None:
    labels = numbered(1)
    assert labels.color_table[0].tolist() == [0, 0, 0]
    assert labels.model_copy(update={"colors": ((9, 8, 7),)}).color_table[0].tolist() == [9, 8, 7]


def test_a_label_space_survives_json() -> None:
    labels = numbered(300)
    assert LabelSpace.model_validate_json(labels.model_dump_json()) == labels


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"names": ["car", "sky", "car"], "colors": [[0, 0, 0]] * 3}, "the class name 'car' stands 2 times"),
        ({"names": ["car", "sky"], "colors": [[0, 0, 0]]}, "2 classes have 1 colours"),
        ({"names": [], "colors": []}, "`names`"),
        ({"names": ["car"], "colors": [[0, 0, 256]]}, "`colors.0.2`: input should be less than or equal to 255"),
        ({"names": ["car"], "colors": [[0, 0]]}, "`colors.0.2`: this key is missing"),
        ({"names": ["car"], "colors": [[True, 0, 0]]}, "`colors`: input should be a number, not true or false"),
        ({"names": [False], "colors": [[0, 0, 0]]}, "`names.0`: input should be a valid string"),  # YAML's `no`
    ],
)
def test_an_impossible_label_space_is_refused_with_the_place_of_its_fault(data: object, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(LabelSpace, data, "labels.yaml")
    assert words in str(error.value)


def test_more_classes_than_a_16_bit_mask_holds_are_refused_at_once() -> None:
    names = tuple(map(str, range(65536)))
    with pytest.raises(ValidationError, match="65536 classes do not fit into a 16-bit mask"):
        LabelSpace(names=names, colors=((0, 0, 0),) * len(names))
