"""Build the C extensions for aarch64, and compare what they make under qemu with this machine's.

    dpkg --add-architecture arm64 && apt-get update
    apt-get install qemu-user gcc-aarch64-linux-gnu
    python .ci/aarch64.py     # with initkit, on Debian

torch is not emulated: a Python of that machine, unpacked from its packages, loads the extensions
and writes the same cases (`answers.py`): maps, dtypes, whole and partial blocks, far offsets.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from initkit.stream import native
from initkit.stream.table import native_bytes

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".ci" / "work-aarch64"
SOURCES = {"_kernel": "src/initkit/stream/csrc/module.c", "_pass": "src/initkit/check/_pass.c"}
FLAGS = ["-O3", "-ffp-contract=off", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror"]
PYTHON = "3.11"
PACKAGES = [
    *("libc6", "libgcc-s1", "zlib1g", "libexpat1"),
    *(f"{name}-minimal" for name in (f"python{PYTHON}", f"libpython{PYTHON}")),
    f"libpython{PYTHON}-stdlib",
]


def build(compiler: str, folder: Path) -> None:
    """Compile both extensions, warnings being errors, and lay the table beside them."""
    folder.mkdir(parents=True)
    include = sysconfig.get_paths()["include"]
    for name, source in SOURCES.items():
        out = ["-o", str(folder / f"{name}.so"), str(ROOT / source)]
        macro = "-DPy_LIMITED_API=0x030b0000"
        subprocess.run([compiler, *FLAGS, macro, f"-I{include}", *out], check=True)
    (folder / "table.bin").write_bytes(native_bytes())


def asked() -> list[dict[str, Any]]:
    """Return every map and dtype over the runs of the self-check, and over some at random."""
    chance = random.Random(0)
    some = [(chance.randrange(1 << 40), chance.randrange(1, 3000)) for _ in range(20)]
    return [
        {
            "dtype": native.CODES[dtype],
            "size": dtype.itemsize,
            "floating": dtype.is_floating_point,
            "spec": spec,
            "key": native.CHECK_KEY,
            "start": start,
            "count": count,
        }
        for spec, dtypes in native.cases()
        for dtype in dtypes
        for start, count in (*native.RUNS, *some)
    ]


def emulated() -> list[str]:
    """Unpack a Python of the other machine, and return the command that runs it."""
    debs, root = WORK / "debs", WORK / "root"
    if not root.exists():
        debs.mkdir(parents=True, exist_ok=True)
        wanted = [f"{package}:arm64" for package in PACKAGES]
        subprocess.run(["apt-get", "download", "-q", *wanted], cwd=debs, check=True)
        for deb in debs.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(deb), str(root)], check=True)
    return ["qemu-aarch64", "-L", str(root), str(root / "usr" / "bin" / f"python{PYTHON}")]


def main() -> None:
    """Compare the answers of both machines."""
    questions = json.dumps(asked())
    found = {}
    for machine, compiler, python in (
        ("here", "cc", [sys.executable]),
        ("aarch64", "aarch64-linux-gnu-gcc", emulated()),
    ):
        folder = WORK / machine
        shutil.rmtree(folder, ignore_errors=True)
        build(compiler, folder)
        (folder / "cases.json").write_text(questions)
        command = [*python, str(ROOT / ".ci" / "answers.py"), str(folder)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[machine] = json.loads(told)
    pairs = list(zip(json.loads(questions), found["here"], found["aarch64"], strict=True))
    wrong = [case for case, mine, theirs in pairs if mine != theirs]
    if wrong:
        sys.exit(f"aarch64 differs in {len(wrong)} of {len(pairs)} cases: {wrong[:3]}")
    print(f"aarch64 gives the same bits, sums and moments in {len(pairs)} cases")


if __name__ == "__main__":
    main()
