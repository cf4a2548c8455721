"""Time the stream against torch.nn.init on the same memory in the same run, per element.

python benchmarks/stream_speed.py [--paths avx2,eager] [--threads 1] [--elements 262144]

Processor time of all threads together: a second thread pays where it hardly grows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from initkit import stream

KEY = stream.key(0, "weight")
CHUNK = 1 << 18
Fill = Callable[..., Tensor]
DISTRIBUTIONS: dict[str, tuple[Fill, Fill, tuple[float, ...]]] = {
    "uniform": (stream.uniform_, nn.init.uniform_, (-0.05, 0.05)),
    "normal": (stream.normal_, nn.init.normal_, (0.0, 0.02)),
    "trunc_normal 2 sigma": (stream.trunc_normal_, nn.init.trunc_normal_, (0.0, 0.02, -0.04, 0.04)),
    "trunc_normal 3 sigma": (stream.trunc_normal_, nn.init.trunc_normal_, (0.0, 0.02, -0.06, 0.06)),
}


def race(works: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Return the least processor time of each in seconds; they take turns."""
    least = [float("inf")] * len(works)
    for _ in range(rounds):
        for i, work in enumerate(works):
            begin = time.process_time()
            work()
            least[i] = min(least[i], time.process_time() - begin)
    return least


def ours(out: Tensor, fill: Fill, numbers: tuple[float, ...], path: str) -> None:
    """Fill in chunks on all threads, as apply_init does."""
    cuts = range(0, len(out), CHUNK)
    stream.run([partial(fill, out[i : i + CHUNK], KEY, *numbers, i, path=path) for i in cuts])


def main() -> None:
    """Print one line for each distribution, dtype, path and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", default=",".join(stream.paths()))
    parser.add_argument("--threads", default="1")
    parser.add_argument("--elements", type=int, default=1 << 18)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    n = options.elements
    print(f"{stream.backend()}; torch {torch.__version__}; ns per element, {n} elements")
    paths = options.paths.split(",")
    for threads in map(int, options.threads.split(",")):
        torch.set_num_threads(threads)
        for dtype in (torch.float32, torch.bfloat16):
            out = torch.zeros(n, dtype=dtype)
            for name, (fill, theirs, numbers) in DISTRIBUTIONS.items():
                works: list[Callable[[], object]] = [partial(theirs, out, *numbers)]
                works += [partial(ours, out, fill, numbers, path) for path in paths]
                peer, *mine = (t / n * 1e9 for t in race(works, options.rounds))
                line = f"{threads} threads  {str(dtype)[6:]:9} {name:21} torch {peer:6.2f}"
                for path, own in zip(paths, mine, strict=True):
                    line += f"  {path} {own:5.2f} ({peer / own:4.1f}x)"
                print(line, flush=True)


if __name__ == "__main__":
    main()
