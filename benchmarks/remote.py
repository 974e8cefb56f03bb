"""Scanning a shard set over loopback HTTP against reading it from disk: `make bench-remote`.

The images of `wardrobe` are packed, cut into shards, and scanned from the first to the last with `batches`, in turn
from the folder and by URL, from a server with ranges in a process of its own. Images a second, the median of the
repetitions with the slowest and the fastest in brackets, and the ratio of the medians; each scan opens the set anew
and sums its pixels. Beside it, one image: the milliseconds of opening a set and reading it.

raw      the pixels, deflated: decoding is fast, so the transport weighs most
frozen   principal components as a frozen network

    python benchmarks/remote.py --out remote.json
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

import engram
from engram import archive as archives
from engram.codecs.contract import Codec
from engram.codecs.pca import fit_pca
from engram.codecs.raw import Raw
from engram.datasets import wardrobe
from engram.images import ImageSet


class Handler(SimpleHTTPRequestHandler):
    """Files of the current folder, with ranges, over connections that stay."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path, asked = Path(self.translate_path(self.path)), self.headers.get("Range", "")
        if not path.is_file():
            return self.send_error(404)
        size, found = path.stat().st_size, re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
        first, last = found.groups() if found else ("0", "")
        start = int(first) if first else max(0, size - int(last))
        stop = min(size, int(last) + 1) if first and last else size
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str(stop - start))
        if found:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.end_headers()
        with path.open("rb") as file:
            file.seek(start)
            self.wfile.write(file.read(stop - start))
        return None

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def serve(folder: str, connection: Connection) -> None:
    os.chdir(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        connection.send(server.server_address[1])
        server.serve_forever()


def scan(place: Path | str, images: int, total: int) -> float:
    """Images a second. Every pixel counts towards the sum, which must come out."""
    started = time.perf_counter()
    with engram.open(place) as reader:
        found = sum(int(some.sum(dtype=np.int64)) for _, some in reader.batches())
    seconds = time.perf_counter() - started
    assert found == total, "the images are others"
    return images / seconds


def one(place: Path | str, row: int) -> float:
    """Seconds from nothing open to an image."""
    started = time.perf_counter()
    with engram.open(place) as reader:
        _ = reader[row]
    return time.perf_counter() - started


def in_turn(ask: Callable[[Path | str], float], places: dict[str, Path | str], times: int) -> dict[str, list[float]]:
    """Of each place so many values, one after another, so that what else the machine does touches all alike."""
    for place in places.values():
        ask(place)
    found: dict[str, list[float]] = {name: [] for name in places}
    for _ in range(times):
        for name, place in places.items():
            found[name].append(ask(place))
    return found


def described(values: list[float], scale: float = 1) -> str:
    median, least, most = (scale * each(values) for each in (statistics.median, min, max))
    return f"{median:12,.2f}   ({least:,.2f} to {most:,.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    options = parser.parse_args()
    drawn = wardrobe.draw(20_000, seed=0)
    rows = np.resize(np.arange(len(drawn)), options.images)
    images = ImageSet(drawn.images[rows])
    codecs: dict[str, Codec] = {"raw": Raw((28, 28, 1)), "frozen": engram.freeze(fit_pca(drawn, 40), drawn, bits=2.0)}
    results = []
    with tempfile.TemporaryDirectory() as folder:
        mine, its = get_context("spawn").Pipe()
        server = get_context("spawn").Process(target=serve, args=(folder, its), daemon=True)
        server.start()
        base = f"http://127.0.0.1:{mine.recv()}"
        for name, codec in codecs.items():
            path, cut = Path(folder, f"{name}.egm"), Path(folder, name)
            archives.pack(images, codec, path)
            manifest = engram.shard([path], cut, images=-(-options.images // options.shards))
            with engram.open(path) as archive:
                total = sum(int(some.sum(dtype=np.int64)) for _, some in archive.batches())
            places: dict[str, Path | str] = {"local": cut, "http": f"{base}/{name}/"}
            rates = in_turn(partial(scan, images=len(images), total=total), places, options.repetitions)
            alone = in_turn(partial(one, row=len(images) // 2), places, options.repetitions)
            ratio = statistics.median(rates["http"]) / statistics.median(rates["local"])
            ratios = [there / here for there, here in zip(rates["http"], rates["local"], strict=True)]
            size = sum(shard.bytes for shard in manifest.shards)
            print(f"\n{name}: {len(images):,} images in {len(manifest.shards)} shards, {size:,} bytes")
            for place in places:
                print(f"  {place:6} scan, images a second   {described(rates[place])}")
                print(f"  {place:6} one image, milliseconds {described(alone[place], 1000)}")
            print(
                f"  http / local                  {ratio:12.2%}   (pair by pair {min(ratios):.2%} to {max(ratios):.2%})"
            )
            results.append(
                {"codec": name, "images": len(images), "bytes": size, "scan": rates, "one": alone, "ratio": ratio}
            )
        server.terminate()
        server.join()
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")
        print(f"\n{options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
