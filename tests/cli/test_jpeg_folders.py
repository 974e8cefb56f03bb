"""`engram pack` of JPEG files, and of pictures that were made of such: their coefficients, in less than the files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from command_line import run
from PIL import Image

import engram
from engram.datasets import source, wardrobe


def test_a_folder_of_jpeg_files_takes_less_than_the_files(tmp_path: Path) -> None:
    garments = wardrobe.draw(120, 0, (32, 32)).images[..., 0].astype(float)
    tints = np.random.default_rng(0).uniform(0.4, 1, (120, 1, 1, 3))
    (tmp_path / "files").mkdir()
    for number, garment in enumerate(garments[..., None] * tints):
        picture = Image.fromarray(np.rint(40 + 0.8 * garment).astype(np.uint8))
        picture.save(tmp_path / "files" / f"{number:03}.jpg", quality=80)
    images = source.load(str(tmp_path / "files")).images
    np.save(tmp_path / "pixels.npy", images)
    header = 623  # of the smallest file with chroma halved
    files = sum(path.stat().st_size - header for path in (tmp_path / "files").iterdir())
    for data, codec in (("files", "picture-files"), ("pixels.npy", "jpeg-coefficients")):
        done = run("pack", data, "-o", "a.egm", "--json", "--force", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert engram.info(tmp_path / "a.egm").groups[0].codecs == (codec,)
        with engram.open(tmp_path / "a.egm") as archive:
            assert np.array_equal(archive[:], images)
            assert np.array_equal(archive[77], images[77])
        assert json.loads(done.stdout)["archive_bytes"] < files
