"""Releases as caffemodels, by the authors of DeepLab, and as Keras's h5."""

from atrous.weights.releases.release import ReleasedWeights, Score

_CHEN = "http://liangchiehchen.com/projects/"
_LARGE_FOV = "ccvl/DeepLab-LargeFOV/train2_iter_8000.caffemodel"
_BONLIME = "https://github.com/bonlime/keras-deeplab-v3-plus"


def _v2(name: str, network: str, member: str, what: str, trained_on: str, *scores: Score) -> ReleasedWeights:
    """Of `train_iter_*`, trained on trainaug, and `train2_iter_*`, on trainval with its augmentation."""
    return ReleasedWeights(
        name=name,
        what=what,
        trained_on=trained_on,
        licence="not stated",
        page=f"{_CHEN}DeepLabv2_{'vgg' if 'vgg' in network else 'resnet'}.html",
        addresses=(f"{_CHEN}released/{network}/prototxt_and_model.zip",),
        member=member,
        labels="voc",
        scores=scores,
    )


def _bonlime(name: str, file: str, what: str, data: str, labels: str) -> ReleasedWeights:
    """TensorFlow's weights, which bonlime has carried over to Keras."""
    return ReleasedWeights(
        name=name,
        what=what,
        trained_on=data,
        licence="MIT",
        page=_BONLIME,
        addresses=(f"{_BONLIME}/releases/download/{file}.h5",),
        labels=labels,
    )


RELEASES: tuple[ReleasedWeights, ...] = (
    ReleasedWeights(
        name="caffe-voc-v1-vgg16",
        what="v1, VGG-16, large view",
        trained_on="ImageNet, VOC trainval",
        licence="not stated",
        page="http://www.cs.jhu.edu/~alanlab/ccvl/DeepLab-LargeFOV/",
        addresses=(f"http://www.cs.jhu.edu/~alanlab/{_LARGE_FOV}", f"http://ccvl.stat.ucla.edu/{_LARGE_FOV}"),
        labels="voc",
    ),
    _v2(
        "caffe-voc-v2-vgg16", "deeplab_aspp_vgg16", "train2_iter_*.caffemodel", "v2, VGG-16",
        "ImageNet, VOC trainval",
    ),
    _v2(
        "caffe-voc-v2-resnet101", "deeplab_aspp_resnet101", "train_iter_20000.caffemodel",
        "v2, ResNet-101", "ImageNet, COCO, VOC trainaug",
        Score(76.35, "VOC val", "output stride 8, three scales, no CRF"),
        Score(77.69, "VOC val", "output stride 8, three scales, CRF"),
    ),
    _v2(
        "caffe-voc-v2-resnet101-trainval", "deeplab_aspp_resnet101", "train2_iter_20000.caffemodel",
        "v2, ResNet-101", "ImageNet, COCO, VOC trainval",
        Score(79.7, "VOC test", "output stride 8, three scales, CRF"),
    ),
    _v2(
        "caffe-coco-v2-resnet101", "deeplab_aspp_resnet101", "init.caffemodel",
        "v1, ResNet-101, document 004", "ImageNet, COCO",
    )._replace(labels=None, allow_partial=("classifier.*",)),
    _bonlime(
        "bonlime-voc-xception65", "1.1/deeplabv3_xception_tf_dim_ordering_tf_kernels", "v3+, Xception-65",
        "ImageNet, COCO, VOC", "voc",
    ),
    _bonlime(
        "bonlime-voc-mobilenet-v2", "1.1/deeplabv3_mobilenetv2_tf_dim_ordering_tf_kernels", "v3, MobileNetV2",
        "ImageNet, COCO, VOC", "voc",
    ),
    _bonlime(
        "bonlime-cityscapes-xception65", "1.2/deeplabv3_xception_tf_dim_ordering_tf_kernels_cityscapes",
        "v3+, Xception-65", "ImageNet, Cityscapes", "cityscapes",
    ),
    _bonlime(
        "bonlime-cityscapes-mobilenet-v2", "1.2/deeplabv3_mobilenetv2_tf_dim_ordering_tf_kernels_cityscapes",
        "v3, MobileNetV2", "ImageNet, COCO, Cityscapes", "cityscapes",
    ),
    ReleasedWeights(
        name="tonandr-voc-mobilenet-v2",
        what="v3+, MobileNetV2, document 003",
        trained_on="ImageNet, VOC",
        licence="MIT",
        page="https://github.com/tonandr/deeplabv3plus_keras",
        addresses=("https://www.dropbox.com/s/h65e74acv8szk29/semantic_segmentation_deeplabv3plus.h5?dl=1",),
        labels="voc",
        scores=(Score(9.8, "VOC val", "stretched to 224x224, one scale"),),
    ),
)  # fmt: skip
