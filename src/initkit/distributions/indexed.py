"""Tables: distributions whose values the index alone decides, such as sinusoids."""

from __future__ import annotations

import math
from dataclasses import field, replace
from functools import lru_cache
from typing import Self

import torch
from torch import Tensor

from ..errors import OptionError
from ..numbers import exact_math, frozen
from .base import Distribution, Shaped, derived
from .digits import short
from .elementwise import Constant
from .maps import Map, describe_maps, through
from .source import Runs, Source, places


@frozen
class Indexed(Shaped):
    """Base of distributions whose values the index alone decides; nothing is drawn."""

    maps: tuple[Map, ...] = field(default=(), kw_only=True)
    random = False
    placed = True
    complex_as_pairs = False

    def values(self, index: Tensor) -> Tensor:
        """Return the values at these global indices, in float64, before the maps."""
        raise NotImplementedError

    def describe_table(self) -> str:
        """Return the distribution as the plan prints it, before the maps."""
        raise NotImplementedError

    def table(self) -> Tensor:
        """Return all values, flat."""
        return through(self.values(torch.arange(math.prod(self.shape), device="cpu")), self.maps)

    @property
    def moments(self) -> tuple[float, float]:
        table = _sorted_table(self)
        return float(table.mean()), float(table.std(correction=0))

    @property
    def bounds(self) -> tuple[float, float]:
        table = _sorted_table(self)
        return float(table[0]), float(table[-1])

    @property
    def reach(self) -> tuple[float, float]:
        # Every map is monotone, so that the ends are the images of the table's own.
        ends = torch.tensor(self.ends(), dtype=torch.float64, device="cpu")
        low, high = sorted(through(ends, self.maps).tolist())
        return low, high

    def ends(self) -> tuple[float, float]:
        """Return what no value leaves before the maps."""
        low, high = self.values(torch.arange(math.prod(self.shape), device="cpu")).aminmax()
        return float(low), float(high)

    def _cdf(self, x: Tensor) -> Tensor:
        table = _sorted_table(self)
        return torch.searchsorted(table, x.contiguous(), right=True).double() / table.numel()

    @property
    def whole_numbers(self) -> bool:
        table = _sorted_table(self)
        return bool((table == table.floor()).all())

    def describe(self) -> str:
        return describe_maps(self.describe_table(), self.maps)

    def scaled(self, factor: float) -> Distribution:
        return self.mapped("times", factor) if factor else Constant(0.0)

    def mapped(self, name: str, number: float = 0.0) -> Self:
        return replace(self, maps=(*self.maps, (name, number)))

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        for piece, index in places(runs, out.numel()):
            out[piece].copy_(through(self.values(index), self.maps))


# Equal distributions share a table, as they hash by their fields; few are kept, since a table is as
# large as its parameter.
@lru_cache(maxsize=8)
def _sorted_table(distribution: Indexed) -> Tensor:
    return distribution.table().sort().values


@frozen
class AlongAxes(Indexed):
    """Base of distributions whose values the indices along some axes decide, whatever the others.

    A subclass says in ``axes`` which axes, and in ``at`` what stands at each place.
    """

    @derived
    def axes(self) -> tuple[int, ...]:
        """The axes whose indices count."""
        raise NotImplementedError

    def at(self, *places: Tensor) -> Tensor:
        """Return the values at these indices along the axes, in float64, before the maps."""
        raise NotImplementedError

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many entries each of the axes has."""
        return tuple(self.shape[axis] for axis in self.axes)

    def misfit(self, shape: tuple[int, ...]) -> str:
        away = [axis for axis in self.axes if not -len(shape) <= axis < len(shape)]
        return super().misfit(shape) or (f"{list(shape)} has no axis {away[0]}" if away else "")

    def values(self, index: Tensor) -> Tensor:
        dims = len(self.shape)
        inner = (math.prod(self.shape[axis % dims + 1 :]) for axis in self.axes)
        strides = zip(inner, self.lengths, strict=True)
        return self.at(*(index // stride % length for stride, length in strides))

    def table(self) -> Tensor:
        # One grid stands for all, since every value comes equally often: moments and CDF are its.
        return through(self.grid(0, math.prod(self.lengths)), self.maps)

    def grid(self, first: int, count: int) -> Tensor:
        """Return the values from the ``first`` on, row by row, had the tensor these axes alone."""
        index = torch.arange(first, first + count, device="cpu")
        return self.at(*torch.unravel_index(index, self.lengths))


@frozen
class Arange(AlongAxes):
    """``start + step i``, ``i`` the index along ``axis``."""

    start: float = 0.0
    step: float = 1.0
    axis: int = -1

    @property
    def axes(self) -> tuple[int, ...]:
        return (self.axis,)

    def at(self, *places: Tensor) -> Tensor:
        return places[0].double() * self.step + self.start

    def ends(self) -> tuple[float, float]:
        low, high = sorted((self.start, self.start + self.step * (self.lengths[0] - 1)))
        return low, high

    def describe_table(self) -> str:
        return describe_line(self)


@frozen
class Sinusoids(AlongAxes):
    """Sines and cosines of the position, at geometric frequencies, one pair of columns each."""

    base: float = 10000.0
    endpoint: bool = False
    interleaved: bool = False
    first: int = 0
    blank: int = 0
    single: bool = False
    tolerance = 1e-3  # most code computes the angles in float32

    def __post_init__(self) -> None:
        check_base(self.base)

    @property
    def axes(self) -> tuple[int, ...]:
        return -2, -1  # leading dimensions, such as (1, positions, width), repeat the table

    def misfit(self, shape: tuple[int, ...]) -> str:
        return f"{list(shape)} is no table of rows" if len(shape) < 2 else super().misfit(shape)

    def at(self, *places: Tensor) -> Tensor:
        row, column = places
        wave = self._wave(row - self.blank, column, self.shape[-1])
        return torch.where(row < self.blank, 0.0, wave)

    def ends(self) -> tuple[float, float]:
        return -1.0, 1.0

    def _wave(self, row: Tensor, column: Tensor, width: int) -> Tensor:
        return self._sines((row + self.first).double(), column, width)

    def _sines(self, position: Tensor, column: Tensor, width: int) -> Tensor:
        # Each step is rounded where float32 code rounds: log-rate, exponent, frequency, angle.
        half = width // 2
        pair = column // 2 if self.interleaved else column % max(half, 1)
        last = column % 2 == 1 if self.interleaved else column >= half
        steps = max(half - 1 if self.endpoint else half, 1)
        rate = torch.tensor(-math.log(self.base) / steps, dtype=torch.float64, device="cpu")
        frequency = self._rounded(exact_math.exp(self._rounded(pair * self._rounded(rate))))
        angle = self._rounded(position * frequency)
        wave = torch.where(last, exact_math.cos(angle), exact_math.sin(angle))
        return torch.where(column >= 2 * half, 0.0, wave)  # of an odd width the last column is 0

    def _rounded(self, x: Tensor) -> Tensor:
        """Return ``x`` as code that computes in float32 has it."""
        return x.float().double() if self.single else x

    def describe_table(self) -> str:
        order = "interleaved" if self.interleaved else "sines, then cosines"
        return f"sinusoids of the position, {order}{_blank_rows(self.blank)}"


@frozen
class Sinusoids2d(Sinusoids):
    """Sines and cosines of the column and of the row of a grid, half of the width each."""

    columns: int = 1
    rows_first: bool = False

    def misfit(self, shape: tuple[int, ...]) -> str:
        counted = self.columns > 0
        return super().misfit(shape) or ("" if counted else f"no grid has {self.columns} columns")

    def _wave(self, row: Tensor, column: Tensor, width: int) -> Tensor:
        half = width // 2
        x, y = row % self.columns, row // self.columns
        first, second = (y, x) if self.rows_first else (x, y)
        position = torch.where(column < half, first, second).double()
        return self._sines(position, column % half, half)

    def describe_table(self) -> str:
        rows = (self.shape[-2] - self.blank) // self.columns
        order = "row, then column" if self.rows_first else "column, then row"
        return f"sinusoids of {order}, {rows} x {self.columns}{_blank_rows(self.blank)}"


def describe_line(line: AlongAxes) -> str:
    """Return the first values and the last one of what changes along one axis."""
    count = line.lengths[0]
    places = range(count) if count < 4 else (0, 1, count - 1)
    texts = [short(float(line.grid(place, 1))) for place in places]
    if count > 3:
        texts.insert(2, "...")
    axis = "" if len(line.shape) == 1 else f" along axis {line.axes[0]}"
    return f"({', '.join(texts)}){axis}"


def check_base(base: float) -> None:
    """Raise :class:`~initkit.errors.OptionError` for a base without a logarithm."""
    if not 0 < base < math.inf:
        raise OptionError(f"the base of frequencies is a positive number, not {base!r}")


def _blank_rows(rows: int) -> str:
    return f", the first {rows} rows 0" if rows > 1 else ", the first row 0" if rows else ""
