import pytest
import torch

from atrous.networks.segmentation import PixelScale, PixelScaleConfig


def scale(config: PixelScaleConfig) -> PixelScale:
    return PixelScale(config.mean, config.std, config.order)


def test_the_default_scale_is_that_of_imagenet() -> None:
    torchvision = pytest.importorskip("torchvision")
    image = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = torchvision.transforms.functional.normalize(image, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(scale(PixelScaleConfig())(image), expected)


def test_pixels_for_caffe_are_bgr_in_0_to_255_minus_their_mean() -> None:
    mean = (122.675 / 255, 116.669 / 255, 104.008 / 255)
    caffe = scale(PixelScaleConfig(mean=mean, std=(1 / 255, 1 / 255, 1 / 255), order="bgr"))
    red, green, blue = caffe(torch.tensor([1.0, 0.5, 0.0]).reshape(1, 3, 1, 1)).flatten().tolist()[::-1]
    torch.testing.assert_close([red, green, blue], [255 - 122.675, 127.5 - 116.669, -104.008], rtol=0, atol=1e-3)


def test_pixels_for_tensorflow_lie_between_minus_one_and_one() -> None:
    tensorflow = scale(PixelScaleConfig(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)))
    image = torch.stack([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)])
    torch.testing.assert_close(tensorflow(image), image * 2 - 1)


def test_the_scale_travels_with_the_weights() -> None:
    caffe = scale(PixelScaleConfig(mean=(0.1, 0.2, 0.3)))
    default = scale(PixelScaleConfig())
    default.load_state_dict(caffe.state_dict())
    torch.testing.assert_close(default.mean.flatten(), torch.tensor([0.1, 0.2, 0.3]))
