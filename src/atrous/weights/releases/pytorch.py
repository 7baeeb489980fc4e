"""Releases of PyTorch's world: torchvision, mmsegmentation, and the ports.

Files of torchvision and of OpenMMLab carry the first 8 digits of their hash in their names.
"""

from atrous.weights.releases.release import ReleasedWeights, Score

_VISION = "https://docs.pytorch.org/vision/stable/models.html"
_VISION_FILES = "https://download.pytorch.org/models/"
_MM = "https://github.com/open-mmlab/mmsegmentation/tree/main/configs/deeplabv3plus"
_MM_FILES = "https://download.openmmlab.com/mmsegmentation/v0.5/deeplabv3plus/"
_KAZUTO = "https://github.com/kazuto1011/deeplab-pytorch"
_VAINF = "https://github.com/VainF/DeepLabV3Plus-Pytorch"
_JFZHANG = "https://github.com/jfzhang95/pytorch-deeplab-xception"

_CROPS = "centre crops of 513x513, output stride 16, one scale"
_THREE_SCALES = "output stride 8, three scales, no CRF"


def _torchvision(name: str, file: str, megabytes: float, what: str, mean_iou: float) -> ReleasedWeights:
    score = Score(mean_iou, "COCO val2017", "VOC's classes, short side 520, one scale")
    return _backbone(name, file, megabytes, what)._replace(
        trained_on="COCO, VOC's classes", labels="voc", scores=(score,)
    )


def _backbone(name: str, file: str, megabytes: float, what: str) -> ReleasedWeights:
    return ReleasedWeights(
        name=name,
        what=what,
        trained_on="ImageNet",
        licence="BSD-3-Clause",
        page=_VISION,
        addresses=(f"{_VISION_FILES}{file}.pth",),
        megabytes=megabytes,
        sha256=file.rsplit("-", 1)[1],
    )


def _mmsegmentation(run: str, ending: str, labels: str, data: str, one: float, many: float) -> ReleasedWeights:
    depth = 101 if "r101" in run else 50
    training = {"voc": "VOC trainaug", "cityscapes": "Cityscapes train", "ade20k": "ADE20K train"}[labels]
    return ReleasedWeights(
        name=f"mmseg-{labels}-v3plus-resnet{depth}",
        what=f"v3+, ResNet-{depth}",
        trained_on=f"ImageNet, {training}",
        licence="Apache-2.0",
        page=_MM,
        addresses=(f"{_MM_FILES}{run}/{run}_{ending}.pth",),
        sha256=ending.rsplit("-", 1)[1],
        labels=labels,
        scores=(
            Score(one, data, "output stride 8, one scale"),
            Score(many, data, "output stride 8, several scales, flipped"),
        ),
    )


def _kazuto1011(name: str, file: str, trained_on: str, labels: str, score: Score) -> ReleasedWeights:
    return ReleasedWeights(
        name=name,
        what="v2, ResNet-101",
        trained_on=f"COCO, {trained_on}",
        licence="MIT",
        page=_KAZUTO,
        addresses=(f"{_KAZUTO}/releases/download/v1.0/deeplabv2_resnet101_msc-{file}.pth",),
        labels=labels,
        scores=(score,),
    )


def _vainf(name: str, place: str, what: str, score: Score) -> ReleasedWeights:
    labels = "cityscapes" if "Cityscapes" in score.data else "voc"
    return ReleasedWeights(
        name=name,
        what=what,
        trained_on="ImageNet, Cityscapes train" if labels == "cityscapes" else "ImageNet, VOC trainaug",
        licence="MIT",
        page=_VAINF,
        addresses=(f"https://www.dropbox.com/s/{place}.pth?dl=1",),
        labels=labels,
        scores=(score,),
    )


def _jfzhang95(name: str, place: str, what: str, score: float) -> ReleasedWeights:
    return ReleasedWeights(
        name=name,
        what=what,
        trained_on="ImageNet, VOC, SBD",
        licence="MIT",
        page=_JFZHANG,
        by_hand=f"https://drive.google.com/open?id={place}",
        labels="voc",
        scores=(Score(score, "VOC val", _CROPS),),
    )


RELEASES: tuple[ReleasedWeights, ...] = (
    _torchvision("torchvision-v3-resnet50", "deeplabv3_resnet50_coco-cd0a2569", 168.3, "v3, ResNet-50", 66.4),
    _torchvision(
        "torchvision-v3-resnet101", "deeplabv3_resnet101_coco-586e9e4e", 244.5, "v3, ResNet-101", 67.4
    ),
    _torchvision(
        "torchvision-v3-mobilenet-v3", "deeplabv3_mobilenet_v3_large-fc3c493d", 44.4, "v3, MobileNetV3-Large",
        60.3,
    ),
    _torchvision(
        "torchvision-lraspp", "lraspp_mobilenet_v3_large-d234d4ea", 13.1, "LR-ASPP, MobileNetV3-Large", 57.9
    ),
    _backbone("torchvision-vgg16", "vgg16-397923af", 553.4, "VGG-16")._replace(
        allow_partial=("classifier.*",)  # its linear layers are not those of a DeepLab
    ),
    _backbone("torchvision-resnet18", "resnet18-f37072fd", 46.8, "ResNet-18"),
    _backbone("torchvision-resnet34", "resnet34-b627a593", 87.3, "ResNet-34"),
    _backbone("torchvision-resnet50", "resnet50-0676ba61", 102.5, "ResNet-50"),
    _backbone("torchvision-resnet101", "resnet101-63fe2227", 178.8, "ResNet-101"),
    _backbone("torchvision-resnet152", "resnet152-394f9c45", 241.6, "ResNet-152"),
    _backbone("torchvision-mobilenet-v2", "mobilenet_v2-b0353104", 14.2, "MobileNetV2"),
    _backbone("torchvision-mobilenet-v3-small", "mobilenet_v3_small-047dcff4", 10.3, "MobileNetV3-Small"),
    _backbone("torchvision-mobilenet-v3-large", "mobilenet_v3_large-8738ca79", 22.1, "MobileNetV3-Large"),
    _mmsegmentation(
        "deeplabv3plus_r50-d8_512x1024_80k_cityscapes", "20200606_114049-f9fb496d", "cityscapes", "Cityscapes val",
        80.09, 81.13,
    ),
    _mmsegmentation(
        "deeplabv3plus_r101-d8_512x1024_80k_cityscapes", "20200606_114143-068fcfe9", "cityscapes", "Cityscapes val",
        80.97, 82.03,
    ),
    _mmsegmentation(
        "deeplabv3plus_r50-d8_512x512_160k_ade20k", "20200615_124504-6135c7e0", "ade20k", "ADE20K val", 43.95, 44.93
    ),
    _mmsegmentation(
        "deeplabv3plus_r101-d8_512x512_160k_ade20k", "20200615_123232-38ed86bb", "ade20k", "ADE20K val", 45.47, 46.35
    ),
    _mmsegmentation(
        "deeplabv3plus_r50-d8_512x512_40k_voc12aug", "20200613_161759-e1b43aa9", "voc", "VOC val", 76.81, 77.57
    ),
    _mmsegmentation(
        "deeplabv3plus_r101-d8_512x512_40k_voc12aug", "20200613_205333-faf03387", "voc", "VOC val", 78.62, 79.53
    ),
    _kazuto1011(
        "kazuto1011-voc-v2", "vocaug-20000", "VOC trainaug", "voc", Score(76.65, "VOC val", _THREE_SCALES)
    ),
    _kazuto1011(
        "kazuto1011-cocostuff10k-v2", "cocostuff10k-20000", "COCO-Stuff 10k", "coco-stuff",
        Score(34.8, "COCO-Stuff 10k test", f"warped to 513x513, {_THREE_SCALES}"),
    ),
    _kazuto1011(
        "kazuto1011-cocostuff164k-v2", "cocostuff164k-100000", "COCO-Stuff 164k", "coco-stuff",
        Score(39.1, "COCO-Stuff 164k val", _THREE_SCALES),
    ),
    _vainf(
        "vainf-voc-v3-mobilenet-v2", "uhksxwfcim3nkpo/best_deeplabv3_mobilenet_voc_os16", "v3, MobileNetV2",
        Score(70.1, "VOC val", _CROPS),
    ),
    _vainf(
        "vainf-voc-v3-resnet50", "3eag5ojccwiexkq/best_deeplabv3_resnet50_voc_os16", "v3, ResNet-50",
        Score(76.9, "VOC val", _CROPS),
    ),
    _vainf(
        "vainf-voc-v3-resnet101", "vtenndnsrnh4068/best_deeplabv3_resnet101_voc_os16", "v3, ResNet-101",
        Score(77.3, "VOC val", _CROPS),
    ),
    _vainf(
        "vainf-voc-v3plus-mobilenet-v2", "0idrhwz6opaj7q4/best_deeplabv3plus_mobilenet_voc_os16",
        "v3+, MobileNetV2", Score(71.1, "VOC val", _CROPS),
    ),
    _vainf(
        "vainf-voc-v3plus-resnet50", "dgxyd3jkyz24voa/best_deeplabv3plus_resnet50_voc_os16", "v3+, ResNet-50",
        Score(77.2, "VOC val", _CROPS),
    ),
    _vainf(
        "vainf-voc-v3plus-resnet101", "bm3hxe7wmakaqc5/best_deeplabv3plus_resnet101_voc_os16",
        "v3+, ResNet-101", Score(78.3, "VOC val", _CROPS),
    ),
    _vainf(
        "vainf-cityscapes-v3plus-mobilenet-v2", "753ojyvsh3vdjol/best_deeplabv3plus_mobilenet_cityscapes_os16",
        "v3+, MobileNetV2", Score(72.1, "Cityscapes val", "output stride 16, one scale"),
    ),
    _vainf(
        "vainf-cityscapes-v3plus-resnet101", "", "v3+, ResNet-101",
        Score(76.2, "Cityscapes val", "output stride 16, one scale"),
    )._replace(addresses=(), by_hand="https://drive.google.com/file/d/1t7TC8mxQaFECt4jutdq_NMnWxdm6B-Nb/view"),
    _jfzhang95("jfzhang95-voc-resnet101", "1NwcwlWqA-0HqAPk3dSNNPipGMF0iS0Zu", "v3+, ResNet-101", 78.43),
    _jfzhang95("jfzhang95-voc-mobilenet-v2", "1G9mWafUAj09P4KvGSRVzIsV_U5OqFLdt", "v3+, MobileNetV2", 70.81),
    _jfzhang95("jfzhang95-voc-drn", "131gZN_dKEXO79NknIQazPJ-4UmRrZAfI", "v3+, DRN-D-54", 78.87),
    ReleasedWeights(
        name="giovanniguidi-deepfashion2",
        what="v3+, ResNet-101, document 000",
        trained_on="ImageNet, DeepFashion2",
        licence="not stated",
        page="https://github.com/giovanniguidi/deeplabV3-PyTorch",
        by_hand="https://drive.google.com/drive/folders/1O8KLZa1AABlLS6DlkkzHOgPqvT89GB_9",
        labels="deepfashion2",
        scores=(Score(34, "DeepFashion2 val", "called test there, output stride 16"),),
    ),
)  # fmt: skip
