import copy
import random
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field, ValidationError

from atrous.config import Config, nearest, override, parse, read_yaml
from atrous.errors import ConfigError


class ResNet(Config):
    kind: Literal["resnet"] = "resnet"
    depth: Literal[50, 101] = 50
    rates: tuple[int, ...] = (6, 12, 18)


class MobileNet(Config):
    kind: Literal["mobilenet"] = "mobilenet"
    width: float = 1.0
    crop_size: int | tuple[int, int] = 513
    frozen: bool = False
    scores: dict[str, float] = Field(default_factory=dict)


class Network(Config):
    backbone: Annotated[ResNet | MobileNet, Field(discriminator="kind")] = ResNet()
    plain: ResNet | MobileNet = ResNet()
    auxiliary: MobileNet | None = None


class Recipe(Config):
    steps: int
    network: Network = Network()
    parts: tuple[MobileNet, ...] = ()
    anything: Any = None


def refusal(data: object, kind: Any = Recipe) -> str:
    with pytest.raises(ConfigError) as error:
        parse(kind, data, "recipe.yaml")
    text = str(error.value)
    assert text.startswith("recipe.yaml: ")
    assert "\n" not in text
    return text.removeprefix("recipe.yaml: ")


def test_plain_data_becomes_the_config_it_describes() -> None:
    data = {"steps": 9, "network": {"backbone": {"kind": "mobilenet", "width": 0.5, "crop_size": [65, 97]}}}
    assert parse(Recipe, data, "recipe.yaml") == Recipe(
        steps=9, network=Network(backbone=MobileNet(width=0.5, crop_size=(65, 97)))
    )


def test_a_config_survives_yaml() -> None:
    recipe = Recipe(steps=9, parts=(MobileNet(scores={"road": 0.5}), MobileNet(crop_size=(1, 2))))
    assert parse(Recipe, yaml.safe_load(yaml.safe_dump(recipe.model_dump(mode="json"))), "recipe.yaml") == recipe


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe(steps=1).steps = 2  # type: ignore[misc]


def test_a_wrong_name_is_answered_with_the_nearest_one_or_with_all() -> None:
    assert nearest("batch_sise", ["steps", "batch_size"]) == "did you mean `batch_size`? There is batch_size, steps"
    assert nearest("xyz", ["steps", "batch_size"]) == "there is batch_size, steps"
    assert nearest("xyz", []) == "there is none"


WIDTH_IS_MEANT = "there is no key `widht`; did you mean `width`? There is crop_size, frozen, kind, scores, width."


@pytest.mark.parametrize(
    ("data", "place", "answer"),
    [
        ({"stepz": 1}, "", "there is no key `stepz`; did you mean `steps`?"),
        ({7: 1}, "", "there is no key `7`; there is anything, network, parts, steps."),
        ({"network": {"bakbone": {}}}, "`network`: ", "there is no key `bakbone`; did you mean `backbone`?"),
        ({"network": {"auxiliary": {"widht": 1}}}, "`network.auxiliary`: ", WIDTH_IS_MEANT),
        ({"parts": [{}, {"widht": 1}]}, "`parts.1`: ", WIDTH_IS_MEANT),
        ({"network": {"backbone": {"kind": "mobilenet", "widht": 1}}}, "`network.backbone`: ", WIDTH_IS_MEANT),
        ({"network": {"plain": {"kind": "mobilenet", "widht": 1}}}, "`network.plain`: ", WIDTH_IS_MEANT),
    ],
)  # fmt: skip
def test_an_unknown_key_is_answered_with_the_nearest_one_and_its_place(
    data: dict[Any, Any], place: str, answer: str
) -> None:
    assert refusal({"steps": 1, **data} if "stepz" not in data else data).startswith(place + answer)


@pytest.mark.parametrize("field", ["backbone", "plain"])
def test_an_unknown_kind_is_answered_with_the_nearest_one(field: str) -> None:
    assert refusal({"steps": 1, "network": {field: {"kind": "resnot"}}}) == (
        f"`network.{field}.kind`: there is no kind `resnot`; did you mean `resnet`? There is mobilenet, resnet."
    )


@pytest.mark.parametrize("field", ["backbone", "plain"])
def test_a_kind_that_is_no_word_is_refused(field: str) -> None:
    assert f"`network.{field}.kind`: there is no kind `[1]`" in refusal({"steps": 1, "network": {field: {"kind": [1]}}})


def test_a_missing_kind_is_named() -> None:
    assert refusal({"steps": 1, "network": {"backbone": {"depth": 50}}}).startswith(
        "`network.backbone.kind`: this key is missing"
    )


A_NUMBER = "input should be a number, not true or false."
AN_INTEGER = "input should be a valid integer, unable to parse string as an integer (given: 'x')."


def of_resnet(**values: object) -> dict[str, object]:
    return {"steps": 1, "network": {"backbone": {"kind": "resnet", **values}}}


def of_part(**values: object) -> dict[str, object]:
    return {"steps": 1, "parts": [{}, values]}


@pytest.mark.parametrize(
    ("data", "place", "problem"),
    [
        ({}, "steps", "this key is missing."),
        ({"steps": None}, "steps", "input should be a valid integer (given: None)."),
        ({"steps": 1.5}, "steps", "input should be a valid integer, got a number with a fractional part (given: 1.5)."),
        ({"steps": {}}, "steps", "input should be a valid integer."),
        ({"steps": True}, "steps", A_NUMBER),
        (of_resnet(rates=[6, True]), "network.backbone.rates", A_NUMBER),
        (of_resnet(rates=[6, "x"]), "network.backbone.rates.1", AN_INTEGER),
        (of_resnet(depth=51), "network.backbone.depth", "input should be 50 or 101 (given: 51)."),
        (of_part(width=float("nan")), "parts.1.width", "input should be a finite number (given: nan)."),
        (of_part(width=float("inf")), "parts.1.width", "input should be a finite number (given: inf)."),
        (of_part(scores={"road": False}), "parts.1.scores", A_NUMBER),
        (of_part(scores={"road": []}), "parts.1.scores.road", "input should be a valid number."),
        (of_part(crop_size="x"), "parts.1.crop_size", AN_INTEGER),
        (of_part(crop_size=[1, "x"]), "parts.1.crop_size.1", AN_INTEGER),
        (of_part(crop_size=[1]), "parts.1.crop_size.1", "this key is missing."),
        ({"steps": 1, "network": 3}, "network", "a table of keys was expected (given: 3)."),
        ({"steps": 1, "network": {"auxiliary": 0}}, "network.auxiliary", "a table of keys was expected (given: 0)."),
    ],
)  # fmt: skip
def test_an_impossible_value_is_named_with_its_dotted_place(data: object, place: str, problem: str) -> None:
    assert refusal(data) == f"`{place}`: {problem}"


def test_data_that_is_no_table_has_no_place() -> None:
    assert refusal(None) == "a table of keys was expected (given: None)."
    assert refusal([1]) == "a table of keys was expected."


def test_further_faults_are_counted() -> None:
    data = {"steps": "x", "parts": [{"width": "x"}, {"width": "x"}]}
    assert refusal(data) == f"`steps`: {AN_INTEGER} (2 more after this one.)"


def test_a_sentence_stays_short_whatever_was_given() -> None:
    assert len(refusal({"steps": "x" * 10**6})) < 250
    assert "(given: a very large number)" in refusal({"steps": 1, "network": {"plain": {"depth": 16**5000}}})


def test_true_stays_true_where_a_switch_or_anything_is_asked_for() -> None:
    recipe = parse(Recipe, {"steps": 1, "parts": [{"frozen": True}], "anything": True}, "recipe.yaml")
    assert recipe.parts[0].frozen is True
    assert recipe.anything is True


def test_a_union_that_is_the_whole_is_parsed_too() -> None:
    kinds = ResNet | MobileNet
    assert parse(kinds, {"kind": "mobilenet", "width": 2}, "recipe.yaml") == MobileNet(width=2)
    assert refusal({"kind": "mobilenet", "widht": 2}, kinds).startswith("there is no key `widht`; did you mean")


def test_data_nested_without_end_is_refused_in_one_sentence() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert refusal({"steps": 1, "parts": [{"crop_size": nested}]}) == "it is nested too deeply; write it flatter."


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "recipe.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def yaml_refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        read_yaml(path)
    text = str(error.value)
    assert str(path) in text
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_yaml_is_read_as_plain_data(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1\nb: {c: [x, 2.5, yes]}\nd: über\n")
    assert read_yaml(path) == {"a": 1, "b": {"c": ["x", 2.5, True]}, "d": "über"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds nothing where a table"),
        ("- 1\n- 2\n", "holds a list where a table"),
        ("just words", "holds a str where a table"),
        ("a: [1, 2\nb: 3", "in line 2"),
        ("a: b: c", "in line 1, column 5"),
        ("steps: 1\nname: x\nsteps: 2\n", "the key `steps` stands twice in line 3, column 1"),
        ("when: 2024-13-45", "month must be in 1..12"),
        ("a: !!int x", "invalid literal"),
        ("a: !!timestamp x", "means nothing"),
        ("a: !!bool x", "means nothing"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("a: *nowhere", "undefined alias"),
        ("? [1]\n: 2", "unhashable"),
        ("a: " + "9" * 5000, "means nothing"),
        ("[" * 1000, "nested too deeply"),
        ("a: " + "{a: " * 1000, "nested too deeply"),
        ("a: &a [*a]", "aliases"),
        (b"a: \xff\xfe", "cannot be read as text"),
        (b"\x00", "unacceptable character"),
    ],
)
def test_what_is_no_table_in_yaml_is_refused_in_one_sentence(tmp_path: Path, text: str | bytes, words: str) -> None:
    assert words in yaml_refusal(written(tmp_path, text))


def test_aliases_that_unpack_to_billions_do_no_harm(tmp_path: Path) -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 20)]
    assert "with its aliases written out" in yaml_refusal(written(tmp_path, "\n".join(lines)))


def test_aliases_and_merged_keys_of_ordinary_size_are_understood(tmp_path: Path) -> None:
    path = written(tmp_path, "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\nsame: *base\n")
    assert read_yaml(path) == {"base": {"a": 1, "b": 2}, "other": {"a": 1, "b": 3}, "same": {"a": 1, "b": 2}}


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "There is no file" in yaml_refusal(tmp_path / "none.yaml")
    assert "Is a directory" in yaml_refusal(tmp_path)


def test_torn_yaml_is_read_or_refused_but_never_breaks(tmp_path: Path) -> None:
    noise = random.Random(0)
    whole = "a: &x {b: [1, 2.5, 'c', \"d\"], e: !!str 1}\nf: *x\ng: 2024-01-01\nh: |\n  text\n? k\n: 0x1F\n"
    sentences = []
    for _ in range(200):
        text = list(whole)
        for _ in range(3):
            text[noise.randrange(len(text))] = noise.choice("{}[]&*!|>'\"%@`,:?- \n\t\0x1é")
        try:
            read_yaml(written(tmp_path, "".join(text)))
        except ConfigError as error:
            sentences.append(str(error))
    assert len(sentences) > 50
    assert not any("\n" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("steps=100", {"steps": 100, "network": {"depth": 50, "name": None}}),
        ("network.depth=101", {"steps": 1, "network": {"depth": 101, "name": None}}),
        ("network.rates=[1, 2]", {"steps": 1, "network": {"depth": 50, "name": None, "rates": [1, 2]}}),
        ("network.name.first={a: b}", {"steps": 1, "network": {"depth": 50, "name": {"first": {"a": "b"}}}}),
        ("data.root=a=b", {"steps": 1, "network": {"depth": 50, "name": None}, "data": {"root": "a=b"}}),
        ("network=", {"steps": 1, "network": None}),
        (" network . depth = 7", {"steps": 1, "network": {"depth": 7, "name": None}}),
    ],
)
def test_an_override_changes_one_place_and_leaves_the_given_data_alone(
    assignment: str, expected: dict[str, Any]
) -> None:
    data: dict[str, Any] = {"steps": 1, "network": {"depth": 50, "name": None}}
    before = copy.deepcopy(data)
    assert override(data, [assignment]) == expected
    assert data == before


def test_later_overrides_win() -> None:
    assert override({}, ["a.b=1", "a.c=2", "a.b=3"]) == {"a": {"b": 3, "c": 2}}


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("steps", "is no override: write key=value"),
        ("=1", "is no override: write key=value"),
        ("network..depth=1", "is no override: write key=value"),
        (".steps=1", "is no override: write key=value"),
        ("steps.more=1", "leads through a value that has no keys"),
        ("rates.0=1", "leads through a value that has no keys"),
        ("steps=[1", "is no valid YAML"),
        ("steps=2024-99-99", "is no valid YAML"),
        ("steps=" + "[" * 1000, "is no valid YAML"),
    ],
)
def test_an_impossible_override_is_refused(assignment: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        override({"steps": 1, "rates": [1]}, [assignment])
