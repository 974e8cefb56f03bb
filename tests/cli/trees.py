"""Folders of pictures as people have them: each writes its files, and says what comes back otherwise than as it was."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

RANDOM = np.random.default_rng(0)
MODES = ("L", "LA", "RGB", "RGBA", "I;16", "1", "P")


def save(folder: Path, path: str, mode: str = "L", size: tuple[int, int] = (9, 7)) -> None:
    """A picture of noise, its suffix says in which format."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    channels = len(mode) if mode in ("LA", "RGB", "RGBA") else 1
    values = RANDOM.integers(0, 256, (height, width, channels), np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(values[..., 0].astype(np.uint16) * 250 + 3)
    elif mode in ("1", "P"):
        picture = Image.fromarray(values[..., 0] // 86 * 86).convert("RGB").convert(mode)
    else:
        picture = Image.fromarray(values if channels > 1 else values[..., 0])
    picture.save(folder / path)


def flat(folder: Path) -> None:
    for number in range(5):
        save(folder, f"{number}.png")


def nested(folder: Path) -> None:
    for path in ("2024/01/a.png", "2024/02/a.png", "A/more/b.png", "A/c.png", "top.png"):
        save(folder, path)


def divided(folder: Path) -> None:
    for split in ("train", "val", "test"):
        for label in ("cat", "dog", "T-shirt%2FTop"):
            save(folder, f"{split}/{label}/1.png", "RGB")


def divided_with_metadata(folder: Path) -> None:
    for split in ("train", "validation"):
        for number in range(3):
            save(folder, f"{split}/{number}.png")
        rows = [("file_name", "age", "box"), *((f"{number}.png", number, [number, 1, 2, 3]) for number in range(3))]
        with (folder / split / "metadata.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)


def with_csv(folder: Path) -> None:
    for number in range(4):
        save(folder, f"{number % 2}/{number}.png")
    text = '﻿file_name,age,weight,good,owner\r\n0/0.png,1,0.5,true,\r\n1/1.png,,nan,false,"Ann, Bo"\r\n'
    (folder / "metadata.csv").write_bytes(text.encode())


def with_jsonl(folder: Path) -> None:
    for number in range(3):
        save(folder, f"{number}.png")
    rows = [{"file_name": "2.png", "objects": {"box": [[1, 2], []], "name": None}}, {"file_name": "0.png", "é": "→"}]
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows))


def of_all_kinds(folder: Path) -> None:
    for mode in MODES:
        for number in range(2):
            save(folder, f"{mode.replace(';', '')}/{number}.png", mode)
    Image.new("P", (5, 4), 3).save(folder / "P" / "clear.png", transparency=3)


def of_all_sizes(folder: Path) -> None:
    for number in range(8):
        save(folder, f"{number}.png", "RGB", (1 + 3 * number, 20 - 2 * number))
    save(folder, "large.png", "RGB", (600, 300))
    save(folder, "long.png", "RGBA", (1, 3000))


def in_many_scripts(folder: Path) -> None:
    for path in (
        "猫/みけ.png",
        "кот/Ёж.png",
        "ñandú/e\u0301 (1).png",
        "قطة/ب.png",
        "🐈.png",
        " a b/%41.PNG.png",
        "c=d.png",
    ):
        save(folder, path)


def of_one_name(folder: Path) -> None:
    for path in ("a.png", "a.bmp", "a.gif", "b.bmp", "B.gif", "a.bmp.png"):
        save(folder, path)


def of_one_picture(folder: Path) -> None:
    save(folder, "/".join("abcdefgh") + ".png")


def of_other_formats(folder: Path) -> None:
    for suffix in (".jpg", ".JPEG", ".webp", ".tiff", ".ppm", ".jfif"):
        save(folder, f"x{suffix[1:3]}/y{suffix}", "RGB", (16, 16))


TREES: dict[Callable[[Path], None], dict[str, str]] = {
    flat: {},
    nested: {},
    divided: {},
    divided_with_metadata: {},
    with_csv: {},
    with_jsonl: {},
    of_all_kinds: {},
    of_all_sizes: {},
    in_many_scripts: {},
    of_one_name: {"a.bmp": "a-2.png", "a.gif": "a.gif.png"},
    of_one_picture: {},
    of_other_formats: {},
}
"""And what files become that cannot be called as they were with .png in place of their suffix."""
