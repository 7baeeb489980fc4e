import base64
import io
import json

import httpx
import numpy as np
import pytest
from PIL import Image

from atrous.data.rasterizing import fill
from atrous.labels import LabelSpace
from atrous.server.answers import wanted_by
from atrous.server.refusals import RefusedError
from atrous.server.schemas import SegmentOptions
from atrous.visualization import overlay
from tests.server.serving import colour_reader, encoded, pixels_of, png_of, refusal, sent, serving, some_mask
from tests.tiny_data import LABELS

MASK = some_mask()
PICTURE = png_of(MASK)


def test_the_mask_is_that_of_the_picture(client: httpx.Client) -> None:
    answer = sent(client, PICTURE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    np.testing.assert_array_equal(pixels_of(answer.content), MASK)
    palette = Image.open(io.BytesIO(answer.content)).getpalette()
    assert palette
    assert palette[:9] == [value for color in LABELS.colors for value in color]


def test_a_form_is_answered_as_bytes_are(client: httpx.Client) -> None:
    answer = client.post("v1/segment", files={"other": b"x", "image": ("any/../name.png", PICTURE)})
    np.testing.assert_array_equal(pixels_of(answer.content), MASK)


def test_a_picture_that_lies_on_its_side_is_turned_upright(client: httpx.Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(np.rot90(LABELS.color_table[MASK]).copy(), "PNG", exif=exif)
    np.testing.assert_array_equal(pixels_of(sent(client, turned).content), MASK)


def test_areas_count_the_pixels_of_each_class(client: httpx.Client) -> None:
    answer = sent(client, PICTURE, answer="areas").json()
    assert (answer["height"], answer["width"], answer["model"]) == (*MASK.shape, "colours")
    assert {area["index"]: area["pixels"] for area in answer["areas"]} == {
        index: int(np.count_nonzero(np.equal(MASK, index))) for index in range(3)
    }
    assert sum(area["share"] for area in answer["areas"]) == pytest.approx(1)
    shares = [area["share"] for area in answer["areas"]]
    assert shares == sorted(shares, reverse=True)
    assert set(answer) == {"model", "width", "height", "seconds", "areas"}


def test_polygons_without_tolerance_draw_the_mask_again(client: httpx.Client) -> None:
    drawn = np.full(MASK.shape, 255, np.uint8)
    for polygon in sent(client, PICTURE, answer="polygons", tolerance=0).json()["polygons"]:
        assert polygon["name"] == LABELS.names[polygon["index"]]
        bits, top, left = fill(
            [[np.array(ring, float) for ring in (polygon["outline"], *polygon["holes"])]], MASK.shape
        )
        drawn[top : top + bits.shape[0], left : left + bits.shape[1]][bits] = polygon["index"]
    np.testing.assert_array_equal(drawn, MASK)


def test_an_overlay_is_a_jpeg_of_what_python_draws(client: httpx.Client) -> None:
    answer = sent(client, PICTURE, answer="overlay", opacity=0.8)
    assert answer.headers["content-type"] == "image/jpeg"
    expected = overlay(LABELS.color_table[MASK], MASK, LABELS, 0.8)
    difference = np.abs(pixels_of(answer.content).astype(float) - expected)
    assert difference.mean() < 8


def test_probabilities_are_those_of_python(client: httpx.Client) -> None:
    answer = sent(client, PICTURE, answer="probabilities")
    assert answer.headers["content-type"] == "application/x-npy"
    given = np.load(io.BytesIO(answer.content), allow_pickle=False)
    np.testing.assert_array_equal(given, colour_reader()(LABELS.color_table[MASK]).probabilities)


def test_several_answers_come_in_one_json(client: httpx.Client) -> None:
    answer = sent(client, PICTURE, answer="mask,overlay,areas,polygons").json()
    np.testing.assert_array_equal(pixels_of(base64.b64decode(answer["mask"])), MASK)
    assert pixels_of(base64.b64decode(answer["overlay"])).shape == (*MASK.shape, 3)
    assert answer["areas"]
    assert answer["polygons"]


def test_more_than_255_classes_come_in_16_bits() -> None:
    many = LabelSpace.from_names([f"class {index}" for index in range(300)])
    with serving({"many": colour_reader(many)}) as client:
        mask = pixels_of(sent(client, PICTURE).content)
    assert mask.dtype in (np.uint16, np.int32)
    assert mask.shape == MASK.shape


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", "mask"),
        ("*/*", "mask"),
        ("image/*", "mask"),
        ("image/png", "mask"),
        ("image/jpeg", "overlay"),
        ("application/json", "areas"),
        ("application/x-npy", "probabilities"),
        ("text/html, application/json;q=0.9, */*;q=0.1", "areas"),
        ("image/*;q=0.2, image/jpeg;q=0.7, application/json;q=0.5", "overlay"),
        ("image/png;q=0, image/*", "overlay"),
        ("image/png;q=nan, application/json;q=0.1", "areas"),
    ],
)
def test_the_header_accept_decides_where_no_parameter_does(accept: str, wanted: str) -> None:
    assert wanted_by(SegmentOptions(), accept) == (wanted,)
    assert wanted_by(SegmentOptions(answer="polygons"), accept) == ("polygons",)


def test_a_type_of_answer_that_there_is_not_is_said() -> None:
    with pytest.raises(RefusedError, match=r"accept one of image/png"):
        wanted_by(SegmentOptions(), "video/mp4")


def test_each_picture_format_is_read(client: httpx.Client) -> None:
    for picture_format in ("PNG", "BMP", "TIFF", "PPM", "GIF"):
        picture = encoded(LABELS.color_table[MASK], picture_format)
        np.testing.assert_array_equal(pixels_of(sent(client, picture).content), MASK, picture_format)
    for picture_format in ("JPEG", "WEBP", "JPEG2000"):
        assert pixels_of(sent(client, encoded(LABELS.color_table[MASK], picture_format)).content).shape == MASK.shape


def test_several_models_answer_by_their_names() -> None:
    other = LabelSpace(names=LABELS.names[::-1], colors=LABELS.colors[::-1])
    with serving({"one": colour_reader(), "two": colour_reader(other)}) as client:
        np.testing.assert_array_equal(pixels_of(sent(client, PICTURE).content), MASK)
        np.testing.assert_array_equal(pixels_of(sent(client, PICTURE, model="two").content), 2 - MASK)
        card = client.get("v1/model", params={"model": "two"}).json()
        assert card["models"] == ["one", "two"]
        assert [entry["name"] for entry in card["classes"]] == list(other.names)
        sentence = refusal(sent(client, PICTURE, model="tow"), 404, "unknown_model")
        assert "did you mean `two`?" in sentence


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"anwser": "mask"}, "no parameter `anwser`"),
        ({"answer": "masks"}, "`answer` is wrong"),
        ({"answer": "mask,probabilities"}, "`answer` is wrong"),
        ({"opacity": 2}, "`opacity` is wrong"),
        ({"opacity": "nan"}, "`opacity` is wrong"),
        ({"tolerance": -1}, "`tolerance` is wrong"),
    ],
)
def test_a_wrong_parameter_is_named(client: httpx.Client, query: dict[str, str | float], words: str) -> None:
    assert words in refusal(sent(client, PICTURE, **query), 422, "wrong_parameter")


def test_a_model_says_what_it_knows_and_the_server_what_it_takes(client: httpx.Client) -> None:
    card = client.get("v1/model").json()
    assert [entry["color"] for entry in card["classes"]] == [list(color) for color in LABELS.colors]
    assert card["ignore_index"] == 255
    assert card["limits"]["pixels"] == 16_000_000


def test_addresses_that_are_not_there_are_said(client: httpx.Client) -> None:
    refusal(client.get("v1/segment"), 405, "wrong_method")
    assert client.get("v1/segment").headers["allow"] == "POST"
    for path in ("nothing", "static/../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "app.py", "docs"):
        refusal(client.get(path), 404, "not_found")


def test_the_document_describes_what_is_answered(client: httpx.Client) -> None:
    document = client.get("openapi.json").json()
    assert set(document["paths"]) == {"/v1/segment", "/v1/model", "/metrics", "/healthz"}
    segment = document["paths"]["/v1/segment"]["post"]
    assert set(segment["responses"]["200"]["content"]) == {
        "image/png",
        "image/jpeg",
        "application/json",
        "application/x-npy",
    }
    assert {"413", "415", "422", "429", "503"} < set(segment["responses"])
    assert "HTTPValidationError" not in json.dumps(document)
