import numpy as np
import pytest
from numpy.typing import NDArray

from atrous.config import parse
from atrous.crf import DenseCRFConfig, refine, refine_batch
from atrous.errors import ConfigError
from tests.crf.by_force import refine_by_force
from tests.crf.lattices import matrix_of_the_lattice
from tests.real import REAL, real
from tests.tiny_data import one_sentence

SMALL = DenseCRFConfig(iterations=5, position_std_appearance=8, color_std=10)
MATRIX = ((0.0, 1.0, 2.0), (1.0, 0.0, 0.5), (2.0, 0.5, 0.0))
CONFIGS = {
    "both kernels": SMALL,
    "position alone": SMALL.model_copy(update={"weight_appearance": 0.0, "position_std_smooth": 2.0}),
    "colour alone": SMALL.model_copy(update={"weight_smooth": 0.0}),
    "no kernel": SMALL.model_copy(update={"weight_smooth": 0.0, "weight_appearance": 0.0}),
    "a matrix": SMALL.model_copy(update={"compatibility": MATRIX}),
    "a matrix without kernels": SMALL.model_copy(
        update={"compatibility": MATRIX, "weight_smooth": 0.0, "weight_appearance": 0.0}
    ),
}


def problem(
    labels: int = 3, size: tuple[int, int] = (9, 13), seed: int = 0, channels: int = 3
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """An image of two halves with noise, and probabilities of noise that know a little of the halves."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 12, (*size, channels))
    image[:, size[1] // 2 :] += 60
    probabilities = random.random((labels, *size))
    probabilities[0, :, : size[1] // 2] += 0.5
    return (probabilities / probabilities.sum(axis=0)).astype(np.float32), image.astype(np.uint8)


@real
@pytest.mark.parametrize("name", ["a_21_appearance67", "b_182_appearance67", "b_21_appearance80"])
def test_the_answers_of_the_reference_implementation_are_reproduced(name: str) -> None:
    fixture = np.load(REAL / "crf" / f"{name}.npz")
    config = DenseCRFConfig(**{key: fixture[key].item() for key in DenseCRFConfig.model_fields if key in fixture})
    refined = refine(fixture["probabilities"], fixture["image"], config)
    assert np.abs(refined - fixture["refined"]).max() < 5e-5
    np.testing.assert_array_equal(refined.argmax(axis=0), fixture["refined"].argmax(axis=0))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_inference_is_that_with_the_matrices_of_the_lattice(config: DenseCRFConfig) -> None:
    probabilities, image = problem()
    expected = refine_by_force(probabilities, image, config, matrix_of_the_lattice)
    np.testing.assert_allclose(refine(probabilities, image, config), expected, atol=2e-5)


@pytest.mark.parametrize("config", [CONFIGS["both kernels"], CONFIGS["colour alone"]], ids=["both", "colour"])
def test_inference_nearly_agrees_with_the_sum_over_all_pairs(config: DenseCRFConfig) -> None:
    probabilities, image = problem(size=(14, 18))
    refined, expected = refine(probabilities, image, config), refine_by_force(probabilities, image, config)
    assert np.abs(refined - expected).mean() < 5e-3
    assert (refined.argmax(axis=0) == expected.argmax(axis=0)).mean() > 0.99


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_an_image_may_have_any_number_of_channels(channels: int) -> None:
    probabilities, image = problem(channels=channels, size=(6, 7))
    expected = refine_by_force(probabilities, image, SMALL, matrix_of_the_lattice)
    np.testing.assert_allclose(refine(probabilities, image, SMALL), expected, atol=2e-5)


@pytest.mark.parametrize("labels", [1, 2, 5, 21, 33, 70])
@pytest.mark.parametrize("matrix", [False, True])
def test_any_number_of_labels_fits(labels: int, matrix: bool) -> None:
    probabilities, image = problem(labels, (4, 5))
    rows = np.random.default_rng(0).random((labels, labels)) if matrix else None
    symmetric = None if rows is None else tuple(map(tuple, ((rows + rows.T) / 2).tolist()))
    config = SMALL.model_copy(update={"compatibility": symmetric})
    expected = refine_by_force(probabilities, image, config, matrix_of_the_lattice)
    np.testing.assert_allclose(refine(probabilities, image, config), expected, atol=2e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 2)])
def test_the_smallest_pictures_are_refined(size: tuple[int, int]) -> None:
    probabilities, image = problem(size=size)
    refined = refine(probabilities, image, SMALL)
    assert refined.shape == probabilities.shape
    np.testing.assert_allclose(refined.sum(axis=0), 1, rtol=1e-5)


def test_noise_is_moved_onto_the_edge_of_the_image() -> None:
    probabilities, image = problem(2, (24, 32), seed=1)
    probabilities = np.stack([probabilities[0], 1 - probabilities[0]])
    truth = np.zeros((24, 32), bool)
    truth[:, 16:] = True
    probabilities[:, :, 16:] = probabilities[::-1, :, :16]
    assert (probabilities.argmax(axis=0) == truth).mean() < 0.9
    np.testing.assert_array_equal(refine(probabilities, image, SMALL).argmax(axis=0), truth)


def test_the_number_of_threads_changes_no_bit() -> None:
    probabilities, image = problem(40, (37, 29))
    expected = refine(probabilities, image, SMALL, threads=1)
    for threads in (2, 3, None):
        np.testing.assert_array_equal(refine(probabilities, image, SMALL, threads=threads), expected)


def test_labels_that_are_alike_everywhere_share_a_column_and_change_nothing() -> None:
    probabilities, image = problem(9, (12, 11))
    probabilities[3:] = 1e-7  # below what the logarithm sees
    probabilities[8, 5, 5] = 2e-7
    matrix = tuple(tuple(float(a != b) for b in range(9)) for a in range(9))
    apart = refine(probabilities, image, SMALL.model_copy(update={"compatibility": matrix}))
    refined = refine(probabilities, image, SMALL)
    np.testing.assert_allclose(refined, apart, atol=1e-5)
    for label in range(4, 9):
        np.testing.assert_array_equal(refined[label], refined[3])


def test_labels_that_differ_in_one_pixel_have_columns_of_their_own() -> None:
    probabilities, image = problem(3, (64, 48))
    probabilities[2] = probabilities[1]
    probabilities[2, 50, 37] += 0.3
    refined = refine(probabilities, image, SMALL)
    assert refined[2, 50, 37] > refined[1, 50, 37]


def test_the_matrix_of_potts_is_potts() -> None:
    probabilities, image = problem()
    potts = SMALL.model_copy(update={"compatibility": ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0))})
    np.testing.assert_allclose(refine(probabilities, image, potts), refine(probabilities, image, SMALL), atol=1e-5)


def test_a_matrix_counts_as_its_symmetric_part() -> None:
    probabilities, image = problem()
    skew = tuple(tuple(2 * value if a < b else 0.0 for b, value in enumerate(row)) for a, row in enumerate(MATRIX))
    whole = refine(probabilities, image, CONFIGS["a matrix"])
    np.testing.assert_array_equal(refine(probabilities, image, SMALL.model_copy(update={"compatibility": skew})), whole)


def test_without_iterations_the_probabilities_stay() -> None:
    probabilities, image = problem()
    still = SMALL.model_copy(update={"iterations": 0})
    np.testing.assert_array_equal(refine(probabilities, image, still), probabilities)


def test_strong_weights_leave_probabilities() -> None:
    probabilities, image = problem()
    strong = SMALL.model_copy(update={"weight_smooth": 1e4, "weight_appearance": 1e4})
    refined = refine(probabilities, image, strong)
    np.testing.assert_allclose(refined.sum(axis=0), 1, rtol=1e-5)


def test_the_arrays_that_are_handed_in_stay_as_they_are_and_may_lie_in_memory_as_they_like() -> None:
    probabilities, image = problem()
    kept = probabilities.copy(), image.copy()
    strided = np.asfortranarray(probabilities), np.asfortranarray(image)
    np.testing.assert_array_equal(refine(*strided, SMALL), refine(probabilities, image, SMALL))
    np.testing.assert_array_equal(probabilities, kept[0])
    np.testing.assert_array_equal(image, kept[1])


@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_is_its_pictures(threads: int) -> None:
    problems = [problem(seed=seed) for seed in range(4)]
    stacked = [np.stack(arrays) for arrays in zip(*problems, strict=True)]
    refined = refine_batch(stacked[0], stacked[1], SMALL, threads=threads)
    for result, (probabilities, image) in zip(refined, problems, strict=True):
        np.testing.assert_array_equal(result, refine(probabilities, image, SMALL))


def test_an_empty_batch_is_empty() -> None:
    probabilities, image = problem()
    assert refine_batch(probabilities[None][:0], image[None][:0], SMALL).shape == (0, 3, 9, 13)


def test_what_does_not_fit_is_refused() -> None:
    probabilities, image = problem()
    with pytest.raises(ValueError, match="differ in height x width: 8x13 and 9x13"):
        refine(probabilities, image[1:], SMALL)
    with pytest.raises(ValueError, match="uint8"):
        refine(probabilities, image / np.float32(255), SMALL)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\[K, H, W\]"):
        refine(probabilities[0], image, SMALL)
    with pytest.raises(ValueError, match="of 3 labels does not fit 2"):
        refine(probabilities[:2], image, CONFIGS["a matrix"])
    with pytest.raises(ValueError, match="1 pictures"):
        refine_batch(probabilities[None], image[None][:0], SMALL)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"color_std": 0}, "color_std"),
        ({"position_std_smooth": -1.0}, "position_std_smooth"),
        ({"weight_smooth": -1}, "weight_smooth"),
        ({"iterations": -1}, "iterations"),
        ({"colour_std": 3}, "did you mean `color_std`"),
        ({"compatibility": [[0, 1], [1]]}, "2 rows"),
    ],
)
def test_choices_that_mean_nothing_are_one_sentence(given: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(DenseCRFConfig, given, "crf.yaml")
    assert words in one_sentence(caught.value)
