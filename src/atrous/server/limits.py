"""What a server takes on, so that no request can use up the machine; each limit is answered in words."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from atrous.config import Config

MEGA = 10**6
MOST_PIXELS = 178 * MEGA
"""Pillow opens no larger picture."""


class Limits(Config):
    """The limits of one server; the defaults suit one machine with 8 GB of memory."""

    upload_bytes: PositiveInt = 32 * MEGA
    """Of one request."""
    held_bytes: PositiveInt = 256 * MEGA
    """Of all uploads together that are read or wait."""
    pixels: Annotated[int, Field(gt=0, le=MOST_PIXELS)] = 16 * MEGA
    """Of one picture; known from its header, before it is unpacked."""
    waiting: PositiveInt = 32
    """Pictures that wait while another is computed; one more is answered by 429."""
    batch: PositiveInt | None = None
    """Pictures of one size and model that are computed together, if they wait at the same moment; by default as many
    as pay. Together they have no more pixels than one picture may have."""
    seconds: PositiveFloat = 60
    """From the last byte of a request to the beginning of its answer."""
    upload_seconds: PositiveFloat = 30
    """From the first byte of a request to its last."""
    probability_values: PositiveInt = 25 * MEGA
    """Classes times pixels, of 4 bytes each."""
    polygon_corners: PositiveInt = 2 * MEGA
    """Of all polygons of a picture before they are simplified."""
