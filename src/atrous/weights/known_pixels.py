"""How the ecosystems want their pixels, where the files do not say it."""

from atrous.networks.segmentation import PixelScaleConfig

TENSORFLOW_PIXELS = PixelScaleConfig(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
"""-1..1, as all of TensorFlow's MobileNets and Xceptions want it."""

KERAS_PIXELS = PixelScaleConfig(
    mean=(123.68 / 255, 116.779 / 255, 103.939 / 255), std=(1 / 255, 1 / 255, 1 / 255), order="bgr"
)
"""BGR of 0..255 less ImageNet's means, for Keras's ResNets and VGGs."""

CAFFE_PIXELS = PixelScaleConfig(
    mean=(122.675 / 255, 116.669 / 255, 104.008 / 255), std=(1 / 255, 1 / 255, 1 / 255), order="bgr"
)
"""Mean pixels of the authors' Caffe networks, of 0..255."""
