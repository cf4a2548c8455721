"""Runs: which elements of the global tensor a piece of memory holds."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TypeAlias

import torch
from torch import Tensor

from ..errors import ReadError

Run: TypeAlias = tuple[int, int]
Runs: TypeAlias = int | Sequence[Run] | Tensor
LIMIT = 1 << 63


class RunTable:
    """Runs of global indices, checked: ``pairs`` holds start, length, start, length, ..."""

    __slots__ = ("_ends", "pairs", "total")

    def __init__(self, pairs: array[int]) -> None:
        self.pairs = pairs  # an array of int64, since the kernel reads it as plain memory
        self._ends = list(accumulate(pairs[1::2]))
        self.total = self._ends[-1] if self._ends else 0

    @classmethod
    def read(cls, runs: Runs, count: int) -> RunTable:
        """Read any of the three forms; an int stands for one run of ``count`` elements."""
        if isinstance(runs, int):
            return cls(_checked([(runs, count)]))
        rows = _rows(runs) if isinstance(runs, Tensor) else runs
        table = cls(_checked(rows))
        if table.total != count:
            raise ReadError(f"the runs hold {table.total} elements, but there are {count} to write")
        return table

    def __iter__(self) -> Iterator[Run]:
        return zip(self.pairs[::2], self.pairs[1::2], strict=True)

    def __len__(self) -> int:
        return len(self._ends)

    def scaled(self, factor: int) -> RunTable:
        """Return the runs where every element has ``factor`` words."""
        if factor == 1:
            return self
        return RunTable(_checked([(s * factor, n * factor) for s, n in self]))

    def cut(self, offset: int, count: int) -> RunTable:
        """Return the runs of ``count`` elements from the ``offset``-th on."""
        # Ends ascend, since lengths are not negative; runs of length 0 before it are skipped.
        first = bisect_right(self._ends, offset)
        out = array("q")
        while count > 0:
            start, length = self.pairs[2 * first], self.pairs[2 * first + 1]
            skip = offset - (self._ends[first] - length)
            taken = min(count, length - skip)
            out.extend((start + skip, taken))
            offset, count, first = offset + taken, count - taken, first + 1
        return RunTable(out)


def cut_runs(runs: Runs, offset: int, count: int) -> Runs:
    """Return the runs of ``count`` of the elements that ``runs`` covers, from ``offset`` on.

    For cutting one tensor into chunks, each with its own call.

    >>> cut_runs(7, 100, 50)
    107
    >>> cut_runs([(0, 10), (40, 10)], 5, 10)
    [(5, 5), (40, 5)]
    """
    if isinstance(runs, int):
        return runs + offset
    rows = _rows(runs) if isinstance(runs, Tensor) else runs
    return list(RunTable(_checked(rows)).cut(offset, count))


def _rows(runs: Tensor) -> Sequence[Run]:
    if runs.dtype != torch.int64 or runs.dim() != 2 or runs.shape[1] != 2:
        raise ReadError(
            f"a tensor of runs has dtype int64 and shape (n, 2); got {runs.dtype} and "
            f"{tuple(runs.shape)}"
        )
    rows: Sequence[Run] = runs.tolist()
    return rows


def _checked(rows: Sequence[Run]) -> array[int]:
    pairs = array("q")
    for start, length in rows:
        if start < 0 or length < 0 or start + length > LIMIT:
            raise ReadError(
                f"a run of {length} elements from index {start} leaves the range 0 <= i < 2^63"
            )
        pairs.extend((start, length))
    return pairs
