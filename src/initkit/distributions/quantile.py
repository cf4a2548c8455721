"""Values by a formula of a share: the quantile function of any distribution that has one."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from .. import stream
from ..numbers import ShareFormula, frozen
from .base import Distribution
from .elementwise import Constant
from .source import Runs, Source, slices

_WORDS = 1 << 32
_CELLS = 1 << 14  # of even shares, beside those that halve towards both ends
_HALVINGS = 40
_FLAT = 1e-4  # a share that one value must not take alone
_SETTLED = 0.02  # of the variance, which the outermost cells at either end may bring


@frozen
class Quantile(Distribution):
    """What ``formula`` makes of ``u``, uniform between 0 and 1; ``numbers`` are its other names.

    It rises with u, or falls, so that the CDF is its inverse.

    >>> gumbel = Quantile("-log(-log(u))")
    >>> print(gumbel, round(gumbel.mean, 3), round(gumbel.cdf(0.0), 4))
    -log(-log(u)), u of U(0, 1) 0.577 0.3679
    """

    formula: str
    numbers: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        ShareFormula(self.formula)  # a file may hold any text

    def misfit(self, shape: tuple[int, ...]) -> str:
        return _curve(self).wrong

    def of(self, share: Tensor) -> Tensor:
        """Return the values that so large shares of all are below, or above where it falls."""
        known: dict[str, Tensor | float] = {**dict(self.numbers), "u": share.double()}
        return _formula(self.formula).values(known.__getitem__).expand(share.shape)

    @property
    def moments(self) -> tuple[float, float]:
        return _curve(self).moments

    @property
    def bounds(self) -> tuple[float, float]:
        limits = self.of(torch.tensor([0.0, 1.0], dtype=torch.float64, device="cpu"))
        ends = torch.where(limits.isnan(), _curve(self).ends, limits)
        low, high = sorted((ends + 0.0).tolist())  # no end is -0
        return low, high

    @property
    def reach(self) -> tuple[float, float]:
        low, high = sorted(_curve(self).ends.tolist())
        return low, high

    def _cdf(self, x: Tensor) -> Tensor:
        found = _curve(self)
        sign = -1.0 if found.falls else 1.0
        wanted, values = (sign * x).reshape(-1).contiguous(), sign * found.values
        # Where it falls those count that lie above: all but the ones that x itself is.
        place = torch.searchsorted(values, wanted, right=not found.falls)
        low, high = found.shares[(place - 1).clamp(min=0)], found.shares[place % len(values)]
        inside = (place > 0) & (place < len(values))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            reached = sign * self.of(middle)
            below = reached < wanted if found.falls else reached <= wanted
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        share = torch.where(inside, low, (place > 0).double())
        return (1 - share if found.falls else share).reshape(x.shape)

    def describe(self) -> str:
        given = "".join(f", {name}={number:g}" for name, number in self.numbers)
        return f"{self.formula}, u of U(0, 1){given}"

    def scaled(self, factor: float) -> Distribution:
        if not factor:
            return Constant(0.0)
        return replace(self, formula=f"{factor!r}*({self.formula})")

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        words = stream.words(source.values, runs, out.numel())
        for piece in slices(out.numel()):
            # Through float32, so that all dtypes hold the same values.
            out[piece] = self.of((words[piece].double() + 0.5) / _WORDS).float().to(out)


class _Curve(NamedTuple):
    """Values at shares, from the first to the last that a word gives, and what follows."""

    shares: Tensor
    values: Tensor
    ends: Tensor
    falls: bool
    moments: tuple[float, float]
    wrong: str


@lru_cache(maxsize=256)  # of texts
def _formula(text: str) -> ShareFormula:
    return ShareFormula(text)


@lru_cache(maxsize=64)
def _curve(distribution: Quantile) -> _Curve:
    even = torch.arange(1, _CELLS, dtype=torch.float64, device="cpu") / _CELLS
    near = 2.0 ** -torch.arange(14, 33, 0.25, dtype=torch.float64, device="cpu")
    first = torch.tensor([0.5 / _WORDS], dtype=torch.float64, device="cpu")
    shares, _ = torch.cat([even, near, 1 - near, first, 1 - first]).sort()
    values = distribution.of(shares)
    steps = values.diff()
    falls = bool(values[-1] < values[0])
    wrong = _wrong(distribution.formula, shares, values, -steps if falls else steps)
    middles, widths = distribution.of((shares[1:] + shares[:-1]) / 2), shares.diff()
    widths = widths / widths.sum()
    mean = float(widths @ middles)
    squares = widths * (middles - mean).square()
    variance = float(squares.sum())
    if not wrong and not float(squares[0] + squares[-1]) <= _SETTLED * variance:
        wrong = f"{distribution.formula!r} draws values without a finite variance"
    ends = values[[0, -1]]
    return _Curve(shares, values, ends, falls, (mean, math.sqrt(max(variance, 0.0))), wrong)


def _wrong(formula: str, shares: Tensor, values: Tensor, steps: Tensor) -> str:
    """Return why a formula is no quantile function, or nothing."""
    if len(place := (~values.isfinite()).nonzero()):
        at = int(place[0])
        return f"{formula!r} is {float(values[at]):g} at u={float(shares[at]):g}"
    # By rounding alone a value may stay, or go back a little.
    room = 1e-12 * float(values.abs().max())
    if len(place := (steps < -room).nonzero()):
        turn = float(shares[int(place[0])])
        return f"{formula!r} both rises and falls with u, as at u={turn:g}; it must do one"
    still = (steps <= 0).double() * shares.diff()
    if float(still.sum()) > _FLAT:
        return f"{formula!r} is one value for a share of u; rounded(...) draws such values"
    return ""
