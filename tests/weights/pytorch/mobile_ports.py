"""The MobileNetV2 and DRN of the ports of VainF and jfzhang95, and mmsegmentation's heads, written plainly."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.weights.pytorch.ports import JFZhang95, TorchvisionASPP, conv_norm, torchvision_resnet

ROWS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class PaddedBlock(nn.Module):
    """Both ports pad the input of the block, and no convolution in it."""

    def __init__(self, inputs: int, outputs: int, stride: int, rate: int, widen: int, *, nested: bool) -> None:
        super().__init__()
        hidden = inputs * widen
        self.rate, self.adds = rate, stride == 1 and inputs == outputs
        depthwise = nn.Conv2d(hidden, hidden, 3, stride, 0, rate, groups=hidden, bias=False)
        steps = [[depthwise, nn.BatchNorm2d(hidden), nn.ReLU6()]]
        if widen > 1:
            steps.insert(0, [nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6()])
        last = [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        flat = [layer for step in steps for layer in step]
        self.conv = nn.Sequential(*([nn.Sequential(*step) for step in steps] if nested else flat), *last)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(F.pad(x, 4 * (self.rate,)))
        return x + y if self.adds else y


def mobilenet_v2(output_stride: int, *, vainf: bool) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Sequential(nn.Conv2d(3, 32, 3, 2, 0 if vainf else 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6())
    ]
    inputs, stride_so_far, rate = 32, 2, 1
    for widen, outputs, count, stride in ROWS:
        before = rate
        lost = stride_so_far == output_stride
        rate = rate * stride if lost else rate
        stride_so_far = stride_so_far if lost else stride_so_far * stride
        for index in range(count):
            first_rate = before if index == 0 or not vainf else rate
            if not vainf:
                first_rate = before if lost else 1
            step = stride if index == 0 and not lost else 1
            layers.append(PaddedBlock(inputs, outputs, step, first_rate, widen, nested=vainf))
            inputs = outputs
    return nn.Sequential(*layers)


class VainFMobile(nn.Module):
    """DeepLabV3Plus-Pytorch on MobileNetV2 at output stride 16."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        features = mobilenet_v2(16, vainf=True)
        self.backbone = nn.Module()
        self.backbone.low_level_features, self.backbone.high_level_features = features[:4], features[4:]
        self.classifier = nn.Module()
        self.classifier.project = nn.Sequential(*conv_norm(24, 48))
        self.classifier.aspp = TorchvisionASPP(320, (6, 12, 18))
        self.classifier.classifier = nn.Sequential(*conv_norm(304, 256, 3), nn.Conv2d(256, num_classes, 1))

    def forward(self, image: Tensor) -> Tensor:
        backbone: Any = self.backbone
        head: Any = self.classifier
        fine = backbone.low_level_features(image)
        low = head.project(fine)
        context = head.aspp(backbone.high_level_features(fine))
        context = F.interpolate(context, size=low.shape[2:], mode="bilinear", align_corners=False)
        logits = head.classifier(torch.cat([low, context], dim=1))
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)


class JFZhang95Mobile(JFZhang95):
    """pytorch-deeplab-xception on MobileNetV2 at output stride 16; its blocks are stored twice."""

    def make_backbone(self) -> tuple[nn.Module, int, int]:
        backbone = nn.Module()
        backbone.features = features = mobilenet_v2(16, vainf=False)
        backbone.low_level_features, backbone.high_level_features = features[:4], features[4:]
        return backbone, 24, 320

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        backbone: Any = self.backbone
        fine = backbone.low_level_features(image)
        return fine, backbone.high_level_features(fine)


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, planes: int, stride: int, rate: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm(inputs, planes)[:2]
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, stride, rate, rate, bias=False), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = conv_norm(planes, 4 * planes)[:2]
        self.downsample: nn.Module = nn.Identity()
        if inputs != 4 * planes:
            convolution = nn.Conv2d(inputs, 4 * planes, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(4 * planes))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class JFZhang95DRN(JFZhang95):
    """pytorch-deeplab-xception on DRN-D-54, whose output stride is 8."""

    rates = (1, 12, 24, 36)

    def make_backbone(self) -> tuple[nn.Module, int, int]:
        drn = nn.Module()
        drn.layer0 = nn.Sequential(nn.Conv2d(3, 16, 7, padding=3, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        drn.layer1 = nn.Sequential(*conv_norm(16, 16, 3))
        drn.layer2 = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        inputs = 32
        plan = ((3, 64, 3, 2, 1), (4, 128, 4, 2, 1), (5, 256, 6, 1, 2), (6, 512, 3, 1, 4))
        for number, planes, count, stride, rate in plan:
            blocks = [Bottleneck(inputs, planes, stride, rate)]
            blocks += [Bottleneck(4 * planes, planes, 1, rate) for _ in range(count - 1)]
            setattr(drn, f"layer{number}", nn.Sequential(*blocks))
            inputs = 4 * planes
        drn.layer7, drn.layer8 = nn.Sequential(*conv_norm(2048, 512, 3, 2)), nn.Sequential(*conv_norm(512, 512, 3))
        return drn, 256, 512

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x, levels = image, []
        for number in range(9):
            x = self.backbone.get_submodule(f"layer{number}")(x)
            levels.append(x)
        return levels[3], x


def conv_module(inputs: int, outputs: int, kernel: int = 1, rate: int = 1, *, depthwise: bool = False) -> nn.Module:
    module = nn.Sequential()
    groups = inputs if depthwise else 1
    padding = rate * (kernel // 2)
    module.add_module("conv", nn.Conv2d(inputs, outputs, kernel, 1, padding, rate, groups, bias=False))
    module.add_module("bn", nn.BatchNorm2d(outputs))
    module.add_module("activate", nn.ReLU())
    return module


def separable_module(inputs: int, outputs: int, rate: int = 1) -> nn.Module:
    module = nn.Sequential()
    module.add_module("depthwise_conv", conv_module(inputs, inputs, 3, rate, depthwise=True))
    module.add_module("pointwise_conv", conv_module(inputs, outputs))
    return module


class MMSegmentation(nn.Module):
    """DeepLabV3 or DeepLabV3Plus on ResNetV1c-50 at output stride 8, with the auxiliary head."""

    def __init__(self, num_classes: int, *, plus: bool) -> None:
        super().__init__()
        width = 64  # 512 in the library's own configs
        backbone: Any = torchvision_resnet(50, lose=[False, True, True])
        stem = [nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
        backbone.stem = nn.Sequential(*stem, *conv_norm(32, 32, 3), *conv_norm(32, 64, 3))
        del backbone.conv1, backbone.bn1
        self.backbone, self.plus = backbone, plus
        head: Any = nn.Module()
        head.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv_module(2048, width))
        atrous = separable_module if plus else lambda i, o, r: conv_module(i, o, 3, r)
        branches = [conv_module(2048, width), *(atrous(2048, width, rate) for rate in (12, 24, 36))]
        head.aspp_modules = nn.ModuleList(branches)
        head.bottleneck = conv_module(5 * width, width, 3)
        if plus:
            head.c1_bottleneck = conv_module(256, 48)
            head.sep_bottleneck = nn.Sequential(separable_module(width + 48, width), separable_module(width, width))
        head.conv_seg = nn.Conv2d(width, num_classes, 1)
        self.decode_head = head
        self.auxiliary_head = nn.Module()
        self.auxiliary_head.convs = nn.Sequential(conv_module(1024, 256, 3))
        self.auxiliary_head.conv_seg = nn.Conv2d(256, num_classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        backbone: Any = self.backbone
        fine = backbone.layer1(backbone.maxpool(backbone.stem(image)))
        deep = backbone.layer4(backbone.layer3(backbone.layer2(fine)))
        head: Any = self.decode_head
        everywhere = F.interpolate(head.image_pool(deep), size=deep.shape[2:], mode="bilinear", align_corners=False)
        x = head.bottleneck(torch.cat([everywhere, *(branch(deep) for branch in head.aspp_modules)], dim=1))
        if self.plus:
            low = head.c1_bottleneck(fine)
            x = F.interpolate(x, size=low.shape[2:], mode="bilinear", align_corners=False)
            x = head.sep_bottleneck(torch.cat([x, low], dim=1))
        logits = head.conv_seg(x)
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)
