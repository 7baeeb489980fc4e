"""Where the pictures stand in an XML of CVAT: it is gone through once, and only places and names are kept."""

import posixpath
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError
from xml.parsers.expat import ExpatError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser
from numpy.typing import NDArray

from atrous.data.file_tree import FileTree
from atrous.data.json_sections import Content
from atrous.data.names import Names
from atrous.data.records import parse_xml
from atrous.data.split_names import usual_name
from atrous.errors import DatasetError

SPLIT_FOLDERS = ("train", "val", "test")


class CvatFile(NamedTuple):
    """One XML: its head, and the places of its pictures."""

    content: Content
    meta: Element
    """What it says of tasks and labels."""
    names: Names
    """The pictures' paths as they are written."""
    subsets: Names
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def element(self, image: int) -> bytes:
        """The element of a picture."""
        return self.content.part(int(self.starts[image]), int(self.ends[image]))

    def subset(self, image: int) -> str:
        """The subset of a picture, or the folder of the file if that is called like a split; or nothing."""
        if self.subsets[image]:
            return self.subsets[image]
        folder = posixpath.basename(posixpath.dirname(self.content.name))
        return folder if usual_name(folder) in SPLIT_FOLDERS else ""


class _Places:
    """Notes where `meta` and each `image` start and end, while the parser goes through the file."""

    def __init__(self, content: bytes, parser: DefusedXMLParser) -> None:
        self.content, self.expat = content, parser.parser
        self.root = ""
        self.has_tracks = False
        self.meta = (0, 0)
        self.names: list[str] = []
        self.subsets: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self._depth = 0
        self.expat.StartElementHandler, self.expat.EndElementHandler = self._start, self._end

    def _start(self, tag: str, attributes: list[str]) -> None:
        if self._depth == 0:
            self.root = tag
        elif self._depth == 1 and tag == "meta":
            self.meta = (self.expat.CurrentByteIndex, 0)
        elif self._depth == 1 and tag == "image":
            values = dict(zip(attributes[::2], attributes[1::2], strict=True))
            self.names.append(values.get("name", ""))
            self.subsets.append(values.get("subset", ""))
            self.starts.append(self.expat.CurrentByteIndex)
        self.has_tracks |= self._depth == 1 and tag == "track"
        self._depth += 1

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._depth == 1 and tag == "meta":
            self.meta = (self.meta[0], self._behind(tag))
        elif self._depth == 1 and tag == "image":
            self.ends.append(self._behind(tag))

    def _behind(self, tag: str) -> int:
        """The place behind an element: the parser stands at its closing tag, or behind it if it has no content."""
        place: int = self.expat.CurrentByteIndex
        return self.content.index(b">", place) + 1 if self.content.startswith(f"</{tag}".encode(), place) else place


def read_cvat(tree: FileTree, name: str) -> CvatFile:
    """Go through an XML of CVAT.

    Raises:
        DatasetError: If it is damaged, or is no "CVAT for images 1.1".
    """
    content = Content(tree, name)
    places = _find_places(content)
    if places.root != "annotations" or places.has_tracks or not places.names:
        found = "tracks of a video" if places.has_tracks else f"no images in <{places.root}>"
        raise DatasetError(f"{content.source} has {found}: export the task as `CVAT for images 1.1`.")
    start, end = places.meta
    meta = parse_xml(content.part(start, end) or b"<meta/>", content.source)
    starts, ends = np.array(places.starts, np.int64), np.array(places.ends, np.int64)
    return CvatFile(content, meta, Names(places.names), Names(places.subsets), starts, ends)


def _find_places(content: Content) -> _Places:
    everything = content.values.tobytes()
    parser = DefusedXMLParser(encoding="utf-8")  # the places are those of bytes
    places = _Places(everything, parser)
    try:
        parser.parser.Parse(everything, True)
    except (ExpatError, ParseError) as error:
        raise DatasetError(f"{content.source} is no XML ({error}): get a whole copy, or export it again.") from None
    except (DefusedXmlException, ValueError, LookupError) as error:
        reason = type(error).__name__
        raise DatasetError(f"{content.source} is no XML that can be read ({reason}): export it again.") from None
    return places
