"""The DeepLab family of semantic segmentation as one system."""

__version__ = "0.1.0"
