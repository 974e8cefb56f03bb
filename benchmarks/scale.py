"""What 10^6, 10^8 and 10^9 images cost: `make bench-scale` measures rates and fills SCALE.md's tables from them.

Rates are of processor time, so that other work on the machine changes them little: images a core packs and unpacks a
second with codes that engram brings, bytes a merge copies a second, files of a folder looked through a second, and the
memory that a name and a label take. All else is computed from them (`schedule.py` simulates the cluster), so the same
rates always give the same tables.

    python benchmarks/scale.py              measures, writes docs/scale/rates.json, fills SCALE.md
    python benchmarks/scale.py --again      fills it from the rates that are there
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from schedule import Cluster, Run, simulate

from engram import archive as archives
from engram.files import replacing_file

Rates = dict[str, Any]
COUNTS = 10**6, 10**8, 10**9
CLUSTERS = {10**6: (1, 2), 10**8: (4, 16), 10**9: (16, 64, 256)}
"""Nodes, by images."""
CORES, SEEDS = 16, 7
RANGE = 1 << 16
"""Images in a range, where nothing else is said."""
LIKELY = {"slow": 0.01, "hours_between_losses": 100.0}
"""One range in a hundred takes five times as long; a node is lost every hundred hours, and is back in ten minutes."""
CODES = {"lossless": "lossless", "16 bytes": "spatial, 16 bytes", "PCA": "PCA, 32 numbers of 4 bits"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion-mnist", help="DATA whose train half is learned and test half packed")
    parser.add_argument("--rates", type=Path, default=Path("docs/scale/rates.json"), metavar="FILE")
    parser.add_argument("--again", action="store_true", help="measure nothing; take the rates of FILE")
    parser.add_argument("--into", type=Path, default=Path("SCALE.md"), metavar="DOCUMENT", help="what is filled")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    if not options.again:
        rates = measured(options.data, options.repetitions)
        options.rates.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(options.rates) as file:
            file.write((json.dumps(rates, indent=1) + "\n").encode())
    text = filled(options.into.read_text(), tables(json.loads(options.rates.read_text())))
    with replacing_file(options.into) as file:
        file.write(text.encode())


def filled(text: str, found: dict[str, str]) -> str:
    """The document with the tables at their marks, each of which is there once."""
    for name, table in found.items():
        before, mark, rest = text.partition(f"<!-- {name} -->\n")
        assert mark, f"there is no place for {name}"
        text = f"{before}{mark}{table}\n{rest[rest.index('<!-- end -->') :]}"
    return text


def measured(data: str, repetitions: int) -> Rates:
    """All rates, each the median of its repetitions, by name."""
    import engram
    from engram.archive import shipped
    from engram.codecs.dial import at_step
    from engram.codecs.goals import Size
    from engram.codecs.spatial.codec import Spatial
    from engram.experiments.environment import environment

    training, images = engram.load(f"{data}:train"), engram.load(f"{data}:test")
    spatial = shipped.load("fashion-mnist-spatial", images.image_shape, 0)
    assert isinstance(spatial, Spatial)
    codecs = {
        "lossless": shipped.load("fashion-mnist-lossless", images.image_shape, 0),
        "16 bytes": at_step(spatial, Size(16.0), training.images[:1500]),
        "PCA": engram.freeze(engram.fit(training, "pca", options={"units": 32}), training, bits=4.0),
    }
    rates: Rates = {"data": data, "pixels": math.prod(images.image_shape), "codes": {}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.egm")
        for name, codec in codecs.items():
            sizes = archives.pack(images, codec, path, force=True).info
            packing = [
                processor_seconds(lambda codec=codec: archives.pack(images, codec, path, force=True))
                for _ in range(repetitions)
            ]
            unpacking = [processor_seconds(lambda: read(path)) for _ in range(repetitions)]
            rates["codes"][name] = {
                "bytes_per_image": sizes.bytes_per_image,
                "model_bytes": len(codec.model),
                "packed": len(images) / statistics.median(packing),
                "unpacked": len(images) / statistics.median(unpacking),
            }
        rates |= merging(images, Path(folder), repetitions) | folder_rates(images, Path(folder), repetitions)
    return rates | memory(1_000_000) | {"environment": environment() | {"command": "make bench-scale"}}


def read(path: Path) -> None:
    import engram

    with engram.open(path) as archive:
        for _ in archive.batches():
            pass


def merging(images: Any, folder: Path, repetitions: int) -> Rates:
    """Bytes of blocks that are copied a second into a shard set."""
    import engram
    from engram.codecs.raw import Raw
    from engram.images import ImageSet

    many = ImageSet(images.images.repeat(10, axis=0))
    archives.pack(many, Raw(images.image_shape), folder / "raw.egm")
    size = (folder / "raw.egm").stat().st_size
    copying = [
        processor_seconds(lambda: engram.shard([folder / "raw.egm"], folder / "set", force=True))
        for _ in range(repetitions)
    ]
    return {"merged_bytes": size / statistics.median(copying)}


def folder_rates(images: Any, folder: Path, repetitions: int) -> Rates:
    """Picture files that are looked through a second, and decoded a second."""
    from engram.datasets import folders, source

    some = images[:2000]
    folders.save(some, folder / "pictures", "png")
    looking = [processor_seconds(lambda: folders.collection(folder / "pictures")) for _ in range(repetitions)]
    both = [processor_seconds(lambda: source.load(folder / "pictures")) for _ in range(repetitions)]
    seconds = statistics.median(looking)
    return {"files_looked_at": len(some) / seconds, "files_decoded": len(some) / (statistics.median(both) - seconds)}


def memory(count: int) -> Rates:
    """Bytes that a path takes where a folder is listed and an archive of it written."""
    from engram.archive.table_writer import ColumnsWriter
    from engram.table import texts

    tracemalloc.start()
    try:
        paths = [f"{number:09}.png" for number in range(count)]
        listed, _ = tracemalloc.get_traced_memory()
        writer = ColumnsWriter()
        writer.add({"path": texts(paths)}, count)
        both, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert writer.rows == count
    return {"name_listed_bytes": listed / count, "name_written_bytes": (both - listed) / count}


def processor_seconds(work: Callable[[], object]) -> float:
    """Seconds of processor time, over all threads."""
    before = time.process_time()
    work()
    return time.process_time() - before


def tables(rates: Rates) -> dict[str, str]:
    """SCALE.md's tables in Markdown, by name."""
    return {
        "rates": rates_table(rates),
        "costs": costs_table(rates),
        "times": times_table(rates),
        "losses": losses_table(rates),
        "ranges": ranges_table(rates),
        "driver": driver_table(rates),
    }


def rates_table(rates: Rates) -> str:
    rows = [
        [CODES[name], f"{code['bytes_per_image']:.1f}", f"{code['packed']:,.0f}", f"{code['unpacked']:,.0f}"]
        for name, code in rates["codes"].items()
    ]
    return table("code | bytes an image | packed a core second | unpacked a core second", rows)


def costs_table(rates: Rates) -> str:
    rows = []
    for count in COUNTS:
        for name, code in rates["codes"].items():
            hours = [count / code[way] / 3600 for way in ("packed", "unpacked")]
            raw, size = count * rates["pixels"], count * code["bytes_per_image"] + code["model_bytes"]
            rows.append([power(count), CODES[name], *map(amount, (raw, size)), *map(few, hours)])
    return table("images | code | pixels | archive | core hours to pack | core hours to unpack", rows)


def times_table(rates: Rates) -> str:
    rows = []
    for count in COUNTS:
        for nodes in CLUSTERS[count]:
            cells = [power(count), str(nodes)]
            for name in ("lossless", "16 bytes"):
                ideal = count / rates["codes"][name]["packed"] / nodes / CORES
                runs = simulated(rates, name, count, Cluster(nodes, CORES, **LIKELY))
                cells += [duration(ideal), spread([run.seconds for run in runs])]
            read = nodes * CORES * rates["codes"]["lossless"]["packed"] * rates["pixels"]
            rows.append([*cells, f"{amount(read)}/s"])
    heading = "images | nodes | lossless: at best | with losses | 16 bytes: at best | with losses | read, lossless"
    return table(heading, rows)


def losses_table(rates: Rates) -> str:
    """A thousand million images, lossless, on 64 nodes."""
    cases: dict[str, dict[str, float]] = {
        "nothing goes wrong": {},
        "1 range in 100 takes 5 times as long": {"slow": 0.01},
        "1 range in 100 takes 50 times as long": {"slow": 0.01, "times": 50.0},
        "a node is lost every 100 hours": {"hours_between_losses": 100.0},
        "a node is lost every 2 hours": {"hours_between_losses": 2.0},
        "1 in 100 5 times, every 2 hours": {"slow": 0.01, "hours_between_losses": 2.0},
    }
    ideal = 10**9 / rates["codes"]["lossless"]["packed"] / 64 / CORES
    rows = []
    for name, case in cases.items():
        runs = simulated(rates, "lossless", 10**9, Cluster(64, CORES, **case))
        rows.append([name, *described(runs, ideal, 64)])
    return table("what happens | time | over the best | ranges begun again | core time lost", rows)


def ranges_table(rates: Rates) -> str:
    ideal = 10**9 / rates["codes"]["lossless"]["packed"] / 64 / CORES
    rows = []
    for images in (1 << 12, 1 << 14, 1 << 16, 1 << 18):
        runs = simulated(rates, "lossless", 10**9, Cluster(64, CORES, **LIKELY), images)
        cells = [f"{images:,}", f"{-(-(10**9) // images):,}", duration(images / rates["codes"]["lossless"]["packed"])]
        rows.append([*cells, *described(runs, ideal, 64)[:2]])
    return table("images a range | ranges | a range takes | time | over the best", rows)


def driver_table(rates: Rates) -> str:
    rows = []
    for count in COUNTS:
        blocks, name = count / 64, rates["name_listed_bytes"] + rates["name_written_bytes"]
        rows.append(
            [
                power(count),
                *map(amount, (12 * blocks, 8 * count, name * count)),
                duration(count / rates["files_looked_at"]),
                duration(count * rates["codes"]["lossless"]["bytes_per_image"] / rates["merged_bytes"]),
            ]
        )
    return table("images | index | labels | names | looking through as many files | merging, lossless", rows)


def simulated(rates: Rates, code: str, count: int, cluster: Cluster, images: int = RANGE) -> list[Run]:
    """A run for each seed. Ranges are cut smaller where there would be fewer than four a core."""
    images = min(images, max(1, count // (4 * cluster.nodes * cluster.cores)))
    seconds = images / rates["codes"][code]["packed"]
    return [simulate(-(-count // images), seconds, cluster, seed) for seed in range(SEEDS)]


def described(runs: list[Run], ideal: float, nodes: int) -> list[str]:
    seconds = [run.seconds for run in runs]
    over = statistics.median(seconds) / ideal - 1
    lost = statistics.median(run.lost_seconds for run in runs) / (ideal * nodes * CORES)
    return [spread(seconds), f"{over:.1%}", f"{statistics.median(run.repeated for run in runs):,.0f}", f"{lost:.2%}"]


def spread(seconds: Iterable[float]) -> str:
    """The median, the least and the most."""
    found = sorted(seconds)
    return f"{duration(statistics.median(found))} ({duration(found[0])} to {duration(found[-1])})"


def duration(seconds: float) -> str:
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{few(seconds / size)} {unit}"
    return f"{few(seconds)} s"


def amount(count: float) -> str:
    """Bytes in the largest unit of which there is at least one."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{few(count / size)} {unit}"
    return f"{count:.0f} bytes"


def few(number: float) -> str:
    """Three digits."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def power(count: int) -> str:
    return f"10^{round(math.log10(count))}"


def table(heading: str, rows: list[list[str]]) -> str:
    lines = [heading, "|".join(["---"] * (heading.count("|") + 1)), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines)


if __name__ == "__main__":
    main()
