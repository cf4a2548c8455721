"""Increasing functions of other distributions: their logarithm, their exponential, a multiple."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution, of_part
from .blocks import Blocks
from .digits import short
from .elementwise import Constant, Uniform
from .evidence import Sample, Test, exact_test
from .jumps import Jumps, jumps, spread
from .maps import STEPS, Map, backward, describe_maps, falling, through
from .pairwise import Pairwise
from .source import Runs, Source, Spot, slices

_MULTIPLES = 1 << 12  # more of them are as good as none: no test tells them apart

_EXACT = 1 << 7  # so many multiples of a power of two are numbers of every dtype


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
    copy = of_part("copy")

    @property
    def shows_in_part(self) -> bool:
        drawn_as_one = self.random and not self.elementwise
        return self.part.shows_in_part if drawn_as_one else self.iid or not self.random

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
        return {} if self.part.moments is None else _mapped_jumps(self).jumps.atoms

    @property
    def distinct_slices(self) -> bool:
        # Of what nobody knows the distribution, all may be rounded to one value.
        steps = any(name in STEPS for name, _ in self.maps)
        return self.random and not (steps and self.part.moments is None)

    @property
    def moments(self) -> tuple[float, float] | None:
        return None if self.part.moments is None else _mapped_moments(self)

    def _cdf(self, x: Tensor) -> Tensor:
        found = _mapped_jumps(self)
        inside = x.clamp(*self.bounds)  # what lies outside may have no value to map from
        smooth = spread(self.part.cdf, jumps(self.part))
        place = backward(inside, self.maps).clamp(found.low, found.high)
        first, last = smooth(_scalars(found.low, found.high))
        share = last - smooth(place) if falling(self.maps) else smooth(place) - first
        share = share + found.jumps.below(inside)
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

    def remade(self) -> Distribution:
        made = self.part
        for name, number in self.maps:
            made = made.scaled(number) if name == "times" else made.mapped(name, number)
        return made

    def _write(self, out: Tensor, draw: Callable[[Tensor], None]) -> None:
        # Values are drawn in float32 whatever the dtype, so that all dtypes map the same values.
        scratch = torch.empty(out.numel(), dtype=torch.float32, device="cpu")
        draw(scratch)
        flat = out.view(-1)
        for piece in slices(out.numel()):
            flat[piece].copy_(through(scratch[piece], self.maps))

    @property
    def in_blocks(self) -> Blocks | None:
        blocks = self.part.in_blocks
        return None if blocks is None else blocks.of_parts(lambda part: Mapped(part, self.maps))

    def random_part(self, tensor: Tensor) -> tuple[Distribution, Tensor]:
        drawn, found = self.part.random_part(tensor)
        return (self if drawn is self.part else replace(self, part=drawn)), found

    def tests(self, sample: Sample) -> Iterator[Test]:
        if self.elementwise or not self.random or not self.part.known:
            yield from super().tests(sample)
            yield from self._tests_of_multiples(sample)
            # The mean of exponentials hides what their logarithms tell.
            if self.iid and sample.whole is not None and self._widens:
                tests = self._tests_of_part(sample)
                yield from (test for test in tests if test.kind in ("mean", "std"))
        elif sample.whole is not None and not any(name in STEPS for name, _ in self.maps):
            yield from self._tests_of_part(sample)

    @property
    def _widens(self) -> bool:
        names = [name for name, _ in self.maps]
        return "exp" in names and not any(name in STEPS for name in names)

    def _tests_of_multiples(self, sample: Sample) -> Iterator[Test]:
        """Test what was drawn beside known values before all were rounded to multiples.

        All values together tell whether they are distributed as planned, and not where.
        """
        part, (name, step) = self.part, self.maps[0]
        if name != "rounded" or len(self.maps) > 1 or sample.whole is None:
            return
        if not isinstance(part, Pairwise) or part.in_blocks is not None:
            return
        drawn = [one for one in (part.part, part.other) if one.random]
        # A dtype of 16 bits holds few multiples as they are.
        exact = math.frexp(step)[0] == 0.5 or sample.dtype.itemsize > 2
        few = max(map(abs, sample.extremes)) <= _EXACT * step
        if len(drawn) == 1 and drawn[0].iid and exact and few:
            yield from part.tests_of_drawn(sample, step)

    def _tests_of_part(self, sample: Sample) -> Iterator[Test]:
        """Test the values before the maps, of what is drawn as one."""
        (low, high), (least, most) = self.bounds, sample.extremes
        room = 4 * float(torch.finfo(sample.dtype).eps)
        wrong = least < low - room * abs(low) or most > high + room * abs(high)
        seen = f"values from {short(least)} to {short(most)}"
        planned = f"values from {short(low)} to {short(high)}"
        found, _ = sample.undone(
            self.part,
            Constant(0.0),
            lambda values, _: backward(values, self.maps),
            lambda values, _: through(values, self.maps),
        )
        if found is None and not wrong:
            return
        yield exact_test("bounds", wrong, planned, seen, f"{seen}, and none should leave these")
        for test in () if found is None else self.part.tests(found):
            yield test.within(f"of {self.part.describe()}, before {describe_maps('x', self.maps)}")

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


class _MappedJumps(NamedTuple):
    """The jumps of mapped values, and between which values of ``part`` the others stay spread."""

    jumps: Jumps
    low: float
    high: float


@lru_cache(maxsize=256)
def _mapped_jumps(distribution: Mapped) -> _MappedJumps:
    """Return the part's own jumps where the maps bring them, and those that maps make."""
    part, maps = distribution.part, distribution.maps
    own = jumps(part)
    smooth, (low, high) = spread(part.cdf, own), part.bounds
    values, shares = own
    for place, (name, number) in enumerate(maps):
        # Each value goes the way of those that are written, so that no rounding differs.
        values, before = through(values, maps[place : place + 1]), maps[:place]
        if name not in STEPS or not low < high:
            continue
        if name == "at least":
            made = _scalars(number)
            edge = float(backward(made, before).clamp(low, high))
            ends = (edge, high) if falling(before) else (low, edge)
            low, high = (low, edge) if falling(before) else (edge, high)
        else:
            made = _multiples(Mapped(part, before) if before else part, number)
            if not len(made):
                continue
            inner = backward((made[1:] + made[:-1]) / 2, before).clamp(low, high).tolist()
            ends = (high, *inner, low) if falling(before) else (low, *inner, high)
            low = high
        values = torch.cat([values, made])
        shares = torch.cat([shares, smooth(_scalars(*ends)).diff().abs()])
    kept = shares > 0
    return _MappedJumps(Jumps.of(values[kept], shares[kept]), low, high)


def _multiples(level: Distribution, step: float) -> Tensor:
    """Return the multiples of a step that are ever written; none where they are too many."""
    low, high = (round(end / step) for end in level.reach)
    count = high - low + 1 if high - low < _MULTIPLES else 0
    return torch.arange(low, low + count, dtype=torch.float64, device="cpu") * step


def _scalars(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64, device="cpu")
