"""One pass over a tensor: extremes, moments, zeros, and how many values lie below each edge."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..model import CHUNK, chunks
from .native_pass import memory, native

_WHOLLY = 1 << 19  # that many elements are sorted into cells, and one in _SHARE of the others
_SHARE = 16
_FEW = 1 << 12
TINY = 1e-30  # nearer to 0 than any starting value, but for 0 itself


class Measured(NamedTuple):
    """What one pass saw of ``n`` elements.

    ``second`` is the mean square around ``centre``. Of the first ``sampled`` elements of every
    chunk, ``below`` says how many are at most each edge; of neighbours in memory and of neighbours
    ``stride`` apart, ``pairs`` says (how many, how many on one side of the middle edge). ``tiny``
    is the number of elements below ``TINY`` that are not 0.
    """

    n: int
    low: float
    high: float
    mean: float
    second: float
    centre: float
    zeros: int
    nans: int = 0
    infinities: int = 0
    sampled: int = 0
    below: tuple[int, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    tiny: int = 0

    @property
    def std(self) -> float:
        """The standard deviation around the elements' own mean."""
        shift = self.mean - self.centre
        return math.sqrt(max(self.second - shift * shift, 0.0))  # ** raises where * overflows

    @property
    def finite(self) -> bool:
        """Whether every element is a finite number."""
        return not (self.nans or self.infinities)


def plain(tensor: Tensor) -> Tensor:
    """Return a chunk, flat, as real floating point that is wide enough to compute with."""
    # Views that carry their sign in a flag have neither a real view nor bits to look at.
    tensor = tensor.resolve_conj().resolve_neg()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if tensor.dtype in (torch.float32, torch.float64):
        return tensor.reshape(-1)
    # float32 holds every value of 16 bits, but not every integer of 32.
    wide = tensor.dtype in (torch.int32, torch.int64, torch.uint32, torch.uint64)
    return tensor.to(torch.float64 if wide else torch.float32).reshape(-1)


def plain_chunks(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield all elements of tensors in row-major order, flat and real; only chunks are copied."""
    for tensor in tensors:
        for chunk, _ in chunks(tensor):
            yield plain(chunk)


def measure(
    tensors: Iterable[Tensor],
    *,
    centre: float | None = None,
    edges: Tensor | None = None,
    middle: int | None = None,
    stride: int = 0,
) -> Measured:
    """Measure tensors as one sample, chunk by chunk; nothing of their size is copied.

    ``edges`` are ascending thresholds; ``middle`` is the place of the median's. ``centre`` is what
    deviations are taken from, for accuracy near the planned mean.

    >>> measure([torch.tensor([0.0, 1.0, 2.0])], edges=torch.tensor([0.5])).below
    (1,)
    """
    listed = [tensor for tensor in tensors if tensor.numel()]
    if len(listed) == 1 and centre is not None:
        found = _at_once(listed[0], centre, edges, middle, stride)
        if found is not None:
            return found
    total = sum(tensor.numel() * (2 if tensor.is_complex() else 1) for tensor in listed)
    if not total:
        return Measured(0, math.nan, math.nan, math.nan, math.nan, 0.0, 0)
    # Every chunk gives its first elements, so that no part of the tensor goes unseen.
    share = min(1.0, _WHOLLY / total + 1 / _SHARE)
    tally = _Tally(centre, edges, middle, stride, share)
    if edges is None and len(listed) == 1 and (held := _held_once(listed[0])) is not None:
        return _times(measure([held], centre=centre), listed[0].numel() // held.numel())
    for tensor in listed:
        for chunk, _ in chunks(tensor):
            tally.add(chunk)
    found = tally.result()
    # torch's aminmax hands on NaN, so finite extremes mean that all is finite: no second pass.
    if math.isfinite(found.low) and math.isfinite(found.high):
        return found
    nans, infinities = _non_finite(listed)
    return found._replace(nans=nans, infinities=infinities)


def _at_once(
    tensor: Tensor, centre: float, edges: Tensor | None, middle: int | None, stride: int
) -> Measured | None:
    """Measure what is a single chunk, in C; None where it is none, or not all is finite."""
    module, where = native(), memory(tensor)
    if module is None or where is None or where[2] > CHUNK:
        return None
    n = where[2]
    taken = 0 if edges is None else n
    place = -1 if edges is None or middle is None else middle
    found = module.tally(*where, centre, taken, _as_doubles(edges), place, stride)
    if found is None:
        return None
    low, high, total, squares, zeros, tiny, below, beside, apart = found
    pairs: tuple[tuple[int, int], ...] = ()
    if place >= 0 and n > 1:
        pairs = ((n - 1, beside), (n - stride, apart)) if 1 < stride < n else ((n - 1, beside),)
    mean = centre + total / n
    return Measured(
        *(n, low, high, mean, squares / n, centre, zeros),
        sampled=taken,
        below=below,
        pairs=pairs,
        tiny=tiny,
    )


def _held_once(tensor: Tensor) -> Tensor | None:
    """Return the elements that an expanded tensor shows several times; None for any other."""
    if tensor.layout is not torch.strided or 0 not in tensor.stride():
        return None
    sizes = zip(tensor.stride(), tensor.shape, strict=True)
    held = tensor[tuple(slice(None if step else 1) for step, _ in sizes)]
    return held if held.numel() < tensor.numel() else None


def _times(found: Measured, count: int) -> Measured:
    """Return what elements that come so many times are together."""
    counts = ("n", "zeros", "nans", "infinities", "tiny")
    return found._replace(**{name: count * getattr(found, name) for name in counts})


def _non_finite(tensors: Sequence[Tensor]) -> tuple[int, int]:
    """Count NaN and infinities."""
    nans = infinities = 0
    for chunk in plain_chunks(tensors):
        nans += int(torch.isnan(chunk).sum())
        infinities += int(torch.isinf(chunk).sum())
    return nans, infinities


class _Tally:
    """Add up chunks; what torch reckons stays on the device until the end."""

    def __init__(
        self,
        centre: float | None,
        edges: Tensor | None,
        middle: int | None,
        stride: int,
        share: float,
    ) -> None:
        self.centre, self.edges, self.middle = centre, edges, middle
        self.strides = (1, stride) if stride > 1 else (1,)
        self.share = share
        self.n = self.sampled = 0
        self.sums: list[Sequence[float]] = []  # low, high, sum, squares, zeros, tiny of a chunk
        self.unread: list[Tensor] = []  # such sums, on the device
        self.counts: list[Tensor | Sequence[int]] = []
        self.agreeing = [0] * len(self.strides)
        self.agreements: list[list[Tensor | int]] = [[] for _ in self.strides]

    def add(self, chunk: Tensor) -> None:
        """Count one chunk, in C where its memory is in a row."""
        if self.centre is None:  # near the mean, so that squares around it don't cancel
            first = float(plain(chunk.reshape(-1)[: 1 << 12]).mean())
            self.centre = first if math.isfinite(first) else 0.0
        if not self._add_in_c(chunk):
            self._add(plain(chunk))

    def _add_in_c(self, chunk: Tensor) -> bool:
        module, where = native(), memory(chunk)
        if module is None or where is None:
            return False
        n = where[2]
        taken = math.ceil(n * self.share) if self.edges is not None else 0
        middle = -1 if self.middle is None or not taken else self.middle
        edges = _as_doubles(self.edges)
        found = module.tally(*where, self.centre, taken, edges, middle, self.strides[-1])
        if found is None:  # not all is finite
            return False
        *sums, below, beside, apart = found
        self.n += n
        self.sums.append(sums)
        if self.edges is not None:
            self.sampled += taken
            self.counts.append(below)
        if middle >= 0:
            self._agree(taken, (beside, apart))
        return True

    def _add(self, x: Tensor) -> None:
        self.n += x.numel()
        low, high = torch.aminmax(x)
        y = x - self.centre if self.centre else x
        zeros = x.numel() - torch.count_nonzero(x)
        tiny = torch.count_nonzero(x.abs() < TINY) - zeros
        found = (low, high, y.sum(), (y * y).sum(), zeros, tiny)
        # On the device and unread: reading each would wait for it once a chunk.
        self.unread.append(torch.stack([v.to(x.dtype) for v in found]))
        if self.edges is not None:
            self._sort(x)

    def _sort(self, x: Tensor) -> None:
        """Count what lies below each edge, and neighbours on one side of the middle one."""
        assert self.edges is not None
        taken = x[: math.ceil(x.numel() * self.share)]
        if self.edges.device != x.device or self.edges.dtype != x.dtype:
            self.edges = self.edges.to(x)
        self.sampled += taken.numel()
        if taken.numel() <= _FEW:  # bucketize would wake every thread
            under = taken[:, None] <= self.edges
            self.counts.append(under.sum(0))
            side = ~under[:, self.middle] if self.middle is not None else None
        else:
            cell = torch.bucketize(taken, self.edges, out_int32=True)
            counts = torch.bincount(cell, minlength=len(self.edges) + 1)
            # Cell i holds edge i-1 < x <= edge i: sums of cells count what is at most an edge.
            self.counts.append(counts.cumsum(0)[:-1])
            side = cell > self.middle if self.middle is not None else None
        if side is not None:
            n = len(side)
            same = [torch.count_nonzero(side[s:] == side[:-s]) for s in self.strides if s < n]
            self._agree(n, same)

    def _agree(self, n: int, same: Sequence[Tensor | int]) -> None:
        for place, (step, found) in enumerate(zip(self.strides, same, strict=False)):
            if n > step:
                self.agreeing[place] += n - step
                self.agreements[place].append(found)

    def result(self) -> Measured:
        rows = list(self.sums)
        if self.unread:
            rows += torch.stack(self.unread).cpu().double().tolist()  # not all have float64
        lows, highs, sums, squares, zeros, tiny = zip(*rows, strict=True)
        counts = list(map(_listed, self.counts))
        centre = self.centre or 0.0
        pairs = tuple(
            (count, sum(map(int, same)))
            for count, same in zip(self.agreeing, self.agreements, strict=True)
            if count
        )
        return Measured(
            self.n,
            math.nan if any(map(math.isnan, lows)) else min(lows),
            math.nan if any(map(math.isnan, highs)) else max(highs),
            centre + sum(sums) / self.n,
            sum(squares) / self.n,
            centre,
            int(sum(zeros)),
            sampled=self.sampled,
            below=tuple(counts[0] if len(counts) == 1 else map(sum, zip(*counts, strict=True))),
            pairs=pairs,
            tiny=int(sum(tiny)),
        )


def _listed(counts: Tensor | Sequence[int]) -> Sequence[int]:
    return counts.tolist() if isinstance(counts, Tensor) else counts


@lru_cache(maxsize=512)  # by identity; those of an expectation are measured at again and again
def _as_doubles(edges: Tensor | None) -> array[float]:
    return array("d", () if edges is None else edges.tolist())
