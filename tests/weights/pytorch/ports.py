"""The networks of well-known ports, written plainly, with the names that their state dicts have."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def torchvision_resnet(depth: int, *, lose: list[bool]) -> nn.Module:
    models: Any = pytest.importorskip("torchvision.models")
    network: nn.Module = getattr(models, f"resnet{depth}")(weights=None, replace_stride_with_dilation=lose)
    del network.fc
    return network


def resnet_features(network: Any, image: Tensor) -> tuple[Tensor, Tensor]:
    x = network.maxpool(network.relu(network.bn1(network.conv1(image))))
    fine = network.layer1(x)
    return fine, network.layer4(network.layer3(network.layer2(fine)))


def conv_norm(inputs: int, outputs: int, kernel: int = 1, rate: int = 1) -> list[nn.Module]:
    padding = rate * (kernel // 2)
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=rate, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


class TorchvisionASPP(nn.Module):
    """As in torchvision, VainF and SMP."""

    def __init__(self, inputs: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), *conv_norm(inputs, 256))
        atrous = [nn.Sequential(*conv_norm(inputs, 256, 3, rate)) for rate in rates]
        self.convs = nn.ModuleList([nn.Sequential(*conv_norm(inputs, 256)), *atrous, pooling])
        self.project = nn.Sequential(*conv_norm((len(rates) + 2) * 256, 256))

    def forward(self, x: Tensor) -> Tensor:
        branches = [branch(x) for branch in self.convs]
        branches[-1] = branches[-1].expand(-1, -1, *x.shape[-2:])
        projected: Tensor = self.project(torch.cat(branches, 1))
        return projected


class VainF(nn.Module):
    """DeepLabV3Plus-Pytorch at output stride 16."""

    def __init__(self, num_classes: int, *, plus: bool) -> None:
        super().__init__()
        self.backbone = torchvision_resnet(50, lose=[False, False, True])
        self.classifier = nn.Module()
        self.plus = plus
        if plus:
            self.classifier.project = nn.Sequential(*conv_norm(256, 48))
            self.classifier.aspp = TorchvisionASPP(2048, (6, 12, 18))
            self.classifier.classifier = nn.Sequential(*conv_norm(304, 256, 3), nn.Conv2d(256, num_classes, 1))
        else:
            aspp = TorchvisionASPP(2048, (6, 12, 18))
            self.classifier.classifier = nn.Sequential(aspp, *conv_norm(256, 256, 3), nn.Conv2d(256, num_classes, 1))

    def forward(self, image: Tensor) -> Tensor:
        fine, deep = resnet_features(self.backbone, image)
        head: Any = self.classifier
        if self.plus:
            low = head.project(fine)
            context = F.interpolate(head.aspp(deep), size=low.shape[2:], mode="bilinear", align_corners=False)
            logits = head.classifier(torch.cat([low, context], dim=1))
        else:
            logits = head.classifier(deep)
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)


class JFZhang95(nn.Module):
    """pytorch-deeplab-xception on ResNet-101 at output stride 16, with multi-grid 1, 2, 4."""

    rates = (1, 6, 12, 18)

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.backbone, low_channels, deep_channels = self.make_backbone()
        self.aspp = nn.Module()
        for number, rate in enumerate(self.rates, start=1):
            branch = nn.Module()
            kernel = 1 if number == 1 else 3
            branch.atrous_conv, branch.bn = conv_norm(deep_channels, 256, kernel, rate if kernel == 3 else 1)[:2]
            setattr(self.aspp, f"aspp{number}", branch)
        self.aspp.global_avg_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), *conv_norm(deep_channels, 256))
        self.aspp.conv1, self.aspp.bn1 = conv_norm(1280, 256)[:2]
        self.decoder = nn.Module()
        self.decoder.conv1, self.decoder.bn1 = conv_norm(low_channels, 48)[:2]
        self.decoder.last_conv = nn.Sequential(
            *conv_norm(304, 256, 3),
            nn.Dropout(0.5),
            *conv_norm(256, 256, 3),
            nn.Dropout(0.1),
            nn.Conv2d(256, num_classes, 1),
        )

    def make_backbone(self) -> tuple[nn.Module, int, int]:
        backbone = torchvision_resnet(101, lose=[False, False, True])
        for unit, rate in zip(backbone.layer4, (2, 4, 8), strict=True):  # type: ignore[arg-type]
            unit.conv2.dilation = unit.conv2.padding = (rate, rate)
        return backbone, 256, 2048

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return resnet_features(self.backbone, image)

    def forward(self, image: Tensor) -> Tensor:
        fine, deep = self.features(image)
        pyramid: Any = self.aspp
        branches = [getattr(pyramid, f"aspp{number}") for number in range(1, 5)]
        found = [F.relu(branch.bn(branch.atrous_conv(deep))) for branch in branches]
        found.append(pyramid.global_avg_pool(deep).expand(-1, -1, *deep.shape[-2:]))
        context = F.relu(pyramid.bn1(pyramid.conv1(torch.cat(found, dim=1))))
        decoder: Any = self.decoder
        low = F.relu(decoder.bn1(decoder.conv1(fine)))
        context = F.interpolate(context, size=low.shape[2:], mode="bilinear", align_corners=True)
        logits = decoder.last_conv(torch.cat([context, low], dim=1))
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=True)


class ConvBnReLU(nn.Sequential):
    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, padding: int, rate: int, relu: bool
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, rate, bias=False)
        parts = OrderedDict[str, nn.Module](conv=convolution, bn=nn.BatchNorm2d(outputs))
        if relu:
            parts["relu"] = nn.ReLU()
        super().__init__(parts)


class KazutoBottleneck(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, rate: int, project: bool) -> None:
        super().__init__()
        middle = outputs // 4
        self.reduce = ConvBnReLU(inputs, middle, 1, stride, 0, 1, True)
        self.conv3x3 = ConvBnReLU(middle, middle, 3, 1, rate, rate, True)
        self.increase = ConvBnReLU(middle, outputs, 1, 1, 0, 1, False)
        self.shortcut: nn.Module = nn.Identity()
        if project:
            self.shortcut = ConvBnReLU(inputs, outputs, 1, stride, 0, 1, False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.increase(self.conv3x3(self.reduce(x))) + self.shortcut(x))


class Kazuto1011(nn.Module):
    """deeplab-pytorch's v2 on ResNet-101 with its wrapper of three scales; sizes of scales as ours."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.base = nn.Sequential()
        stem = OrderedDict[str, nn.Module](conv1=ConvBnReLU(3, 64, 7, 2, 3, 1, True))
        stem["pool"] = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.base.add_module("layer1", nn.Sequential(stem))
        inputs = 64
        plan = ((3, 256, 1, 1), (4, 512, 2, 1), (23, 1024, 1, 2), (3, 2048, 1, 4))
        for number, (blocks, outputs, stride, rate) in enumerate(plan, start=2):
            layer = nn.Sequential()
            for block in range(1, blocks + 1):
                first = block == 1
                unit = KazutoBottleneck(inputs, outputs, stride if first else 1, rate, first)
                layer.add_module(f"block{block}", unit)
                inputs = outputs
            self.base.add_module(f"layer{number}", layer)
        aspp = nn.Module()
        for index, rate in enumerate((6, 12, 18, 24)):
            setattr(aspp, f"c{index}", nn.Conv2d(2048, num_classes, 3, padding=rate, dilation=rate))
        self.base.add_module("aspp", aspp)

    def _logits(self, image: Tensor) -> Tensor:
        x = image
        for number in range(1, 6):
            x = self.base.get_submodule(f"layer{number}")(x)
        logits = [self.base.get_submodule(f"aspp.c{index}")(x) for index in range(4)]
        total: Tensor = sum(logits[1:], start=logits[0])
        return total

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        answers = [self._logits(image)]
        for scale in (0.75, 0.5):
            size = (-int(-height * scale // 1), -int(-width * scale // 1))  # rounded up
            smaller = F.interpolate(image, size=size, mode="bilinear", align_corners=False)
            logits = self._logits(smaller)
            answers.append(F.interpolate(logits, size=answers[0].shape[2:], mode="bilinear", align_corners=False))
        largest = torch.stack(answers).amax(dim=0)
        return F.interpolate(largest, size=(height, width), mode="bilinear", align_corners=False)
