"""The tests of numbers, as other processors would compute them: other kernels of BLAS and of oneDNN, other threads.

python tests/processors.py                      under every setting
python tests/processors.py --turn N             under the one whose turn it is
python tests/processors.py --turn N -- COMMAND  a command of its own, under the one of those of one thread
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
NUMERIC = ("codecs", "coding", "evaluation", "golden", "laws", "networks", "spec", "training")
THREADS = {str(n): {name: str(n) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")} for n in (1, 2)}
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
SETTINGS: dict[str, dict[str, str]] = {
    "Haswell": {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_L2_SIZE": "512"} | THREADS["1"],
    "Nehalem, two threads": {"OPENBLAS_CORETYPE": "Nehalem"} | THREADS["2"],
    "oneDNN for AVX2": AVX2 | THREADS["1"],
    "SkylakeX, two threads": {"OPENBLAS_CORETYPE": "SkylakeX"} | THREADS["2"],
    "Haswell, two threads, oneDNN for AVX2": {"OPENBLAS_CORETYPE": "Haswell"} | AVX2 | THREADS["2"],
    "as it is, two threads": THREADS["2"],
    "as it is": THREADS["1"],
    "Nehalem": {"OPENBLAS_CORETYPE": "Nehalem"} | THREADS["1"],
    "SkylakeX": {"OPENBLAS_CORETYPE": "SkylakeX"} | THREADS["1"],
}


def runs_here(setting: dict[str, str]) -> bool:
    """Whether this processor has the kernel's instructions: SkylakeX's are AVX-512."""
    cpu = Path("/proc/cpuinfo")
    return setting.get("OPENBLAS_CORETYPE") != "SkylakeX" or (cpu.exists() and "avx512dq" in cpu.read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turn", type=int, help="only the setting whose turn it is, of all that run here")
    own = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    turn, options = parser.parse_known_args([word for word in sys.argv[1 : len(sys.argv) - len(own)] if word != "--"])
    here = {name: setting for name, setting in SETTINGS.items() if runs_here(setting)}
    for name in SETTINGS.keys() - here.keys():
        print(f"{name}: not run, this processor has no AVX-512", flush=True)
    if own:
        here = {name: setting for name, setting in here.items() if setting["OMP_NUM_THREADS"] == "1"}
    names = list(here) if turn.turn is None else [list(here)[turn.turn % len(here)]]
    failed = []
    for name in names:
        print(f"as on another processor: {name}", flush=True)
        places = [str(TESTS / folder) for folder in NUMERIC]
        workers = max(1, (os.cpu_count() or 1) // int(here[name]["OMP_NUM_THREADS"]))
        command = [sys.executable, "-m", "pytest", "-n", str(workers), "--dist", "worksteal", *(options or places)]
        if subprocess.run(own or command, env=os.environ | here[name], check=False).returncode:
            failed.append(name)
    if failed:
        print("failed under: " + "; ".join(failed), file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
