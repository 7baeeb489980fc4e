"""The weights that others have released: where they lie, what they are, what they score and how that was measured.

Addresses, hashes and scores are those that the makers publish; what they do not publish stands as none. A file of
OpenMMLab and of PyTorch carries the first 8 digits of its hash in its name.
"""

import difflib
from typing import NamedTuple

from atrous.errors import CheckpointError


class Score(NamedTuple):
    """A published mean intersection over union, in percent, and how it was measured."""

    mean_iou: float
    protocol: str


class ReleasedWeights(NamedTuple):
    """One file, or archive of files, of weights."""

    name: str
    what: str
    """The network, for people."""
    trained_on: str
    licence: str
    """Of the weights, as far as their makers state one."""
    page: str
    """Where they are described."""
    addresses: tuple[str, ...] = ()
    """None where no program can fetch it; `instructions` then say what to do."""
    sha256: str | None = None
    """The hash or its first digits, where they are published."""
    member: str | None = None
    """A pattern of the wanted files in an archive; the one that is imported comes first by name."""
    labels: str | None = None
    """The set of classes, as `--labels` has it; none where the file names them or they are of ImageNet."""
    scores: tuple[Score, ...] = ()
    allow_partial: tuple[str, ...] = ()
    """Tensors that are known to be missing or left over."""
    instructions: str = ""

    @property
    def file_name(self) -> str:
        """The end of its address; of two parts, as some archives have a name that says nothing."""
        *_, folder, name = self.addresses[0].split("?")[0].split("/")
        return f"{folder}/{name}"


_ZOO = "https://github.com/tensorflow/models/blob/master/research/deeplab/g3doc/model_zoo.md"
_TENSORFLOW = "http://download.tensorflow.org/models/"
_VISION = "https://docs.pytorch.org/vision/stable/models.html#semantic-segmentation"
_PYTORCH = "https://download.pytorch.org/models/"
_MM = "https://github.com/open-mmlab/mmsegmentation/tree/main/configs/deeplabv3plus"
_MM_FILES = "https://download.openmmlab.com/mmsegmentation/v0.5/deeplabv3plus/"
_MM_MIRROR = "https://openmmlab.oss-accelerate.aliyuncs.com/mmsegmentation/v0.5/deeplabv3plus/"
_CHEN = "http://liangchiehchen.com/projects/"
_KAZUTO = "https://github.com/kazuto1011/deeplab-pytorch"
_BONLIME = "https://github.com/bonlime/keras-deeplab-v3-plus"

_SINGLE_16 = "output stride 16, one scale"
_MANY_8 = "output stride 8, scales 0.5 to 1.75, flipped"


def _zoo(
    name: str, file: str, what: str, trained_on: str, labels: str | None, *scores: Score, partial: tuple[str, ...] = ()
) -> ReleasedWeights:
    return ReleasedWeights(
        name=name,
        what=what,
        trained_on=trained_on,
        licence="Apache-2.0",
        page=_ZOO,
        addresses=(f"{_TENSORFLOW}{file}.tar.gz",),
        member="model.ckpt*",
        labels=labels,
        scores=scores,
        allow_partial=partial,
    )


def _torchvision(name: str, file: str, what: str, mean_iou: float | None) -> ReleasedWeights:
    on_coco = "COCO, VOC's classes" if mean_iou is not None else "ImageNet"
    scores = () if mean_iou is None else (Score(mean_iou, "COCO val2017, short side 520, one scale"),)
    return ReleasedWeights(
        name=name,
        what=what,
        trained_on=on_coco,
        licence="BSD-3-Clause",
        page=_VISION,
        addresses=(f"{_PYTORCH}{file}.pth",),
        sha256=file.rsplit("-", 1)[1],
        labels="voc" if mean_iou is not None else None,
        scores=scores,
    )


def _mmsegmentation(run: str, ending: str, labels: str, data: str, one: float, many: float) -> ReleasedWeights:
    depth = 101 if "r101" in run else 50
    path = f"{run}/{run}_{ending}.pth"
    return ReleasedWeights(
        name=f"mmseg-v3plus-r{depth}-{labels}",
        what=f"DeepLabv3+ on ResNet-{depth}, output stride 8",
        trained_on=data,
        licence="Apache-2.0",
        page=_MM,
        addresses=(_MM_FILES + path, _MM_MIRROR + path),
        sha256=ending.rsplit("-", 1)[1],
        labels=labels,
        scores=(Score(one, "val, output stride 8, one scale"), Score(many, "val, several scales, flipped")),
    )


CATALOG: tuple[ReleasedWeights, ...] = (
    _zoo(
        "tf-voc-mobilenet-v2-0.5", "deeplabv3_mnv2_dm05_pascal_trainaug_2018_10_01", "DeepLabv3 on MobileNetV2 0.5",
        "ImageNet, COCO, VOC 2012 trainaug", "voc", Score(70.19, f"VOC val, {_SINGLE_16}"),
    ),
    _zoo(
        "tf-voc-mobilenet-v2-0.5-trainval", "deeplabv3_mnv2_dm05_pascal_trainval_2018_10_01",
        "DeepLabv3 on MobileNetV2 0.5", "ImageNet, COCO, VOC 2012 trainaug and trainval", "voc",
        Score(71.83, "VOC test, output stride 8, one scale"),
    ),
    _zoo(
        "tf-voc-mobilenet-v2", "deeplabv3_mnv2_pascal_train_aug_2018_01_29", "DeepLabv3 on MobileNetV2",
        "COCO, VOC 2012 trainaug", "voc", Score(75.32, f"VOC val, {_SINGLE_16}"), Score(77.33, f"VOC val, {_MANY_8}"),
    ),
    _zoo(
        "tf-voc-mobilenet-v2-trainval", "deeplabv3_mnv2_pascal_trainval_2018_01_29", "DeepLabv3 on MobileNetV2",
        "COCO, VOC 2012 trainaug and trainval", "voc", Score(80.25, f"VOC test, {_MANY_8}"),
    ),
    _zoo(
        "tf-voc-xception65", "deeplabv3_pascal_train_aug_2018_01_04", "DeepLabv3+ on Xception-65",
        "COCO, VOC 2012 trainaug", "voc", Score(82.20, f"VOC val, {_SINGLE_16}"), Score(83.58, f"VOC val, {_MANY_8}"),
    ),
    _zoo(
        "tf-voc-xception65-trainval", "deeplabv3_pascal_trainval_2018_01_04", "DeepLabv3+ on Xception-65",
        "COCO, VOC 2012 trainaug and trainval", "voc", Score(87.80, f"VOC test, {_MANY_8}"),
    ),
    _zoo(
        "tf-cityscapes-mobilenet-v2", "deeplabv3_mnv2_cityscapes_train_2018_02_05", "DeepLabv3 on MobileNetV2",
        "COCO, Cityscapes train", "cityscapes", Score(70.71, f"Cityscapes val, {_SINGLE_16}"),
        Score(73.57, "Cityscapes val, output stride 8, scales 0.75 to 1.25, flipped"),
    ),
    _zoo(
        "tf-cityscapes-xception65", "deeplabv3_cityscapes_train_2018_02_06", "DeepLabv3+ on Xception-65",
        "ImageNet, Cityscapes train", "cityscapes", Score(78.79, f"Cityscapes val, {_SINGLE_16}"),
        Score(80.42, "Cityscapes val, output stride 8, scales 0.75 to 1.25, flipped"),
    ),
    _zoo(
        "tf-cityscapes-xception71-cell", "deeplab_cityscapes_xception71_trainfine_2018_09_08",
        "DeepLabv3+ on Xception-71 with the searched cell", "ImageNet, COCO, Cityscapes train", "cityscapes",
        Score(80.31, f"Cityscapes val, {_SINGLE_16}"),
    ),
    _zoo(
        "tf-cityscapes-xception71-cell-trainval", "deeplab_cityscapes_xception71_trainvalfine_2018_09_08",
        "DeepLabv3+ on Xception-71 with the searched cell", "ImageNet, COCO, Cityscapes trainval", "cityscapes",
        Score(82.66, "Cityscapes test, output stride 8, scales 0.75 to 2, flipped"),
    ),
    _zoo(
        "tf-ade20k-mobilenet-v2", "deeplabv3_mnv2_ade20k_train_2018_12_03", "DeepLabv3+ on MobileNetV2",
        "ImageNet, ADE20K train", None, Score(32.04, f"ADE20K val, long side 257, {_SINGLE_16}"),
    ),
    _zoo(
        "tf-ade20k-xception65", "deeplabv3_xception_ade20k_train_2018_05_29", "DeepLabv3+ on Xception-65",
        "ImageNet, ADE20K train", None, Score(45.65, f"ADE20K val, {_MANY_8}"),
    ),
    _zoo("tf-imagenet-xception41", "xception_41_2018_05_09", "Xception-41, a classifier", "ImageNet", None),
    _zoo("tf-imagenet-xception65", "deeplabv3_xception_2018_01_04", "Xception-65, a classifier", "ImageNet", None),
    _zoo("tf-coco-xception65", "xception_65_coco_pretrained_2018_10_02", "Xception-65", "ImageNet, COCO", None),
    _zoo("tf-imagenet-xception71", "xception_71_2018_05_09", "Xception-71, a classifier", "ImageNet", None),
    _zoo("tf-imagenet-resnet50-beta", "resnet_v1_50_2018_05_04", "ResNet-50 beta, a classifier", "ImageNet", None),
    _zoo("tf-imagenet-resnet101-beta", "resnet_v1_101_2018_05_04", "ResNet-101 beta, a classifier", "ImageNet", None),
    ReleasedWeights(
        name="tflite-voc-mobilenet-v2-0.5", what="DeepLabv3 on MobileNetV2 of width 0.5, float, 257x257",
        trained_on="COCO, VOC 2012", licence="Apache-2.0",
        page="https://github.com/tensorflow/examples/tree/master/lite/examples/image_segmentation",
        addresses=("https://storage.googleapis.com/download.tensorflow.org/models/tflite/gpu/deeplabv3_257_mv_gpu.tflite",),
        labels="voc",
    ),
    _torchvision("torchvision-v3-resnet50", "deeplabv3_resnet50_coco-cd0a2569", "DeepLabv3 on ResNet-50", 66.4),
    _torchvision("torchvision-v3-resnet101", "deeplabv3_resnet101_coco-586e9e4e", "DeepLabv3 on ResNet-101", 67.4),
    _torchvision(
        "torchvision-v3-mobilenet-v3", "deeplabv3_mobilenet_v3_large-fc3c493d", "DeepLabv3 on MobileNetV3-Large", 60.3
    ),
    _torchvision("torchvision-lraspp", "lraspp_mobilenet_v3_large-d234d4ea", "LR-ASPP on MobileNetV3-Large", 57.9),
    _torchvision("torchvision-resnet101", "resnet101-63fe2227", "ResNet-101, a classifier", None),
    _torchvision("torchvision-resnet50", "resnet50-0676ba61", "ResNet-50, a classifier", None),
    _torchvision("torchvision-mobilenet-v2", "mobilenet_v2-b0353104", "MobileNetV2, a classifier", None),
    _mmsegmentation(
        "deeplabv3plus_r50-d8_512x1024_80k_cityscapes", "20200606_114049-f9fb496d", "cityscapes", "Cityscapes train",
        80.09, 81.13,
    ),
    _mmsegmentation(
        "deeplabv3plus_r101-d8_512x1024_80k_cityscapes", "20200606_114143-068fcfe9", "cityscapes", "Cityscapes train",
        80.97, 82.03,
    ),
    _mmsegmentation(
        "deeplabv3plus_r50-d8_512x512_160k_ade20k", "20200615_124504-6135c7e0", "ade20k", "ADE20K train", 43.95, 44.93
    ),
    _mmsegmentation(
        "deeplabv3plus_r101-d8_512x512_160k_ade20k", "20200615_123232-38ed86bb", "ade20k", "ADE20K train", 45.47, 46.35
    ),
    _mmsegmentation(
        "deeplabv3plus_r50-d8_512x512_40k_voc12aug", "20200613_161759-e1b43aa9", "voc", "VOC 2012 trainaug",
        76.81, 77.57,
    ),
    _mmsegmentation(
        "deeplabv3plus_r101-d8_512x512_40k_voc12aug", "20200613_205333-faf03387", "voc", "VOC 2012 trainaug",
        78.62, 79.53,
    ),
    ReleasedWeights(
        name="caffe-voc-v2-resnet101", what="DeepLab v2 on ResNet-101, three scales",
        trained_on="COCO, VOC 2012 trainaug", licence="not stated", page=f"{_CHEN}DeepLabv2_resnet.html",
        addresses=(f"{_CHEN}released/deeplab_aspp_resnet101/prototxt_and_model.zip",),
        member="train2_iter_20000.caffemodel",
        labels="voc", scores=(Score(76.35, "VOC val, output stride 8, three scales, no CRF"),),
    ),
    ReleasedWeights(
        name="caffe-coco-v2-resnet101", what="DeepLab v2 on ResNet-101, document 004's start", trained_on="COCO",
        licence="not stated", page=f"{_CHEN}DeepLabv2_resnet.html",
        addresses=(f"{_CHEN}released/deeplab_aspp_resnet101/prototxt_and_model.zip",), member="init.caffemodel",
        allow_partial=("classifier.*",),
    ),
    ReleasedWeights(
        name="caffe-voc-v2-vgg16", what="DeepLab v2 on VGG-16", trained_on="VOC 2012 trainaug", licence="not stated",
        page=f"{_CHEN}DeepLabv2_vgg.html",
        addresses=(f"{_CHEN}released/deeplab_aspp_vgg16/prototxt_and_model.zip",), member="train2_iter_8000.caffemodel",
        labels="voc",
    ),
    ReleasedWeights(
        name="kazuto1011-cocostuff164k-v2", what="DeepLab v2 on ResNet-101, three scales", trained_on="COCO-Stuff 164k",
        licence="not stated", page=_KAZUTO,
        addresses=(f"{_KAZUTO}/releases/download/v1.0/deeplabv2_resnet101_msc-cocostuff164k-100000.pth",),
        scores=(Score(39.1, "COCO-Stuff 164k val, output stride 8, three scales, no CRF"),),
    ),
    ReleasedWeights(
        name="bonlime-voc-xception65", what="DeepLabv3+ on Xception-65", trained_on="COCO, VOC 2012 trainaug",
        licence="MIT", page=_BONLIME,
        addresses=(f"{_BONLIME}/releases/download/1.1/deeplabv3_xception_tf_dim_ordering_tf_kernels.h5",), labels="voc",
    ),
    ReleasedWeights(
        name="bonlime-voc-mobilenet-v2", what="DeepLabv3 on MobileNetV2", trained_on="COCO, VOC 2012 trainaug",
        licence="MIT", page=_BONLIME,
        addresses=(f"{_BONLIME}/releases/download/1.1/deeplabv3_mobilenetv2_tf_dim_ordering_tf_kernels.h5",),
        labels="voc",
    ),
    ReleasedWeights(
        name="tonandr-voc-mobilenet-v2", what="document 003's network: MobileNetV2, searched cell",
        trained_on="VOC 2012", licence="MIT", page="https://github.com/tonandr/deeplabv3plus_keras",
        addresses=("https://www.dropbox.com/s/h65e74acv8szk29/semantic_segmentation_deeplabv3plus.h5?dl=1",),
        labels="voc", scores=(Score(9.8, "VOC val, stretched to 224x224, the port's own averaging"),),
    ),
    ReleasedWeights(
        name="giovanniguidi-deepfashion2-resnet101", what="document 000's network: DeepLabv3+ on ResNet-101",
        trained_on="DeepFashion2", licence="not stated", page="https://github.com/giovanniguidi/deeplabV3-PyTorch",
        labels="deepfashion2", scores=(Score(34.0, "DeepFashion2 val, called test there"),),
        instructions="It lies in a Google Drive folder that its README links, which no program can list: fetch the "
        ".pth.tar in a browser and run `atrous import FILE OUT.safetensors --labels deepfashion2`.",
    ),
    ReleasedWeights(
        name="jfzhang95-voc-resnet101", what="DeepLabv3+ on ResNet-101", trained_on="VOC 2012, SBD", licence="MIT",
        page="https://github.com/jfzhang95/pytorch-deeplab-xception", labels="voc",
        scores=(Score(78.43, "VOC val, centre crops of 513x513, output stride 16"),),
        instructions="It lies on Google Drive: follow the link in its README in a browser and run `atrous import FILE "
        "OUT.safetensors --labels voc`.",
    ),
    ReleasedWeights(
        name="vainf-voc-v3plus-mobilenet-v2", what="DeepLabv3+ on MobileNetV2",
        trained_on="VOC 2012, SBD", licence="MIT", page="https://github.com/VainF/DeepLabV3Plus-Pytorch", labels="voc",
        scores=(Score(71.1, "VOC val, centre crops of 513x513, output stride 16"),),
        instructions="It lies on Dropbox and Tencent Weiyun: follow the link in its README in a browser and run "
        "`atrous import FILE OUT.safetensors --labels voc`.",
    ),
)  # fmt: skip


def released(name: str) -> ReleasedWeights:
    """Return the entry of a name.

    Raises:
        CheckpointError: If there is none; it offers the nearest.
    """
    for entry in CATALOG:
        if entry.name == name:
            return entry
    close = difflib.get_close_matches(name, [entry.name for entry in CATALOG], n=1, cutoff=0.5)
    hint = f"did you mean `{close[0]}`? " if close else ""
    raise CheckpointError(
        f"There is no model `{name}`, and no such file: {hint}`atrous models` lists all names, and a file is named by "
        "its path."
    )
