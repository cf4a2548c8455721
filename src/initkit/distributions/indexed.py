"""Distributions that the index decides, and growing functions of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field, replace
from functools import lru_cache
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor

from .. import stream
from ..numbers import exact_math as elementary
from ..numbers import frozen
from .base import Distribution, Runs, Source, short, spans
from .elementwise import Constant, Uniform
from .whole import NonElementwise

Map: TypeAlias = "tuple[str, float]"
"""A growing function and its number: ``("log", 0)``, ``("times", k)``, ``("at least", v)``."""


_FORWARD: dict[str, Callable[[Tensor, float], Tensor]] = {
    "log": lambda x, _: elementary.log(x),
    "exp": lambda x, _: elementary.exp(x),
    "inverse softplus": lambda x, _: elementary.inverse_softplus(x),
    "times": lambda x, k: x * k,
    "at least": lambda x, low: x.clamp(min=low),
}

_BACKWARD: dict[str, Callable[[Tensor, float], Tensor]] = {
    "log": lambda y, _: elementary.exp(y),
    "exp": lambda y, _: elementary.log(y.clamp(min=0)),
    "inverse softplus": lambda y, _: elementary.log1p_exp(y),
    "times": lambda y, k: y / k,
    "at least": lambda y, low: torch.where(y >= low, y, -math.inf),
}


_PIECE = 1 << 14  # elements mapped at a time: in several float64 tensors, on every thread


def _pieces(count: int) -> Iterator[slice]:
    """Yield slices that together are ``count`` elements."""
    for at in range(0, count, _PIECE):
        yield slice(at, min(at + _PIECE, count))


def _through(x: Tensor, maps: Iterable[Map]) -> Tensor:
    x = x.double()
    for name, number in maps:
        x = _FORWARD[name](x, number)
    return x


def _told(text: str, maps: Iterable[Map]) -> str:
    for name, number in maps:
        if name == "times":
            text = f"{short(number)} x {text}"
        else:
            text = f"{name} {short(number)} of {text}" if number else f"{name} of {text}"
    return text


def mapped(distribution: Distribution, name: str, number: float = 0.0) -> Distribution:
    """Return the distribution of a growing function of a value of ``distribution``.

    >>> print(mapped(Uniform(1.0, 16.0), "log"))
    log of U(1, 16)
    """
    step = (name, number)
    if isinstance(distribution, Constant):
        return Constant(
            float(_through(torch.tensor(distribution.value, dtype=torch.float64), [step]))
        )
    if isinstance(distribution, Indexed | Mapped):
        return replace(distribution, maps=(*distribution.maps, step))
    return Mapped(distribution, (step,))


@frozen
class Mapped(Distribution):
    """The distribution of growing functions, one after the other, of a value of ``part``."""

    part: Distribution
    maps: tuple[Map, ...]

    @property
    def elementwise(self) -> bool:  # type: ignore[override]
        return self.part.elementwise

    @property
    def complex_as_pairs(self) -> bool:  # type: ignore[override]
        return self.part.complex_as_pairs

    @property
    def bounds(self) -> tuple[float, float]:
        ends = torch.tensor(self.part.bounds, dtype=torch.float64, device="cpu")
        low, high = sorted(_through(ends, self.maps).tolist())
        return low, high

    @property
    def atoms(self) -> dict[float, float]:
        low = max((v for name, v in self.maps if name == "at least"), default=-math.inf)
        share = self.part.cdf(float(self._backward(torch.tensor(self.low))[0]))
        return {self.low: share} if share and low > -math.inf else {}

    @property
    def moments(self) -> tuple[float, float]:
        return _mapped_moments(self)

    def _backward(self, y: Tensor) -> tuple[Tensor, bool]:
        """Return the values that map to ``y``, and whether the maps fall instead of grow."""
        falls = False
        for name, number in reversed(self.maps):
            y = _BACKWARD[name](y.double(), number)
            falls ^= name == "times" and number < 0
        return y, falls

    def _cdf(self, x: Tensor) -> Tensor:
        inside = x.clamp(*self.bounds)  # what lies outside may have no value to map from
        value, falls = self._backward(inside)
        below = self.part.cdf(value)
        share = 1 - below if falls else below
        return torch.where(x >= self.high, 1.0, torch.where(x < self.low, 0.0, share))

    def describe(self) -> str:
        part, maps = self.part, self.maps
        if isinstance(part, Uniform) and maps[0][0] == "exp":
            ends = f"{short(math.exp(part.low))}, {short(math.exp(part.high))}"
            return _told(f"log-uniform({ends})", maps[1:])
        return _told(part.describe(), maps)

    def scaled(self, factor: float) -> Distribution:
        return mapped(self, "times", factor) if factor else Constant(0.0)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        scratch = torch.empty(out.numel(), dtype=torch.float32, device="cpu")
        self.part.write(scratch, source, runs)
        flat = out.view(-1)
        for piece in _pieces(out.numel()):
            flat[piece].copy_(_through(scratch[piece], self.maps))


@lru_cache(maxsize=256)
def _mapped_moments(distribution: Mapped) -> tuple[float, float]:
    """Sum the maps over a fine grid of the part's values, each with its probability."""
    low, high = distribution.part.bounds
    if not (math.isfinite(low) and math.isfinite(high)):
        mean, std = distribution.part.moments or (0.0, 1.0)
        low, high = max(low, mean - 12 * std), min(high, mean + 12 * std)
    edges = torch.linspace(low, high, 20001, dtype=torch.float64, device="cpu")
    mass = distribution.part.cdf(edges).diff()
    value = _through((edges[1:] + edges[:-1]) / 2, distribution.maps)
    mean = float((mass * value).sum())
    return mean, math.sqrt(float((mass * (value - mean) ** 2).sum()))


@frozen
class Indexed(Distribution):
    """Base of distributions whose values the index alone decides; nothing is drawn."""

    shape: tuple[int, ...]
    maps: tuple[Map, ...] = field(default=(), kw_only=True)
    random: ClassVar[bool] = False
    placed: ClassVar[bool] = True
    complex_as_pairs: ClassVar[bool] = False

    def values(self, index: Tensor) -> Tensor:
        """Return the values at these global indices, in float64, before the maps."""
        raise NotImplementedError

    def told(self) -> str:
        """Return the distribution as the plan prints it, before the maps."""
        raise NotImplementedError

    def table(self) -> Tensor:
        """Return all values, flat."""
        return _through(self.values(torch.arange(math.prod(self.shape), device="cpu")), self.maps)

    @property
    def moments(self) -> tuple[float, float]:
        table = _sorted_table(self)
        return float(table.mean()), float(table.std(correction=0))

    @property
    def bounds(self) -> tuple[float, float]:
        table = _sorted_table(self)
        return float(table[0]), float(table[-1])

    def _cdf(self, x: Tensor) -> Tensor:
        table = _sorted_table(self)
        return torch.searchsorted(table, x.contiguous(), right=True).double() / table.numel()

    def describe(self) -> str:
        return _told(self.told(), self.maps)

    def scaled(self, factor: float) -> Distribution:
        return mapped(self, "times", factor) if factor else Constant(0.0)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        for local, start, length in spans(runs, out.numel()):
            part = out.narrow(0, local, length)
            for piece in _pieces(length):
                index = torch.arange(start + piece.start, start + piece.stop, device="cpu")
                part[piece].copy_(_through(self.values(index), self.maps))


@lru_cache(maxsize=8)
def _sorted_table(distribution: Indexed) -> Tensor:
    return distribution.table().sort().values


@frozen
class Arange(Indexed):
    """``start + step i``, ``i`` the index along ``axis``."""

    start: float = 0.0
    step: float = 1.0
    axis: int = -1

    @property
    def _length(self) -> int:
        return self.shape[self.axis]

    def values(self, index: Tensor) -> Tensor:
        axis = self.axis % len(self.shape)
        i = index // math.prod(self.shape[axis + 1 :]) % self._length
        return i.double() * self.step + self.start

    def table(self) -> Tensor:
        line = Arange((self._length,), self.start, self.step)
        return _through(line.values(torch.arange(self._length, device="cpu")), self.maps)

    def told(self) -> str:
        first = [short(self.start + self.step * i) for i in range(min(self._length, 2))]
        last = [short(self.start + self.step * (self._length - 1))] if self._length > 2 else []
        dots = ["..."] if self._length > 3 else []
        axis = "" if len(self.shape) == 1 else f" along axis {self.axis}"
        return f"({', '.join(first + dots + last)}){axis}"


@frozen
class Sinusoids(Indexed):
    """Sines and cosines of the position, at geometric frequencies, one pair of columns each."""

    base: float = 10000.0
    endpoint: bool = False
    interleaved: bool = False
    first: int = 0
    blank: int = 0
    single: bool = False

    def values(self, index: Tensor) -> Tensor:
        width = self.shape[-1]
        row, column = index // width % self.shape[-2], index % width
        return torch.where(row < self.blank, 0.0, self._wave(row - self.blank, column, width))

    def _wave(self, row: Tensor, column: Tensor, width: int) -> Tensor:
        return self._sines((row + self.first).double(), column, width)

    def _sines(self, position: Tensor, column: Tensor, width: int) -> Tensor:
        half = width // 2
        pair = column // 2 if self.interleaved else column % max(half, 1)
        last = column % 2 == 1 if self.interleaved else column >= half
        steps = max(half - 1, 1) if self.endpoint else half
        rate = torch.tensor(-math.log(self.base) / steps, dtype=torch.float64, device="cpu")
        frequency = self._kept(elementary.exp(self._kept(pair * self._kept(rate))))
        angle = self._kept(position * frequency)
        wave = torch.where(last, elementary.cos(angle), elementary.sin(angle))
        return torch.where(column >= 2 * half, 0.0, wave)  # of an odd width the last column is 0

    def _kept(self, x: Tensor) -> Tensor:
        """Round as code that computes in float32 does."""
        return x.float().double() if self.single else x

    def told(self) -> str:
        order = "interleaved" if self.interleaved else "sines, then cosines"
        return f"sinusoids of the position, {order}{_blank(self.blank)}"


@frozen
class Sinusoids2d(Sinusoids):
    """Sines and cosines of the column and of the row of a grid, half of the width each."""

    columns: int = 1
    rows_first: bool = False

    def _wave(self, row: Tensor, column: Tensor, width: int) -> Tensor:
        half = width // 2
        x, y = row % self.columns, row // self.columns
        first, second = (y, x) if self.rows_first else (x, y)
        position = torch.where(column < half, first, second).double()
        return self._sines(position, column % half, half)

    def told(self) -> str:
        rows = (self.shape[-2] - self.blank) // self.columns
        order = "row, then column" if self.rows_first else "column, then row"
        return f"sinusoids of {order}, {rows} x {self.columns}{_blank(self.blank)}"


@frozen
class Rotated(NonElementwise):
    """Pairs (x, y) of fixed lengths, each row of pairs turned by an angle of its own."""

    base: float
    factor: float = 1.0

    @property
    def _lengths(self) -> Tensor:
        count = self.shape[-1] // 2
        steps = torch.arange(count, dtype=torch.float64, device="cpu") / max(count, 1)
        return self.factor * elementary.exp(steps * -math.log(self.base))

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, math.sqrt(float(self._lengths.square().mean()) / 2)

    @property
    def bounds(self) -> tuple[float, float]:
        return -abs(self.factor), abs(self.factor)

    def _cdf(self, x: Tensor) -> Tensor:
        share = (x[..., None] / self._lengths.abs()).clamp(-1, 1)
        return (0.5 + share.asin() / math.pi).mean(-1)

    def describe(self) -> str:
        size = "" if self.factor == 1 else f"{short(self.factor)} x "
        return f"{size}frequencies {short(self.base)}^(-i/n), turned at random"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, factor=self.factor * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        rows = self.shape[1:-1]
        angle = torch.empty(rows, dtype=torch.float32, device="cpu")
        stream.uniform_(angle, source.values, 0.0, 2 * math.pi, first)
        cos, sin = elementary.cos(angle.double()), elementary.sin(angle.double())
        x, y = cos[..., None] * self._lengths, sin[..., None] * self._lengths
        return torch.stack([torch.cat([x, -y], -1), torch.cat([y, x], -1)])


def _blank(rows: int) -> str:
    return f", the first {rows} rows 0" if rows > 1 else ", the first row 0" if rows else ""
