import builtins
import io
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from atrous.errors import OutputError
from atrous.inference.window import TkWindow, fitting, portable_pixmap
from tests.tiny_data import noise, one_sentence


def test_the_bytes_for_tk_are_a_picture() -> None:
    image = noise((5, 7), 0)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(portable_pixmap(image)))), image)


@pytest.mark.parametrize(
    ("size", "shown"), [((600, 800), (600, 800)), ((2160, 3840), (972, 1728)), ((4000, 100), (972, 24))]
)
def test_a_picture_larger_than_the_screen_is_made_smaller(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert fitting(np.zeros((*size, 3), np.uint8), (1080, 1920)).shape == (*shown, 3)


def test_without_a_display_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tkinter")
    if not sys.platform.startswith("linux"):
        pytest.skip("there is always a display")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(OutputError) as caught:
        TkWindow("title")
    assert "no display" in one_sentence(caught.value)


def test_without_tk_a_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "tkinter":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OutputError) as caught:
        TkWindow("title")
    assert "python3-tk" in one_sentence(caught.value)


class FakeTk:
    """As much of Tk as a window needs; its user closes it after so many pictures."""

    class TclError(Exception):
        pass

    def __init__(self, pictures: int) -> None:
        self.left, self.shown, self.destroyed = pictures, [], 0  # type: ignore[var-annotated]

    def Tk(self) -> "FakeTk":  # noqa: N802
        return self

    def title(self, text: str) -> None:
        self.text = text

    def protocol(self, _: str, close: Any) -> None:
        self.close_button = close

    def bind(self, key: str, _: Any) -> None:
        pass

    def winfo_screenheight(self) -> int:
        return 1080

    def winfo_screenwidth(self) -> int:
        return 1920

    def Label(self, *_: Any, **__: Any) -> "FakeTk":  # noqa: N802
        return self

    def pack(self) -> None:
        pass

    def PhotoImage(self, *, master: Any, data: bytes) -> bytes:  # noqa: N802, ARG002
        return data

    def configure(self, *, image: bytes) -> None:
        self.shown.append(image)

    def update(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.close_button()

    def destroy(self) -> None:
        self.destroyed += 1


def test_a_window_shows_pictures_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeTk(pictures=3)
    monkeypatch.setitem(sys.modules, "tkinter", fake)
    window = TkWindow("title")
    images = [noise((4, 6), seed) for seed in range(5)]
    assert [window.show(image) for image in images] == [True, True, False, False, False]
    window.close()
    assert fake.shown == [portable_pixmap(image) for image in images[:3]]
    assert fake.destroyed == 1
