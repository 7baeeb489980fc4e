import torch
from torch import nn

from atrous.networks.backbones.mobilenet_edgetpu import MobileNetEdgeTPU, MobileNetEdgeTPUConfig
from tests.networks.backbones.test_resnet import random_image


def test_its_slim_width_has_the_channels_of_the_released_network() -> None:
    with torch.device("meta"):
        slim = MobileNetEdgeTPU(MobileNetEdgeTPUConfig(width=0.75), 16)
    projections = [m.out_channels for n, m in slim.named_modules() if n.endswith("project.convolution")]
    assert projections == 4 * [24] + 4 * [40] + 8 * [72] + 4 * [120] + [144]
    assert slim.channels == (24, 40, 72, 1280)


def test_the_first_levels_fuse_expansion_and_depthwise_convolution() -> None:
    with torch.device("meta"):
        backbone = MobileNetEdgeTPU(MobileNetEdgeTPUConfig(), 16)
    for number, level in enumerate(backbone.levels):
        grouped = [m for m in level.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
        assert bool(grouped) == (number > 1)


@torch.no_grad()
def test_finer_output_strides_compute_the_same_features() -> None:
    torch.manual_seed(0)
    fine, coarse = (MobileNetEdgeTPU(MobileNetEdgeTPUConfig(width=0.5), stride).eval() for stride in (8, 16))
    coarse.load_state_dict(fine.state_dict())
    image = random_image((65, 97))
    torch.testing.assert_close(fine(image)[-1][..., ::2, ::2], coarse(image)[-1], rtol=1e-4, atol=1e-5)
