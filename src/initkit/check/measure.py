"""One pass over a tensor: extremes, moments, zeros, and how many values lie below each edge."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..model import chunks

_WHOLLY = 1 << 19  # that many elements are sorted into cells, and one in _SHARE of the others
_SHARE = 16
_FEW = 1 << 12
TINY = 1e-30  # nearer to 0 than any starting value, but for 0 itself


@dataclass(frozen=True, slots=True)
class Measured:
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
    total = sum(tensor.numel() * (2 if tensor.is_complex() else 1) for tensor in listed)
    if not total:
        return Measured(0, math.nan, math.nan, math.nan, math.nan, 0.0, 0)
    # Every chunk gives its first elements, so that no part of the tensor goes unseen.
    share = min(1.0, _WHOLLY / total + 1 / _SHARE)
    tally = _Tally(centre, edges, middle, stride, share)
    for chunk in plain_chunks(listed):
        tally.add(chunk)
    found = tally.result()
    # torch's aminmax hands on NaN, so finite extremes mean that all is finite: no second pass.
    if math.isfinite(found.low) and math.isfinite(found.high):
        return found
    nans, infinities = _non_finite(listed)
    return replace(found, nans=nans, infinities=infinities)


def _non_finite(tensors: Sequence[Tensor]) -> tuple[int, int]:
    """Count NaN and infinities."""
    nans = infinities = 0
    for chunk in plain_chunks(tensors):
        nans += int(torch.isnan(chunk).sum())
        infinities += int(torch.isinf(chunk).sum())
    return nans, infinities


class _Tally:
    """Add up chunks; numbers stay on the device until the end."""

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
        self.numbers: list[Tensor] = []
        self.counts: list[Tensor] = []
        self.agreeing = [0] * len(self.strides)
        self.agreements: list[list[Tensor]] = [[] for _ in self.strides]

    def add(self, x: Tensor) -> None:
        self.n += x.numel()
        low, high = torch.aminmax(x)
        if self.centre is None:  # near the mean, so that squares around it don't cancel
            first = float(x[: 1 << 12].mean())
            self.centre = first if math.isfinite(first) else 0.0
        y = x - self.centre if self.centre else x
        zeros = x.numel() - torch.count_nonzero(x)
        tiny = torch.count_nonzero(x.abs() < TINY) - zeros
        found = (low, high, y.sum(), (y * y).sum(), zeros, tiny)
        # On the device and unread: reading each would wait for it once a chunk.
        self.numbers.append(torch.stack([v.to(x.dtype) for v in found]))
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
        if side is None:
            return
        for place, step in enumerate(self.strides):
            if len(side) > step:
                self.agreeing[place] += len(side) - step
                same = torch.count_nonzero(side[step:] == side[:-step])
                self.agreements[place].append(same)

    def result(self) -> Measured:
        table = torch.stack(self.numbers).cpu().double()  # not every device has float64
        sums = table.sum(0).tolist()
        low, high = float(table[:, 0].min()), float(table[:, 1].max())
        centre = self.centre or 0.0
        below: tuple[int, ...] = ()
        if self.counts:
            below = tuple(torch.stack(self.counts).sum(0).tolist())
        pairs = tuple(
            (count, int(torch.stack(same).sum()))
            for count, same in zip(self.agreeing, self.agreements, strict=True)
            if count
        )
        return Measured(
            self.n,
            low,
            high,
            centre + sums[2] / self.n,
            sums[3] / self.n,
            centre,
            int(sums[4]),
            sampled=self.sampled,
            below=below,
            pairs=pairs,
            tiny=int(sums[5]),
        )
