"""Write the stream's words as raw bytes to standard output, for test suites that run for hours.

python benchmarks/raw_stream.py | dieharder -a -g 200
python benchmarks/raw_stream.py --by names | RNG_test stdin32

Three orders: ``elements``, one tensor from its first element on; ``names``, 16 elements each of
one tensor after the other, as in a model of tiny tensors; ``seeds``, the same over seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from ctypes import string_at
from itertools import count

import torch
from torch import Tensor

from initkit import stream

EACH = 16


def elements(seed: int, start: int) -> Iterator[Tensor]:
    """Yield the words of one tensor."""
    key, step = stream.key(seed, "weight"), 1 << 20
    for i in count(start, step):
        yield stream.words(key, i, step)


def names(seed: int, start: int) -> Iterator[Tensor]:
    """Yield the first words of tensor after tensor."""
    for i in count(start):
        yield stream.words(stream.key(seed, f"layers.{i}.weight"), 0, EACH)


def seeds(seed: int, start: int) -> Iterator[Tensor]:
    """Yield the first words of one tensor under seed after seed."""
    for i in count(seed + start):
        yield stream.words(stream.key(i, "weight"), 0, EACH)


def main() -> None:
    """Write until the reader has had enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--by", choices=("elements", "names", "seeds"), default="elements")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--megabytes", type=float, default=float("inf"))
    options = parser.parse_args()
    left = options.megabytes * 1e6
    source = {"elements": elements, "names": names, "seeds": seeds}[options.by]
    for words in source(options.seed, options.start):
        low = words.to(torch.int32)  # keeps the low 32 bits
        sys.stdout.buffer.write(string_at(low.data_ptr(), 4 * len(low)))
        left -= 4 * len(words)
        if left <= 0:
            return


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.stderr.close()
