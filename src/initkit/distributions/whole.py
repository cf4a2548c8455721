"""Distributions that draw the whole tensor at once, in a keyed scratch, and are then sliced."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from .. import stream
from ..numbers import frozen
from .base import Distribution, Grid, Runs, Source, _blocks, short, spans
from .elementwise import Constant, _ndtr


@frozen
class NonElementwise(Distribution):
    """Base of distributions that need the whole tensor: drawn in a keyed scratch, then sliced."""

    shape: tuple[int, ...]
    elementwise: ClassVar[bool] = False

    def draw(self, source: Source, first: int = 0) -> Tensor:
        """Return the whole tensor; ``first`` is the global index of its first element."""
        raise NotImplementedError

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        whole = self.draw(source).reshape(-1)
        for local, start, length in spans(runs, out.numel()):
            out.narrow(0, local, length).copy_(whole.narrow(0, start, length))


@frozen
class Orthogonal(NonElementwise):
    """Haar-distributed (semi-)orthogonal matrices of the ``grid``, times ``gain``."""

    gain: float
    grid: Grid

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, abs(self.gain) / math.sqrt(max(self.grid[1:]))

    @property
    def bounds(self) -> tuple[float, float]:
        return -abs(self.gain), abs(self.gain)

    def _cdf(self, x: Tensor) -> Tensor:
        return _sphere_cdf(x / abs(self.gain), max(self.grid[1:]))

    def describe(self) -> str:
        gain = "" if self.gain == 1 else f", gain {short(self.gain)}"
        return f"orthogonal{gain}" + _blocks(self.grid)

    def scaled(self, factor: float) -> Distribution:
        return replace(self, gain=self.gain * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        parts, rows, columns = self.grid
        blocks = [
            stream.haar(rows, columns, source.values, self.gain, first=first + i * rows * columns)
            for i in range(parts)
        ]
        return torch.stack(blocks).reshape(self.shape)


@frozen
class DeltaOrthogonal(NonElementwise):
    """A convolution that is 0 but for an orthogonal matrix in the middle of its window."""

    gain: float

    @property
    def _area(self) -> int:
        return math.prod(self.shape[2:])

    @property
    def _middle(self) -> Orthogonal:
        rows, columns = self.shape[:2]
        return Orthogonal((rows, columns), self.gain, (1, rows, columns))

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, self._middle.moments[1] / math.sqrt(self._area)

    @property
    def bounds(self) -> tuple[float, float]:
        return self._middle.bounds

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: 1 - 1 / self._area} if self._area > 1 else {}

    def _cdf(self, x: Tensor) -> Tensor:
        share = 1 / self._area
        return share * self._middle.cdf(x) + (1 - share) * (x >= 0).double()

    def describe(self) -> str:
        return "delta orthogonal" + ("" if self.gain == 1 else f", gain {short(self.gain)}")

    def scaled(self, factor: float) -> Distribution:
        return replace(self, gain=self.gain * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        out = torch.zeros(self.shape, dtype=torch.float64, device="cpu")
        middle = out
        for size in self.shape[2:]:
            middle = middle.select(2, size // 2)
        middle.copy_(self._middle.draw(source, first))
        return out


@frozen
class Sparse(NonElementwise):
    """Normal values of ``scale`` with ``zeros`` zeros in each column of each matrix of the grid."""

    scale: float
    zeros: int
    grid: Grid

    @property
    def _share(self) -> float:
        return self.zeros / self.grid[1]

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, self.scale * math.sqrt(1 - self._share)

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: self._share} if self._share else {}

    def _cdf(self, x: Tensor) -> Tensor:
        zero = self._share * (x >= 0).double()
        return zero + (1 - self._share) * _ndtr(x / self.scale)

    def describe(self) -> str:
        return f"N(0, {short(self.scale)}), {self.zeros} zeros per column"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, scale=self.scale * abs(factor)) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        out = torch.empty(math.prod(self.shape), dtype=torch.float32, device="cpu")
        stream.normal_(out, source.values, 0.0, self.scale, first)
        blocks = out.view(self.grid)
        words = stream.words(source.choices, first, out.numel()).view(self.grid)
        order = words.argsort(dim=1, stable=True)[:, : self.zeros]
        blocks.scatter_(1, order, 0.0)
        return out.view(self.shape)


@frozen
class UserFunction(NonElementwise):
    """What a user's own function writes; nobody knows its distribution."""

    function: Callable[..., object]
    options: tuple[tuple[str, Any], ...] = ()
    factor: float = 1.0
    label: str = ""
    complex_as_pairs: ClassVar[bool] = False

    @property
    def moments(self) -> None:
        return None

    def _cdf(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"nobody knows the distribution of {self.describe()}")

    def describe(self) -> str:
        name = self.label or function_name(self.function)
        given = getattr(self.function, "keywords", {})  # of a partial
        options = ", ".join(f"{k}={v!r}" for k, v in (*given.items(), *self.options))
        text = f"{name}({options})"
        return text if self.factor == 1 else f"{short(self.factor)} x {text}"

    def scaled(self, factor: float) -> UserFunction:
        return replace(self, factor=self.factor * factor)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "Written", "function": self.describe()}


def function_name(function: Callable[..., object]) -> str:
    """Return what a user's function is called; of a partial, the function in it."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", None) or type(function).__name__


def _sphere_cdf(x: Tensor, n: int) -> Tensor:
    """Return the CDF of one coordinate of a uniform point on the unit sphere in ``n`` dimensions.

    With x = sin t its density is proportional to cos(t)^(n - 2).
    """
    if n == 1:
        return 0.5 * (x >= -1).double() + 0.5 * (x >= 1).double()
    width = min(math.pi / 2, 9 / math.sqrt(max(n - 2, 1)))
    t = torch.linspace(-width, width, 20001, dtype=torch.float64, device="cpu")
    total = torch.cumulative_trapezoid(t.cos().clamp(min=0).pow(n - 2), t)
    total = torch.cat([total.new_zeros(1), total]) / total[-1]
    place = ((x.clamp(-1, 1).asin() + width) / (t[1] - t[0])).clamp(0, 20000)
    left = place.floor().clamp(max=19999).long()
    return total[left] + (place - left) * (total[left + 1] - total[left])
