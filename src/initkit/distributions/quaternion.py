"""Quaternions in four tensors: a length, an angle, and a direction of the imaginary part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache

import torch
from torch import Tensor

from .. import stream
from ..numbers import exact_math, frozen
from .digits import short
from .elementwise import ndtr
from .evidence import Sample, Test, squares_test, uniform_test
from .joint import Joint, Sampled, Shape
from .source import Source

_AWAY = 1e-4  # added to the length of a direction, as published
_FAR = 6.2  # the root of so many sizes, beyond which float64 has no density left
_SHORT = 1.19 * _AWAY  # by which share that makes directions shorter, in the mean


@frozen
class Quaternion(Joint):
    """The real part and the three imaginary parts of random quaternions.

    Their lengths are chi-distributed with four degrees and the scale ``size``, angles uniform.
    """

    size: float
    iid = True

    @classmethod
    def misfit_of(cls, shapes: Sequence[Shape]) -> str:
        if len(shapes) != 4:
            return "quaternion is of four tensors: the real part and three imaginary ones"
        return "" if len(set(shapes)) == 1 else f"they differ in shape: {[*map(list, shapes)]}"

    def draw_members(self, source: Source, held: Sequence[Tensor]) -> Sequence[Tensor]:
        def drawn(number: int, low: float | None = None, high: float = 1.0) -> Tensor:
            out = torch.empty(math.prod(self.shape), dtype=torch.float32, device="cpu")
            key = source.block(number).values
            if low is None:
                stream.normal_(out, key, 0.0, self.size)
            else:
                stream.uniform_(out, key, low, high)
            return out.double().view(self.shape)

        length = sum((drawn(place).square() for place in range(4)), torch.zeros(())).sqrt()
        angle = drawn(4, -math.pi, math.pi)
        sides = [drawn(place, -1.0) for place in (5, 6, 7)]
        away = sum((side.square() for side in sides), torch.zeros(())).sqrt() + _AWAY
        turned = length * exact_math.sin(angle) / away
        return length * exact_math.cos(angle), *(turned * side for side in sides)

    def describe(self) -> str:
        part = ("real part", "i", "j", "k")[self.member]
        return f"{part} of quaternions, lengths chi(4) x {short(self.size)}"

    @property
    def moments(self) -> tuple[float, float]:
        share = (1 - _SHORT) / math.sqrt(3) if self.member else 1.0
        return 0.0, math.sqrt(2) * self.size * share

    def _cdf(self, x: Tensor) -> Tensor:
        if not self.member:
            return _turned_cdf(x / self.size)
        return _imaginary_cdf(x / ((1 - _SHORT) * self.size))

    def tests(self, sample: Sample) -> Iterator[Test]:
        return sample.goodness_of_fit()

    def tests_of(self, values: Sequence[Tensor], slack: float, sampled: Sampled) -> Iterator[Test]:
        real, *sides = (value.reshape(-1) for value in values)
        imaginary = torch.stack(sides).square().sum(0)
        squares = (real.square() + imaginary) / self.size**2
        half = squares / 2
        # A published direction is a little short: by less than 1e-3 for nearly all of them.
        room = 2e-3 + slack / 4
        total = float(squares.sum())
        found = [
            squares_test("their lengths", total, 4 * len(real), 2 * _SHORT + slack),
            uniform_test("their lengths", 1 - (1 + half) * (-half).exp(), room),
            uniform_test("their angles", torch.atan2(imaginary.sqrt(), real) / math.pi, room),
        ]
        # Of a point in a cube two coordinates are uniform up to the third, which is the largest.
        by_size = torch.stack(sides).abs().sort(0).values
        ratios = by_size[:2] / by_size[2].clamp(min=1e-30)
        found.append(uniform_test("their directions", ratios.reshape(-1), slack))
        yield from (test.within(f"of {', '.join(self.names)} as one") for test in found)


def _turned_cdf(x: Tensor) -> Tensor:
    """Return the CDF of one coordinate of a point at the distance chi(4) in the plane."""
    density = (-x.square() / 2).exp() / math.sqrt(2 * math.pi)
    return ndtr(x) - torch.where(density > 0, x * density / 2, 0.0)


def _imaginary_cdf(x: Tensor) -> Tensor:
    """Return the CDF of an imaginary part of size 1, by cubics between places where it is known.

    That is off by less than 1e-7, and takes a hundredth of the time that all sizes take.
    """
    level, slope = _places()
    width = _FAR / (len(level) - 1)
    # The places are squares, since many coordinates are small; the CDF mirrors itself.
    place = x.abs().clamp(max=_FAR**2 * (1 - 1e-9)).sqrt() / width
    first = place.long()
    start, stop = (width * first).square(), (width * (first + 1)).square()
    apart = stop - start
    s = (x.abs().clamp(max=_FAR**2) - start) / apart
    left = level[first] * (1 + 2 * s) - slope[first] * apart * s
    right = level[first + 1] * (3 - 2 * s) + slope[first + 1] * apart * (1 - s)
    below = left * (1 - s).square() + right * s.square()
    return torch.where(x > 0, 1 - below, below)


@cache
def _places() -> tuple[Tensor, Tensor]:
    """Return the CDF and the density of an imaginary part at minus the squares of even steps."""
    sides, shares = _sides()
    steps = torch.linspace(0, _FAR, 2049, dtype=torch.float64, device="cpu")
    x = -steps.square()[:, None] / sides
    density = (-x.square() / 2).exp() * (1 + x.square()) / (2 * math.sqrt(2 * math.pi))
    return _turned_cdf(x) @ shares, (density / sides) @ shares


@cache
def _sides() -> tuple[Tensor, Tensor]:
    """Return sizes of a coordinate beside the length of a point in a cube, and their shares."""
    # Closer to 0, beside which a value falls on either side at once: the CDF is off by 1e-6.
    edges = torch.linspace(0, 1, 257, dtype=torch.float64, device="cpu").square()
    x = (torch.arange(1000, dtype=torch.float64, device="cpu") + 0.5) / 1000
    # It is the larger where the other two lie in a circle, of which a square is in the cube.
    radius = x * (edges[1:-1, None].pow(-2) - 1).sqrt()
    wide = radius.clamp(min=1)
    corner = (wide.square() - 1).sqrt() + wide.square() * (math.pi / 4 - (1 / wide).acos())
    inside = torch.where(radius <= 1, math.pi / 4 * radius.square(), corner)
    inside = torch.where(radius >= math.sqrt(2), 1.0, inside).mean(1)
    one, none = inside.new_ones(1), inside.new_zeros(1)
    return (edges[1:] + edges[:-1]) / 2, -torch.cat([one, inside, none]).diff()
