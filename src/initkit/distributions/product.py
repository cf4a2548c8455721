"""Products of two distributions, element by element."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution, Shaped, spans
from .elementwise import Constant
from .evidence import Sample, Test
from .indexed import Indexed
from .source import Runs, Source, Spot

_CELLS = 400  # pieces that stand for one factor where the CDF is reckoned


@frozen
class Product(Shaped):
    """A value of ``part`` times one of ``other``, drawn from streams of its own."""

    part: Distribution
    other: Distribution
    complex_as_pairs = False
    allows_complex = False

    @property
    def elementwise(self) -> bool:
        return self.part.elementwise and self.other.elementwise

    @property
    def random(self) -> bool:
        return self.part.random or self.other.random

    @property
    def iid(self) -> bool:
        return self.part.iid and self.other.iid

    @property
    def placed(self) -> bool:
        return not self.random

    @property
    def tolerance(self) -> float:
        return self.part.tolerance + self.other.tolerance

    @property
    def moments(self) -> tuple[float, float] | None:
        if not self.random:
            table = _sorted_table(self)
            return float(table.mean()), float(table.std(correction=0))
        one, two = self.part.moments, self.other.moments
        if one is None or two is None:
            return None
        # One of them is drawn alike at every place, and so without regard to the other.
        mean = one[0] * two[0]
        square = (one[0] ** 2 + one[1] ** 2) * (two[0] ** 2 + two[1] ** 2)
        return mean, math.sqrt(max(square - mean * mean, 0.0))

    @property
    def bounds(self) -> tuple[float, float]:
        return _ends(self.part.bounds, self.other.bounds)

    @property
    def reach(self) -> tuple[float, float]:
        return _ends(self.part.reach, self.other.reach)

    @property
    def atoms(self) -> dict[float, float]:
        one, two = (d.atoms.get(0.0, 0.0) if d.random else 0.0 for d in (self.part, self.other))
        zero = one + two - one * two
        return {0.0: zero} if zero else {}

    def _cdf(self, x: Tensor) -> Tensor:
        if not self.random:
            table = _sorted_table(self)
            return torch.searchsorted(table, x.contiguous(), right=True).double() / table.numel()
        # Given the other factor it is the CDF of one; over cells of the other, their mean.
        # That one has ends, if any has, so that cells fill it.
        ends = [not d.random or all(map(math.isfinite, d.bounds)) for d in (self.part, self.other)]
        other = not self.other.random or (self.part.random and ends[1] >= ends[0])
        drawn, given = (self.part, self.other) if other else (self.other, self.part)
        total = torch.zeros_like(x)
        for value, share in zip(*_cells(given), strict=True):
            total += share * _scaled_cdf(drawn, value, x)
        return total.clamp(0, 1)

    def describe(self) -> str:
        return f"{self.part.describe()} x {self.other.describe()}"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, part=self.part.scaled(factor)) if factor else Constant(0.0)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        spots = [Spot(at, start, start, length) for at, start, length in spans(runs, out.numel())]
        self.write_block(out, source, spots)

    def write_block(self, out: Tensor, source: Source, spots: Sequence[Spot]) -> None:
        # In float64: each factor as it is drawn, and one rounding of the product.
        values = torch.empty(out.numel(), dtype=torch.float64, device="cpu")
        factors = torch.empty_like(values)
        self.part.write_block(values, source, spots)
        self.other.write_block(factors, source.block(0), spots)
        out.copy_(values.mul_(factors))

    def draw(self, source: Source, first: int = 0) -> Tensor:
        count = math.prod(self.shape)
        out = torch.empty(count, dtype=torch.float64, device="cpu")
        self.write_block(out, source, [Spot(0, 0, first, count)])
        return out.view(self.shape)

    def tests(self, sample: Sample) -> Iterator[Test]:
        if not self.random:
            yield from sample.equality()
        elif self.moments is not None:
            yield from sample.goodness_of_fit()


def _ends(one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float]:
    # 0 times what has no bound is 0, since every value is finite.
    products = [a * b if a and b else 0.0 for a in one for b in two]
    return min(products), max(products)


def _scaled_cdf(distribution: Distribution, factor: float, x: Tensor) -> Tensor:
    """Return P(factor X <= x)."""
    if not factor:
        return (x >= 0).double()
    if factor > 0:
        return distribution.cdf(x / factor)
    # P(X >= y), and so with what lies at y itself.
    y = x / factor
    return 1 - distribution.cdf(torch.nextafter(y, torch.full_like(y, -math.inf)))


@lru_cache(maxsize=16)
def _cells(distribution: Distribution) -> tuple[list[float], list[float]]:
    """Return values that stand for a distribution, and the share of each."""
    atoms = distribution.atoms
    if math.isclose(math.fsum(atoms.values()), 1.0, rel_tol=1e-9):  # there are no others
        return list(atoms), list(atoms.values())
    if isinstance(distribution, Indexed):
        values, counts = torch.unique(distribution.table(), return_counts=True)
        if len(values) <= 2 * _CELLS:
            return values.tolist(), (counts.double() / counts.sum()).tolist()
    low, high = distribution.reach
    fine = torch.linspace(low, high, 100 * _CELLS + 1, dtype=torch.float64, device="cpu")
    levels = torch.arange(_CELLS, dtype=torch.float64, device="cpu") / _CELLS
    # Edges as dense as the values, and some where there are few, for the tails.
    place = torch.searchsorted(distribution.cdf(fine), levels).clamp(max=len(fine) - 1)
    edges = torch.unique(torch.cat([fine[place], fine[::200], fine[-1:]]))
    edges[0] -= (high - low) * 1e-12  # so that a value at the lower end counts
    shares = distribution.cdf(edges).diff()
    kept = shares > 0
    return ((edges[1:] + edges[:-1]) / 2)[kept].tolist(), shares[kept].tolist()


@lru_cache(maxsize=8)
def _sorted_table(distribution: Product) -> Tensor:
    return distribution.draw(Source(0, "")).view(-1).sort().values
