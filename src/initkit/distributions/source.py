"""The random streams that a parameter is written from, and where its elements lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from .. import stream

Runs: TypeAlias = stream.Runs
_PIECE = 1 << 14  # elements reckoned at a time: in several float64 tensors, on every thread
_PARTS = 1 << 10  # far more parts than anybody writes, and three in each other fit in 32 bits


class Source:
    """The random streams of one parameter under one seed; ``prefix`` goes before every name.

    >>> Source(0, "fc.weight").values
    Key(k0=2399063857, k1=1648840308)
    """

    __slots__ = ("name", "pair", "prefix", "seed", "values")

    def __init__(self, seed: int, name: str, prefix: str = "", pair: int = 0) -> None:
        self.seed, self.name, self.prefix, self.pair = seed, name, prefix, pair
        self.values = stream.key(seed, prefix + name, 2 * pair)  # stream 0: one word per element

    @property
    def choices(self) -> stream.Key:
        """Stream 1: masks and choices."""
        return stream.key(self.seed, self.prefix + self.name, 2 * self.pair + 1)

    def of(self, name: str) -> Source:
        """Return the streams of another parameter, under the same seed and prefix."""
        return Source(self.seed, name, self.prefix)

    def block(self, index: int) -> Source:
        """Return streams of their own for what draws beside other parts of one parameter."""
        return Source(self.seed, self.name, self.prefix, self.pair * _PARTS + index + 1)


class Spot(NamedTuple):
    """A run of a block's elements: in local memory, in the block, and in the whole tensor."""

    local: int
    place: int
    word: int
    length: int


def slices(count: int, size: int = _PIECE) -> Iterator[slice]:
    """Yield slices that together are ``count`` elements."""
    for at in range(0, count, size):
        yield slice(at, min(at + size, count))


def places(runs: Runs, numel: int) -> Iterator[tuple[slice, Tensor]]:
    """Yield pieces of the memory that holds ``runs``, each with the global indices of its elements.

    However many runs there are, as in a shard of columns, the pieces are as large.

    >>> [index.tolist() for _, index in places([(3, 2), (13, 2)], 4)]
    [[3, 4, 13, 14]]
    """
    if isinstance(runs, int):
        runs = [(runs, numel)]
    starts, lengths = torch.as_tensor(runs, dtype=torch.int64, device="cpu").view(-1, 2).T
    ends = lengths.cumsum(0)
    ahead = starts - ends + lengths  # by how much the index in the whole exceeds that in memory
    for piece in slices(numel):
        local = torch.arange(piece.start, piece.stop, device="cpu")
        yield piece, local + ahead[torch.searchsorted(ends, local, right=True)]


def spans(runs: Runs, numel: int) -> Sequence[tuple[int, int, int]]:
    """Return (local index, global index, length) of each run."""
    if isinstance(runs, int):
        return [(0, runs, numel)] if numel else []
    pairs = runs.tolist() if isinstance(runs, Tensor) else runs
    found, local = [], 0  # runs stand for elements that lie one after another in local memory
    for start, length in pairs:
        found.append((local, start, length))
        local += length
    return found
