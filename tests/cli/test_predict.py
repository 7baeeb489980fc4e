import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atrous.crf import DenseCRFConfig
from atrous.data import open_split, parse_dataset
from atrous.images import read_mask
from atrous.inference.predictor import load
from tests.cli.terminal import Terminal
from tests.training.runs import files_below

NOISE = np.random.default_rng(0).integers(0, 256, (24, 36, 3)).astype(np.uint8)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(NOISE).save(path)
    return path


def test_a_picture_gives_a_mask_of_its_size_and_an_overlay(
    atrous: Terminal, model: Path, photo: Path, tmp_path: Path
) -> None:
    code, out, err = atrous("predict", model, photo, "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    assert sorted(files_below(tmp_path / "out")) == ["photo.png", "photo_overlay.jpg"]
    mask = read_mask(tmp_path / "out" / "photo.png")
    assert mask.shape == (24, 36)
    assert mask.max() < 3
    assert str(tmp_path / "out") in out


def test_quiet_prints_nothing(atrous: Terminal, model: Path, photo: Path, tmp_path: Path) -> None:
    assert atrous("predict", model, photo, "-o", tmp_path / "out", "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("save", "names"),
    [
        ("mask", ["photo.png"]),
        ("overlay", ["photo_overlay.jpg"]),
        ("color, mask", ["photo.png", "photo_color.png"]),
        ("mask,probabilities", ["photo.png", "photo_probabilities.npz"]),
    ],
)
def test_save_decides_what_is_written(
    save: str, names: list[str], atrous: Terminal, model: Path, photo: Path, tmp_path: Path
) -> None:
    assert atrous("predict", model, photo, "-o", tmp_path / "out", "--save", save).code == 0
    assert sorted(files_below(tmp_path / "out")) == names


@pytest.mark.parametrize("save", ["masks", "", "mask,,overlay", "mask;overlay"])
def test_an_unknown_word_of_save_is_answered_with_the_known_ones(
    save: str, atrous: Terminal, model: Path, photo: Path, tmp_path: Path
) -> None:
    sentence = atrous.fails("predict", model, photo, "-o", tmp_path / "out", "--save", save)
    assert "mask" in sentence
    assert "overlay" in sentence
    assert not (tmp_path / "out").exists()


def test_a_missing_model_is_an_error_and_never_random_weights(atrous: Terminal, photo: Path, tmp_path: Path) -> None:
    sentence = atrous.fails("predict", tmp_path / "none.safetensors", photo, "-o", tmp_path / "out")
    assert "none.safetensors" in sentence
    assert not (tmp_path / "out").exists()


def test_a_pickle_is_no_model_and_is_not_opened(atrous: Terminal, photo: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(tmp_path / "exploded"),))  # type: ignore[return-value]

    model = tmp_path / "model.pth"
    model.write_bytes(pickle.dumps(Bomb()))
    sentence = atrous.fails("predict", model, photo, "-o", tmp_path / "out")
    assert "model.pth" in sentence
    assert "pickle" in sentence
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"not a model"])
def test_a_damaged_model_is_one_sentence(content: bytes, atrous: Terminal, photo: Path, tmp_path: Path) -> None:
    model = tmp_path / "bad.safetensors"
    model.write_bytes(content)
    assert "bad.safetensors" in atrous.fails("predict", model, photo)


def test_a_missing_picture_is_named_and_nothing_is_written(atrous: Terminal, model: Path, tmp_path: Path) -> None:
    assert "none.jpg" in atrous.fails("predict", model, tmp_path / "none.jpg", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_broken_picture_does_not_stop_the_others(
    atrous: Terminal, model: Path, photo: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:-300])
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    code, out, err = atrous("predict", model, photo, broken, other, "-o", tmp_path / "out", "--save", "mask")
    assert code == 1
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert "broken.png" in err
    assert "2 of 3 pictures" in out
    assert sorted(files_below(tmp_path / "out")) == ["other.png", "photo.png"]


def test_pictures_of_one_name_in_two_folders_give_two_masks(
    atrous: Terminal, model: Path, photo: Path, tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "x.png").write_bytes(photo.read_bytes())
    assert atrous("predict", model, tmp_path / "in", "-o", tmp_path / "out", "--save", "mask").code == 0
    assert len(files_below(tmp_path / "out")) == 2


def save_picture(kind: str, folder: Path) -> Path:
    image = Image.fromarray(NOISE)
    match kind:
        case "exif":
            exif = image.getexif()
            exif[0x0112] = 6
            image.save(folder / "x.jpg", exif=exif)
            return folder / "x.jpg"
        case "cmyk":
            image.convert("CMYK").save(folder / "x.jpg")
            return folder / "x.jpg"
        case "16 bits":
            Image.fromarray(NOISE[..., 0].astype(np.uint16) * 256).save(folder / "x.png")
        case "portrait":
            image.rotate(90, expand=True).save(folder / "x.png")
        case "one pixel":
            image.crop((0, 0, 1, 1)).save(folder / "x.png")
        case _:
            image.convert(kind).save(folder / "x.png")
    return folder / "x.png"


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        *((kind, (24, 36)) for kind in ("RGB", "L", "LA", "RGBA", "P", "1", "cmyk", "16 bits")),
        *(("exif", (36, 24)), ("portrait", (36, 24)), ("one pixel", (1, 1))),
    ],
)
def test_pictures_of_every_kind_give_masks_of_the_upright_size(
    kind: str, size: tuple[int, int], atrous: Terminal, model: Path, tmp_path: Path
) -> None:
    assert atrous("predict", model, save_picture(kind, tmp_path), "-o", tmp_path / "out").code == 0
    assert read_mask(tmp_path / "out" / "x.png").shape == size
    overlay = Image.open(tmp_path / "out" / "x_overlay.jpg")
    assert (overlay.height, overlay.width) == size


def test_a_result_never_replaces_the_picture_itself(atrous: Terminal, model: Path, photo: Path, tmp_path: Path) -> None:
    before = files_below(tmp_path)
    assert "photo.png" in atrous.fails("predict", model, photo, "-o", tmp_path)
    assert files_below(tmp_path) == before


def test_an_output_that_is_a_file_is_one_sentence_however_many_pictures_there_are(
    atrous: Terminal, model: Path, photo: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    (tmp_path / "out").write_text("mine")
    assert str(tmp_path / "out") in atrous.fails("predict", model, photo, other, "-o", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("arguments", [["predict"], ["predict", "--no-such-option", "a", "b"], ["no-such-command"]])
def test_a_usage_error_leaves_with_code_2(arguments: list[str], atrous: Terminal) -> None:
    assert atrous(*arguments).code == 2


def test_ctrl_c_is_one_line_and_code_1(
    atrous: Terminal, model: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("atrous.inference.predictor.Predictor.__call__", interrupted)
    code, _, err = atrous("predict", model, photo, "-o", tmp_path / "out")
    assert code == 1
    assert err == "Error: Interrupted.\n"
    assert not (tmp_path / "out").exists()


def test_predictions_come_back_from_annotation_tools_as_they_were_sent(
    atrous: Terminal, model: Path, tmp_path: Path
) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.kron(NOISE[:6, :9], np.ones((8, 8, 1), np.uint8))).save(pictures / f"{name}.png")
    (pictures / "broken.png").write_bytes(b"no picture")
    done = atrous("predict", model, pictures, "-o", out, "--save", "labelme,cvat,coco")
    assert done.code == 1
    assert "broken.png" in done.err
    assert {"a.json", "b.json", "annotations.xml", "annotations.json", "a.png"} <= set(files_below(out))
    masks = [read_mask(out / f"{name}.png") for name in ("a", "b")]
    for kind in ("cvat", "coco"):
        root = tmp_path / kind
        (root / "images").mkdir(parents=True)
        for name in ("a", "b"):
            shutil.copy(pictures / f"{name}.png", root / "images" / f"{name}.png")
        suffix = "xml" if kind == "cvat" else "json"
        place = root if kind == "cvat" else root / "annotations"
        place.mkdir(exist_ok=True)
        shutil.copy(out / f"annotations.{suffix}", place / f"annotations.{suffix}")
    back = open_split(parse_dataset(f"cvat:{tmp_path / 'cvat'}"), "all")
    assert len(back) == 2
    for index, mask in enumerate(masks):
        names = np.array([*back.labels.names, "ignore"])
        assert (names[back[index].mask] == np.array(["ground", "box", "stripe"])[mask]).mean() > 0.95
    content = json.loads((out / "annotations.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.png", "b.png"]
    one = json.loads((out / "a.json").read_text())
    assert (out / one["imagePath"]).resolve() == (pictures / "a.png").resolve()


def test_annotators_meet_the_most_uncertain_picture_first(atrous: Terminal, model: Path, tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    for name, seed in (("a", 1), ("b", 2), ("c", 3), ("d", 4)):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), np.uint8)
        Image.fromarray(np.kron(noise, np.ones((8, 8, 1), np.uint8))).save(pictures / f"{name}.png")
    assert atrous("predict", model, pictures, "-o", out, "--save", "cvat,coco").code == 0
    predictor = load(model)
    expected = {}
    for path in pictures.iterdir():
        ordered = np.sort(predictor(path).probabilities, axis=0)
        expected[path.name] = 1 - float((ordered[-1] - ordered[-2]).mean())
    order = sorted(expected, key=lambda name: -expected[name])
    header, *lines = (out / "uncertainty.csv").read_text().splitlines()
    assert header == "picture,uncertainty"
    assert [line.split(",")[0] for line in lines] == order
    assert [float(line.split(",")[1]) for line in lines] == pytest.approx([expected[name] for name in order], abs=1e-4)
    xml = (out / "annotations.xml").read_text()
    assert [xml.index(f'name="{name}"') for name in order] == sorted(xml.index(f'name="{name}"') for name in order)
    assert [image["file_name"] for image in json.loads((out / "annotations.json").read_text())["images"]] == order


def test_a_prediction_has_polygons_that_cover_it(model: Path, photo: Path) -> None:
    prediction = load(model)(photo)
    polygons = prediction.polygons(tolerance=0)
    assert sum(polygon.area for polygon in polygons) == prediction.mask.size


def test_the_dense_crf_is_the_default_or_a_files(atrous: Terminal, model: Path, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "crf.yaml").write_text("{iterations: 2, color_std: 40}")
    configs = {"--crf": DenseCRFConfig(), "--crf-config": DenseCRFConfig(iterations=2, color_std=40)}
    for option, config in configs.items():
        options = [option] if option == "--crf" else [option, tmp_path / "crf.yaml"]
        assert atrous("predict", model, photo, "-o", tmp_path / "out", "--save", "mask", *options).code == 0
        expected = load(model, crf=config)(photo).mask
        np.testing.assert_array_equal(read_mask(tmp_path / "out" / "photo.png"), expected)


def test_the_area_of_each_class_is_summed_over_all_pictures(
    atrous: Terminal, model: Path, photo: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.png"
    Image.fromarray(NOISE[:12, :18]).save(other)
    out = atrous("predict", model, photo, other, "-o", tmp_path / "out", "--save", "mask").out
    values = np.concatenate([read_mask(path).ravel() for path in (tmp_path / "out").iterdir()])
    for label, name in enumerate(["ground", "box", "stripe"]):
        share = (values == label).mean()
        assert (f"{share:.2%}  {name}" in out) == (share > 0)


def test_abstain_writes_the_ignore_value(atrous: Terminal, model: Path, photo: Path, tmp_path: Path) -> None:
    assert atrous("predict", model, photo, "-o", tmp_path / "out", "--abstain", 1).code == 0
    assert (read_mask(tmp_path / "out" / "photo.png") == 255).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour_std: 3", ["crf.yaml", "did you mean `color_std`"]),
        ("weight_smooth: -1", ["crf.yaml", "weight_smooth"]),
        ("compatibility: [[0, 1], [1, 0]]", ["2 classes", "3"]),
        ("- 1", ["crf.yaml", "table"]),
    ],
)
def test_choices_of_a_crf_that_mean_nothing_are_one_sentence(
    text: str, words: list[str], atrous: Terminal, model: Path, photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "crf.yaml").write_text(text)
    sentence = atrous.fails("predict", model, photo, "-o", tmp_path / "out", "--crf-config", tmp_path / "crf.yaml")
    assert all(word in sentence for word in words), sentence
    assert not (tmp_path / "out").exists()
