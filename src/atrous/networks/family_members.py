"""Who is in the family, in a sentence each; plain words, so that a list of them imports nothing heavy."""

MEMBERS = {
    "deeplab_v1": ("VGG-16 made dense, with a large field of view", "arXiv:1412.7062"),
    "deeplab_v2": ("atrous spatial pyramid pooling as a sum of classifiers, at three scales", "arXiv:1606.00915"),
    "deeplab_v3": ("multi-grid, and a pyramid with the mean of the image", "arXiv:1706.05587"),
    "deeplab_v3plus": ("v3 as an encoder, and a decoder that brings back the edges", "arXiv:1802.02611"),
    "lite_deeplab": ("LR-ASPP, the small head of MobileNetV3", "arXiv:1905.02244"),
    "image_classifier": ("what backbones were before; no DeepLab, but the start of one", "-"),
}
"""By kind: what it is, and the paper."""

BACKBONES = {
    "vgg16": ("output stride 4, 8, 16 or 32; pools of Caffe or torchvision", "arXiv:1409.1556"),
    "resnet": ("depth 18, 34, 50, 101, 152; stems of torchvision, Caffe, DeepLab", "arXiv:1512.03385"),
    "xception": ("aligned; depth 41, 65, 71", "arXiv:1802.02611"),
    "drn": ("C-26, C-42, C-58, D-22, D-38, D-54, D-105; output stride 4 or 8", "arXiv:1705.09914"),
    "mobilenet_v1": ("any width", "arXiv:1704.04861"),
    "mobilenet_v2": ("any width", "arXiv:1801.04381"),
    "mobilenet_v3": ("small or large, any width", "arXiv:1905.02244"),
    "mobilenet_edgetpu": ("any width; 0.75 is the released slim one", "arXiv:2003.02838"),
    "timm": ("any of timm with feature levels, such as convnext_tiny; needs the extra timm", "-"),
}
"""By kind: its choices, and the paper."""
