"""Values by a formula of their indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ..errors import SchemeMismatch
from ..numbers import IndexFormula, frozen
from .indexed import AlongAxes, describe_line

_MOST = 1 << 28  # values along the axes: all of them are reckoned to know the ends
_PIECE = 1 << 18  # of these at a time
_FAR = 1e-3  # no rounding of a sum or a sine is so large a part of the largest value


@frozen
class ByFormula(AlongAxes):
    """What ``formula`` makes of the indices along ``axes``: of one ``i``, of two ``i`` and ``j``.

    ``numbers`` are the values of its other names.

    >>> print(ByFormula((4,), "2**-(i + layer)", (-1,), (("layer", 1.0),)))
    (0.5, 0.25, ..., 0.0625)
    """

    formula: str
    axes: tuple[int, ...]
    numbers: tuple[tuple[str, float], ...] = ()

    @property
    def tolerance(self) -> float:
        return _tolerance(self)

    def __post_init__(self) -> None:
        IndexFormula(self.formula)  # a file may hold any text

    def misfit(self, shape: tuple[int, ...]) -> str:
        if text := super().misfit(shape):
            return text
        what = "a formula knows the indices along one axis or two"
        if len(self.axes) not in (1, 2):
            return f"{what}, not {len(self.axes)}"
        many = math.prod(self.lengths) > _MOST
        return f"{math.prod(self.lengths):,} values are too many for a formula" if many else ""

    def at(self, *places: Tensor) -> Tensor:
        # A formula may leave an index out, and then one value stands for all.
        values = _formula(self.formula).values(self._known(places).__getitem__)
        return values.expand(places[0].shape)

    def roughly_at(self, *places: Tensor) -> Tensor:
        """Return the values at these indices as code in float32 would have them."""
        values = _formula(self.formula).roughly(self._known(places).__getitem__)
        return values.expand(places[0].shape)

    def _known(self, places: Sequence[Tensor]) -> dict[str, Tensor | float]:
        known: dict[str, Tensor | float] = dict(self.numbers)
        for letter, size, place, length in zip("ij", "nm", places, self.lengths, strict=False):
            known |= {letter: place.double(), size: float(length)}
        return known

    def ends(self) -> tuple[float, float]:
        return _ends(self)

    def describe_table(self) -> str:
        if len(self.axes) == 1:
            return describe_line(self)
        low, high = (format(end, ".4g") for end in self.ends())
        return f"{low} to {high} by row and column"

    def check(self) -> None:
        """Raise :class:`~initkit.errors.SchemeMismatch` where a place has no finite value."""
        count = math.prod(self.lengths)
        for first in range(0, count, _PIECE):
            values = self.grid(first, min(_PIECE, count - first))
            wrong = (~values.isfinite()).nonzero()
            if len(wrong):
                place = torch.unravel_index(wrong[0] + first, self.lengths)
                where = ", ".join(f"{x}={int(p)}" for x, p in zip("ij", place, strict=False))
                sizes = ", ".join(f"{x}={p}" for x, p in zip("nm", self.lengths, strict=False))
                value = float(values[wrong[0]])
                given = "".join(f", {name}={number:g}" for name, number in self.numbers)
                message = f"{self.formula!r} is {value:g} at {where} ({sizes}{given})"
                raise SchemeMismatch(message)


@lru_cache(maxsize=256)  # of texts
def _formula(text: str) -> IndexFormula:
    return IndexFormula(text)


@lru_cache(maxsize=256)  # a number for each
def _tolerance(distribution: ByFormula) -> float:
    """Return how far code in float32 may be off, which grows with the angle of a sine.

    That is a few times as far as one way of reckoning is; at first and last places, of very many.
    """
    count = math.prod(distribution.lengths)
    first = torch.arange(min(count, _PIECE), device="cpu")
    index = torch.cat([first, count - 1 - first]) if count > _PIECE else first
    places = torch.unravel_index(index, distribution.lengths)
    exact, rough = distribution.at(*places), distribution.roughly_at(*places).double()
    largest = max(map(abs, distribution.ends()))
    gaps = (exact - rough).abs() / (largest or 1.0)
    gap = float(gaps[gaps.isfinite()].max()) if bool(gaps.isfinite().any()) else 0.0
    # Where float32 takes another branch no tolerance would do: then it is as without one.
    return max(1e-6, 4 * gap) if gap < _FAR else 1e-6


@lru_cache(maxsize=256)  # two numbers for each
def _ends(distribution: ByFormula) -> tuple[float, float]:
    count = math.prod(distribution.lengths)
    if not count:
        return 0.0, 0.0
    low, high = math.inf, -math.inf
    for first in range(0, count, _PIECE):
        ends = distribution.grid(first, min(_PIECE, count - first)).aminmax()
        low, high = min(low, float(ends.min)), max(high, float(ends.max))
    return low, high
