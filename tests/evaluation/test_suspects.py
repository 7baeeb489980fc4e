import csv
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import softmax

from atrous.data import open_split, parse_dataset
from atrous.data.shapes import GeneratedShapes, ShapesConfig
from atrous.evaluation.suspect_regions import FLOOR, Region, area_of, suspicious_regions
from atrous.evaluation.suspects import Judge, Suspect, find_suspects, judged_by, pictures_of, ranked
from atrous.evaluation.suspects_files import export_suspects, write_suspects_csv, write_suspects_json
from atrous.evaluation.suspects_page import write_suspects_page
from atrous.inference.predictor import Predictor, load
from atrous.labels import Mask
from tests.evaluation.planted import found_of, plant
from tests.real import REAL, real
from tests.tiny_data import LABELS, InMemory, network_that_knows_colours, painted


def sure_of(classes: Mask, sureness: float = 0.9, num_classes: int = 3) -> NDArray[np.float32]:
    """Probabilities of a network that gives each pixel its class with so much, and the others the rest."""
    rest = (1 - sureness) / (num_classes - 1)
    return np.where(np.arange(num_classes)[:, None, None] == classes, sureness, rest).astype(np.float32)


def judge_of_colours(count: int) -> Judge:
    network = network_that_knows_colours(LABELS)
    return Judge(Predictor(network, LABELS, name="colours", device=torch.device("cpu")), range(count))


def scene(*boxes: tuple[int, int, int, int, int]) -> Mask:
    """Ground with boxes (class, left, top, right, bottom) on it; 48x64."""
    mask = np.zeros((48, 64), np.uint8)
    for label, left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = label
    return mask


def test_the_evidence_of_a_region_is_what_its_definition_gives_pixel_by_pixel() -> None:
    random = np.random.default_rng(0)
    given, predicted = scene((1, 5, 5, 30, 30)), scene((1, 5, 5, 30, 30), (2, 12, 8, 26, 40))
    probabilities = sure_of(predicted) * random.uniform(0.8, 1, (3, 48, 64)).astype(np.float32)
    regions = {(region.given, region.predicted): region for region in suspicious_regions(probabilities, given)}
    assert set(regions) == {(1, 2), (0, 2)}
    inside = (given == 1) & (predicted == 2)
    to_border = ndimage.distance_transform_edt(inside)
    log_ratio = np.log(np.maximum(probabilities[2], FLOOR) / np.maximum(probabilities[1], FLOOR))
    mean = (log_ratio * (to_border - 1))[inside].sum() / (to_border - 1)[inside].sum()
    width = 2 * to_border.max() - 1
    region = regions[1, 2]
    assert region.denied == 1
    assert region.evidence == pytest.approx(mean * np.sqrt(width / np.hypot(48, 64)), rel=1e-5)
    assert (region.box, region.pixels, region.width) == ((12, 8, 26, 30), inside.sum(), width)
    assert region.given_probability == pytest.approx(probabilities[1][inside].mean(), rel=1e-5)
    assert np.array_equal(area_of(region, given, predicted), inside)


def test_a_thin_band_along_a_boundary_is_no_suspect() -> None:
    given, predicted = scene((1, 10, 10, 40, 40)), scene((1, 8, 10, 40, 40))
    assert list(suspicious_regions(sure_of(predicted), given)) == []


def test_what_is_ignored_is_not_judged() -> None:
    given, predicted = np.full((48, 64), 255, np.uint8), scene((1, 10, 10, 40, 40))
    assert list(suspicious_regions(sure_of(predicted), given)) == []


def test_a_network_that_hesitates_says_less_than_one_that_is_sure() -> None:
    given, predicted = scene(), scene((1, 10, 10, 40, 40))
    (sure,), (hesitant,) = (list(suspicious_regions(sure_of(predicted, by), given)) for by in (0.99, 0.5))
    assert sure.evidence > 3 * hesitant.evidence


def test_an_exchanged_object_leads_the_list() -> None:
    truths = [scene((1, 8, 8, 24, 24), (2, 34, 20, 56, 40)) for _ in range(4)]
    samples = [painted(truth, f"p{number}") for number, truth in enumerate(truths)]
    samples[2] = samples[2]._replace(mask=scene((2, 8, 8, 24, 24), (2, 34, 20, 56, 40)))
    (suspect,) = find_suspects([judge_of_colours(4)], InMemory(samples))
    assert (suspect.picture, suspect.name, suspect.source) == (2, "p2", "p2.png")
    assert (suspect.region.given, suspect.region.predicted, suspect.region.box) == (2, 1, (8, 8, 24, 24))


def test_what_is_contradicted_again_and_again_hides_nothing_else() -> None:
    many = [Suspect(number, "", "", region(0, 1, evidence=2 - number / 100)) for number in range(50)]
    other = Suspect(99, "", "", region(1, 2, evidence=1.2))
    order = ranked([*many, other])
    assert order[0] is many[0]
    assert order.index(other) < 10
    assert [suspect for suspect in order if suspect is not other] == many


def test_more_of_an_object_that_the_label_has_too_counts_less_than_an_object_that_it_denies() -> None:
    predicted = scene((1, 4, 4, 24, 44), (1, 40, 4, 60, 24), (2, 40, 24, 60, 44))
    given = scene((1, 4, 24, 24, 44), (2, 40, 24, 60, 44))  # half of the first object, none of the second
    half, whole = suspicious_regions(sure_of(predicted), given)
    assert (half.box, whole.box) == ((4, 4, 24, 24), (40, 4, 60, 24))
    assert (half.denied, whole.denied) == (0.5, 1)
    assert half.evidence == pytest.approx(whole.evidence * np.sqrt(0.5))


def test_the_halves_of_a_moved_object_do_not_both_stand_before_another_error() -> None:
    was, now = region(0, 1, evidence=2), region(1, 0, evidence=1.8)._replace(box=(5, 0, 14, 9))
    halves = [Suspect(3, "", "", half) for half in (was, now)]
    apart = [
        Suspect(4, "", "", region(2, 1, evidence=1)),
        Suspect(3, "", "", now._replace(given=2, box=(40, 0, 49, 9))),
    ]
    assert ranked([*halves, *apart]) == [halves[0], apart[1], apart[0], halves[1]]


def region(given: int, predicted: int, evidence: float) -> Region:
    return Region(given, predicted, (0, 0, 9, 9), 81, 9.0, 0.05, 0.9, 1.0, evidence)


def test_every_picture_is_judged_by_its_own_judge() -> None:
    samples = [painted(scene((1, 8, 8, 24, 24)), name) for name in "abc"]
    wrong = [sample._replace(mask=scene()) for sample in samples]
    first, second = judge_of_colours(0)._replace(indices=[0]), judge_of_colours(0)._replace(indices=[2])
    data = InMemory(wrong)
    assert sorted(suspect.name for suspect in find_suspects([first, second], data)) == ["a", "c"]
    assert np.array_equal(judged_by([first, second], data, 2).mask, samples[2].mask)
    with pytest.raises(ValueError, match="no judge"):
        judged_by([first, second], data, 1)


def test_the_suspects_are_written_for_people_and_programs(tmp_path: Path) -> None:
    samples = [painted(scene((1, 8, 8, 24, 24)), name) for name in ("a", "b", "<c>")]
    samples[1] = samples[1]._replace(mask=scene())
    samples[2] = samples[2]._replace(mask=scene((2, 8, 8, 34, 24)))
    data, judges = InMemory(samples), [judge_of_colours(3)]
    found = find_suspects(judges, data)
    assert pictures_of(found) == [2, 1]
    write_suspects_csv(tmp_path / "suspects.csv", found, LABELS)
    rows = list(csv.DictReader((tmp_path / "suspects.csv").read_text().splitlines()))
    write_suspects_json(tmp_path / "suspects.json", found, data, "colours")
    content = json.loads((tmp_path / "suspects.json").read_text())
    assert [{key: str(value) for key, value in row.items()} for row in content["suspects"]] == rows
    assert {(row["picture"], row["given"], row["predicted"]) for row in rows} == {
        ("b", "ground", "cat"),
        ("<c>", "dog", "cat"),
        ("<c>", "dog", "ground"),
    }
    write_suspects_page(tmp_path / "report.html", found, data, judges, model="colours", total=len(found))
    page = (tmp_path / "report.html").read_text()
    assert page.count("<figure>") == 3 * len(found)
    assert "&lt;c&gt;" in page
    assert 'src="http' not in page


@pytest.mark.parametrize("kind", ["cvat", "labelme", "coco"])
def test_suspicious_pictures_go_out_to_be_corrected_and_come_back(kind: str, tmp_path: Path) -> None:
    samples = [painted(scene((1, 8, 8, 24, 24)), name) for name in "abc"]
    samples[1] = samples[1]._replace(mask=scene((2, 8, 8, 24, 24)))
    data = InMemory(samples)
    found = find_suspects([judge_of_colours(3)], data)
    assert export_suspects(found, data, tmp_path / "out", kind) == 1  # type: ignore[arg-type]
    back = open_split(parse_dataset(f"{kind}:{tmp_path / 'out'}", ["background=ground"]), "train")
    assert [sample.name for sample in back] == ["b"]  # type: ignore[attr-defined]


def test_planted_errors_stand_in_the_first_tenth_of_the_list() -> None:
    streets = GeneratedShapes(ShapesConfig(height=96, width=128, train=40, val=2, test=2), "train")
    truths = [streets[number].mask for number in range(len(streets))]
    labels, random = streets.labels, np.random.default_rng(1)
    masks, planted = plant(truths, labels.num_classes, "exchanged", seed=0)
    answers = [imperfect(truth, labels.num_classes, random) for truth in truths]
    suspects = ranked(
        Suspect(number, "", "", found)
        for number, (answer, mask) in enumerate(zip(answers, masks, strict=True))
        for found in suspicious_regions(answer, mask)
    )

    def area(suspect: Suspect) -> NDArray[np.bool_]:
        predicted = answers[suspect.picture].argmax(axis=0).astype(np.uint8)
        return area_of(suspect.region, masks[suspect.picture], predicted)

    assert len(planted) >= 10
    assert len(suspects) > 10 * len(planted)
    assert found_of(planted, suspects, area).first_tenth >= 0.8


def imperfect(truth: Mask, num_classes: int, random: np.random.Generator) -> NDArray[np.float32]:
    """What a network might say: blurred boundaries, and smooth patches of wrong answers all over."""
    logits = np.stack([ndimage.gaussian_filter(6.0 * (truth == label), 1.5) for label in range(num_classes)])
    logits += np.stack([ndimage.gaussian_filter(random.normal(0, 17, truth.shape), 3) for _ in range(num_classes)])
    return np.asarray(softmax(logits, axis=0), np.float32)


@real
@pytest.mark.slow
def test_planted_errors_of_real_masks_stand_in_the_first_tenth_of_the_list() -> None:
    predictor = load("camvid-v3plus-mobilenet-v2")
    dataset = open_split(parse_dataset(f"camvid:{REAL / 'camvid'}"), "val")
    samples = [dataset[number] for number in range(0, len(dataset), 3)]
    masks, planted = plant([sample.mask for sample in samples], 11, "exchanged", seed=3)
    data = InMemory([s._replace(mask=m) for s, m in zip(samples, masks, strict=True)], dataset.labels, "val")
    judge = Judge(predictor, range(len(data)))
    predicted = lru_cache(lambda picture: judged_by([judge], data, picture).probabilities.argmax(axis=0))

    def area(suspect: Suspect) -> NDArray[np.bool_]:
        return area_of(suspect.region, masks[suspect.picture], predicted(suspect.picture).astype(np.uint8))

    assert len(planted) > 20
    assert found_of(planted, find_suspects([judge], data), area).first_tenth >= 0.8
