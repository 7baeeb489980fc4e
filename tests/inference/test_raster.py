import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from rasterio.features import rasterize
from rasterio.warp import transform

from atrous.errors import AtrousError, ConfigError, ImageError
from atrous.images import write_image
from atrous.inference.finished_rows import FinishedRows
from atrous.inference.geojson import write_geojson
from atrous.inference.prediction import Prediction
from atrous.inference.predictor import Predictor
from atrous.inference.raster import Raster, RasterChoices, is_raster
from atrous.inference.segment_raster import RasterResult, RasterRun, raster_files, segment_raster
from atrous.inference.sliding_window import Strip
from atrous.labels import LabelSpace
from tests.inference.rasters import ALPS, write_raster
from tests.tiny_data import LABELS, network_that_knows_colours, noise, one_sentence, painted, random_mask
from tests.training.runs import files_below

CPU = torch.device("cpu")
ALL: list[RasterResult] = ["mask", "overlay", "color", "polygons"]
SMALL = RasterRun(memory=4)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(network_that_knows_colours(LABELS), LABELS, name="colours", device=CPU)


def read_all(path: Path) -> Any:
    with rasterio.open(path) as file:
        return file.read()


def test_the_mask_of_a_geotiff_lies_where_the_geotiff_lies(predictor: Predictor, tmp_path: Path) -> None:
    image = noise((300, 200), 0)
    raster = Raster(write_raster(tmp_path / "a.tif", image))
    files = raster_files(tmp_path / "out", "a", ALL)
    areas = segment_raster(predictor, raster, files, SMALL)
    mask = predictor(image).mask
    with rasterio.open(files["mask"]) as file:
        np.testing.assert_array_equal(file.read(1), mask)
        assert (file.crs, file.transform) == (ALPS["crs"], ALPS["transform"])
        assert (file.nodata, file.is_tiled, file.compression.name) == (255, True, "deflate")
        assert file.colormap(1)[1] == (*LABELS.colors[1], 255)
    assert files["mask"].read_bytes()[:4] == b"II+\0"  # BigTIFF
    np.testing.assert_array_equal(read_all(files["color"]), np.moveaxis(predictor(image).color(), -1, 0))
    np.testing.assert_array_equal(read_all(files["overlay"]), np.moveaxis(predictor(image).overlay(), -1, 0))
    assert areas == {name: int((mask == index).sum()) for index, name in enumerate(LABELS.names)}
    assert sorted(files_below(tmp_path / "out")) == ["a.geojson", "a.tif", "a_color.tif", "a_overlay.tif"]


def test_what_is_nodata_is_ignored(predictor: Predictor, tmp_path: Path) -> None:
    image = np.maximum(noise((200, 260), 1), 1)
    image[20:90, 100:] = 0
    raster = Raster(write_raster(tmp_path / "a.tif", image, nodata=0))
    files = raster_files(tmp_path, "b", ["mask"])
    areas = segment_raster(predictor, raster, files, SMALL)
    expected = np.where((image == 0).all(axis=2), 255, predictor(image).mask)
    np.testing.assert_array_equal(read_all(files["mask"])[0], expected)
    assert areas["ignored"] == 70 * 160


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_grey_alpha_and_further_bands_are_understood(bands: int, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 9, bands), np.uint8)
    profile = {"photometric": "RGB", "alpha": "NO"} if bands == 4 else {}
    strip = Raster(write_raster(tmp_path / "a.tif", image, **profile)).read(2, 8)
    expected = image[2:, :, :3] if bands >= 3 else np.repeat(image[2:, :, :1], 3, axis=2)
    np.testing.assert_array_equal(strip.image, expected)
    assert strip.valid.all()


def test_what_is_transparent_is_no_part_of_the_picture(tmp_path: Path) -> None:
    image = np.full((8, 9, 4), 255, np.uint8)
    image[:4, :, 3] = 0
    strip = Raster(write_raster(tmp_path / "a.tif", image, photometric="RGB", alpha="YES")).read(0, 8)
    np.testing.assert_array_equal(strip.valid, image[:, :, 3] > 0)


def test_the_bands_and_values_that_are_shown_can_be_chosen(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 4000, (8, 9, 5)).astype(np.uint16)
    path = write_raster(tmp_path / "a.tif", image)
    plain = Raster(path).read(0, 8).image
    np.testing.assert_array_equal(plain, image[:, :, :3] >> 8)
    chosen = Raster(path, RasterChoices((5, 3, 1), (1000, 3000))).read(0, 8).image.astype(float)
    expected = np.clip((image[:, :, [4, 2, 0]] - 1000.0) / 2000 * 255, 0, 255)
    assert np.abs(chosen - expected).max() <= 1


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.array([[[0], [2]]], np.uint8))
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (1, 2, 3, 255), 2: (7, 8, 9, 255)})
    np.testing.assert_array_equal(Raster(path).read(0, 1).image, [[[1, 2, 3], [7, 8, 9]]])


@pytest.mark.parametrize("driver", ["JP2OpenJPEG", "PNG", "GTiff"])
def test_formats_without_a_place_give_a_mask_without_one(driver: str, predictor: Predictor, tmp_path: Path) -> None:
    lossless = {"QUALITY": "100", "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    image = noise((120, 90), 2)
    path = write_raster(tmp_path / "a.tif", image, driver=driver, crs=None, transform=None, **lossless)
    files = raster_files(tmp_path / "out", "a", ["mask", "polygons"])
    segment_raster(predictor, Raster(path), files, SMALL)
    np.testing.assert_array_equal(read_all(files["mask"])[0], predictor(image).mask)
    x, y = np.array(json.loads(files["polygons"].read_text())["features"][0]["geometry"]["coordinates"][0]).max(axis=0)
    assert 0 < x <= 90
    assert 0 < y <= 120


def test_polygons_lie_in_degrees_and_give_the_mask_back(predictor: Predictor, tmp_path: Path) -> None:
    mask = np.kron(random_mask((6, 8), 3), np.ones((20, 20), np.uint8))
    mask[mask == 255] = 0
    raster = Raster(write_raster(tmp_path / "a.tif", painted(mask, "a").image))
    files = raster_files(tmp_path, "b", ["polygons"])
    segment_raster(predictor, raster, files, SMALL)
    collection = json.loads(files["polygons"].read_text())
    assert collection["type"] == "FeatureCollection"
    shapes = []
    for feature in collection["features"]:
        rings = feature["geometry"]["coordinates"]
        assert all(ring[0] == ring[-1] for ring in rings)
        outline = np.array(rings[0])
        assert np.abs(outline - (9.0, 45.15)).max() < 0.01
        x, y = outline.T
        assert np.dot(x[:-1], y[1:]) - np.dot(y[:-1], x[1:]) > 0  # counter-clockwise
        there = [list(zip(*transform("EPSG:4326", ALPS["crs"], *np.array(ring).T), strict=True)) for ring in rings]
        shapes.append(({"type": "Polygon", "coordinates": there}, feature["properties"]["index"]))
        assert feature["properties"]["class"] == LABELS.names[feature["properties"]["index"]]
    drawn = rasterize(shapes, mask.shape, fill=255, transform=ALPS["transform"])
    assert (drawn == mask).mean() > 0.995  # corners are cut by half a pixel
    assert sum(feature["properties"]["pixels"] for feature in collection["features"]) == mask.size
    assert sorted(files_below(tmp_path)) == ["a.tif", "b.geojson"]


def test_polygons_of_a_picture_are_in_pixels(predictor: Predictor, tmp_path: Path) -> None:
    prediction = predictor(painted(np.zeros((4, 6), np.uint8), "a").image)
    write_geojson(tmp_path / "a.geojson", prediction.polygons(0), LABELS)
    (feature,) = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert sorted(feature["geometry"]["coordinates"][0][:-1]) == [[0, 0], [0, 4], [6, 0], [6, 4]]
    assert feature["properties"] == {"class": "ground", "index": 0, "color": "#000000", "pixels": 24}


class KilledError(Exception):
    """Stands for a kill."""


def test_a_run_that_was_killed_goes_on_where_it_was_and_ends_with_the_same_mask(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atrous.inference.window_memory.LARGEST", 128)
    image = noise((500, 150), 4)
    raster = Raster(write_raster(tmp_path / "a.tif", image))
    files = raster_files(tmp_path / "out", "a", ["mask"])
    append, read = FinishedRows.append, Raster.read

    def append_and_die(rows: FinishedRows, mask: Any) -> None:
        append(rows, mask)
        if rows.rows > 200:
            with rows.path.open("ab") as file:
                file.write(b"\1\0\0\0half a piece")
            raise KilledError

    monkeypatch.setattr(FinishedRows, "append", append_and_die)
    with pytest.raises(KilledError):
        segment_raster(predictor, raster, files, SMALL)
    assert files_below(tmp_path / "out").keys() == {"a.rows"}
    monkeypatch.setattr(FinishedRows, "append", append)
    first_rows = []

    def watched(self: Raster, start: int, stop: int) -> Strip:
        first_rows.append(start)
        return read(self, start, stop)

    monkeypatch.setattr(Raster, "read", watched)
    segment_raster(predictor, raster, files, RasterRun(memory=4, resume=True))
    assert first_rows[0] > 50
    np.testing.assert_array_equal(read_all(files["mask"])[0], predictor(image).mask)
    assert files_below(tmp_path / "out").keys() == {"a.tif"}


def test_where_the_memory_ends_the_rest_is_done_in_smaller_windows(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atrous.inference.window_memory.LARGEST", 512)

    class Small(Predictor):
        asked = 0

        def __call__(self, image: Any) -> Prediction:
            self.asked += 1
            if self.asked > 3 and image.shape[0] > 256:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().__call__(image)

    image = noise((900, 300), 4)
    raster = Raster(write_raster(tmp_path / "a.tif", image))
    files = raster_files(tmp_path, "b", ["mask"])
    small = Small(predictor.network, LABELS, name="small", device=CPU)
    segment_raster(small, raster, files, SMALL)
    np.testing.assert_array_equal(read_all(files["mask"])[0], predictor(image).mask)
    assert small.asked > 5  # two trials, a window that fits, one that does not, and smaller ones


def test_rows_of_another_model_or_picture_are_not_gone_on_with(predictor: Predictor, tmp_path: Path) -> None:
    image = noise((100, 80), 5)
    raster = Raster(write_raster(tmp_path / "a.tif", image))
    files = raster_files(tmp_path, "b", ["mask"])
    rows = FinishedRows(tmp_path / "b.rows", 80, np.uint8)
    rows.begin({"about": "another", "memory": 4, "layout": [128, 16, 32]})
    rows.append(np.zeros((100, 80), np.uint8))
    segment_raster(predictor, raster, files, RasterRun(memory=4, resume=True))
    np.testing.assert_array_equal(read_all(files["mask"])[0], predictor(image).mask)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_finished_rows_are_read_as_they_were_written_however_they_are_cut(
    dtype: type[np.uint8], tmp_path: Path
) -> None:
    mask = np.random.default_rng(0).integers(0, 255, (103, 7)).astype(dtype)
    rows = FinishedRows(tmp_path / "a.rows", 7, dtype)
    rows.begin({})
    for start in range(0, 103, 25):
        rows.append(mask[start : start + 25])
    again = FinishedRows(tmp_path / "a.rows", 7, dtype)
    assert again.resume() == {}
    assert again.rows == 103
    pieces = list(again.read(16))
    assert [len(piece) for piece in pieces] == [*[16] * 6, 7]
    np.testing.assert_array_equal(np.concatenate(pieces), mask)


def test_a_torn_or_damaged_end_is_no_row_and_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.rows"
    rows = FinishedRows(path, 50, np.uint8)
    rows.begin({"a": 1})
    first = random_mask((4, 50), 0)
    rows.append(first)
    size = path.stat().st_size
    rows.append(random_mask((4, 50), 1))
    whole = path.read_bytes()
    flipped = whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]
    for content in (*(whole[:end] for end in range(size, len(whole), 7)), flipped):
        path.write_bytes(content)
        again = FinishedRows(path, 50, np.uint8)
        again.resume()
        assert again.rows == 4
        again.append(first)
        np.testing.assert_array_equal(np.concatenate(list(again.read(100))), np.concatenate((first, first)))


def test_more_than_255_classes_make_a_mask_of_16_bits(tmp_path: Path) -> None:
    labels = LabelSpace.from_names([f"class {index}" for index in range(300)])
    predictor = Predictor(network_that_knows_colours(labels), labels, name="many", device=CPU)
    image = noise((40, 50), 6)
    files = raster_files(tmp_path, "b", ["mask"])
    segment_raster(predictor, Raster(write_raster(tmp_path / "a.tif", image)), files, SMALL)
    mask = read_all(files["mask"])[0]
    assert mask.dtype == np.uint16
    np.testing.assert_array_equal(mask, predictor(image).mask)


def test_a_place_on_earth_or_many_pixels_make_a_raster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = noise((20, 30), 0)
    for name in ("a.png", "a.jpg", "a.tiff", "plain.tif"):
        write_image(tmp_path / name, image)
        assert not is_raster(tmp_path / name)
    assert is_raster(write_raster(tmp_path / "alps.tif", image))
    assert is_raster(write_raster(tmp_path / "alps.jp2", image, driver="JP2OpenJPEG"))
    assert is_raster(write_raster(tmp_path / "bands.tif", noise((9, 9), 0).astype(np.uint16), crs=None, transform=None))
    monkeypatch.setattr("atrous.inference.raster.LARGEST_PICTURE", 599)
    assert is_raster(tmp_path / "plain.tif")
    assert not is_raster(tmp_path / "none.tif")


def broken(path: Path) -> Path:
    write_raster(path, noise((400, 400), 0))
    path.write_bytes(path.read_bytes()[:200_000])
    return path


def test_what_is_no_raster_or_does_not_fit_is_one_sentence(predictor: Predictor, tmp_path: Path) -> None:
    image = noise((9, 9), 0)
    (tmp_path / "text.tif").write_text("no raster")
    floats = write_raster(tmp_path / "floats.tif", image.astype(np.float32))
    fine = write_raster(tmp_path / "fine.tif", image)
    errors: list[type[AtrousError]] = []
    for path, choices in (
        (tmp_path / "none.tif", RasterChoices()),
        (tmp_path / "text.tif", RasterChoices()),
        (floats, RasterChoices()),
        (fine, RasterChoices(bands=(1, 2, 4))),
    ):
        with pytest.raises(AtrousError) as caught:
            Raster(path, choices)
        assert str(path) in one_sentence(caught.value)
        errors.append(type(caught.value))
    assert errors == [ImageError, ImageError, ConfigError, ConfigError]
    with pytest.raises(ImageError) as damaged:
        segment_raster(predictor, Raster(broken(tmp_path / "cut.tif")), raster_files(tmp_path, "x", ["mask"]), SMALL)
    assert "cut.tif" in one_sentence(damaged.value)


def test_values_that_are_no_numbers_are_not_part_of_the_picture(tmp_path: Path) -> None:
    image = noise((9, 9), 0).astype(np.float32)
    image[2, 3] = np.nan
    strip = Raster(write_raster(tmp_path / "a.tif", image), RasterChoices(value_range=(0, 255))).read(0, 9)
    assert np.argwhere(~strip.valid).tolist() == [[2, 3]]
    assert np.abs(strip.image.astype(int) - np.nan_to_num(image)).max() <= 1


def test_without_rasterio_the_sentence_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.inference.raster.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        Raster(tmp_path / "a.tif")
    assert "pip install 'atrous[geo]'" in one_sentence(caught.value)
