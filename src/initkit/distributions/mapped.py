"""Increasing functions of other distributions: their logarithm, their exponential, a multiple."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution, Runs, Source, short
from .elementwise import Constant, Uniform
from .maps import Map, backward, describe_maps, slices, through


@frozen
class Mapped(Distribution):
    """The distribution of increasing functions, one after the other, of a value of ``part``."""

    part: Distribution
    maps: tuple[Map, ...]

    @property
    def elementwise(self) -> bool:
        return self.part.elementwise

    @property
    def random(self) -> bool:
        return self.part.random

    @property
    def iid(self) -> bool:
        return self.part.iid

    @property
    def placed(self) -> bool:
        return self.part.placed

    @property
    def shape_matters(self) -> bool:
        return self.part.shape_matters

    @property
    def complex_as_pairs(self) -> bool:
        return self.part.complex_as_pairs

    @property
    def bounds(self) -> tuple[float, float]:
        ends = torch.tensor(self.part.bounds, dtype=torch.float64, device="cpu")
        low, high = sorted(through(ends, self.maps).tolist())
        return low, high

    @property
    def reach(self) -> tuple[float, float]:
        ends = torch.tensor(self.part.reach, dtype=torch.float64, device="cpu")
        low, high = sorted(through(ends, self.maps).tolist())
        return low, high

    @property
    def atoms(self) -> dict[float, float]:
        # What "at least" lifts lands on one value, the lowest of all.
        low = max((v for name, v in self.maps if name == "at least"), default=-math.inf)
        share = self.part.cdf(float(backward(torch.tensor(self.low), self.maps)[0]))
        return {self.low: share} if share and low > -math.inf else {}

    @property
    def moments(self) -> tuple[float, float]:
        return _mapped_moments(self)

    def _cdf(self, x: Tensor) -> Tensor:
        inside = x.clamp(*self.bounds)  # what lies outside may have no value to map from
        value, falls = backward(inside, self.maps)
        below = self.part.cdf(value)
        share = 1 - below if falls else below
        return torch.where(x >= self.high, 1.0, torch.where(x < self.low, 0.0, share))

    def describe(self) -> str:
        part, maps = self.part, self.maps
        if isinstance(part, Uniform) and maps[0][0] == "exp":
            ends = f"{short(math.exp(part.low))}, {short(math.exp(part.high))}"
            return describe_maps(f"log-uniform({ends})", maps[1:])
        return describe_maps(part.describe(), maps)

    def scaled(self, factor: float) -> Distribution:
        return self.mapped("times", factor) if factor else Constant(0.0)

    def mapped(self, name: str, number: float = 0.0) -> Mapped:
        return replace(self, maps=(*self.maps, (name, number)))

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        # Values are drawn in float32 whatever the dtype, so that all dtypes map the same values.
        scratch = torch.empty(out.numel(), dtype=torch.float32, device="cpu")
        self.part.write(scratch, source, runs)
        flat = out.view(-1)
        for piece in slices(out.numel()):
            flat[piece].copy_(through(scratch[piece], self.maps))

    def draw(self, source: Source, first: int = 0) -> Tensor:
        # In float32 first, as in the scratch of `write`: both ways give the same values.
        return through(self.part.draw(source, first).float(), self.maps)


# The grid costs milliseconds, and every like parameter of a model asks for the same one.
@lru_cache(maxsize=256)
def _mapped_moments(distribution: Mapped) -> tuple[float, float]:
    """Sum the maps over a fine grid of the part's values, each with its probability."""
    low, high = distribution.part.bounds
    if not (math.isfinite(low) and math.isfinite(high)):  # beyond 12 std lies no mass to speak of
        mean, std = distribution.part.moments or (0.0, 1.0)
        low, high = max(low, mean - 12 * std), min(high, mean + 12 * std)
    edges = torch.linspace(low, high, 20001, dtype=torch.float64, device="cpu")
    mass = distribution.part.cdf(edges).diff()
    # By midpoints: a cell is so narrow that its error is far below what four digits show.
    value = through((edges[1:] + edges[:-1]) / 2, distribution.maps)
    mean = float((mass * value).sum())
    return mean, math.sqrt(float((mass * (value - mean) ** 2).sum()))
