"""The CDF of a distribution at points that follow it closely, and its inverse."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from .base import Distribution

_POINTS = 1 << 12  # at even distances, before any are added
_STEP = 2e-4  # of the CDF between two points; where it is more, there are points between
_ROUNDS = 40


class Curve(NamedTuple):
    """A CDF at points, both sides of its jumps among them; between points it is a line."""

    points: Tensor
    levels: Tensor

    def share(self, x: Tensor) -> Tensor:
        """Return P(X <= x)."""
        return _line(self.points, self.levels, x)

    def value(self, share: Tensor) -> Tensor:
        """Return the smallest x with so large a P(X <= x)."""
        return _line(self.levels, self.points, share)


@lru_cache(maxsize=16)
def curve(distribution: Distribution) -> Curve:
    """Return the CDF of a distribution as a curve.

    >>> from initkit.distributions import Normal
    >>> f"{float(curve(Normal(0.0, 1.0)).value(torch.tensor([0.975]).double())):.4f}"
    '1.9600'
    """
    low, high = distribution.reach
    even = torch.linspace(low, high, _POINTS, dtype=torch.float64, device="cpu")
    jumps = torch.tensor([low, *distribution.atoms], dtype=torch.float64, device="cpu")
    before = torch.nextafter(jumps, torch.full_like(jumps, -math.inf))
    points: Tensor = torch.unique(torch.cat([even, before, jumps]))
    levels = distribution.cdf(points)
    for _ in range(_ROUNDS):
        middle = (points[1:] + points[:-1]) / 2
        steep = (levels.diff() > _STEP) & (middle > points[:-1]) & (middle < points[1:])
        if not steep.any():
            break
        middle = middle[steep]
        points, order = torch.cat([points, middle]).sort()
        levels = torch.cat([levels, distribution.cdf(middle)])[order]
    return Curve(points, levels)


def _line(xs: Tensor, ys: Tensor, x: Tensor) -> Tensor:
    """Return the line through points at ``x``, and its ends beyond them."""
    place = torch.searchsorted(xs, x.contiguous()).clamp(1, len(xs) - 1)
    left, right = xs[place - 1], xs[place]
    width = right - left
    # A jump may be as wide as the smallest of all numbers, by which nothing is divided.
    part = torch.where(x < right, (x - left) / width.clamp(min=1e-300), 1.0).clamp(0, 1)
    return torch.lerp(ys[place - 1], ys[place], part)
