"""Increasing functions of other distributions: their logarithm, their exponential, a multiple."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution, of_part
from .digits import short
from .elementwise import Constant, Uniform
from .maps import STEPS, Map, backward, describe_maps, falling, through
from .source import Runs, Source, Spot, slices

_MULTIPLES = 1 << 12  # more of them are as good as none: no test tells them apart


@frozen
class Mapped(Distribution):
    """The distribution of increasing functions, one after the other, of a value of ``part``."""

    part: Distribution
    maps: tuple[Map, ...]

    elementwise = of_part("elementwise")
    random = of_part("random")
    iid = of_part("iid")
    alike = of_part("alike")
    placed = of_part("placed")
    shape_matters = of_part("shape_matters")
    complex_as_pairs = of_part("complex_as_pairs")

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
        return _mapped_atoms(self)

    @property
    def moments(self) -> tuple[float, float]:
        return _mapped_moments(self)

    def _cdf(self, x: Tensor) -> Tensor:
        inside = x.clamp(*self.bounds)  # what lies outside may have no value to map from
        falls = falling(self.maps)
        if falls:  # P(-Y <= x) = 1 - P(Y < -x), which counts no atom at -x
            inside = torch.nextafter(inside, torch.full_like(inside, math.inf))
        below = self.part.cdf(backward(inside, self.maps))
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
        self._write(out, lambda scratch: self.part.write(scratch, source, runs))

    def write_block(self, out: Tensor, source: Source, spots: Sequence[Spot]) -> None:
        self._write(out, lambda scratch: self.part.write_block(scratch, source, spots))

    def _write(self, out: Tensor, draw: Callable[[Tensor], None]) -> None:
        # Values are drawn in float32 whatever the dtype, so that all dtypes map the same values.
        scratch = torch.empty(out.numel(), dtype=torch.float32, device="cpu")
        draw(scratch)
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
    atoms = distribution.atoms
    if math.isclose(math.fsum(atoms.values()), 1.0, rel_tol=1e-12):  # it has no other values
        mean = math.fsum(share * value for value, share in atoms.items())
        square = math.fsum(share * (value - mean) ** 2 for value, share in atoms.items())
        return mean, math.sqrt(square)
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


@lru_cache(maxsize=256)
def _mapped_atoms(distribution: Mapped) -> dict[float, float]:
    """Return the part's own atoms where the maps bring them, and those that maps make."""
    part, maps = distribution.part, distribution.maps
    found: dict[float, float] = {}
    for value, share in part.atoms.items():
        end = _number(value, maps)
        found[end] = found.get(end, 0.0) + share
    for place, (name, number) in enumerate(maps):
        if name not in STEPS:
            continue
        # Anew: an atom that this map moves has been counted where it began.
        level, rest = Mapped(part, maps[: place + 1]), maps[place + 1 :]
        values = (
            torch.tensor([number], dtype=torch.float64, device="cpu")
            if name == "at least"
            else _multiples(level, number)
        )
        before = torch.nextafter(values, torch.full_like(values, -math.inf))
        jumps = level.cdf(values) - level.cdf(before)
        for value, jump in zip(values.tolist(), jumps.tolist(), strict=True):
            if jump > 0:
                found[_number(value, rest)] = jump
    return found


def _multiples(level: Mapped, step: float) -> Tensor:
    """Return the multiples of a step that are ever written; none where they are too many."""
    low, high = (round(end / step) for end in level.reach)
    count = high - low + 1 if high - low < _MULTIPLES else 0
    return torch.arange(low, low + count, dtype=torch.float64, device="cpu") * step


def _number(value: float, maps: tuple[Map, ...]) -> float:
    return float(through(torch.tensor(value, dtype=torch.float64, device="cpu"), maps))
