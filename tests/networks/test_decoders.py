import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.networks.decoders import LowLevelDecoder
from tests.networks.randomness import randomize


def recomputed(layer: nn.Module, x: Tensor) -> Tensor:
    """A convolution, its normalization and its rectification, from the bare tensors."""
    tensors = layer.state_dict()
    weight = tensors["convolution.weight"]
    groups = x.shape[1] // weight.shape[1]
    y = F.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=groups)
    mean, variance, scale, shift = (
        tensors[f"norm.{name}"].reshape(-1, 1, 1) for name in ("running_mean", "running_var", "weight", "bias")
    )
    normalized: Tensor = (y - mean) / (variance + 1e-5).sqrt() * scale + shift
    return normalized.clamp(min=0)


@torch.no_grad()
@pytest.mark.parametrize("separable", [False, True])
def test_the_decoder_is_its_paper_step_by_step(separable: bool) -> None:
    decoder = LowLevelDecoder(6, 8, 3, 10, separable=separable).eval()
    randomize(decoder)
    random = torch.Generator().manual_seed(0)
    context = torch.randn(2, 8, 3, 4, generator=random)
    levels = [torch.randn(2, 6, 9, 15, generator=random), torch.randn(2, 7, 5, 8, generator=random)]

    upsampled = F.interpolate(context, size=(9, 15), mode="bilinear", align_corners=False)
    expected = torch.cat([upsampled, recomputed(decoder.low_level, levels[0])], dim=1)
    for convolution in decoder.refine:
        for step in convolution.children() if separable else [convolution]:
            expected = recomputed(step, expected)

    assert decoder.out_channels == 10
    torch.testing.assert_close(decoder(context, levels), expected, rtol=1e-4, atol=1e-5)
