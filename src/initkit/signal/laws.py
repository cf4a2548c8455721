"""How a quantity changes with depth: three laws, and which of them fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch

from ..numbers import Value, frozen

LawKind: TypeAlias = Literal["exponential", "power", "additive"]


@frozen
class Law(Value):
    """The law that describes best how a positive quantity changes from layer to layer.

    ``kind`` is ``exponential`` (``rate`` is the factor a layer), ``power`` (``rate`` is the
    exponent of the depth) or ``additive`` (the square grows by ``rate`` a layer, in units of the
    square at the first layer). ``first`` and ``last`` are what was measured, ``fitted`` are the
    law's own values.
    """

    kind: LawKind
    rate: float
    first: float
    last: float
    fitted: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """What was measured last over what was measured first."""
        return self.last / self.first if self.first else math.nan

    @property
    def fitted_ratio(self) -> float:
        """The same of the law's own values; without those, what was measured."""
        usable = bool(self.fitted) and self.fitted[0] > 0 and self.first > 0
        return self.fitted[-1] / self.fitted[0] if usable else self.ratio

    def __str__(self) -> str:
        ends = f"{self.first:.3g} -> {self.last:.3g}"
        if self.kind == "exponential":
            return f"{ends}, a factor of {self.rate:.4g} a layer"
        if self.kind == "power":
            return f"{ends}, as depth to the power {self.rate:.2g}"
        return f"{ends}, squares grow by {self.rate:.2g} of the first a layer"


def fit_law(values: Sequence[float]) -> Law | None:
    """Fit the three laws to values by depth and return the best, None for fewer than two.

    >>> print(fit_law([0.5**layer for layer in range(10)]))
    1 -> 0.00195, a factor of 0.5 a layer
    >>> fit_law([layer**0.5 for layer in range(3, 40)]).kind
    'additive'
    """
    if len(values) < 2:
        return None
    held = [(i, v) for i, v in enumerate(values, 1) if math.isfinite(v) and v > 0]
    first, last = values[0], values[-1]
    if len(held) < 2:
        return Law("exponential", math.nan, first, last, ())
    depth = torch.tensor([float(i) for i, _ in held], dtype=torch.float64)
    logs = torch.tensor([math.log(v) for _, v in held], dtype=torch.float64)
    fits = [_exponential(depth, logs), _power(depth, logs), _additive(depth, logs)]
    # The worst misfit decides nothing: sums of squares in logarithms, where all three are alike.
    _, kind, rate, fitted = min((fit for fit in fits if fit is not None), key=lambda fit: fit[0])
    return Law(kind, rate, first, last, tuple(fitted.exp().tolist()))


_Fit: TypeAlias = "tuple[float, LawKind, float, torch.Tensor]"


def _line(x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Return offset and slope of the line through points."""
    dx = x - x.mean()
    slope = float((dx * (y - y.mean())).sum() / dx.square().sum())
    return float(y.mean()) - slope * float(x.mean()), slope


def _exponential(depth: torch.Tensor, logs: torch.Tensor) -> _Fit:
    a, b = _line(depth, logs)
    fitted = a + b * depth
    return _misfit(fitted, logs), "exponential", math.exp(min(b, 700.0)), fitted


def _power(depth: torch.Tensor, logs: torch.Tensor) -> _Fit:
    a, b = _line(depth.log(), logs)
    fitted = a + b * depth.log()
    return _misfit(fitted, logs), "power", b, fitted


def _additive(depth: torch.Tensor, logs: torch.Tensor) -> _Fit | None:
    """Fit a line to the squares, each point weighted as it counts in logarithms."""
    top = logs.max()
    squares = (2 * (logs - top)).exp()
    weight = 1 / squares.clamp(min=1e-30)
    x = torch.stack((torch.ones_like(depth), depth), 1) * weight[:, None]
    a, b = torch.linalg.lstsq(x, (squares * weight)[:, None]).solution.flatten().tolist()
    line = a + b * depth
    if bool((line <= 0).any()):
        return None
    fitted = line.log() / 2 + top
    return _misfit(fitted, logs), "additive", b / float(line[0]), fitted


def _misfit(fitted: torch.Tensor, logs: torch.Tensor) -> float:
    return float((fitted - logs).square().sum())
