"""Print a hash of what the C extensions make of each case; needs neither torch nor initkit.

    python answers.py FOLDER

The folder holds ``_kernel.so`` and ``_pass.so``, the kernel's table in ``table.bin``, and
``cases.json``: see aarch64.py, which runs this on two machines.
"""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

NAMES = {"_kernel": "initkit.stream._kernel", "_pass": "initkit.check._pass"}
BASELINE = 0  # the path that every machine has


def load(folder: Path, name: str) -> Any:
    """Load an extension from its file, without the package around it."""
    loader = ExtensionFileLoader(NAMES[name], str(folder / f"{name}.so"))
    spec = spec_from_loader(NAMES[name], loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def answers(kernel: Any, passes: Any, case: dict[str, Any]) -> list[str]:
    """Return a hash of what is written, and of what the passes over it find."""
    count, size = case["count"], case["size"]
    memory = array("d", bytes(8 * (count * size // 8 + 1)))  # aligned for every dtype
    where = (memory.buffer_info()[0], count, memory.buffer_info()[0], 8 * len(memory))
    spec, start = tuple(case["spec"]), case["start"]
    kernel.fill(BASELINE, case["dtype"], *where, start, None, tuple(case["key"]), spec)
    written = memory.tobytes()[: count * size]
    found = [hashlib.blake2b(written, digest_size=16).hexdigest()]
    found.append(str(kernel.sums(BASELINE, *where, start, None)))
    if case["floating"]:
        edges = array("d", (-1e9, 0.0, 1e9))
        found.append(str(passes.tally(case["dtype"], *where, 0.01, 0, edges, 0, 1)))
        found += map(str, looked_at(passes, case["dtype"], where))
    return found


def looked_at(passes: Any, dtype: int, where: tuple[int, ...]) -> list[Any]:
    """Return what the passes that take no thresholds find of some values."""
    count = where[1]
    columns = 3 if count % 3 == 0 else 1
    sides = passes.sides(dtype, *where, columns, 0.01)
    rows = b"".join(row or bytes(64) for row in (*sides, sides[0]))
    lengths = array("q", [min(count, 512)] * 5)
    return [
        passes.runs(dtype, *where),
        passes.lengths(dtype, *where, 0.01, 0.5, columns),
        passes.distinct(dtype, *where, columns, count // columns),
        passes.rises(dtype, *where, columns, True),
        sides,
        passes.following(rows, lengths, rows, lengths, 0, bytearray(5)),
    ]


def main(folder: Path) -> None:
    """Print the answers to all cases, as JSON."""
    kernel, passes = load(folder, "_kernel"), load(folder, "_pass")
    kernel.load_table((folder / "table.bin").read_bytes())
    cases = json.loads((folder / "cases.json").read_text())
    print(json.dumps([answers(kernel, passes, case) for case in cases]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
