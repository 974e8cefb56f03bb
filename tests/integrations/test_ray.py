"""Packing on a simulated Ray cluster: whatever happens to nodes and tasks, the bytes are those of one process."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray_codecs
import typer
from typer.testing import CliRunner

from engram import archive
from engram.archive import engines, ranges
from engram.archive import writer as writing
from engram.archive.engines import pack_by
from engram.archive.errors import ResumeMismatch
from engram.archive.ranges import NotShared, RangeEncoder
from engram.cli import archives
from engram.cli.packing import pack as pack_verb
from engram.codecs.contract import Codec
from engram.datasets import source
from engram.errors import EngramError, MissingLibrary
from engram.files import CannotWrite
from engram.integrations import ray as ray_engine
from engram.integrations.ray import Cluster, NoCluster, NodeLost, OtherVersion, RangeFailed
from engram.version import __version__

SHAPE = (4, 3, 1)
RANGE = 32
RANGES = 10
STORE_BYTES = 80 << 20

app = typer.Typer()
for verb in (pack_verb, archives.info):
    app.command()(verb)


@pytest.fixture(scope="module")
def simulated() -> Iterator[Any]:
    """A head without cores and two nodes of one core; all of their processes are gone in the end.

    One at a time on a machine: where tests run side by side, the second cluster waits for the first to be gone.
    """
    lock = (Path(tempfile.gettempdir()) / f"engram-ray-{os.getuid()}.lock").open("w")
    with lock, pytest.MonkeyPatch.context() as patched:
        fcntl.flock(lock, fcntl.LOCK_EX)
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patched.setenv("RAY_AUTH_MODE", "disabled")
        patched.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        from ray.cluster_utils import Cluster as Simulated

        head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        soon = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300}  # a lost node is missed in 1.5 s
        cluster = Simulated(initialize_head=True, head_node_args=head | {"_system_config": soon})
        try:
            for _ in range(2):
                cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
            yield cluster
        finally:
            session = cluster.head_node.get_session_dir_path()
            cluster.shutdown()
        wait_until(lambda: not processes_with(session))


@pytest.fixture(scope="module")
def cluster(simulated: Any) -> Iterator[Cluster]:
    with Cluster(simulated.address) as engine:
        yield engine


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges of 32 images of 12 bytes."""
    for module in (writing, ranges):
        monkeypatch.setattr(module, "BATCH_BYTES", RANGE * 12)


@pytest.fixture
def data(tmp_path: Path) -> str:
    """The images of the first range are black, all others are not."""
    pixels = np.random.default_rng(0).integers(1, 256, (RANGE * RANGES - 5, *SHAPE), np.uint8)
    pixels[:RANGE] = 0
    np.save(tmp_path / "data.npy", pixels)
    return str(tmp_path / "data.npy")


@pytest.fixture
def signals(tmp_path: Path) -> Path:
    (tmp_path / "signals").mkdir()
    return tmp_path / "signals"


def wait_until(holds: Callable[[], Any]) -> None:
    """Returns when it holds; the test's time limit is the limit."""
    while not holds():
        time.sleep(0.01)


def processes_with(text: str) -> list[int]:
    """The processes on whose command line this stands."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass  # gone
    return found


def whole(data: str, codec: Codec, path: Path) -> bytes:
    """What one process writes."""
    archive.pack(source.stream(data), codec, path, block_size=16)
    return path.read_bytes()


def packed_by(engine: engines.Engine, data: str, codec: Codec, path: Path, **options: Any) -> archive.Packed:
    return pack_by(engine, data, source.Reading(), source.collection(data), codec, path, block_size=16, **options)


@pytest.mark.parametrize("codec", [ray_codecs.Quick, ray_codecs.Dying, ray_codecs.Failing])
def test_the_bytes_are_those_of_one_process(
    cluster: Cluster, data: str, tmp_path: Path, signals: Path, codec: type[ray_codecs.Quick]
) -> None:
    """Also where a process dies, and where a task fails and is tried again."""
    told: list[tuple[int, int]] = []
    packed_by(cluster, data, codec(SHAPE, signals), tmp_path / "a.egm", progress=lambda *now: told.append(now))
    expected = whole(data, ray_codecs.Quick(SHAPE, signals), tmp_path / "b.egm")
    assert (tmp_path / "a.egm").read_bytes() == expected
    assert len(told) == RANGES
    assert told[-1] == (RANGE * RANGES - 5, RANGE * RANGES - 5)
    assert len(list(signals.iterdir())) == (codec is not ray_codecs.Quick)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.egm", "b.egm", "data.npy", "signals"]


def test_the_codec_is_fetched_once_by_each_process(cluster: Cluster, data: str, tmp_path: Path, signals: Path) -> None:
    packed_by(cluster, data, ray_codecs.Fetched(SHAPE, signals), tmp_path / "a.egm")
    assert 0 < len(list(signals.iterdir())) < RANGES
    assert {path.read_text() for path in signals.iterdir()} == {"fetched\n"}


def test_a_node_is_lost_and_another_comes(
    simulated: Any, cluster: Cluster, data: str, tmp_path: Path, signals: Path
) -> None:
    nodes: list[Any] = []

    def losing(work: RangeEncoder, ranges: Sequence[range]) -> Generator[range, None, None]:
        for number, rows in enumerate(cluster(work, ranges)):
            if number == 0:
                wait_until(lambda: list(signals.iterdir()))
                busy = next(signals.iterdir()).name.partition("-")[0]
                [lost] = [node for node in simulated.worker_nodes if node.node_id == busy]
                simulated.remove_node(lost, allow_graceful=False)
                nodes.append(simulated.add_node(num_cpus=1, object_store_memory=STORE_BYTES).node_id)
                wait_until(lambda: any(path.name.startswith(nodes[0]) for path in signals.iterdir()))
                (signals / "go").touch()
            yield rows

    packed_by(losing, data, ray_codecs.Waiting(SHAPE, signals), tmp_path / "a.egm")
    assert len(nodes) == 1
    (signals / "go").touch()
    assert (tmp_path / "a.egm").read_bytes() == whole(data, ray_codecs.Quick(SHAPE, signals), tmp_path / "b.egm")


INTERRUPTED = """
import signal
import sys
from pathlib import Path
from engram.archive import ranges, writer
from engram.archive.engines import pack_by
from engram.datasets import source
from engram.integrations.ray import Cluster
import ray_codecs

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin by ignoring it
address, data, out, signals = sys.argv[1:]
writer.BATCH_BYTES = ranges.BATCH_BYTES = 32 * 12
with Cluster(address) as engine:
    codec = ray_codecs.Waiting((4, 3, 1), Path(signals))
    pack_by(engine, data, source.Reading(), source.collection(data), codec, out, block_size=16)
"""


def test_interrupted_and_resumed(simulated: Any, cluster: Cluster, data: str, tmp_path: Path, signals: Path) -> None:
    path, parts = tmp_path / "a.egm", tmp_path / "a.egm.parts"
    arguments = [sys.executable, "-c", INTERRUPTED, simulated.address, data, str(path), str(signals)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE)
    wait_until(lambda: process.poll() is not None or (len(list(signals.iterdir())) == 2 and list(parts.glob("0*"))))
    busy = [int(path.name.partition("-")[2]) for path in signals.iterdir()]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == -signal.SIGINT, said.decode()
    wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in busy))  # the tasks were cancelled
    assert not path.exists()
    kept = {each.name: each.stat().st_mtime_ns for each in parts.glob("0*")}
    assert list(kept) == [f"{0:012}-{RANGE:012}"]
    (signals / "go").touch()
    codec, mine = ray_codecs.Waiting(SHAPE, signals), list[int]()

    def looking(work: RangeEncoder, ranges: Sequence[range]) -> Generator[range, None, None]:
        yield from cluster(work, ranges)
        mine.extend(each.stat().st_mtime_ns for each in parts.glob("0*") if each.name in kept)

    assert packed_by(looking, data, codec, path, resume=True).images_resumed == RANGE
    assert mine == list(kept.values())
    assert path.read_bytes() == whole(data, ray_codecs.Quick(SHAPE, signals), tmp_path / "b.egm")


def test_what_always_fails_is_said_once(cluster: Cluster, data: str, tmp_path: Path, signals: Path) -> None:
    path = tmp_path / "a.egm"
    with pytest.raises(
        RangeFailed,
        match=r"^images \d+ to \d+ could not be encoded on node .*, 3 times over "
        r"\(FloatingPointError: a bit fell over\); what is done is kept for --resume$",
    ):
        packed_by(cluster, data, ray_codecs.Failing(SHAPE, signals, times=1000), path)
    assert not path.exists()


def test_a_process_that_dies_each_time(cluster: Cluster, data: str, tmp_path: Path, signals: Path) -> None:
    with pytest.raises(NodeLost, match=r"the process or the node that encoded them was lost 4 times over \(.*died"):
        packed_by(cluster, data, ray_codecs.Dying(SHAPE, signals, times=1000), tmp_path / "a.egm")


def test_a_disk_that_fills_on_a_node(cluster: Cluster, data: str, tmp_path: Path, signals: Path) -> None:
    codec, path = ray_codecs.Full(SHAPE, signals), tmp_path / "a.egm"
    (signals / "full").touch()
    with pytest.raises(
        CannotWrite, match=r"^on node .*-\d{12}: could not be written \(No space left on device\); nothing was"
    ):
        packed_by(cluster, data, codec, path)
    assert not path.exists()
    assert not list(tmp_path.glob("a.egm.parts/[0-9]*"))
    (signals / "full").unlink()
    packed_by(cluster, data, codec, path, resume=True)
    assert path.read_bytes() == whole(data, ray_codecs.Quick(SHAPE, signals), tmp_path / "b.egm")


def test_a_node_with_another_engram(
    cluster: Cluster, data: str, tmp_path: Path, signals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "__version__", "9.9")
    with pytest.raises(OtherVersion, match=r"^node .* has engram [0-9.]+, and engram 9\.9 packs; install that on all"):
        packed_by(cluster, data, ray_codecs.Quick(SHAPE, signals), tmp_path / "a.egm")
    assert sorted(os.listdir(tmp_path)) == ["data.npy", "signals"]


def test_a_node_without_engram_and_one_where_it_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the task sets it, and this takes it back
    encode, rows = ray_engine._task(), range(RANGE)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "engram.version", None)
        failure = encode("0.1", [], 0, RANGE)
    assert failure is not None
    assert not ray_engine._may_pass(failure)
    told = ray_engine._explained(failure, rows, "0.1")
    assert isinstance(told, OtherVersion)
    assert re.fullmatch(r"node .* has no engram, and engram 0\.1 packs; install that on all nodes", str(told))
    monkeypatch.setitem(sys.modules, "engram.integrations.ray", None)
    failure = encode(__version__, [], 0, RANGE)
    assert failure is not None
    told = ray_engine._explained(failure, rows, "0.1")
    assert isinstance(told, RangeFailed)
    assert "engram cannot be imported there: import of engram.integrations.ray halted" in str(told)


def test_errors_of_ours_come_with_their_node(
    cluster: Cluster, data: str, tmp_path: Path, signals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(work: RangeEncoder, ranges: Sequence[range]) -> Generator[range, None, None]:
        yield from cluster(work, ranges[:2])
        raise KeyboardInterrupt

    def astray(work: RangeEncoder, ranges: Sequence[range]) -> Generator[range, None, None]:
        work.plan.folder.rename(tmp_path / "elsewhere")
        try:
            yield from cluster(work, ranges)
        finally:
            (tmp_path / "elsewhere").rename(work.plan.folder)

    codec, path = ray_codecs.Quick(SHAPE, signals), tmp_path / "a.egm"
    with pytest.raises(NotShared, match=r"^on node .*a\.egm\.parts is not there; pack to a folder that is the same f"):
        packed_by(astray, data, codec, path)
    with pytest.raises(KeyboardInterrupt):
        packed_by(stopping, data, codec, path)
    np.save(data, np.load(data) ^ 1)
    with pytest.raises(ResumeMismatch, match=r"^on node .* was made from other images; give the same images"):
        packed_by(cluster, data, codec, path, resume=True)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, EngramError):
        return str(result.exception)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_verb(simulated: Any, cluster: Cluster, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ray = ("--engine", "ray", "--address", simulated.address)
    run("pack", "data.npy", "-o", "a.egm", "--budget", 0, "--block", 16)
    assert "315 images in" in run("pack", "data.npy", "-o", "b.egm", "--budget", 0, "--block", 16, *ray)
    assert (tmp_path / "a.egm").read_bytes() == (tmp_path / "b.egm").read_bytes()
    archive.shard([tmp_path / "a.egm"], tmp_path / "cut", images=100)
    run("pack", "data.npy", "-o", "set", "--budget", 0, "--block", 16, *ray, "--shard-images", 100)
    assert [path.read_bytes() for path in sorted((tmp_path / "set").iterdir())] == [
        path.read_bytes() for path in sorted((tmp_path / "cut").iterdir())
    ]


@pytest.mark.parametrize("options", [("--address", "auto"), ("--shard-images", 9)])
def test_options_that_do_not_go_together(data: str, tmp_path: Path, options: tuple[object, ...]) -> None:
    said = run("pack", data, "-o", tmp_path / "a.egm", *options)
    assert said.startswith("--address and --shard-images go with --engine ray")


def test_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(NoCluster, match=r"^no Ray cluster answers at 127\.0\.0\.1:1 \(.*refused\); `ray start --head`"):
        Cluster("127.0.0.1:1").__enter__()


def test_no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingLibrary, match=r"packing on Ray needs ray; `pip install 'engram-images\[ray\]'`"):
        Cluster().__enter__()
