"""Archives as pictures of many frames, for Pillow and what reads pictures by it. Pillow does not write them."""

from __future__ import annotations

import os
import shutil
from tempfile import NamedTemporaryFile
from typing import IO, Any

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from engram.archive import Archive, frame
from engram.archive import open as open_archive
from engram.datasets.pictures import as_picture
from engram.errors import EngramError

FORMAT = "EGM"
_MODES = {"gray": "L", "gray-alpha": "LA", "rgb": "RGB", "rgba": "RGBA", "gray16": "I;16"}


def register_pillow() -> None:
    """Lets `PIL.Image.open` open archives: one frame for each image, of its own size and mode; may be called again.

    An archive of no images, or one that is damaged where it says what is where, raises PIL.UnidentifiedImageError; a
    damaged image raises OSError when it is loaded.
    """
    Image.register_open(FORMAT, ArchiveImageFile, lambda start: start.startswith(frame.MAGIC))
    Image.register_extension(FORMAT, ".egm")


class ArchiveImageFile(ImageFile.ImageFile):
    """The images of an archive as frames: n_frames, seek, tell; a frame is decoded when it is loaded."""

    format = FORMAT
    format_description = "engram archive"

    def _open(self) -> None:
        assert self.fp is not None
        try:
            self._archive = _archive_of(self.filename, self.fp)
            if not len(self._archive):
                raise UnidentifiedImageError(f"{self._archive.path} is an archive of no images")
            self._show(0)
        except EngramError as error:
            raise UnidentifiedImageError(str(error)) from error
        self.n_frames = len(self._archive)
        self.is_animated = self.n_frames > 1

    def _show(self, frame: int) -> None:
        """Goes to a frame, whose size and mode are its own."""
        plain = self._archive.is_plain  # then the sizes of all need not be laid out
        height, width = self._archive.image_shape[:2] if plain else self._archive.sizes[frame].tolist()
        [kind] = self._archive.kinds_of(np.array([frame]))
        if kind.name not in _MODES:
            raise OSError(f"{self._archive.path}: Pillow has no mode for image {frame}, which is {kind.name}")
        self._size, self._mode = (width, height), _MODES[kind.name]
        self._frame, self._loaded = frame, False

    def seek(self, frame: int) -> None:
        """Goes to a frame. Raises EOFError outside 0 to n_frames - 1, OSError where it cannot be shown."""
        if self._seek_check(frame):
            try:
                self._show(frame)
            except EngramError as error:
                raise OSError(str(error)) from error

    def tell(self) -> int:
        return self._frame

    def load(self) -> Any:
        """The access to the frame's pixels, decoded if they were not. Raises OSError where they are damaged."""
        if not self._loaded:
            try:
                pixels = self._archive[self._frame]
            except EngramError as error:
                raise OSError(str(error)) from error
            self.im = as_picture(pixels).im
            self._loaded = True
        return super().load()

    def close(self) -> None:
        self._archive.close()
        super().close()

    def __exit__(self, *args: object) -> None:
        self._archive.close()
        super().__exit__(*args)


def _archive_of(filename: str | bytes, file: IO[bytes]) -> Archive:
    """The archive of that name; or of a file without one, by a copy on disk that has no name once it is open."""
    path = filename or getattr(file, "name", None)
    if path and isinstance(path, str | bytes):
        return open_archive(os.fsdecode(path))
    file.seek(0)
    with NamedTemporaryFile(suffix=".egm") as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        return open_archive(copy.name)
