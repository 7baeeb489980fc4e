import csv
import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from atrous.training.logs import COLUMNS, RunLog, read_log
from atrous.training.run_folder import RunFolder


def write_rows(folder: RunFolder, steps: range, validated: int = -1) -> None:
    with RunLog(folder, steps.start - 1, validated) as log:
        for step in steps:
            log.write(step=step, epoch=step / 2, loss=1 / step, learning_rate=0.123456789)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def csv_rows(folder: RunFolder) -> list[dict[str, float]]:
    with folder.csv.open(newline="") as file:
        return [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]


def test_json_lines_and_csv_say_the_same(folder: RunFolder) -> None:
    write_rows(folder, range(1, 5))
    with RunLog(folder, 4) as log:
        log.write(step=4, val_mean_iou=0.5, val_pixel_accuracy=0.75)
    rows = read_log(folder.jsonl)
    assert len(rows) == 5
    assert csv_rows(folder) == rows
    assert folder.csv.read_text().splitlines()[0].split(",") == list(COLUMNS)


def test_lines_of_csv_end_alike_before_and_after_a_resume(folder: RunFolder) -> None:
    write_rows(folder, range(1, 3))
    write_rows(folder, range(3, 5))
    assert b"\r" not in folder.csv.read_bytes()
    assert len(csv_rows(folder)) == 4


def test_rows_beyond_the_last_save_are_taken_out(folder: RunFolder) -> None:
    write_rows(folder, range(1, 8))
    write_rows(folder, range(5, 7))
    assert [row["step"] for row in read_log(folder.jsonl)] == [1, 2, 3, 4, 5, 6]
    assert csv_rows(folder) == read_log(folder.jsonl)


def test_a_validation_that_was_not_saved_is_taken_out_and_its_step_stays(folder: RunFolder) -> None:
    write_rows(folder, range(1, 3))
    with RunLog(folder, 2, validated=-1) as log:
        log.write(step=2, val_mean_iou=0.5)
    with RunLog(folder, 2, validated=-1):
        assert [row["step"] for row in read_log(folder.jsonl)] == [1, 2]
    with RunLog(folder, 2, validated=-1) as log:
        log.write(step=2, val_mean_iou=0.5)
    with RunLog(folder, 2, validated=2):
        assert [row["step"] for row in read_log(folder.jsonl)] == [1, 2, 2]


@pytest.mark.parametrize("torn", [b'{"step": 4, "lo', b"\x00\x00\x00", b'{"step": 4, "lo\xc3'])
def test_a_torn_last_line_does_no_harm(torn: bytes, folder: RunFolder) -> None:
    write_rows(folder, range(1, 4))
    with folder.jsonl.open("ab") as file:
        file.write(torn)
    assert [row["step"] for row in read_log(folder.jsonl)] == [1, 2, 3]
    write_rows(folder, range(4, 6))
    assert [json.loads(line)["step"] for line in folder.jsonl.read_text().splitlines()] == [1, 2, 3, 4, 5]


def test_a_log_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert read_log(tmp_path / "log.jsonl") == []


def test_rows_are_on_disk_before_the_log_is_closed(folder: RunFolder) -> None:
    with RunLog(folder) as log:
        log.write(step=1, loss=2.0)
        assert read_log(folder.jsonl) == csv_rows(folder) == [{"step": 1, "loss": 2.0}]


def test_tensorboard_shows_the_steps_that_count(folder: RunFolder) -> None:
    write_rows(folder, range(1, 8))
    write_rows(folder, range(5, 7))  # resumed after step 4
    events = EventAccumulator(str(folder.events)).Reload()
    assert {"loss", "learning_rate"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(
        [1 / step for step in range(1, 7)], rel=1e-5
    )
