from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atrous.errors import CheckpointError
from atrous.networks import build_network
from atrous.weights.from_pytorch import pytorch_layout
from atrous.weights.renaming import Layout, fill, spread
from tests.networks.oracles import random_image, relative_difference
from tests.networks.randomness import randomize
from tests.weights.pytorch.mobile_ports import JFZhang95DRN, JFZhang95Mobile, MMSegmentation, VainFMobile
from tests.weights.pytorch.ports import JFZhang95, Kazuto1011, VainF

Answer = Callable[[nn.Module, Tensor], Tensor]


def torchvision_network(name: str, **choices: Any) -> nn.Module:
    segmentation = pytest.importorskip("torchvision.models.segmentation")
    made: nn.Module = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=5, **choices)
    return made


def torchvision_classifier(name: str) -> nn.Module:
    made: nn.Module = getattr(pytest.importorskip("torchvision.models"), name)(weights=None, num_classes=7)
    return made


def smp_network(name: str, encoder: str) -> nn.Module:
    smp = pytest.importorskip("segmentation_models_pytorch")
    made: nn.Module = getattr(smp, name)(encoder, encoder_weights=None, classes=5)
    return made


def timm_classifier(name: str) -> nn.Module:
    made: nn.Module = pytest.importorskip("timm").create_model(name, num_classes=7)
    return made


def hf(name: str, **choices: Any) -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{name}Config")(num_labels=7, **choices)
    made: nn.Module = getattr(transformers, f"{name}ForImageClassification")(config)
    return made


def hf_deeplab() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.MobileNetV2Config(num_labels=5, output_stride=16)
    made: nn.Module = transformers.MobileNetV2ForSemanticSegmentation(config)
    return made


def logits(network: nn.Module, image: Tensor) -> Tensor:
    return network(image).logits[:, :, None, None].expand(-1, -1, *image.shape[-2:])  # type: ignore[no-any-return]


def logits_at_image(network: nn.Module, image: Tensor) -> Tensor:
    return F.interpolate(network(image).logits, size=image.shape[-2:], mode="bilinear", align_corners=True)


def out(network: nn.Module, image: Tensor) -> Tensor:
    answer: Tensor = network(image)["out"]
    return answer


def whole(network: nn.Module, image: Tensor) -> Tensor:
    answer: Tensor = network(image)
    return answer if answer.ndim == 4 else answer[:, :, None, None].expand(-1, -1, *image.shape[-2:])


CASES: dict[str, tuple[Callable[[], nn.Module], Answer, str, tuple[int, int]]] = {
    "v3 r50": (lambda: torchvision_network("deeplabv3_resnet50", aux_loss=True), out, "torchvision", (45, 67)),
    "v3 r101": (lambda: torchvision_network("deeplabv3_resnet101", aux_loss=False), out, "torchvision", (33, 47)),
    "v3 mnv3": (
        lambda: torchvision_network("deeplabv3_mobilenet_v3_large", aux_loss=True),
        out,
        "torchvision",
        (45, 67),
    ),
    "lraspp": (lambda: torchvision_network("lraspp_mobilenet_v3_large"), out, "torchvision", (45, 67)),
    "resnet18": (lambda: torchvision_classifier("resnet18"), whole, "torchvision", (45, 67)),
    "resnet50": (lambda: torchvision_classifier("resnet50"), whole, "torchvision", (45, 67)),
    "mobilenet_v2": (lambda: torchvision_classifier("mobilenet_v2"), whole, "torchvision", (45, 67)),
    "smp v3": (lambda: smp_network("DeepLabV3", "resnet18"), whole, "segmentation-models", (64, 96)),
    "smp v3+": (lambda: smp_network("DeepLabV3Plus", "resnet50"), whole, "segmentation-models", (64, 96)),
    "vainf v3+": (lambda: VainF(5, plus=True), whole, "VainF", (45, 67)),
    "vainf v3": (lambda: VainF(5, plus=False), whole, "VainF", (45, 67)),
    "jfzhang95": (lambda: JFZhang95(5), whole, "jfzhang95", (45, 67)),
    "mobilenet_v3 large": (lambda: torchvision_classifier("mobilenet_v3_large"), whole, "torchvision", (45, 67)),
    "mobilenet_v3 small": (lambda: torchvision_classifier("mobilenet_v3_small"), whole, "torchvision", (45, 67)),
    "timm mobilenet_v2": (lambda: timm_classifier("mobilenetv2_100"), whole, "timm", (45, 67)),
    "timm mobilenet_v2 1.4": (lambda: timm_classifier("mobilenetv2_140"), whole, "timm", (45, 67)),
    "timm mobilenet_v3 large": (lambda: timm_classifier("mobilenetv3_large_100"), whole, "timm", (45, 67)),
    "timm mobilenet_v3 small": (lambda: timm_classifier("mobilenetv3_small_100"), whole, "timm", (45, 67)),
    "hf mobilenet_v2 deeplab": (hf_deeplab, logits_at_image, "transformers", (64, 96)),
    "hf mobilenet_v2": (lambda: hf("MobileNetV2"), logits, "transformers", (64, 97)),
    "hf mobilenet_v1": (lambda: hf("MobileNetV1"), logits, "transformers", (64, 97)),
    "hf resnet50": (lambda: hf("ResNet"), logits, "transformers", (45, 67)),
    "hf resnet18": (
        lambda: hf("ResNet", depths=[2, 2, 2, 2], layer_type="basic", hidden_sizes=[64, 128, 256, 512]),
        logits,
        "transformers",
        (45, 67),
    ),
    "mmseg v3": (lambda: MMSegmentation(5, plus=False), whole, "mmsegmentation", (45, 67)),
    "mmseg v3+": (lambda: MMSegmentation(5, plus=True), whole, "mmsegmentation", (45, 67)),
    "vainf mobilenet": (lambda: VainFMobile(5), whole, "VainF", (64, 97)),
    "jfzhang95 mobilenet": (lambda: JFZhang95Mobile(5), whole, "jfzhang95", (64, 97)),
    "jfzhang95 drn": (lambda: JFZhang95DRN(5), whole, "jfzhang95", (45, 67)),
    "kazuto1011": (lambda: Kazuto1011(5), whole, "kazuto1011", (45, 67)),
}


def random_state(make: Callable[[], nn.Module]) -> tuple[nn.Module, dict[str, Tensor], Layout]:
    torch.manual_seed(0)
    theirs = make().eval()
    randomize(theirs)
    state = theirs.state_dict()
    return theirs, state, pytorch_layout(state, "the test's state dict")


@torch.no_grad()
@pytest.mark.parametrize("name", CASES)
def test_a_state_dict_is_read_whole_and_answers_alike(name: str) -> None:
    make, answer, ecosystem, size = CASES[name]
    theirs, state, layout = random_state(make)
    filled = fill(layout, state)
    assert ecosystem in layout.ecosystem
    assert (filled.left_over, filled.missing, filled.other_shape) == ((), (), ())
    ours = build_network(layout.config, layout.num_classes).eval()
    ours.load_state_dict(filled.tensors)
    image = random_image(*size)
    assert relative_difference(ours(image), answer(theirs, ours.pixels(image))) < 1e-4


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("jfzhang95")])
def test_a_state_dict_needs_no_order_which_safetensors_do_not_keep(name: str) -> None:
    _, state, layout = random_state(CASES[name][0])
    shuffled = pytorch_layout({theirs: state[theirs] for theirs in sorted(state)}, "the same, sorted")
    assert shuffled.config == layout.config
    assert {ours: source.names for ours, source in shuffled.sources.items()} == {
        ours: source.names for ours, source in layout.sources.items()
    }


@pytest.mark.parametrize("name", CASES)
def test_a_state_dict_goes_back_as_it_came(name: str) -> None:
    _, state, layout = random_state(CASES[name][0])
    back = spread(layout, fill(layout, state).tensors)
    for theirs, tensor in state.items():
        if theirs in layout.ignored:
            continue
        if name == "lraspp" and theirs.endswith("low_classifier.bias"):
            assert not back[theirs].any()  # the sum of both biases is in the other
        elif name == "lraspp" and theirs.endswith("high_classifier.bias"):
            torch.testing.assert_close(back[theirs], tensor + state["classifier.low_classifier.bias"])
        else:
            torch.testing.assert_close(back[theirs], tensor, rtol=0, atol=1e-6 if name.startswith("hf") else 0)


def test_what_is_left_over_missing_or_of_another_shape_is_listed() -> None:
    _, state, layout = random_state(CASES["resnet18"][0])
    del state["layer3.0.bn1.weight"]
    state["something.else"] = torch.zeros(1)
    state["layer1.0.conv1.weight"] = torch.zeros(64, 64, 5, 5)
    filled = fill(layout, state)
    assert filled.missing == ("backbone.stages.2.0.layers.0.norm.weight",)
    assert filled.left_over == ("something.else",)
    assert len(filled.other_shape) == 1
    assert "layer1.0.conv1.weight" in filled.other_shape[0]


def test_names_of_no_known_library_are_refused_with_the_first_of_them() -> None:
    with pytest.raises(CheckpointError, match=r"a\.weight"):
        pytorch_layout({"a.weight": torch.zeros(1)}, "x.pth")
