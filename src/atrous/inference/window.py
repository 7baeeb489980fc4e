"""A window that shows pictures as they come, by Tk, which comes with Python."""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from atrous.errors import OutputError

SHARE_OF_SCREEN = 0.9


class Window(Protocol):
    """Whatever shows one picture after the other."""

    def show(self, image: NDArray[np.uint8]) -> bool:
        """Show uint8 [H, W, 3], RGB; return whether anybody still looks."""

    def close(self) -> None:
        """Take the window away."""


class TkWindow:
    """A window of the desktop; the key q, Escape, or its own button close it. It belongs to the main thread."""

    def __init__(self, title: str) -> None:
        """Open it.

        Raises:
            OutputError: If there is no display, or Python came without Tk.
        """
        try:
            import tkinter
        except ImportError:
            raise OutputError(
                "--show needs Tk, which this Python came without: install python3-tk, or leave it out."
            ) from None
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise OutputError(f"--show finds no display ({error}): leave it out, or run this on a desktop.") from None
        self._root.title(title)
        self._root.protocol("WM_DELETE_WINDOW", self.close)
        for key in ("q", "<Escape>"):
            self._root.bind(key, lambda _: self.close())
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self._new_picture = tkinter.PhotoImage
        self._open = True

    def show(self, image: NDArray[np.uint8]) -> bool:
        """Show uint8 [H, W, 3], RGB, smaller if the screen is; return whether the window is still open."""
        if self._open:
            screen = (self._root.winfo_screenheight(), self._root.winfo_screenwidth())
            self._picture = self._new_picture(master=self._root, data=portable_pixmap(fitting(image, screen)))
            self._label.configure(image=self._picture)
            self._root.update()  # may call `close`
        return self._open

    def close(self) -> None:
        """Take the window away; a second time is no harm."""
        if self._open:
            self._open = False
            self._root.destroy()


def fitting(image: NDArray[np.uint8], screen: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the picture, made smaller if it does not fit on a screen of (height, width)."""
    height, width = image.shape[:2]
    scale = min(SHARE_OF_SCREEN * screen[0] / height, SHARE_OF_SCREEN * screen[1] / width)
    if scale >= 1:
        return image
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def portable_pixmap(image: NDArray[np.uint8]) -> bytes:
    """Return the picture in the one format that Tk reads without decoding."""
    height, width = image.shape[:2]
    return b"P6 %d %d 255\n" % (width, height) + image.tobytes()
