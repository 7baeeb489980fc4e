from pathlib import Path

import pytest

from atrous.crf import DenseCRFConfig
from atrous.evaluation.report import read_report
from atrous.training.train import train
from tests.cli.terminal import Terminal
from tests.training.runs import files_below, small_recipe, write_data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` and a run of two steps on it."""
    folder = tmp_path_factory.mktemp("evaluate")
    train(small_recipe(write_data(folder / "data"), training={"steps": 2}), folder / "run")
    return folder


def test_evaluating_the_best_checkpoint_gives_the_report_of_its_run(
    atrous: Terminal, run: Path, tmp_path: Path
) -> None:
    model = run / "run" / "best.safetensors"
    code, out, err = atrous("evaluate", model, run / "data", "--output", tmp_path / "out")
    assert (code, err) == (0, "")
    report = read_report(tmp_path / "out" / "report.json")
    assert report == read_report(run / "run" / "report.json")
    assert sorted(files_below(tmp_path / "out")) == ["report.html", "report.json"]
    assert f"mIoU {100 * report.scores.mean_iou:.2f}" in out
    assert all(word in out for word in ("ground", "box", "stripe", "Protocol", report.protocol.fingerprint))


def test_quiet_prints_nothing(atrous: Terminal, run: Path, tmp_path: Path) -> None:
    model = run / "run" / "best.safetensors"
    assert atrous("evaluate", model, run / "data", "--output", tmp_path / "out", "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("dataset", "split", "words"),
    [
        ("{data}", "tset", ["no split `tset`", "train, val"]),
        ("{data}/none", "val", ["There is no folder", "none"]),
        ("camvit:{data}", "val", ["no kind of data set `camvit`", "did you mean `camvid`"]),
        ("shapes:0", "val", ["classes", "3 classes", "10"]),
        ("shapes:-1", "val", ["seed"]),
    ],
)
def test_a_data_set_that_does_not_fit_is_one_sentence_and_nothing_is_written(
    dataset: str, split: str, words: list[str], atrous: Terminal, run: Path, tmp_path: Path
) -> None:
    model, given = run / "run" / "best.safetensors", dataset.format(data=run / "data")
    sentence = atrous.fails("evaluate", model, given, "--split", split, "--output", tmp_path / "out")
    assert all(word in sentence for word in words), sentence
    assert not (tmp_path / "out").exists()


def test_choices_of_the_data_set_may_be_given(atrous: Terminal, run: Path, tmp_path: Path) -> None:
    model = run / "run" / "best.safetensors"
    sentence = atrous.fails("evaluate", model, "shapes:0", "hieght=32", "--output", tmp_path / "out")
    assert "did you mean `height`" in sentence


def test_a_missing_model_is_one_sentence(atrous: Terminal, run: Path, tmp_path: Path) -> None:
    sentence = atrous.fails("evaluate", tmp_path / "none.safetensors", run / "data", "--output", tmp_path / "out")
    assert "none.safetensors" in sentence
    assert not (tmp_path / "out").exists()


def test_a_run_folder_is_answered_with_the_checkpoint_in_it(atrous: Terminal, run: Path) -> None:
    assert "best.safetensors" in atrous.fails("evaluate", run / "run", run / "data")


def test_the_protocol_states_the_dense_crf(atrous: Terminal, run: Path, tmp_path: Path) -> None:
    model = run / "run" / "best.safetensors"
    code, out, err = atrous("evaluate", model, run / "data", "--crf", "--output", tmp_path / "out")
    assert (code, err) == (0, "")
    assert read_report(tmp_path / "out" / "report.json").protocol.crf == DenseCRFConfig()
    assert read_report(run / "run" / "report.json").protocol.crf is None
    assert "dense CRF: 10 iterations, Potts" in " ".join(out.split())
    assert "10 iterations, Potts" in (tmp_path / "out" / "report.html").read_text()


def test_the_protocol_states_scales_flip_and_output_stride(
    atrous: Terminal, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model, options = run / "run" / "best.safetensors", ("--scales", "1,0.5", "--flip", "--output-stride", "8")
    code, out, err = atrous("evaluate", model, run / "data", *options)
    assert (code, err) == (0, "")
    (report,) = (tmp_path / "evaluation").glob("*_os8_scales1-0.5_flip/report.json")
    protocol = read_report(report).protocol
    assert (protocol.scales, protocol.flip, protocol.output_stride) == ((1.0, 0.5), True, 8)
    assert "output stride 8, scales 1, 0.5, with flip" in " ".join(out.split())


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--scales", "1;2"], "with commas"),
        (["--scales", "1,1"], "twice"),
        (["--scales", "nan"], "scales"),
        (["--output-stride", "12"], "12"),
    ],
)
def test_impossible_views_are_one_sentence(atrous: Terminal, run: Path, options: list[str], word: str) -> None:
    assert word in atrous.fails("evaluate", run / "run" / "best.safetensors", run / "data", *options)
