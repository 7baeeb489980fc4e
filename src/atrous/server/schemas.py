"""What passes between the server and its clients, as JSON; the OpenAPI document is made of these."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from atrous.data.polygons import DEFAULT_TOLERANCE
from atrous.labels import Color
from atrous.server.limits import Limits
from atrous.server.refusals import Kind

Wanted = Literal["mask", "overlay", "areas", "polygons", "probabilities"]
WANTED: tuple[Wanted, ...] = ("mask", "overlay", "areas", "polygons", "probabilities")
TOGETHER = "mask|overlay|areas|polygons"


class SegmentOptions(BaseModel):
    """What `POST /v1/segment` is asked for, beside the picture."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    answer: Annotated[str | None, Field(pattern=rf"^(probabilities|({TOGETHER})(,({TOGETHER}))*)$")] = None
    """What comes back: mask (PNG), overlay (JPEG), areas, polygons (JSON), probabilities (NumPy's .npy). Several of the
    first four, with commas between them, come in one JSON. Without it, the header Accept decides."""
    model: str | None = None
    """The name of a model, as `GET /v1/model` lists them; without it the first one."""
    opacity: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Of the colours in an overlay."""
    tolerance: Annotated[float, Field(ge=0, le=100)] = DEFAULT_TOLERANCE
    """How far, in pixels, a polygon's outline may leave the sides of pixels."""


class ModelOptions(BaseModel):
    """Which model `GET /v1/model` is asked about."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str | None = None
    """The name of a model; without it the first one."""


class Problem(BaseModel):
    """Why there is no result."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: Kind
    """For programs."""
    message: str
    """For people: one sentence, what is wrong and what to do."""


class ClassCard(BaseModel):
    """A class that a model knows."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    index: int
    """Its value in a mask."""
    name: str
    color: Color
    """Red, green, blue, 0..255."""


class ModelCard(BaseModel):
    """A model, and what the server takes."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """How requests call it."""
    title: str
    """How it calls itself."""
    classes: list[ClassCard]
    ignore_index: int
    """The mask value that is no class."""
    models: list[str]
    """The names of all models of this server, the first of which answers where none is named."""
    limits: Limits


class Area(BaseModel):
    """How much of a picture is one class."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    index: int
    name: str
    color: Color
    pixels: int
    share: float
    """Of all pixels, 0..1."""


class Polygon(BaseModel):
    """One connected area of a class, in pixels from the upper left corner of the picture."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    index: int
    name: str
    area: float
    """In pixels."""
    outline: list[tuple[float, float]]
    """Corners (x, y), clockwise as they are seen; the first is not repeated."""
    holes: list[list[tuple[float, float]]]


class SegmentAnswer(BaseModel):
    """What a model says about a picture."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model: str
    width: int
    height: int
    seconds: float
    """That the picture was computed, without waiting; with others of its size, if they waited together."""
    areas: list[Area] | None = None
    """The classes that occur, the largest first."""
    polygons: list[Polygon] | None = None
    mask: str | None = None
    """A palette PNG of class indices (16 bits above 255 classes), in Base64."""
    overlay: str | None = None
    """A JPEG, in Base64."""


class Health(BaseModel):
    """That the server is there."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: Literal["ok"] = "ok"
    waiting: int
    """Pictures that wait."""


PICTURE = {"type": "string", "format": "binary"}
PICTURE_BODY: dict[str, Any] = {
    "required": True,
    "description": "The bytes of a picture file (JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, JPEG 2000), or a form with one.",
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["image"], "properties": {"image": PICTURE}},
        },
        "application/octet-stream": {"schema": PICTURE},
        "image/jpeg": {"schema": PICTURE},
        "image/png": {"schema": PICTURE},
    },
}
