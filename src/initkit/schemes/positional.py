"""Schemes of the index, of positions, and maps of other schemes."""

from __future__ import annotations

import math
from dataclasses import field
from typing import ClassVar

from ..distributions import (
    Arange,
    Constant,
    Distribution,
    Rotated,
    Sinusoids,
    Sinusoids2d,
    Uniform,
)
from ..errors import SchemeMismatch
from ..numbers import Formula, Number, frozen
from .base import Scheme
from .site import Site


@frozen
class _MapOf(Scheme):
    scheme: Scheme

    positional: ClassVar[tuple[str, ...]] = ("scheme",)
    map: ClassVar[str] = ""

    @property
    def formulas(self) -> tuple[Formula, ...]:
        return self.scheme.formulas

    def resolve(self, site: Site) -> Distribution:
        part = self.scheme.resolve(site)
        if self.map != "exp" and part.low <= 0:
            message = (
                f"{self.name} needs positive values, and {part.describe()} reaches {part.low:g}"
            )
            raise SchemeMismatch(message, names=[site.name])
        return part.mapped(self.map)

    def __str__(self) -> str:
        return f"{self.name}({self.scheme})"


@frozen
class LogOf(_MapOf):
    """Take the natural logarithm of another scheme's values."""

    name: ClassVar[str] = "log_of"
    formula: ClassVar[str] = "log x"
    source: ClassVar[str] = "state-spaces/mamba: A_log"
    map: ClassVar[str] = "log"


@frozen
class ExpOf(_MapOf):
    """Take e to the power of another scheme's values."""

    name: ClassVar[str] = "exp_of"
    formula: ClassVar[str] = "e^x"
    source: ClassVar[str] = "initkit"
    map: ClassVar[str] = "exp"


@frozen
class InverseSoftplusOf(_MapOf):
    """Choose values whose softplus has another scheme's distribution."""

    name: ClassVar[str] = "inverse_softplus_of"
    formula: ClassVar[str] = "y + log(1 - e^-y), so that softplus of it is y"
    source: ClassVar[str] = "state-spaces/mamba: dt_bias"
    map: ClassVar[str] = "inverse softplus"


@frozen
class LogUniform(Scheme):
    """Draw so that the logarithm is uniform between those of ``low`` and ``high``.

    Values below ``floor`` become ``floor``.
    """

    low: Number
    high: Number
    floor: Number = field(default=0.0, kw_only=True)

    name: ClassVar[str] = "log_uniform"
    formula: ClassVar[str] = "max(floor, e^u), u ~ U(log low, log high)"
    source: ClassVar[str] = "Gu et al. 2020, HiPPO; state-spaces/mamba: dt_init"
    moments: ClassVar[str] = "mean (high - low)/log(high/low) where the floor cuts nothing"
    limits: ClassVar[dict[str, tuple[float, float]]] = {
        "low": (1e-300, math.inf),
        "high": (1e-300, math.inf),
        "floor": (0.0, math.inf),
    }
    positional: ClassVar[tuple[str, ...]] = ("low", "high")

    def resolve(self, site: Site) -> Distribution:
        low, high = self.number(site, "low"), self.number(site, "high")
        floor = self.number(site, "floor")
        if low > high:
            message = f"log_uniform: low must not be above high, but {low:g} > {high:g}"
            raise SchemeMismatch(message, names=[site.name])
        if low == high:
            return Constant(max(low, floor))
        distribution = Uniform(math.log(low), math.log(high)).mapped("exp")
        return distribution.mapped("at least", floor) if floor > low else distribution


@frozen(kw_only=True)
class ArangeScheme(Scheme):
    """Count along an axis, every other axis repeating the same values."""

    start: Number = 0.0
    step: Number = 1.0
    axis: int = -1

    name: ClassVar[str] = "arange"
    formula: ClassVar[str] = "start + step i, i the index along axis"
    source: ClassVar[str] = "torch.arange; S4D's A_log is log_of(arange(start=1))"
    moments: ClassVar[str] = "those of the n values: mean start + step (n - 1)/2"

    def resolve(self, site: Site) -> Distribution:
        site.need(1)
        n = len(site.shape)
        if not -n <= self.axis < n:
            message = f"arange: axis {self.axis} is not one of the {n} of {list(site.shape)}"
            raise SchemeMismatch(message, names=[site.name])
        start, step = self.number(site, "start"), self.number(site, "step")
        return Arange(site.shape, start, step, self.axis) if step else Constant(start)


@frozen(kw_only=True)
class SinusoidsScheme(Scheme):
    """Fill a (positions, width) table with sines and cosines of the position.

    ``interleaved`` puts each sine beside its cosine, else all sines come first. ``endpoint`` lets
    the last frequency be ``1/base`` exactly. The ``blank`` first rows are 0, and the next one is
    position ``first``. ``single`` rounds frequencies and angles to float32 on the way, as most
    published code does, which moves the sines of far positions by some 1e-4.
    """

    base: Number = 10000.0
    endpoint: bool = False
    interleaved: bool = False
    first: int = 0
    blank: int = 0
    single: bool = False

    name: ClassVar[str] = "sinusoids"
    formula: ClassVar[str] = "sin and cos of p base^(-i/(width/2)); width/2 - 1 with endpoint"
    source: ClassVar[str] = "Vaswani et al. 2017, Attention Is All You Need, sec. 3.5"
    moments: ClassVar[str] = "those of the table"
    limits: ClassVar[dict[str, tuple[float, float]]] = {
        "base": (1.0, math.inf),
        "blank": (0.0, math.inf),
    }

    def resolve(self, site: Site) -> Distribution:
        _need_table(self, site, 1)
        base = self.number(site, "base")
        options = (self.endpoint, self.interleaved, self.first, self.blank, self.single)
        return Sinusoids(site.shape, base, *options)


@frozen(kw_only=True)
class Sincos2dScheme(Scheme):
    """Fill a (positions, width) table with sines and cosines of the place on a grid.

    Half of the width tells the column and the other half the row (``rows_first``: the other way
    round), sines before cosines in each. ``blank`` rows of zeros come first (class tokens).
    ``columns`` says how wide the grid is; without it, it is square. ``single`` as in ``sinusoids``.
    """

    base: Number = 10000.0
    endpoint: bool = False
    blank: int = 0
    single: bool = False
    columns: Number | None = None
    rows_first: bool = False

    name: ClassVar[str] = "sincos_2d"
    formula: ClassVar[str] = "sin and cos of x base^(-i/(width/4)), then of y"
    source: ClassVar[str] = "Chen et al. 2021, MoCo v3; facebookresearch/mae: util/pos_embed.py"
    moments: ClassVar[str] = "those of the table"
    limits: ClassVar[dict[str, tuple[float, float]]] = {
        "base": (1.0, math.inf),
        "blank": (0.0, math.inf),
        "columns": (1.0, math.inf),
    }

    def resolve(self, site: Site) -> Distribution:
        _need_table(self, site, 4)
        places = site.shape[-2] - self.blank
        columns = self._columns(site, places)
        return Sinusoids2d(
            site.shape,
            self.number(site, "base"),
            self.endpoint,
            blank=self.blank,
            single=self.single,
            columns=columns,
            rows_first=self.rows_first,
        )

    def _columns(self, site: Site, places: int) -> int:
        side = math.isqrt(max(places, 0))
        columns = side if self.columns is None else int(self.number(site, "columns"))
        if self.columns is None and (places < 1 or side * side != places):
            message = f"{places} positions are no square grid; say how wide it is with columns="
        elif places < 1 or places % columns:
            message = f"{places} positions are no grid of {columns} columns"
        else:
            return columns
        raise SchemeMismatch(f"sincos_2d: {message}", names=[site.name])


@frozen(kw_only=True)
class RotatedFrequencies(Scheme):
    """Draw the two-dimensional frequencies of mixed rotary positions, each head turned at random.

    The tensor is (2, ..., width): x and y of ``width/2`` frequencies at an angle, then of as many
    at a right angle to them.
    """

    base: Number = 10.0

    name: ClassVar[str] = "rotated_frequencies"
    formula: ClassVar[str] = "base^(-i/(width/2)) (cos a, sin a), a ~ U(0, 2 pi) per row"
    source: ClassVar[str] = "Heo et al. 2024, Rotary Position Embedding for Vision Transformer"
    moments: ClassVar[str] = "mean 0, std the root mean square of the frequencies / sqrt(2)"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"base": (1.0, math.inf)}

    def resolve(self, site: Site) -> Distribution:
        _need_table(self, site, 2)
        if site.shape[0] != 2:
            message = f"{self.name} needs x and y in dimension 0, which has {site.shape[0]} entries"
            raise SchemeMismatch(message, names=[site.name])
        return Rotated(site.shape, self.number(site, "base"))


def _need_table(scheme: Scheme, site: Site, pairs: int) -> None:
    """Raise unless the tensor is a table of positions whose width these waves fill."""
    site.need(2)
    if site.shape[-1] % pairs:
        message = f"{scheme.name} needs a width that {pairs} divides, not {site.shape[-1]}"
        raise SchemeMismatch(message, names=[site.name])


SPECIAL: tuple[type[Scheme], ...] = (
    ArangeScheme,
    LogUniform,
    LogOf,
    ExpOf,
    InverseSoftplusOf,
    SinusoidsScheme,
    Sincos2dScheme,
    RotatedFrequencies,
)
