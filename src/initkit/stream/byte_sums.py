"""Four sums that stand for the bytes of a tensor in their places, whatever part comes first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TypeAlias

import torch
from torch import Tensor

from . import native
from .runs import Runs, RunTable

Sums: TypeAlias = tuple[int, int, int, int]
_MASK = (1 << 64) - 1
_WORDS = 512  # of 32 bits, in a block
_BYTES = 4 * _WORDS
_CHUNK = 1 << 9  # blocks at a time in plain torch, so that scratch stays small


def sums(out: Tensor, runs: Runs = 0, *, path: str | None = None) -> Sums:
    """Return the sums of the global elements ``runs``, which the contiguous ``out`` holds.

    The sums of a whole tensor are those of its parts, added modulo 2^64. They tell contents apart
    that differ by accident; who wants to forge equal ones can. docs/stream.md defines them.

    >>> x = torch.arange(4.0)
    >>> [(a + b) % 2**64 for a, b in zip(sums(x[:3]), sums(x[3:], 3))] == list(sums(x))
    True
    """
    data = out.detach().view(-1).view(torch.uint8)
    table = RunTable.read(runs, out.numel()).scaled(out.element_size())
    loaded = native.load()
    number = next(iter(loaded.paths.values()), None) if path is None else None
    if path not in (None, "eager"):
        number = native.number(path)
    if number is None or not data.is_cpu:
        return _eager(data, table)
    memory = data.untyped_storage()
    where = (data.data_ptr(), len(data), memory.data_ptr(), memory.nbytes())
    assert loaded.kernel is not None
    found: Sums = loaded.kernel.sums(number, *where, 0, table.pairs)
    return found


@torch.no_grad()
def _eager(data: Tensor, runs: RunTable) -> Sums:
    keys = _keys(data.device)
    total = torch.zeros(4, dtype=torch.int64, device=data.device)
    for words, first in _blocks(data, runs):
        for j in range(4):
            factors = _factors(first, len(words), j, data.device)
            total[j] += ((words * keys[j]).sum(1) * factors).sum()
    a, b, c, d = (int(x) & _MASK for x in total.tolist())
    return a, b, c, d


def _blocks(data: Tensor, runs: RunTable) -> Iterator[tuple[Tensor, int]]:
    """Yield whole blocks of words and the first one's number; what is not held is zero."""
    done = 0
    for start, length in runs:
        while length:
            first, skip = divmod(start, _BYTES)
            n = min(length, _CHUNK * _BYTES - skip)
            blocks = -(-(skip + n) // _BYTES)
            padded = torch.zeros(blocks * _BYTES, dtype=torch.uint8, device=data.device)
            padded[skip : skip + n] = data[done : done + n]
            yield padded.view(torch.int32).view(-1, _WORDS).long() & 0xFFFFFFFF, first
            start, length, done = start + n, length - n, done + n


def _factors(first: int, count: int, j: int, device: torch.device) -> Tensor:
    index = torch.arange(first + 1, first + count + 1, dtype=torch.int64, device=device)
    return _scattered(index << 2 | j) | 1


@cache
def _keys(device: torch.device) -> Tensor:
    places = torch.arange(1, 4 * _WORDS + 1, dtype=torch.int64, device=device)
    return _logical_shift(_scattered(places), 32).view(4, _WORDS)


def _scattered(x: Tensor) -> Tensor:
    """Return the finaliser of SplitMix64 (Steele, Lea and Flood 2014); torch's integers wrap."""
    x = (x ^ _logical_shift(x, 30)) * (0xBF58476D1CE4E5B9 - (1 << 64))
    x = (x ^ _logical_shift(x, 27)) * (0x94D049BB133111EB - (1 << 64))
    return x ^ _logical_shift(x, 31)


def _logical_shift(x: Tensor, by: int) -> Tensor:
    return x >> by & (1 << (64 - by)) - 1
