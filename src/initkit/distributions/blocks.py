"""Blocks along one axis of a tensor, a distribution for each."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution
from .evidence import Sample, Test
from .source import Runs, Source, Spot, spans


class _Piece(NamedTuple):
    """Elements of one block that lie in ``runs`` of one ``length``, one in each period."""

    local: int
    place: int
    word: int
    length: int
    runs: int


@frozen
class Blocks(Distribution):
    """Blocks along an axis, a distribution for each, of ``size`` elements together.

    They are equal ones of dimension 0, unless ``shape``, ``dim`` and ``sizes``, the entries of each
    along that axis, say otherwise.
    """

    parts: tuple[Distribution, ...]
    size: int
    shape: tuple[int, ...] = ()
    dim: int = 0
    sizes: tuple[int, ...] = ()
    iid = False
    shows_in_part = True
    shape_matters = True
    complex_as_pairs = False

    def misfit(self, shape: tuple[int, ...]) -> str:
        count = len(self.parts)
        whole = f"{count} blocks of {self.size} elements together"
        text = f"{whole} do not fill the shape {list(shape)}"
        if not count or not shape or self.size != math.prod(shape):
            return text
        if self.sizes:
            # The sizes of blocks are from a file now and then, and may be any.
            if shape != self.shape or not 0 <= self.dim < len(shape) or min(self.sizes) < 1:
                return text
            if len(self.sizes) != count or sum(self.sizes) != shape[self.dim]:
                return text
        elif shape[0] % count or self.shape or self.dim:
            return text
        sizes = self.sizes or (shape[0] // count,) * count
        cut = [(*shape[: self.dim], size, *shape[self.dim + 1 :]) for size in sizes]
        return next(filter(None, (p.misfit(s) for p, s in zip(self.parts, cut, strict=True))), "")

    @property
    def elementwise(self) -> bool:
        return all(part.elementwise for part in self.parts)

    @property
    def random(self) -> bool:
        return any(part.random for part in self.parts)

    @property
    def distinct_slices(self) -> bool:
        return all(part.random for part in self.parts)

    @property
    def in_blocks(self) -> Blocks:
        return self

    @cached_property
    def _shares(self) -> list[float]:
        """The part of all elements that is in each block."""
        sizes = self.sizes or (1,) * len(self.parts)
        return [size / sum(sizes) for size in sizes]

    @property
    def moments(self) -> tuple[float, float] | None:
        known = [m for part in self.parts if (m := part.moments) is not None]
        if len(known) < len(self.parts):
            return None
        if not self.sizes:  # one division rounds less than as many shares
            mean = math.fsum(m for m, _ in known) / len(known)
            square = math.fsum(m * m + s * s for m, s in known) / len(known)
        else:
            both = list(zip(self._shares, known, strict=True))
            mean = math.fsum(share * m for share, (m, _) in both)
            # That of a mixture: the mean square of all parts less the square of the mean.
            square = math.fsum(share * (m * m + s * s) for share, (m, s) in both)
        return mean, math.sqrt(max(square - mean * mean, 0.0))

    @property
    def whole_numbers(self) -> bool:
        return all(part.whole_numbers for part in self.parts)

    @property
    def complex_valued(self) -> bool:
        return any(part.complex_valued for part in self.parts)

    @property
    def bounds(self) -> tuple[float, float]:
        return min(p.low for p in self.parts), max(p.high for p in self.parts)

    @property
    def reach(self) -> tuple[float, float]:
        ends = [part.reach for part in self.parts]
        return min(low for low, _ in ends), max(high for _, high in ends)

    @property
    def in_pairs(self) -> Blocks:
        return self.of_parts(lambda part: part.in_pairs)

    @property
    def atoms(self) -> dict[float, float]:
        found: dict[float, float] = {}
        for part, share in zip(self.parts, self._shares, strict=True):
            for value, chance in part.atoms.items():
                found[value] = found.get(value, 0.0) + chance * share
        return found

    def _cdf(self, x: Tensor) -> Tensor:
        each = torch.stack([part.cdf(x) for part in self.parts])
        if not self.sizes:
            return each.mean(0)
        shares = torch.tensor(self._shares, dtype=torch.float64, device=x.device)
        mixed: Tensor = torch.tensordot(shares, each, 1)
        return mixed

    def describe(self) -> str:
        texts = [f"({p})" if isinstance(p, Blocks) else p.describe() for p in self.parts]
        if len(set(self.sizes)) > 1:
            texts = [f"{size}: {text}" for size, text in zip(self.sizes, texts, strict=True)]
        return " | ".join(texts) + (f", along axis {self.dim}" if self.dim else "")

    def scaled(self, factor: float) -> Blocks:
        return self.of_parts(lambda part: part.scaled(factor))

    def shifted(self, by: float) -> Blocks:
        return self.of_parts(lambda part: part.shifted(by))

    def to_dict(self) -> dict[str, Any]:
        data = super().to_dict()
        # Equal blocks of dimension 0 are written as they ever were.
        return data if self.sizes else {k: data[k] for k in ("kind", "parts", "size")}

    # ------------------------------------------------------------------------------ writing

    @cached_property
    def _starts(self) -> list[int]:
        """Where each block starts in a period, which is one entry of all axes before, and its end.

        In elements; blocks of dimension 0 have a single period.
        """
        inner = math.prod(self.shape[self.dim + 1 :])
        equal = (self.size // len(self.parts),) * len(self.parts)
        widths = [size * inner for size in self.sizes] or equal
        return [0, *accumulate(widths)]

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        spots = [Spot(at, start, start, length) for at, start, length in spans(runs, out.numel())]
        self.write_block(out, source, spots)

    def write_block(self, out: Tensor, source: Source, spots: Sequence[Spot]) -> None:
        found: dict[int, list[_Piece]] = {}
        for spot in spots:
            for index, piece in self._cut(spot):
                found.setdefault(index, []).append(piece)
        for index, pieces in found.items():
            self._write_part(index, out, source, pieces)

    def _cut(self, spot: Spot) -> Iterator[tuple[int, _Piece]]:
        """Yield the pieces of a run of elements, each with the number of its block."""
        starts, at, end = self._starts, spot.place, spot.place + spot.length
        period = starts[-1]
        while at < end:
            (row, column), done = divmod(at, period), at - spot.place
            local, word = spot.local + done, spot.word + done
            count = (end - at) // period if not column else 0
            if count > 1:  # whole periods at once, since there may be as many as rows
                for index, (start, stop) in enumerate(pairwise(starts)):
                    width = stop - start
                    yield index, _Piece(local + start, row * width, word + start, width, count)
                at += count * period
                continue
            index = bisect_right(starts, column) - 1
            start, stop = starts[index], starts[index + 1]
            length = min(end - at, stop - column)
            place = row * (stop - start) + column - start
            yield index, _Piece(local, place, word, length, 1)
            at += length

    def _write_part(
        self, index: int, out: Tensor, source: Source, pieces: Sequence[_Piece]
    ) -> None:
        # An elementwise part takes the index in the whole tensor, so that two equal parts never
        # draw the same words; only the place is counted from the block.
        part, period = self.parts[index], self._starts[-1]
        apart = not part.elementwise and period < self.size
        if apart:  # its matrices would draw the words of other blocks between its own
            source = source.block(index)
        spots, at = [], 0
        for piece in pieces:
            for n in range(piece.runs):
                place = piece.place + n * piece.length
                word = place if apart else piece.word + n * period
                spots.append(Spot(at, place, word, piece.length))
                at += piece.length
        if len(spots) == 1:  # it lies in one piece
            write_spots(part, out.narrow(0, pieces[0].local, at), source, spots)
            return
        scratch = torch.empty(at, dtype=out.dtype, device=out.device)
        write_spots(part, scratch, source, spots)
        at = 0
        for piece in pieces:
            rows = (piece.runs, piece.length)
            values = scratch.narrow(0, at, piece.runs * piece.length).view(rows)
            strided = out.as_strided(rows, (period, 1), out.storage_offset() + piece.local)
            strided.copy_(values)
            at += values.numel()

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None:  # no telling where a block ends: tested as a mixture
            yield from super().tests(sample)
            return
        blocks = zip(self.parts, self.cut(sample.whole), strict=True)
        for place, (part, block) in enumerate(blocks):
            for test in sample.tests_as(part, block):
                yield test.within(f"in block {place} of {len(self.parts)}")

    def cut(self, whole: Tensor) -> Sequence[Tensor]:
        """Return the blocks of a whole tensor."""
        if not self.sizes:
            return whole.chunk(len(self.parts))
        found: Any = whole  # torch leaves split without types
        blocks: Sequence[Tensor] = found.split(list(self.sizes), self.dim)
        return blocks


def write_spots(part: Distribution, out: Tensor, source: Source, spots: Sequence[Spot]) -> None:
    """Write elements of a block, or rows, of a larger tensor into ``out``, flat and contiguous."""
    if part.complex_as_pairs and out.is_complex():
        out, part = torch.view_as_real(out).view(-1), part.in_pairs
        spots = [Spot(*(2 * number for number in spot)) for spot in spots]
    part.write_block(out, source, spots)
