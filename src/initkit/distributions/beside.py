"""What the CDF of two independent values adds up: jumps of each beside what the other spreads."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from .base import Distribution
from .curves import curve
from .indexed import Indexed
from .jumps import Jumps, jumps, spread

Cdf: TypeAlias = "Callable[[Tensor], Tensor]"
_Operation: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
_CELLS = 400  # pieces that stand for one of the two
_MOST_PAIRS = 1 << 20  # jumps of two that are counted each with each
_NOTHING = 1e-12  # a mass that is but rounding


@lru_cache(maxsize=64)
def jumps_beside(distribution: Distribution) -> Jumps:
    """Return the jumps of one of two: of what is not drawn its values, where they are few."""
    if isinstance(distribution, Indexed):
        values, counts = torch.unique(distribution.table(), return_counts=True)
        if len(values) <= _CELLS:
            return Jumps(values, counts.double() / counts.sum())
    return jumps(distribution)


def outer(one: Jumps, two: Jumps, of: _Operation) -> tuple[Tensor, Tensor]:
    """Return what the values of both make, each with each, and the share of every pair."""
    if too_many(one, two):
        # So many are as good as spread, but for a 0, of which checks count how often it comes.
        turned = Jumps.of(-two.values, two.shares)
        place = torch.searchsorted(turned.values, one.values).clamp(max=len(turned.values) - 1)
        meet = (turned.values[place] == one.values) & (of is torch.add)
        return one.values[meet] * 0, one.shares[meet] * turned.shares[place][meet]
    values = of(one.values[:, None], two.values)
    return values.reshape(-1), (one.shares[:, None] * two.shares).reshape(-1)


def too_many(one: Jumps, two: Jumps) -> bool:
    """Whether the jumps of two are more than are counted each with each."""
    return len(one.values) * len(two.values) > _MOST_PAIRS


class Part(NamedTuple):
    """Numbers with their shares, and the CDF and the mass of what is spread beside them."""

    cdf: Cdf
    mass: float
    values: Tensor
    shares: Tensor


@lru_cache(maxsize=64)
def mixture(drawn: Distribution, given: Distribution) -> list[Part]:
    """Return what a CDF adds up beside its jumps: each one's jumps beside what the other spreads.

    Where both are spread, cells of the one are numbers.
    """
    one, two = jumps_beside(drawn), jumps_beside(given)
    if too_many(one, two):
        one = Jumps.read({})
    smooth, other = spread(_cdf_of(drawn), one), spread(_cdf_of(given), two)
    left, rest = (max(1 - jumps.mass, 0.0) for jumps in (one, two))
    parts = [Part(smooth, left, *two), Part(other, rest, *one)]
    if not (one.all() or two.all()):
        parts.append(Part(smooth, left, *_cells(given, other)))
    return [part for part in parts if part.mass > _NOTHING and len(part.values)]


def _cdf_of(distribution: Distribution) -> Cdf:
    # Asked once for every cell: dear but for the laws that the stream has itself.
    return curve(distribution).share if distribution.spec is None else distribution.cdf


def _cells(distribution: Distribution, cdf: Cdf) -> tuple[Tensor, Tensor]:
    """Return values that stand for what a distribution spreads, and the share of each."""
    low, high = distribution.reach
    whole = curve(distribution)
    levels = torch.arange(_CELLS, dtype=torch.float64, device="cpu") / _CELLS
    # Edges as dense as the values, some where there are few, and ever more of them towards the
    # ends, where a CDF near 0 or 1 is asked how near.
    near = 2.0 ** -torch.arange(9, 48, dtype=torch.float64, device="cpu")
    dense = whole.value(torch.cat([levels, near, 1 - near]))
    edges: Tensor = torch.unique(torch.cat([dense, whole.points[::20], whole.points[-1:]]))
    edges[0] -= (high - low) * 1e-12  # so that a value at the lower end counts
    middles, shares = (edges[1:] + edges[:-1]) / 2, cdf(edges).diff()
    kept = shares > 0
    return middles[kept], shares[kept]
