"""Archives as pictures of many frames, for Pillow and what reads pictures by it. Pillow does not write them."""

from __future__ import annotations

import os
import shutil
from tempfile import NamedTemporaryFile
from typing import IO, Any

from PIL import Image, ImageFile, UnidentifiedImageError

from engram.archive import Reader, layout
from engram.archive import open as open_archive
from engram.errors import EngramError

FORMAT = "EGM"


def register_pillow() -> None:
    """Lets `PIL.Image.open` open archives: one frame for each image, "L" or "RGB"; may be called again.

    An archive of no images, or one that is damaged where it says what is where, raises PIL.UnidentifiedImageError; a
    damaged image raises OSError when it is loaded.
    """
    Image.register_open(FORMAT, ArchiveImageFile, lambda start: start.startswith(layout.MAGIC))
    Image.register_extension(FORMAT, ".egm")


class ArchiveImageFile(ImageFile.ImageFile):
    """The images of an archive as frames: n_frames, seek, tell; a frame is decoded when it is loaded."""

    format = FORMAT
    format_description = "engram archive"

    def _open(self) -> None:
        assert self.fp is not None
        try:
            self._archive = _archive_of(self.filename, self.fp)
        except EngramError as error:
            raise UnidentifiedImageError(str(error)) from error
        if not len(self._archive):
            raise UnidentifiedImageError(f"{self._archive.path} is an archive of no images")
        height, width, channels = self._archive.image_shape
        self._size, self._mode = (width, height), "L" if channels == 1 else "RGB"
        self.n_frames = len(self._archive)
        self.is_animated = self.n_frames > 1
        self._frame, self._loaded = 0, False

    def seek(self, frame: int) -> None:
        """Goes to a frame. Raises EOFError outside 0 to n_frames - 1."""
        if self._seek_check(frame):
            self._frame, self._loaded = frame, False

    def tell(self) -> int:
        return self._frame

    def load(self) -> Any:
        """The access to the frame's pixels, decoded if they were not. Raises OSError where they are damaged."""
        if not self._loaded:
            try:
                pixels = self._archive[self._frame]
            except EngramError as error:
                raise OSError(str(error)) from error
            self.im = Image.fromarray(pixels[:, :, 0] if self.mode == "L" else pixels).im
            self._loaded = True
        return super().load()

    def close(self) -> None:
        self._archive.close()
        super().close()

    def __exit__(self, *args: object) -> None:
        self._archive.close()
        super().__exit__(*args)


def _archive_of(filename: str | bytes, file: IO[bytes]) -> Reader:
    """The archive of that name; or of a file without one, by a copy on disk that has no name once it is open."""
    path = filename or getattr(file, "name", None)
    if path and isinstance(path, str | bytes):
        return open_archive(os.fsdecode(path))
    file.seek(0)
    with NamedTemporaryFile(suffix=".egm") as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        return open_archive(copy.name)
