from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.data.annotations import (
    ON_THE_GROUND,
    AnnotatedImages,
    Annotation,
    Annotations,
    Shape,
    box,
    draw,
    ellipse,
    turned,
)
from atrous.data.classes import Classes, ListedClass, OverlapRule, ShapeChoices, classes_of
from atrous.data.rasterizing import Bitmap, fill
from atrous.errors import AtrousError, ConfigError, DatasetError, MaskError
from atrous.images import write_image
from atrous.progress import Silent
from tests.data.shapes_by_force import on_canvas
from tests.tiny_data import noise, one_sentence

SIZE = (20, 30)
NAMES = ("cat", "dog", "cow")
LISTED = [ListedClass(name=name) for name in NAMES]


def classes(overlap: OverlapRule = "drawing_order", background: str | None = "background") -> Classes:
    priority = ("dog", "cow", "cat") if overlap == "class_priority" else ()
    return classes_of(LISTED, ShapeChoices(overlap=overlap, priority=priority, background=background), "test")


def annotation(shapes: Sequence[Shape], image: Path = Path("x.png"), size: tuple[int, int] | None = None) -> Annotation:
    return Annotation("x", image, shapes, size)


def random_shapes(seed: int, count: int) -> list[Shape]:
    random = np.random.default_rng(seed)
    shapes = []
    for _ in range(count):
        label, layer = int(random.choice([1, 2, 3, 255])), int(random.integers(0, 3))
        if random.random() < 0.5:
            shapes.append(Shape(label, [[random.uniform(-5, 30, (4, 2))]], layer=layer))
        else:
            bits = random.random((6, 7)) < 0.5
            top, left = random.integers(-4, 25, 2).tolist()
            shapes.append(Shape(label, bitmap=Bitmap(bits, top, left), layer=layer))
    return shapes


def painted_by_force(shapes: Sequence[Shape], order: Sequence[int]) -> tuple[NDArray[np.int64], int]:
    """Each pixel takes the last shape of the order that covers it; it is overwritten if others of another class do."""
    mask, overwritten = np.zeros(SIZE, np.int64), 0
    areas = [on_canvas(shape.pixels(SIZE), SIZE) for shape in shapes]
    for y, x in np.ndindex(SIZE):
        labels = [shapes[index].label for index in order if areas[index][y, x]]
        mask[y, x] = labels[-1] if labels else 0
        # What was claimed by another class than the one that was drawn over it at any time.
        overwritten += any(one != other for one, other in pairwise(labels))
    return mask, overwritten


@pytest.mark.parametrize("overlap", get_args(OverlapRule))
@pytest.mark.parametrize("seed", range(5))
def test_shapes_lie_above_each_other_as_their_rule_says(overlap: OverlapRule, seed: int) -> None:
    shapes = random_shapes(seed, 8)
    ranks = {2: 0, 3: 1, 1: 2, 255: 3}
    keys: dict[OverlapRule, Callable[[int], Any]] = {
        "drawing_order": lambda i: shapes[i].layer,
        "smaller_on_top": lambda i: -int(shapes[i].pixels(SIZE).bits.sum()),
        "class_priority": lambda i: (ranks[shapes[i].label], shapes[i].layer),
    }
    expected, overwritten = painted_by_force(shapes, sorted(range(8), key=keys[overlap]))
    drawing = draw(annotation(shapes), SIZE, classes(overlap))
    assert np.array_equal(drawing.mask, expected)
    assert drawing.overwritten == overwritten


@pytest.mark.parametrize("overlap", get_args(OverlapRule))
def test_what_lies_on_the_ground_gives_way_to_every_shape(overlap: OverlapRule) -> None:
    crowd = Shape(255, [[box(0, 0, 10, 10)]], layer=ON_THE_GROUND)
    cat = Shape(1, [[box(5, 5, 30, 20)]])
    mask = draw(annotation([cat, crowd]), SIZE, classes(overlap)).mask
    assert (mask[5:, 5:] == 1).all()
    assert (mask[:5, :10] == 255).all()
    assert (mask[:5, 10:] == 0).all()


def test_what_no_shape_covers_is_the_background_or_ignored() -> None:
    assert (draw(annotation([]), SIZE, classes()).mask == 0).all()
    alone = classes(background=None)
    assert alone.labels.names == NAMES
    assert (draw(annotation([]), SIZE, alone).mask == 255).all()
    assert classes_of(LISTED, ShapeChoices(background="dog"), "test").background == 1


def test_the_background_comes_first_unless_the_list_has_it() -> None:
    assert classes().labels.names == ("background", *NAMES)
    listed = [ListedClass(name="cat", color=(1, 2, 3)), ListedClass(name="background"), ListedClass(name="ignore")]
    own = classes_of(listed, ShapeChoices(), "test")
    assert own.labels.names == ("cat", "background")
    assert own.labels.colors[0] == (1, 2, 3)
    assert own.meanings == {"cat": 0, "background": 1, "ignore": 255}


def test_more_than_255_classes_make_masks_of_16_bits() -> None:
    many = classes_of([ListedClass(name=f"class {place}") for place in range(300)], ShapeChoices(), "test")
    mask = draw(
        annotation([Shape(299, [[box(0, 0, 5, 5)]]), Shape(many.meanings["ignore"], [[box(5, 0, 9, 5)]])]), SIZE, many
    )
    assert mask.mask.dtype == np.uint16
    assert mask.mask[0, :10].tolist() == [299] * 5 + [65535] * 4 + [0]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"overlap": "class_priority", "priority": ("dog", "cow")}, "`priority` lacks cat"),
        ({"overlap": "class_priority", "priority": ("dog", "cow", "cat", "catt")}, "did you mean `cat`"),
    ],
)
def test_a_priority_names_all_classes_and_no_other(choices: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        classes_of(LISTED, ShapeChoices.model_validate(choices), "test")
    assert words in one_sentence(caught.value)


@pytest.mark.parametrize("choices", [{"overlap": "class_priority"}, {"priority": ("cat",)}])
def test_a_priority_and_its_rule_belong_together(choices: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="belong together"):
        ShapeChoices.model_validate(choices)


def test_a_list_that_is_no_label_space_is_refused() -> None:
    for listed in ([ListedClass(name="a"), ListedClass(name="a")], []):
        with pytest.raises(DatasetError) as caught:
            classes_of(listed, ShapeChoices(background=None), "list.txt")
        assert "list.txt lists no classes" in one_sentence(caught.value)


def test_an_unknown_label_is_answered_with_the_nearest() -> None:
    with pytest.raises(DatasetError) as caught:
        classes().meaning("cxt", "a.xml")
    assert "a.xml has a shape with the label 'cxt'" in one_sentence(caught.value)
    assert "did you mean `cat`" in str(caught.value)


class InMemoryAnnotations(Annotations):
    def __init__(self, entries: Sequence[Annotation]) -> None:
        self.entries = entries

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Annotation:
        return self.entries[index]

    def source_of(self, index: int) -> str:
        return f"{index}.xml"

    def content_of(self, index: int) -> bytes:
        return repr(self.entries[index].shapes).encode()


def test_overwritten_pixels_can_be_asked_for(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", noise(SIZE, 0))
    both = [Shape(1, [[box(0, 0, 6, 6)]]), Shape(2, [[box(4, 4, 9, 9)]])]
    entries = [annotation(shapes, tmp_path / "x.png", SIZE) for shapes in (both, both[:1], [both[0], both[0]])]
    dataset = AnnotatedImages("test", "train", classes(), InMemoryAnnotations(entries))
    assert [dataset.overwritten(index) for index in range(3)] == [4, 0, 0]
    assert dataset.overwritten_in_all(Silent()) == 4
    assert np.array_equal(dataset[0].mask, dataset.drawing(0).mask)


def test_another_rule_is_another_data_set(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", noise(SIZE, 0))
    entries = InMemoryAnnotations([annotation([], tmp_path / "x.png")])
    rules: tuple[OverlapRule, ...] = ("drawing_order", "smaller_on_top")
    prints = [AnnotatedImages("test", "train", classes(rule), entries).fingerprint() for rule in rules]
    assert prints[0] != prints[1]


def test_an_annotation_for_another_size_and_an_empty_split_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", noise(SIZE, 0))
    entries = InMemoryAnnotations([annotation([], tmp_path / "x.png", (20, 31))])
    for read in ("__getitem__", "overwritten"):
        with pytest.raises(MaskError) as caught:
            getattr(AnnotatedImages("test", "train", classes(), entries), read)(0)
        assert "31x20" in one_sentence(caught.value)
    with pytest.raises(AtrousError, match="is empty"):
        AnnotatedImages("test", "train", classes(), InMemoryAnnotations([]))


@pytest.mark.parametrize(("across", "down"), [(40, 40), (40, 7), (300, 200)])
def test_an_ellipse_covers_the_centres_within_it(across: float, down: float) -> None:
    size = (420, 620)
    y, x = np.mgrid[:420, :620] + 0.5
    inside = ((x - 310.3) / across) ** 2 + ((y - 205.1) / down) ** 2 < 1
    drawn = on_canvas(fill([[ellipse(310.3, 205.1, across, down)]], size), size)
    assert (drawn != inside).sum() < 0.002 * inside.sum() + 2
    assert not (drawn & ~inside).any()


def test_a_ring_is_turned_clockwise_as_it_is_seen() -> None:
    upright = box(2, 4, 4, 8)
    assert np.allclose(turned(upright, 90), np.array([(5, 5), (5, 7), (1, 7), (1, 5)]))
    assert np.allclose(turned(upright, 360), upright)
    point = np.array([(0.0, 0.0), (2.0, 0.0)])
    assert np.allclose(turned(point, 90), np.array([(1, -1), (1, 1)]))  # what points right points down then
