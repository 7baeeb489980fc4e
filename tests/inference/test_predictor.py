import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from atrous.crf import DenseCRFConfig, refine
from atrous.errors import ConfigError, ImageError
from atrous.images import read_image, read_mask, write_image
from atrous.inference.device import best_device, describe_device, gains_from_bfloat16
from atrous.inference.predictor import Predictor, load
from atrous.labels import LabelSpace
from atrous.networks import build_network
from atrous.visualization import colorize, overlay
from atrous.weights.checkpoint import CheckpointInfo, save_checkpoint
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, network_that_knows_colours, noise, one_sentence, painted, random_mask

CPU = torch.device("cpu")


def predictor_of(labels: LabelSpace) -> Predictor:
    """A network whose weights are chance, and whose classes differ."""
    torch.manual_seed(0)
    network = build_network(SMALL_NETWORKS[0], labels.num_classes)
    torch.nn.init.normal_(network.classifier.get_parameter("weight"))
    return Predictor(network, labels, name="tiny", device=CPU)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return predictor_of(LABELS)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (31, 47), (47, 31), (64, 64), (65, 33)])
def test_the_mask_has_the_size_of_the_picture(predictor: Predictor, size: tuple[int, int]) -> None:
    prediction = predictor(noise(size, 0))
    assert prediction.mask.shape == size
    assert prediction.mask.dtype == np.uint8
    assert prediction.mask.max() < 3
    assert prediction.probabilities.shape == (3, *size)
    assert prediction.overlay().shape == prediction.color().shape == (*size, 3)


@pytest.mark.parametrize("size", [(1, 1), (33, 47)])
def test_probabilities_sum_to_1_and_the_mask_holds_the_most_probable(
    predictor: Predictor, size: tuple[int, int]
) -> None:
    prediction = predictor(noise(size, 0))
    probabilities = prediction.probabilities
    assert probabilities.dtype == np.float32
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    ordered = np.sort(probabilities, axis=0)
    certain = ordered[-1] - ordered[-2] > 1e-4
    np.testing.assert_array_equal(probabilities.argmax(axis=0)[certain], prediction.mask[certain])


def test_probabilities_are_those_of_the_whole_network(predictor: Predictor) -> None:
    image = noise((33, 47), 1)
    with torch.no_grad():
        logits = predictor.network(torch.from_numpy(image).permute(2, 0, 1)[None] / 255)
    expected = logits.softmax(dim=1)[0].numpy()
    np.testing.assert_allclose(predictor(image).probabilities, expected, atol=1e-5)


def test_a_network_that_knows_colours_is_right_everywhere() -> None:
    predictor = Predictor(network_that_knows_colours(LABELS), LABELS, name="colours", device=CPU)
    mask = random_mask((13, 17), 0)
    mask[mask == LABELS.ignore_index] = 0
    np.testing.assert_array_equal(predictor(painted(mask, "a").image).mask, mask)


def test_a_path_and_its_pixels_give_the_same_mask(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    write_image(path, noise((20, 30), 0))
    expected = predictor(read_image(path)).mask
    np.testing.assert_array_equal(predictor(path).mask, expected)
    np.testing.assert_array_equal(predictor(str(path)).mask, expected)


def test_the_same_picture_gives_the_same_answer_twice(predictor: Predictor) -> None:
    first, again = (predictor(noise((24, 24), 0)).probabilities for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_a_network_in_training_is_put_into_evaluation_and_stays_there() -> None:
    network = build_network(SMALL_NETWORKS[0], 3).train()
    predictor = Predictor(network, LABELS, name="tiny", device=CPU)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predictor(noise((16, 16), 0))
    assert not any(module.training for module in network.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def views(image: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """The same picture in other places of memory."""
    read_only = image.copy()
    read_only.flags.writeable = False
    return {
        "read only": read_only,
        "column by column": np.asfortranarray(image),
        "mirrored twice": image[:, ::-1].copy()[:, ::-1],
        "from BGR": image[..., ::-1].copy()[..., ::-1],
        "part of a larger one": np.pad(image, ((2, 2), (3, 3), (0, 0)))[2:-2, 3:-3],
    }


def test_any_array_of_the_same_pixels_gives_the_same_mask_without_a_warning(predictor: Predictor) -> None:
    image = noise((20, 30), 0)
    before, expected = image.copy(), predictor(image).mask
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, view in views(image).items():
            np.testing.assert_array_equal(predictor(view).mask, expected, err_msg=name)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((3, 4, 5), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.int64),
        np.zeros((0, 4, 3), np.uint8),
        [[[1, 2, 3]]],
        torch.zeros(4, 4, 3, dtype=torch.uint8),
        None,
    ],
    ids=lambda image: f"{type(image).__name__} {getattr(image, 'shape', '')}",
)
def test_what_is_no_picture_is_refused(predictor: Predictor, image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="an image is"):
        predictor(image)


def test_a_file_that_is_no_picture_is_one_sentence(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    for path in (tmp_path / "a.png", tmp_path / "b.png", tmp_path):
        with pytest.raises(ImageError) as caught:
            predictor(path)
        assert str(path) in one_sentence(caught.value)


@pytest.mark.parametrize("count", [3, 300])
def test_a_saved_mask_is_read_again(tmp_path: Path, count: int) -> None:
    prediction = predictor_of(LabelSpace.from_names([f"class {index}" for index in range(count)]))(noise((20, 30), 0))
    prediction.save(tmp_path / "deep" / "mask.png")
    read = read_mask(tmp_path / "deep" / "mask.png")
    assert read.dtype == prediction.mask.dtype
    np.testing.assert_array_equal(read, prediction.mask)


def test_overlay_and_color_are_those_of_the_mask(predictor: Predictor) -> None:
    image = noise((20, 30), 0)
    prediction = predictor(image)
    np.testing.assert_array_equal(prediction.overlay(0.3), overlay(image, prediction.mask, LABELS, 0.3))
    np.testing.assert_array_equal(prediction.color(), colorize(prediction.mask, LABELS))


def test_where_no_class_is_probable_enough_the_mask_abstains(predictor: Predictor) -> None:
    image = noise((24, 36), 0)
    certain = predictor(image).probabilities.max(axis=0)
    threshold = float(np.median(certain))
    hesitant = Predictor(predictor.network, LABELS, name="hesitant", device=CPU, abstain=threshold)
    expected = np.where(certain < threshold, LABELS.ignore_index, predictor(image).probabilities.argmax(axis=0))
    np.testing.assert_array_equal(hesitant(image).mask, expected)
    assert hesitant(image).mask.dtype == np.uint8
    np.testing.assert_array_equal(hesitant(image).refined_by(None).mask, expected)


def test_a_notebook_shows_picture_and_overlay_with_the_classes_that_were_seen(predictor: Predictor) -> None:
    prediction = predictor(noise((40, 60), 0))
    shown = Image.open(io.BytesIO(prediction._repr_png_()))
    assert shown.format == "PNG"
    assert shown.width >= 2 * 60
    pixels = np.asarray(shown.convert("RGB"))
    overlay_pixels = prediction.overlay()
    places = np.lib.stride_tricks.sliding_window_view(pixels, (40, 60, 3))[:, :, 0]
    assert (places == overlay_pixels).all(axis=(2, 3, 4)).any()


def test_a_photo_that_lies_on_its_side_gives_an_upright_mask(predictor: Predictor, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise((20, 30), 0)).save(tmp_path / "a.jpg", exif=exif)
    assert predictor(tmp_path / "a.jpg").mask.shape == (30, 20)


def test_bfloat16_says_nearly_the_same(predictor: Predictor) -> None:
    half = Predictor(predictor.network, LABELS, name="half", device=CPU, precision="bfloat16")
    image = noise((32, 32), 0)
    logits = half.logits(image)
    assert logits.dtype == torch.float32
    assert (half(image).mask == predictor(image).mask).mean() > 0.9


def test_a_checkpoint_predicts_as_its_network_did(predictor: Predictor, tmp_path: Path) -> None:
    info = CheckpointInfo(name="mine", network=SMALL_NETWORKS[0], labels=LABELS)
    save_checkpoint(tmp_path / "a.safetensors", predictor.network, info)
    loaded = load(tmp_path / "a.safetensors", device=CPU)
    assert (loaded.name, loaded.labels) == ("mine", LABELS)
    image = noise((20, 30), 0)
    assert torch.equal(loaded.logits(image), predictor.logits(image))


def test_devices_are_described_and_judged() -> None:
    assert best_device().type in ("cpu", "cuda")
    assert describe_device(CPU) == f"{torch.get_num_threads()} CPU threads"
    assert gains_from_bfloat16(CPU) in (True, False)


SMALL_CRF = DenseCRFConfig(iterations=3, position_std_appearance=8, color_std=10)


def test_a_dense_crf_is_guided_by_the_pixels_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(noise((24, 36), 0)).save(path)
    seen = []

    def spy(probabilities: NDArray[np.float32], image: NDArray[np.uint8], config: DenseCRFConfig) -> Any:
        seen.append(image.copy())
        return refine(probabilities, image, config)

    monkeypatch.setattr("atrous.crf.mean_field.refine", spy)
    network = build_network(SMALL_NETWORKS[0], 3)
    plain = Predictor(network, LABELS, name="small", device=CPU)(path)
    refined = Predictor(network, LABELS, name="small", device=CPU, crf=SMALL_CRF)(path)
    pixels = np.asarray(Image.open(path))
    np.testing.assert_array_equal(refined.probabilities, refine(plain.probabilities, pixels, SMALL_CRF))
    np.testing.assert_array_equal(seen[0], pixels)
    np.testing.assert_array_equal(refined.mask, refined.probabilities.argmax(axis=0))
    assert refined.mask.dtype == plain.mask.dtype
    assert len(seen) == 1


def test_a_matrix_for_other_classes_is_refused_before_anything_is_predicted() -> None:
    crf = DenseCRFConfig(compatibility=((0.0, 1.0), (1.0, 0.0)))
    with pytest.raises(ConfigError) as caught:
        Predictor(build_network(SMALL_NETWORKS[0], 3), LABELS, name="small", device=CPU, crf=crf)
    assert "for 2 classes and the network knows 3" in one_sentence(caught.value)
