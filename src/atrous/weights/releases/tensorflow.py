"""TensorFlow's releases: the model zoo of research/deeplab, slim, and tflite.

Scores, sizes and addresses are those of the zoo's page, which publishes no hash, and of its page on quantised models.
"""

from atrous.weights.releases.release import ReleasedWeights, Score

_ZOO = "https://github.com/tensorflow/models/blob/master/research/deeplab/g3doc/model_zoo.md"
_QUANTIZED = "https://github.com/tensorflow/models/blob/master/research/deeplab/g3doc/quantize.md"
_SLIM = "https://github.com/tensorflow/models/tree/master/research/slim"
_FILES = "http://download.tensorflow.org/models/"
_CORAL = "https://github.com/google-coral/test_data"

_SINGLE = "output stride 16, one scale"
_MANY = "output stride 8, scales 0.5 to 1.75, flipped"
_CITY_MANY = "output stride 8, scales 0.75 to 1.25, flipped"
_HEAD = ("classifier.*", "logits*", "aspp*", "image_pooling*", "concat_projection*", "decoder*")
"""What a file that was made to start trainings from may have or lack."""
_MOBILENET_V3 = "the names of TensorFlow's MobileNetV3 and of its head are not known here"
_EDGETPU = "the names of TensorFlow's MobileNet-EdgeTPU are not known here; its tflite is read"
_PREACTIVATION = "ResNets of version 2, with the norm before the convolution, are no backbone here"


def _zoo(
    name: str, file: str, megabytes: float | None, what: str, trained_on: str, labels: str, *scores: Score,
    not_read: str = "",
) -> ReleasedWeights:  # fmt: skip
    return ReleasedWeights(
        name=name,
        what=what,
        trained_on=trained_on,
        licence="Apache-2.0",
        page=_ZOO,
        addresses=(f"{_FILES}{file}.tar.gz",),
        megabytes=megabytes,
        member="*.ckpt*",
        labels=labels,
        scores=scores,
        not_read=not_read,
    )


def _quantized(name: str, file: str, megabytes: float, what: str, score: float) -> ReleasedWeights:
    release = _zoo(name, file, megabytes, what, "COCO, VOC trainaug", "voc", Score(score, "VOC val", _SINGLE))
    return release._replace(page=_QUANTIZED, member="*.tflite")


def _start(name: str, file: str, megabytes: float, what: str, trained_on: str = "ImageNet") -> ReleasedWeights:
    release = _zoo(name, file, megabytes, what, trained_on, "")
    return release._replace(labels=None, allow_partial=_HEAD)


def _slim(name: str, address: str, what: str, not_read: str = "") -> ReleasedWeights:
    release = _zoo(name, "", None, what, "ImageNet", "", not_read=not_read)
    return release._replace(labels=None, page=_SLIM, addresses=(address,), allow_partial=_HEAD)


def _coral(name: str, file: str, what: str, trained_on: str, labels: str) -> ReleasedWeights:
    return ReleasedWeights(
        name=name,
        what=what,
        trained_on=trained_on,
        licence="not stated",
        page=_CORAL,
        addresses=(f"{_CORAL}/raw/master/{file}.tflite",),
        labels=labels,
    )


RELEASES: tuple[ReleasedWeights, ...] = (
    _zoo(
        "tf-voc-mobilenet-v2-0.5", "deeplabv3_mnv2_dm05_pascal_trainaug_2018_10_01", 7.6, "v3, MobileNetV2 0.5",
        "ImageNet, COCO, VOC trainaug", "voc", Score(70.19, "VOC val", _SINGLE),
    ),
    _zoo(
        "tf-voc-mobilenet-v2-0.5-trainval", "deeplabv3_mnv2_dm05_pascal_trainval_2018_10_01", 7.6,
        "v3, MobileNetV2 0.5", "ImageNet, COCO, VOC trainaug and trainval", "voc",
        Score(71.83, "VOC test", "output stride 8, one scale"),
    ),
    _zoo(
        "tf-voc-mobilenet-v2", "deeplabv3_mnv2_pascal_train_aug_2018_01_29", 23, "v3, MobileNetV2",
        "ImageNet, COCO, VOC trainaug", "voc", Score(75.32, "VOC val", _SINGLE), Score(77.33, "VOC val", _MANY),
    ),
    _zoo(
        "tf-voc-mobilenet-v2-trainval", "deeplabv3_mnv2_pascal_trainval_2018_01_29", 23, "v3, MobileNetV2",
        "ImageNet, COCO, VOC trainaug and trainval", "voc", Score(80.25, "VOC test", _MANY),
    ),
    _zoo(
        "tf-voc-xception65", "deeplabv3_pascal_train_aug_2018_01_04", 439, "v3+, Xception-65",
        "ImageNet, COCO, VOC trainaug", "voc", Score(82.20, "VOC val", _SINGLE), Score(83.58, "VOC val", _MANY),
    ),
    _zoo(
        "tf-voc-xception65-trainval", "deeplabv3_pascal_trainval_2018_01_04", 439, "v3+, Xception-65",
        "ImageNet, COCO, VOC trainaug and trainval", "voc", Score(87.80, "VOC test", _MANY),
    ),
    _quantized(
        "tf-voc-mobilenet-v2-0.5-8bit", "deeplabv3_mnv2_dm05_pascal_train_aug_8bit_2019_04_26", 8.2,
        "v3, MobileNetV2 0.5, 8 bit", 69.65,
    ),
    _quantized(
        "tf-voc-mobilenet-v2-8bit", "deeplabv3_mnv2_pascal_train_aug_8bit_2019_04_26", 24,
        "v3, MobileNetV2, 8 bit", 74.26,
    ),
    _zoo(
        "tf-cityscapes-mobilenet-v2", "deeplabv3_mnv2_cityscapes_train_2018_02_05", 23, "v3, MobileNetV2",
        "ImageNet, COCO, Cityscapes train", "cityscapes", Score(70.71, "Cityscapes val", _SINGLE),
        Score(73.57, "Cityscapes val", _CITY_MANY),
    ),
    _zoo(
        "tf-cityscapes-xception65", "deeplabv3_cityscapes_train_2018_02_06", 439, "v3+, Xception-65",
        "ImageNet, Cityscapes train", "cityscapes", Score(78.79, "Cityscapes val", _SINGLE),
        Score(80.42, "Cityscapes val", _CITY_MANY),
    ),
    _zoo(
        "tf-cityscapes-xception71", "deeplab_cityscapes_xception71_trainfine_2018_09_08", 445,
        "v3+, Xception-71, dense cell", "ImageNet, COCO, Cityscapes train", "cityscapes",
        Score(80.31, "Cityscapes val", _SINGLE),
    ),
    _zoo(
        "tf-cityscapes-xception71-trainval", "deeplab_cityscapes_xception71_trainvalfine_2018_09_08", 446,
        "v3+, Xception-71, dense cell", "ImageNet, COCO, Cityscapes trainval, coarse", "cityscapes",
        Score(82.66, "Cityscapes test", "output stride 8, scales 0.75 to 2, flipped"),
    ),
    _zoo(
        "tf-cityscapes-mobilenet-v3-large", "deeplab_mnv3_large_cityscapes_trainfine_2019_11_15", 17,
        "LR-ASPP, MobileNetV3-Large", "Cityscapes train", "cityscapes",
        Score(72.41, "Cityscapes val", "output stride 32, one scale"), not_read=_MOBILENET_V3,
    ),
    _zoo(
        "tf-cityscapes-mobilenet-v3-small", "deeplab_mnv3_small_cityscapes_trainfine_2019_11_15", 5,
        "LR-ASPP, MobileNetV3-Small", "Cityscapes train", "cityscapes",
        Score(68.99, "Cityscapes val", "output stride 32, one scale"), not_read=_MOBILENET_V3,
    ),
    _zoo(
        "tf-cityscapes-edgetpu", "edgetpu-deeplab_2020_03_09", None, "v3, MobileNet-EdgeTPU",
        "ImageNet, Cityscapes train", "cityscapes", Score(74.1, "Cityscapes val", _SINGLE),
        Score(70.6, "Cityscapes val", "output stride 32, one scale"), not_read=_EDGETPU,
    ),
    _zoo(
        "tf-cityscapes-edgetpu-slim", "edgetpu-deeplab-slim_2020_03_09", None, "v3, MobileNet-EdgeTPU 0.75",
        "ImageNet, Cityscapes train", "cityscapes", Score(73.2, "Cityscapes val", _SINGLE),
        Score(70.0, "Cityscapes val", "output stride 32, one scale"), not_read=_EDGETPU,
    ),
    _zoo(
        "tf-ade20k-mobilenet-v2", "deeplabv3_mnv2_ade20k_train_2018_12_03", 24.8, "v3+, MobileNetV2",
        "ImageNet, ADE20K train", "ade20k", Score(32.04, "ADE20K val", f"long side 257, {_SINGLE}"),
    ),
    _zoo(
        "tf-ade20k-xception65", "deeplabv3_xception_ade20k_train_2018_05_29", 439, "v3+, Xception-65",
        "ImageNet, ADE20K train", "ade20k", Score(45.65, "ADE20K val", f"long side 513, {_MANY}"),
    ),
    _start("tf-imagenet-xception41", "xception_41_2018_05_09", 288, "Xception-41"),
    _start("tf-imagenet-xception65", "deeplabv3_xception_2018_01_04", 447, "Xception-65"),
    _start("tf-imagenet-xception71", "xception_71_2018_05_09", 474, "Xception-71"),
    _start(
        "tf-coco-xception65", "xception_65_coco_pretrained_2018_10_02", 292, "Xception-65",
        "ImageNet, COCO",
    ),
    _start("tf-imagenet-resnet50-beta", "resnet_v1_50_2018_05_04", 274, "ResNet-50 beta"),
    _start("tf-imagenet-resnet101-beta", "resnet_v1_101_2018_05_04", 477, "ResNet-101 beta"),
    _slim(
        "slim-imagenet-mobilenet-v2",
        "https://storage.googleapis.com/mobilenet_v2/checkpoints/mobilenet_v2_1.0_224.tgz",
        "MobileNetV2, document 001",
    ),
    _slim(
        "slim-imagenet-resnet50-v2", f"{_FILES}resnet_v2_50_2017_04_14.tar.gz", "ResNet-50 v2, document 001",
        _PREACTIVATION,
    ),
    _slim(
        "slim-imagenet-resnet101-v2", f"{_FILES}resnet_v2_101_2017_04_14.tar.gz", "ResNet-101 v2, document 001",
        _PREACTIVATION,
    ),
    ReleasedWeights(
        name="tflite-voc-mobilenet-v2-0.5",
        what="v3, MobileNetV2 0.5",
        trained_on="COCO, VOC",
        licence="Apache-2.0",
        page="https://ai.google.dev/edge/mediapipe/solutions/vision/image_segmenter",
        addresses=(
            "https://storage.googleapis.com/mediapipe-assets/deeplabv3.tflite",
            "https://storage.googleapis.com/download.tensorflow.org/models/tflite/task_library/image_segmentation/"
            "android/lite-model_deeplabv3_1_metadata_2.tflite",
        ),
        megabytes=2.8,
        sha256="9711334db2b01d5894feb8ed0f5cb3e97d125b8d229f8d8692f625801818f5ef",  # MediaPipe's list of its assets
        labels="voc",
    ),
    _coral(
        "tflite-voc-mobilenet-v2-8bit", "deeplabv3_mnv2_pascal_quant", "v3, MobileNetV2, 8 bit",
        "VOC", "voc",
    ),
    _coral(
        "tflite-voc-mobilenet-v2-0.5-8bit", "deeplabv3_mnv2_dm05_pascal_quant",
        "v3, MobileNetV2 0.5, 8 bit", "VOC", "voc",
    ),
    _coral(
        "tflite-cityscapes-edgetpu-slim", "deeplab_mobilenet_edgetpu_slim_cityscapes_quant",
        "v3, MobileNet-EdgeTPU 0.75, 8 bit", "Cityscapes", "cityscapes",
    ),
)  # fmt: skip
