"""Distributions that depend on the place of an element: equal blocks, identity, Dirac."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import field, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from ..numbers import Grid, frozen
from .base import Distribution, Runs, Shaped, Source, describe_blocks, grid_misfit, short, spans
from .evidence import Sample, Test, exact_test


@frozen
class Blocks(Distribution):
    """Equal blocks of dimension 0, a distribution for each, of ``size`` elements together."""

    parts: tuple[Distribution, ...]
    size: int
    iid = False
    shape_matters = True
    complex_as_pairs = False

    def misfit(self, shape: tuple[int, ...]) -> str:
        count = len(self.parts)
        if not count or not shape or shape[0] % count or self.size != math.prod(shape):
            whole = f"{count} blocks of {self.size} elements together"
            return f"{whole} do not fill the shape {list(shape)}"
        block = (shape[0] // count, *shape[1:])
        return next(filter(None, (part.misfit(block) for part in self.parts)), "")

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
    def moments(self) -> tuple[float, float] | None:
        known = [m for part in self.parts if (m := part.moments) is not None]
        if len(known) < len(self.parts):
            return None
        mean = math.fsum(m for m, _ in known) / len(known)
        # The variance of a mixture: the mean square of all parts less the square of the mean.
        square = math.fsum(m * m + s * s for m, s in known) / len(known)
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
        return Blocks(tuple(part.in_pairs for part in self.parts), self.size)

    @property
    def atoms(self) -> dict[float, float]:
        found: dict[float, float] = {}
        for part in self.parts:
            for value, share in part.atoms.items():
                found[value] = found.get(value, 0.0) + share / len(self.parts)
        return found

    def _cdf(self, x: Tensor) -> Tensor:
        return torch.stack([part.cdf(x) for part in self.parts]).mean(0)

    def describe(self) -> str:
        return " | ".join(part.describe() for part in self.parts)

    def scaled(self, factor: float) -> Blocks:
        return Blocks(tuple(part.scaled(factor) for part in self.parts), self.size)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        block = self.size // len(self.parts)
        for local, start, length in spans(runs, out.numel()):
            while length:
                index = start // block
                piece = min(length, (index + 1) * block - start)
                # An elementwise part takes the index in the whole tensor, so that two equal parts
                # never draw the same words; only the place is counted from the block.
                part = self.parts[index]
                self._write_part(part, out.narrow(0, local, piece), source, start, index * block)
                local, start, length = local + piece, start + piece, length - piece

    @staticmethod
    def _write_part(
        part: Distribution, out: Tensor, source: Source, start: int, origin: int
    ) -> None:
        if part.complex_as_pairs and out.is_complex():
            out, start, origin = torch.view_as_real(out).view(-1), 2 * start, 2 * origin
            part = part.in_pairs
        if part.placed:  # distributions by place count from the start of their block
            part.write(out, source, start - origin)
        elif part.elementwise:
            part.write(out, source, start)
        else:
            block = part.draw(source, origin).reshape(-1)
            out.copy_(block.narrow(0, start - origin, out.numel()))

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None:  # no telling where a block ends: tested as a mixture
            yield from super().tests(sample)
            return
        count = len(self.parts)
        for place, (part, block) in enumerate(
            zip(self.parts, sample.whole.chunk(count), strict=True)
        ):
            label = f"block {place} of {count}"
            for test in part.tests(sample.of(part, [block])):
                yield Test(
                    test.kind,
                    test.p,
                    f"{label}: {test.expected}",
                    f"{label}: {test.seen}",
                    f"in {label}, {part.describe()}: {test.text}",
                )


@frozen
class Placed(Shaped):
    """Base of distributions that are 0 but for ``value`` at fixed places: identity and Dirac."""

    value: float = field(default=1.0, kw_only=True)
    random = False
    placed = True
    complex_as_pairs = False

    def places(self) -> Tensor:
        """Return the sorted global indices that hold ``value``."""
        raise NotImplementedError

    @cached_property
    def _share(self) -> float:
        return self.places().numel() / max(math.prod(self.shape), 1)

    @property
    def moments(self) -> tuple[float, float]:
        p = self._share
        return p * self.value, abs(self.value) * math.sqrt(p * (1 - p))

    @property
    def bounds(self) -> tuple[float, float]:
        return min(0.0, self.value), max(0.0, self.value)

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: 1 - self._share, self.value: self._share}

    @property
    def whole_numbers(self) -> bool:
        return self.value.is_integer()

    def _cdf(self, x: Tensor) -> Tensor:
        zero, value = (x >= 0).double(), (x >= self.value).double()
        return zero * (1 - self._share) + value * self._share

    def scaled(self, factor: float) -> Self:
        return replace(self, value=self.value * factor)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        out.zero_()
        places = self.places()  # sorted, so that those of a run are one slice
        for local, start, length in spans(runs, out.numel()):
            low, high = torch.searchsorted(
                places, torch.tensor([start, start + length], device="cpu")
            )
            here = places[int(low) : int(high)] - start + local
            out[here.to(out.device)] = self.value


@frozen
class Eye(Placed):
    """Ones on the diagonal of every matrix of the ``grid``."""

    grid: Grid

    def misfit(self, shape: tuple[int, ...]) -> str:
        return super().misfit(shape) or grid_misfit(self.grid, shape)

    def places(self) -> Tensor:
        matrices, rows, columns = self.grid
        diagonal = _count(min(rows, columns)) * (columns + 1)
        return (_count(matrices)[:, None] * (rows * columns) + diagonal).reshape(-1)

    def tests(self, sample: Sample) -> Iterator[Test]:
        yield from sample.equality()
        if sample.whole is not None:
            grid = sample.matrices(self.grid)
            rows, columns = grid.shape[1:]
            # The same values, found in another way: a diagonal by the sample's own layout.
            wrong = int((grid != 0).sum()) != len(grid) * min(rows, columns) * bool(self.value)
            wrong |= bool(self.value) and not bool(grid.diagonal(dim1=1, dim2=2).all())
            seen = f"matrices of {rows} x {columns} that are no identity"
            yield exact_test("structure", wrong, self.describe(), seen, f"it holds {seen}")

    def describe(self) -> str:
        size = "identity" if self.value == 1 else f"{short(self.value)} x identity"
        return size + describe_blocks(self.grid)


@frozen
class Dirac(Placed):
    """The identity of a convolution: ones in the middle of the window, per group."""

    groups: int = 1

    def misfit(self, shape: tuple[int, ...]) -> str:
        cut = len(shape) > 1 and self.groups > 0 and shape[0] % self.groups == 0
        text = f"{list(shape)} is no convolution of {self.groups} groups"
        return super().misfit(shape) or ("" if cut else text)

    def places(self) -> Tensor:
        out, inner, *window = self.shape
        area = math.prod(window)
        # The row-major index of the window's middle; of even sizes as torch.nn.init.dirac_ has it.
        middle = 0
        for size in window:
            middle = middle * size + size // 2
        per_group = out // self.groups
        channel = _count(min(per_group, inner))
        row = _count(self.groups)[:, None] * per_group + channel
        return (row * (inner * area) + channel * area + middle).reshape(-1)

    def describe(self) -> str:
        text = "Dirac" if self.value == 1 else f"{short(self.value)} x Dirac"
        return text if self.groups == 1 else f"{text}, {self.groups} groups"


def _count(n: int) -> Tensor:
    return torch.arange(n, device="cpu")
