"""How much longer `import initkit` takes than `import torch`: the promise is 8 % at most."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

ROUNDS = 9
# Installed packages are compiled already; the first round does that for a checkout.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def seconds(statement: str) -> float:
    """Time a statement in a fresh process, from inside, so that Python's own start is left out."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    return float(done.stdout)


def main() -> None:
    """Alternate the two, so that both see the same noise, and compare their best and median."""
    pairs = [(seconds("import torch"), seconds("import initkit")) for _ in range(ROUNDS)]
    torch, initkit = zip(*pairs[1:], strict=True)
    for name, pick in (("best", min), ("median", statistics.median)):
        one, two = pick(torch), pick(initkit)
        print(f"{name:7} torch {one:6.3f} s   initkit {two:6.3f} s   ratio {two / one:.3f}")


if __name__ == "__main__":
    main()
