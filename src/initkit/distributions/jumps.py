"""The values of positive probability of a distribution, apart from those that are spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from .base import Distribution

_ALL = 1 - 1e-9  # of the probability: the rest is rounding


class Jumps(NamedTuple):
    """Ascending ``values`` and the probability of each."""

    values: Tensor
    shares: Tensor

    @classmethod
    def of(cls, values: Tensor, shares: Tensor) -> Jumps:
        """Return the jumps at values in any order, of which some may be equal."""
        found, places = torch.unique(values, return_inverse=True)
        sums = torch.zeros_like(found).index_add_(0, places.reshape(-1), shares.reshape(-1))
        return cls(found, sums)

    @classmethod
    def read(cls, atoms: Mapping[float, float]) -> Jumps:
        """Return what :attr:`Distribution.atoms` says."""
        return cls.of(_numbers(*atoms), _numbers(*atoms.values()))

    @property
    def atoms(self) -> dict[float, float]:
        """What :attr:`Distribution.atoms` says of them."""
        return dict(zip(self.values.tolist(), self.shares.tolist(), strict=True))

    @property
    def mass(self) -> float:
        """The probability of all of them."""
        return math.fsum(self.shares.tolist())

    def all(self) -> bool:
        """Whether there are no other values."""
        return self.mass > _ALL

    def below(self, x: Tensor) -> Tensor:
        """Return the probability of those that are ``x`` at most."""
        level = torch.cat([_numbers(0.0), self.shares.cumsum(0)])
        return level[torch.searchsorted(self.values, x.contiguous(), right=True)]


@lru_cache(maxsize=64)
def jumps(distribution: Distribution) -> Jumps:
    """Return the values of positive probability.

    >>> from initkit.distributions import MaskedUniform
    >>> jumps(MaskedUniform(-2.0, 2.0, 1.0)).shares.tolist()
    [0.5]
    """
    return Jumps.read(distribution.atoms)


def spread(cdf: Callable[[Tensor], Tensor], without: Jumps) -> Callable[[Tensor], Tensor]:
    """Return the CDF of what a distribution has beside its jumps: continuous, and less than 1."""
    if not len(without.values):
        return cdf
    return lambda x: cdf(x) - without.below(x)


def _numbers(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64, device="cpu")
