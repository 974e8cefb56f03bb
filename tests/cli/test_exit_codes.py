"""Exit codes, one rule: 2 what is asked for cannot be, 3 data is corrupt, 1 it failed and may work another time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import run
from PIL import Image

PACK = ("-o", "out.egm", "--budget", 0)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("empty", "pictures", "text", "inks", "metadata"):
        (tmp_path / name).mkdir()
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    picture.save(tmp_path / "pictures" / "a.png")
    picture.save(tmp_path / "metadata" / "a.png")
    picture.convert("CMYK").save(tmp_path / "inks" / "a.tif")
    (tmp_path / "text" / "a.png").write_text("a picture")
    (tmp_path / "metadata" / "metadata.csv").write_text("name\na.png\n")
    np.savez(tmp_path / "floats.npz", images=np.zeros((3, 4, 4)))
    np.savez(tmp_path / "good.npz", images=np.zeros((3, 4, 4), np.uint8))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:-100])
    assert run("pack", "pictures", "-o", "good.egm", "--budget", 0, cwd=tmp_path).returncode == 0
    (tmp_path / "cut.egm").write_bytes((tmp_path / "good.egm").read_bytes()[:-3])
    damaged = bytearray((tmp_path / "good.egm").read_bytes())
    damaged[20] ^= 1
    (tmp_path / "damaged.egm").write_bytes(damaged)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("pack", "good.npz", "-o", "no/such/out.egm"), 1, "there is no folder no/such"),
        (("pack", "nowhere", *PACK), 2, "'nowhere' is no file, no folder and no known name"),
        (("pack", "empty", *PACK), 2, "empty: no picture in it"),
        (("pack", "floats.npz", *PACK), 2, "floats.npz"),
        (("pack", "inks", *PACK), 2, "inks/a.tif has CMYK inks, which would be lost"),
        (("pack", "metadata", *PACK), 2, "metadata/metadata.csv has no column file_name"),
        (("pack", "pictures:val", *PACK), 2, "pictures has no split 'val'"),
        (("pack", "pictures", *PACK, "-m", "nothing"), 2, "there is no model file nothing"),
        (("pack", "pictures", *PACK, "--psnr", "nan"), 2, "--psnr is in dB, above 0 and at most 100, not nan"),
        (("pack", "pictures", "-o", "good.egm"), 2, "good.egm exists already"),
        (("pack", "pictures", "-o", "empty"), 2, "empty exists already"),
        (("pack", "pictures"), 2, "Missing option"),
        (("info", "nowhere.egm"), 2, "nowhere.egm cannot be opened"),
        (("get", "good.egm", "b.png", "-o", "x.png"), 2, "none at that path: 'b.png'"),
        (("unpack", "good.egm", "pictures"), 2, "pictures exists already"),
        (("append", "good.egm", "good.npz"), 2, "good.npz has no column 'path'"),
        (("pack", "cut.npz", *PACK), 3, "cut.npz"),
        (("pack", "text", *PACK), 3, "text/a.png cannot be read as a picture"),
        (("info", "cut.egm"), 3, "cut.egm"),
        (("info", "good.npz"), 3, "good.npz is no archive"),
        (("get", "damaged.egm", "0", "-o", "x.png"), 3, "block 0 (images 0 to 0) is damaged"),
        (("unpack", "damaged.egm", "again"), 3, "block 0 (images 0 to 0) is damaged"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else str(value)[:9],
)
def test_a_command_ends_with_its_code_and_a_sentence(
    words: tuple[object, ...], code: int, sentence: str, place: Path
) -> None:
    before = sorted(place.rglob("*"))
    done = run(*words, cwd=place)
    said = " ".join(done.stderr.replace("│", " ").split())
    assert (done.returncode, done.stdout) == (code, ""), said
    assert sentence in said
    assert sorted(place.rglob("*")) == before, "nothing is left behind"


def test_verify_ends_with_three_where_anything_is_damaged(place: Path) -> None:
    assert run("verify", "good.egm", cwd=place).returncode == 0
    assert run("verify", "damaged.egm", cwd=place).returncode == 3
