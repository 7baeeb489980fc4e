"""Context: what surrounds each place of the deepest features."""

from atrous.networks.context.aspp import ASPP

__all__ = ["ASPP"]
