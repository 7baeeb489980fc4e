"""The compiled network: the same answers from shifted maps, and none that is worse where it cannot be compiled."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from atrous.errors import ConfigError
from atrous.inference import compiling
from atrous.inference.compiling import ShiftedDepthwise, can_shift, compile_logits, shifted
from atrous.inference.folding import folded
from atrous.inference.opening import open_predictor
from atrous.inference.predictor import Predictor
from atrous.networks import build_network
from atrous.networks.segmentation import SegmentationNetwork
from atrous.progress import Silent
from tests.small import SMALL_NETWORKS
from tests.tiny_data import LABELS, noise

CPU = torch.device("cpu")


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, text: str) -> None:
        self.sentences.append(text)


def depthwise(channels: int, size: int, rates: tuple[int, int], *, bias: bool) -> nn.Conv2d:
    torch.manual_seed(0)
    padding = (rates[0] * (size // 2), rates[1] * (size // 2))
    return nn.Conv2d(channels, channels, size, padding=padding, dilation=rates, groups=channels, bias=bias)


def small_network() -> SegmentationNetwork:
    torch.manual_seed(0)
    return folded(build_network(SMALL_NETWORKS[0], LABELS.num_classes))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rates", [(2, 2), (6, 6), (12, 36), (36, 36)])
@pytest.mark.parametrize("size", [(33, 33), (7, 40), (1, 1), (36, 37)])
@torch.inference_mode()
def test_shifted_maps_are_the_convolution(size: tuple[int, int], rates: tuple[int, int], bias: bool) -> None:
    convolution = depthwise(5, 3, rates, bias=bias)
    assert can_shift(convolution)
    x = torch.randn(2, 5, *size)
    exact = convolution.double()(x.double())
    ours = ShiftedDepthwise(convolution.float())(x)
    assert (ours - exact).abs().max() <= 5e-7 * exact.abs().max()


def test_taps_that_never_meet_the_map_are_left_out() -> None:
    shift = ShiftedDepthwise(depthwise(4, 3, (36, 36), bias=False))
    x = torch.randn(1, 4, 32, 32)
    assert torch.equal(shift(x), x * shift.weight[:, 0, 1, 1, None, None])


@pytest.mark.parametrize(
    "other",
    [
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4, stride=2),
        nn.Conv2d(4, 4, 3, padding=1, dilation=2, groups=4),
        nn.Conv2d(4, 8, 3, padding=2, dilation=2, groups=4),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4, padding_mode="reflect"),
        nn.ReLU(),
    ],
    ids=["dense", "across channels", "striding", "shrinking", "widening", "reflecting", "no convolution"],
)
def test_other_modules_stay_as_they_are(other: nn.Module) -> None:
    assert not can_shift(other)


@torch.inference_mode()
def test_a_shifted_network_has_the_same_tensors_and_answers() -> None:
    network = small_network()
    copied = shifted(network)
    assert {id(tensor) for tensor in copied.parameters()} == {id(tensor) for tensor in network.parameters()}
    assert any(isinstance(module, ShiftedDepthwise) for module in copied.modules())
    assert not any(isinstance(module, ShiftedDepthwise) for module in network.modules())
    image = torch.rand(1, 3, 65, 48)
    torch.testing.assert_close(copied(image), network(image), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_few_sizes_are_compiled_and_further_ones_computed_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "MOST_SIZES", 1)
    network, heard = small_network(), Heard()
    plain = Predictor(small_network(), LABELS, name="plain", device=CPU)
    compile_logits(network, heard, backend="eager")
    predictor = Predictor(network, LABELS, name="compiled", device=CPU)
    for size in ((32, 40), (24, 24), (32, 40)):
        torch.testing.assert_close(predictor.logits(noise(size, 0)), plain.logits(noise(size, 0)), rtol=1e-5, atol=1e-6)
    assert heard.sentences == ["Compiling the network for 40x32 pixels."]


def test_without_a_compiler_one_sentence_says_so_and_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    network, heard = small_network(), Heard()
    compile_logits(network, heard)
    assert "g++" in heard.sentences[0]
    assert len(heard.sentences) == 1
    assert "low_resolution_logits" not in vars(network)


def test_a_network_that_cannot_be_compiled_computes_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("the compiler is broken")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: broken)
    network, heard = small_network(), Heard()
    compile_logits(network, heard)
    predictor = Predictor(network, LABELS, name="compiled", device=CPU)
    plain = Predictor(small_network(), LABELS, name="plain", device=CPU)
    for _ in range(2):
        assert torch.equal(predictor.logits(noise((24, 24), 0)), plain.logits(noise((24, 24), 0)))
    assert "the compiler is broken" in heard.sentences[-1]
    assert len(heard.sentences) == 2


@pytest.mark.parametrize(("model", "runtime"), [("model.onnx", "auto"), ("model.safetensors", "openvino")])
def test_other_runtimes_are_not_compiled(model: str, runtime: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    with pytest.raises(ConfigError, match="--compile"):
        open_predictor(tmp_path / model, runtime=runtime, compiled=True)  # type: ignore[arg-type]
