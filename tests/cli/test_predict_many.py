import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import rasterio

from atrous.images import read_mask, write_image
from tests.cli.terminal import Terminal
from tests.inference.rasters import ALPS, write_raster
from tests.tiny_data import noise
from tests.training.runs import files_below


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(6):
        write_image(tmp_path / "in" / f"{index}.png", noise((24, 36), index))
    return tmp_path / "in"


def test_resume_writes_what_is_missing_and_leaves_the_rest(
    atrous: Terminal, model: Path, folder: Path, tmp_path: Path
) -> None:
    command = ("predict", model, folder, "-o", tmp_path / "out", "--save", "mask,color")
    assert atrous(*command).code == 0
    whole = files_below(tmp_path / "out")
    (tmp_path / "out" / "2.png").unlink()
    (tmp_path / "out" / "4_color.png").unlink()
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    code, out, _ = atrous(*command, "--resume")
    assert code == 0
    assert "6 of 6 pictures segmented, 4 of them before" in out
    assert files_below(tmp_path / "out") == whole
    again = {path.name for path in written if path.stat().st_mtime_ns != written[path]}
    assert again == {"2_color.png", "4.png"}


def test_all_that_failed_is_listed_at_the_end(atrous: Terminal, model: Path, folder: Path, tmp_path: Path) -> None:
    for name in ("1.png", "4.png"):
        (folder / name).write_bytes(b"no picture")
    code, out, err = atrous("predict", model, folder, "-o", tmp_path / "out", "--save", "mask")
    assert code == 1
    assert err.count("Error: ") == 2
    assert f"  not segmented: {folder / '1.png'}\n  not segmented: {folder / '4.png'}\n" in out
    assert "4 of 6 pictures" in out


def test_lists_and_tars_are_inputs_like_any_other(atrous: Terminal, model: Path, folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        archive.add(folder / "0.png", "zero.png")
    (tmp_path / "list.txt").write_text(f"{folder}/1.png\n{tmp_path}/shard.tar\n")
    assert atrous("predict", model, f"@{tmp_path}/list.txt", "-o", tmp_path / "out", "--save", "mask,labelme").code == 0
    assert sorted(files_below(tmp_path / "out")) == ["1.json", "1.png", "uncertainty.csv", "zero.json", "zero.png"]


def test_processes_share_the_pictures(
    atrous: Terminal, model: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    command = ("predict", model, folder, "-o", tmp_path / "out", "--save", "mask")
    for rank, names in (("0", {"0.png", "2.png", "4.png"}), ("1", {"1.png", "3.png", "5.png"})):
        monkeypatch.setenv("RANK", rank)
        before = set(os.listdir(tmp_path / "out")) if (tmp_path / "out").exists() else set()
        assert atrous(*command).code == 0
        assert set(os.listdir(tmp_path / "out")) - before == names
    assert "--resume" in atrous.fails(*command[:-1], "coco")


def test_a_geotiff_gives_a_geotiff_and_a_picture_beside_it_a_picture(
    atrous: Terminal, model: Path, folder: Path, tmp_path: Path
) -> None:
    write_raster(tmp_path / "alps.tif", noise((150, 200), 0))
    code, out, err = atrous(
        *("predict", model, tmp_path / "alps.tif", folder / "0.png", "-o", tmp_path / "out"),
        *("--save", "mask,polygons", "--memory", 4),
    )
    assert (code, err) == (0, "")
    assert sorted(files_below(tmp_path / "out")) == ["0.geojson", "0.png", "alps.geojson", "alps.tif"]
    with rasterio.open(tmp_path / "out" / "alps.tif") as file:
        assert (file.crs, file.transform, file.shape) == (ALPS["crs"], ALPS["transform"], (150, 200))
    assert "Windows of" in out
    _, out, _ = atrous("predict", model, tmp_path / "alps.tif", "-o", tmp_path / "out", "--save", "mask", "--resume")
    assert "there already" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--save", "labelme"], "raster"),
        (["--bands", "1,2"], "--bands"),
        (["--bands", "a,b,c"], "--bands"),
        (["--bands", "1,2,9"], "bands 1 to 3"),
        (["--value-range", "9,1"], "--value-range"),
        (["--memory", "0.1"], "--memory"),
    ],
)
def test_what_a_raster_cannot_be_asked_for_is_one_sentence(
    options: list[str], words: str, atrous: Terminal, model: Path, tmp_path: Path
) -> None:
    path = write_raster(tmp_path / "alps.tif", noise((15, 20), 0))
    assert words in atrous.fails("predict", model, path, "-o", tmp_path / "out", *options)


def test_a_broken_raster_does_not_stop_the_next(atrous: Terminal, model: Path, tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif", noise((300, 300), 0))
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:100_000])
    write_raster(tmp_path / "b.tif", noise((15, 20), 0))
    code, _, err = atrous(
        "predict", model, tmp_path / "a.tif", tmp_path / "b.tif", "-o", tmp_path / "out", "--save", "mask"
    )
    assert code == 1
    assert "a.tif" in err
    assert err.count("\n") == 1
    assert (tmp_path / "out" / "b.tif").exists()


def test_the_mask_is_that_of_the_picture(atrous: Terminal, model: Path, tmp_path: Path) -> None:
    image = noise((96, 128), 0)
    write_raster(tmp_path / "a.tif", image)
    write_image(tmp_path / "b.png", image)
    assert (
        atrous("predict", model, tmp_path / "a.tif", tmp_path / "b.png", "-o", tmp_path / "out", "--save", "mask").code
        == 0
    )
    with rasterio.open(tmp_path / "out" / "a.tif") as file:
        np.testing.assert_array_equal(file.read(1), read_mask(tmp_path / "out" / "b.png"))
