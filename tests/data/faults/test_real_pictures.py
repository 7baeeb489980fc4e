"""CamVid and VOC as they are give no false alarm, and what is planted in them is found."""

import random
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.data import open_split
from atrous.data.check import check, open_to_check
from atrous.data.faults.lookalikes import is_copy
from atrous.data.faults.observation import THUMBNAIL
from atrous.data.faults.pairing import Opened
from atrous.data.pairs import ImageMaskPair
from atrous.data.samples import PairedFiles
from atrous.data.sources.camvid import CamVidConfig
from atrous.data.sources.voc_trainaug import VocTrainaugConfig
from atrous.images import read_image
from tests.data.faults.planted import jpeg
from tests.real import REAL, real

FACTS = {"imbalance", "absent-class", "never-trained"}
"""What is true of these selections and no fault."""


def camvid_train() -> PairedFiles:
    train = open_split(CamVidConfig(root=REAL / "camvid"), "train")
    assert isinstance(train, PairedFiles)
    return train


def with_pairs(dataset: PairedFiles, pairs: Sequence[ImageMaskPair]) -> PairedFiles:
    return PairedFiles(dataset.title, dataset.split, dataset.labels, pairs, dataset.values)


@real
@pytest.mark.slow
def test_camvid_gives_no_false_alarm_though_it_is_a_video() -> None:
    report = check(open_to_check(CamVidConfig(root=REAL / "camvid"))).report
    assert {finding.kind for finding in report.findings} <= FACTS


@real
@pytest.mark.slow
def test_voc_gives_no_false_alarm() -> None:
    config = VocTrainaugConfig(root=REAL / "voc/VOCdevkit/VOC2012", subset=True)
    report = check(open_to_check(config)).report
    assert {finding.kind for finding in report.findings} <= FACTS


@real
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_two_exchanged_masks_of_camvid_are_found_among_all(seed: int) -> None:
    train = camvid_train()
    pairs = [train.pairs[index] for index in range(len(train))]
    one, other = random.Random(seed).sample(range(len(pairs)), 2)
    spoiled = list(pairs)
    spoiled[one] = ImageMaskPair(pairs[one].image, pairs[other].mask)
    spoiled[other] = ImageMaskPair(pairs[other].image, pairs[one].mask)
    result = check(Opened([with_pairs(train, spoiled)], []))
    assert [finding.kind for finding in result.report.findings if finding.kind not in FACTS] == ["swapped"]
    assert result.plans[0].mask_of == {one: other, other: one}


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA), np.uint8)


@real
def test_copies_of_real_pictures_are_copies_and_the_next_frames_are_none() -> None:
    frames = sorted((REAL / "camvid/images/val").iterdir())[::5]
    followers = [Path(str(frame).replace(frame.stem[-5:], f"{int(frame.stem[-5:]) + 2:05d}")) for frame in frames]
    for frame, follower in zip(frames, followers, strict=True):
        image = read_image(frame)
        cut = image[18:-5, 7:-16]
        darker = (jpeg(cut, 60) * 0.85).astype(np.uint8)
        assert is_copy(thumbnail(image), thumbnail(darker))
        if follower.exists():
            assert not is_copy(thumbnail(image), thumbnail(read_image(follower)))
