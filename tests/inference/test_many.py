import os
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from atrous.errors import AtrousError, ConfigError, DatasetError, ImageError
from atrous.images import read_image, write_image
from atrous.inference.ahead import mapped
from atrous.inference.many import numbers_of_process, predict_many, predict_whole_or_in_windows
from atrous.inference.prediction import Prediction
from atrous.inference.predictor import Predictor
from atrous.inference.sources import find_sources, names_of
from atrous.labels import Mask
from atrous.progress import Silent
from tests.local_server import Served, serving_paths
from tests.tiny_data import LABELS, network_that_knows_colours, noise, one_sentence

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(network_that_knows_colours(LABELS), LABELS, name="colours", device=CPU)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty pictures of different sizes."""
    for index in range(20):
        write_image(tmp_path / "in" / f"{index:02}.png", noise((5 + index, 7), index))
    return tmp_path / "in"


def mask_of(number: int, prediction: Prediction) -> tuple[int, Mask]:
    return number, prediction.mask


def test_outcomes_come_in_the_order_of_the_pictures(predictor: Predictor, folder: Path) -> None:
    sources = find_sources([str(folder)])
    outcomes = list(predict_many(predictor, sources, mask_of))
    assert [outcome.number for outcome in outcomes] == list(range(20))
    for number, outcome in enumerate(outcomes):
        assert outcome.result is not None
        assert outcome.result[0] == number
        np.testing.assert_array_equal(outcome.result[1], predictor(folder / f"{number:02}.png").mask)


def test_a_broken_picture_is_an_outcome_and_the_others_go_on(predictor: Predictor, folder: Path) -> None:
    (folder / "03.png").write_bytes(b"")
    (folder / "11.png").write_bytes((folder / "11.png").read_bytes()[:60])
    outcomes = list(predict_many(predictor, [*find_sources([str(folder)]), folder / "none.png"], mask_of))
    failed = [outcome for outcome in outcomes if outcome.error]
    assert [outcome.number for outcome in failed] == [3, 11, 20]
    assert all(isinstance(outcome.error, ImageError) for outcome in failed)
    assert len(outcomes) == 21


def test_what_fails_while_writing_ends_everything(predictor: Predictor, folder: Path) -> None:
    def full(_number: int, _prediction: Prediction) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        list(predict_many(predictor, find_sources([str(folder)]), full))
    assert threading.active_count() < 10


def test_only_a_few_pictures_are_held_at_once(
    predictor: Predictor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atrous.inference.many.processors", lambda: 2)
    begun, done, most = [0], [0], [0]

    def counted(source: Path) -> NDArray[np.uint8]:
        begun[0] += 1
        most[0] = max(most[0], begun[0] - done[0])
        return read_image(source)

    def finish(_number: int, _prediction: Prediction) -> None:
        done[0] += 1

    monkeypatch.setattr("atrous.inference.many.read_image", counted)
    list(predict_many(predictor, find_sources([str(folder)]) * 10, finish))
    assert done[0] == 200
    assert most[0] <= 12


def test_each_process_has_its_part_and_all_together_have_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(numbers_of_process(5)) == [0, 1, 2, 3, 4]
    monkeypatch.setenv("WORLD_SIZE", "3")
    parts = []
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        parts.append(list(numbers_of_process(8)))
    assert parts == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_mapped_keeps_the_order_and_the_place_of_an_error() -> None:
    def half(number: int) -> float:
        return 6 / (3 - number)

    results = mapped(half, range(9), threads=4, count=3)
    assert [next(results) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_list_holds_one_input_per_line(folder: Path, tmp_path: Path) -> None:
    lines = ["", f"  {folder}/02.png", f"{folder}/1*.png", str(folder / "none.png"), str(folder / "02.png")]
    (tmp_path / "list.txt").write_text("\n".join(lines), encoding="utf-8")
    sources = find_sources([f"@{tmp_path / 'list.txt'}", str(folder / "00.png")])
    expected = ["02.png", *(f"{index}.png" for index in range(10, 20)), "none.png", "00.png"]
    assert [source.name for source in sources] == expected


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_pictures_in_archives_are_read_in_place(kind: str, predictor: Predictor, folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / f"shard-0.{kind}"
    if kind == "tar":
        with tarfile.open(packed, "w") as archive:
            archive.add(folder, "a/b")
            archive.add(__file__, "a/code.py")
    else:
        with zipfile.ZipFile(packed, "w") as zipped:
            for path in folder.iterdir():
                zipped.write(path, f"a/b/{path.name}")
    sources = find_sources([str(tmp_path / f"*.{kind}")])
    assert [str(source) for source in sources] == [f"{packed}/a/b/{index:02}.png" for index in range(20)]
    assert names_of(sources) == [f"{index:02}" for index in range(20)]
    for number, outcome in enumerate(predict_many(predictor, sources, mask_of)):
        assert outcome.result is not None
        np.testing.assert_array_equal(outcome.result[1], predictor(folder / f"{number:02}.png").mask)


def test_pictures_of_one_name_in_two_shards_have_two_names(folder: Path, tmp_path: Path) -> None:
    for shard in ("one.tar", "two.tar"):
        with tarfile.open(tmp_path / shard, "w") as archive:
            archive.add(folder / "00.png", "00.png")
    names = names_of(find_sources([str(tmp_path / "*.tar")]))
    assert len(set(names)) == 2
    assert "one" in names[0]


@pytest.fixture
def remote(folder: Path) -> str:
    """The same pictures at an address that is no path, and in a tar there."""
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for path in folder.iterdir():
        memory.pipe_file(f"/bucket/in/{path.name}", path.read_bytes())
    memory.pipe_file("/bucket/in/notes.txt", b"nothing")
    with memory.open("/bucket/shard.tar", "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        archive.add(folder, "a")
    return "memory://bucket"


@pytest.mark.parametrize("place", ["in", "in/*.png", "in/**", "shard.tar", "*.tar"])
def test_pictures_at_addresses_are_those_on_disk(place: str, predictor: Predictor, remote: str, folder: Path) -> None:
    sources = find_sources([f"{remote}/{place}"])
    assert sorted(names_of(sources)) == [f"{index:02}" for index in range(20)]
    for source, outcome in zip(sources, predict_many(predictor, sources, mask_of), strict=True):
        assert outcome.result is not None
        np.testing.assert_array_equal(outcome.result[1], predictor(folder / source.name).mask)


def test_pictures_of_a_web_server_are_those_on_disk(predictor: Predictor, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        archive.add(folder, "a")
    files = {path.name: Served(path.read_bytes()) for path in (folder / "00.png", tmp_path / "shard.tar")}
    with serving_paths(files) as server:
        sources = find_sources([server("00.png"), server("shard.tar")])
        assert sorted(source.name for source in sources[1:]) == sorted(path.name for path in folder.iterdir())
        for source, outcome in zip(sources, predict_many(predictor, sources, mask_of), strict=True):
            assert outcome.result is not None
            np.testing.assert_array_equal(outcome.result[1], predictor(folder / source.name).mask)


def test_a_tar_of_a_server_that_sends_whole_files_alone_is_refused_at_once(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        archive.add(folder, "a")
    shard = Served((tmp_path / "shard.tar").read_bytes(), ranges=False)
    with serving_paths({"shard.tar": shard}) as server, pytest.raises(ImageError) as caught:
        find_sources([server("shard.tar")])
    assert "does not send parts of files" in one_sentence(caught.value)


@pytest.mark.parametrize("address", ["memory://bucket/none*", "memory://bucket/*.txt", "nosuch://a/b.jpg"])
def test_an_address_that_names_nothing_is_one_sentence(address: str, remote: str) -> None:
    assert remote == "memory://bucket"
    with pytest.raises(AtrousError) as caught:
        find_sources([address])
    assert address in one_sentence(caught.value)


def test_a_picture_that_cannot_be_fetched_is_an_outcome(
    predictor: Predictor, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atrous.inference.remote.SECONDS_BETWEEN", 0)
    sources = find_sources([f"{remote}/in/00.png", f"{remote}/in/none.png", f"{remote}/in/01.png"])
    failing = [2]
    system = type(sources[0].system)  # type: ignore[attr-defined]
    fetch = system.cat_file

    def shaky(self: object, path: str, start: int | None = None, end: int | None = None) -> bytes:
        if path.endswith("01.png") and failing[0]:
            failing[0] -= 1
            raise ConnectionResetError("the line is dead")
        return fetch(self, path, start=start, end=end)  # type: ignore[no-any-return]

    monkeypatch.setattr(system, "cat_file", shaky)
    outcomes = list(predict_many(predictor, sources, mask_of))
    assert [bool(outcome.error) for outcome in outcomes] == [False, True, False]
    assert "none.png" in one_sentence(outcomes[1].error)  # type: ignore[arg-type]


def test_an_input_that_names_nothing_is_one_sentence(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    (tmp_path / "no.tar").write_bytes(b"no archive")
    for given, kind in (
        (f"@{tmp_path}/none.txt", ImageError),
        (f"{tmp_path}/empty.tar", ImageError),
        (f"{tmp_path}/no.tar", DatasetError),
        (f"{tmp_path}/none.tar", ImageError),
        (f"{tmp_path}/*.jpg", ImageError),
    ):
        with pytest.raises(kind) as caught:
            find_sources([given])
        assert str(tmp_path) in one_sentence(caught.value)


def test_without_fsspec_the_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrous.inference.remote.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        find_sources(["s3://bucket/a.jpg"])
    assert "pip install 'atrous[remote]'" in one_sentence(caught.value)


class Small(Predictor):
    """A predictor on a device whose memory ends at some number of pixels."""

    most = 200 * 200

    def __call__(self, image: NDArray[np.uint8] | str | Path) -> Prediction:
        assert isinstance(image, np.ndarray)
        if image.shape[0] * image.shape[1] > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().__call__(image)


class Said(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_a_picture_too_large_for_the_memory_is_segmented_in_windows_and_that_is_said(predictor: Predictor) -> None:
    small = Small(predictor.network, LABELS, name="small", device=CPU)
    image, said = noise((300, 700), 0), Said()
    prediction = predict_whole_or_in_windows(small, image, "a.png", said)
    np.testing.assert_array_equal(prediction.mask, predictor(image).mask)
    assert said.lines == ["a.png: the memory is too small for the whole picture; done in windows of 128x128 pixels."]
    with pytest.raises(ImageError, match="was seen in windows, of which labels alone are kept"):
        _ = prediction.probabilities
    small.most = 10
    with pytest.raises(ImageError) as caught:
        predict_whole_or_in_windows(small, image, "a.png", said)
    assert "a.png" in one_sentence(caught.value)


def test_a_picture_whose_result_cannot_be_had_does_not_stop_the_others(predictor: Predictor, folder: Path) -> None:
    def finish(number: int, _: Prediction) -> int:
        if number == 1:
            raise ImageError("not of this one")
        return number

    outcomes = list(predict_many(predictor, sorted(folder.iterdir())[:3], finish))
    assert [outcome.result for outcome in outcomes] == [0, None, 2]
    assert str(outcomes[1].error) == "not of this one"


def test_an_error_of_another_kind_is_not_taken_for_too_little_memory(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(predictor.network, "low_resolution_logits", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        predict_whole_or_in_windows(predictor, noise((9, 9), 0), "a.png", Silent())


def test_a_path_in_a_list_need_not_be_there_until_its_turn(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(os.fspath(folder / "soon.png"))
    (source,) = find_sources([f"@{tmp_path / 'list'}"])
    write_image(folder / "soon.png", noise((3, 4), 0))
    assert read_image(source).shape == (3, 4, 3)
