"""Schemes of the index, of positions, and maps of other schemes."""

from __future__ import annotations

import math
from dataclasses import field
from typing import ClassVar

import torch

from .. import distributions
from ..distributions import Constant, Distribution, Uniform
from ..numbers import Number, frozen
from .base import Scheme
from .options import AtLeastOne, Natural, NonNegative, Positive
from .site import Site


@frozen
class _MapOf(Scheme, positional=("scheme",)):
    scheme: Scheme

    map: ClassVar[str] = ""

    def resolve(self, site: Site) -> Distribution:
        part = self.scheme.resolve(site)
        # The other maps exist above 0 alone, and the reach tells before anything is drawn.
        if self.map != "exp" and part.reach[0] <= 0:
            found = f"{part.describe()} reaches {part.low:g}"
            raise site.mismatch(f"{self.name} needs positive values, and {found}")
        return part.mapped(self.map)

    def __str__(self) -> str:
        return f"{self.name}({self.scheme})"


@frozen
class LogOf(
    _MapOf, name="log_of", formula="log x", source="state-spaces/mamba: A_log", reads="options"
):
    """Take the natural logarithm of another scheme's values."""

    map = "log"


@frozen
class ExpOf(_MapOf, name="exp_of", formula="e^x", source="initkit", reads="options"):
    """Take e to the power of another scheme's values."""

    map = "exp"


@frozen
class InverseSoftplusOf(
    _MapOf,
    name="inverse_softplus_of",
    formula="y + log(1 - e^-y), so that softplus of it is y",
    source="state-spaces/mamba: dt_bias",
    reads="options",
):
    """Choose values whose softplus has another scheme's distribution."""

    map = "inverse softplus"


@frozen
class LogUniform(
    Scheme,
    name="log_uniform",
    formula="max(floor, e^u), u ~ U(log low, log high)",
    source="Gu et al. 2020, HiPPO; state-spaces/mamba: dt_init",
    moments="mean (high - low)/log(high/low) where the floor cuts nothing",
    positional=("low", "high"),
    reads="options",
):
    """Draw so that the logarithm is uniform between those of ``low`` and ``high``.

    Values below ``floor`` become ``floor``.
    """

    low: Positive
    high: Positive
    floor: NonNegative = field(default=0.0, kw_only=True)

    def resolve(self, site: Site) -> Distribution:
        low, high = self.number(site, "low"), self.number(site, "high")
        floor = self.number(site, "floor")
        if low > high:
            message = f"log_uniform: low must not be above high, but {low:g} > {high:g}"
            raise site.mismatch(message)
        if low == high:
            return Constant(max(low, floor))
        drawn = Uniform(math.log(low), math.log(high)).mapped("exp")
        # A floor that cuts nothing is left out, so that equal draws are equal distributions.
        return drawn.mapped("at least", floor) if floor > low else drawn


@frozen(kw_only=True)
class Arange(
    Scheme,
    name="arange",
    formula="start + step i, i the index along axis",
    source="torch.arange; S4D's A_log is log_of(arange(start=1))",
    moments="those of the n values: mean start + step (n - 1)/2",
    reads="shape",
):
    """Count along an axis, every other axis repeating the same values."""

    start: Number = 0.0
    step: Number = 1.0
    axis: int = -1

    def resolve(self, site: Site) -> Distribution:
        site.need(1)
        n = len(site.shape)
        if not -n <= self.axis < n:
            message = f"arange: axis {self.axis} is not one of the {n} of {list(site.shape)}"
            raise site.mismatch(message)
        start, step = self.number(site, "start"), self.number(site, "step")
        if not step:
            return Constant(start)
        return distributions.Arange(site.shape, start, step, self.axis)


@frozen(kw_only=True)
class Sinusoids(
    Scheme,
    name="sinusoids",
    formula="sin and cos of p base^(-i/(width/2)); width/2 - 1 with endpoint",
    source="Vaswani et al. 2017, Attention Is All You Need, sec. 3.5",
    moments="those of the table",
    reads="shape",
):
    """Fill a (positions, width) table with sines and cosines of the position.

    ``interleaved`` puts each sine beside its cosine, else all sines come first. ``endpoint`` lets
    the last frequency be ``1/base`` exactly. The ``blank`` first rows are 0, and the next one is
    position ``first``. ``single`` rounds frequencies and angles to float32 on the way, as most
    published code does, which moves the sines of far positions by some 1e-4.
    """

    base: AtLeastOne = 10000.0
    endpoint: bool = False
    interleaved: bool = False
    first: int = 0
    blank: Natural = 0
    single: bool = False

    def resolve(self, site: Site) -> Distribution:
        _need_table(self, site, 1)
        base = self.number(site, "base")
        options = (self.endpoint, self.interleaved, self.first, self.blank, self.single)
        return distributions.Sinusoids(site.shape, base, *options)


@frozen(kw_only=True)
class Sincos2d(
    Scheme,
    name="sincos_2d",
    formula="sin and cos of x base^(-i/(width/4)), then of y",
    source="Chen et al. 2021, MoCo v3; facebookresearch/mae: util/pos_embed.py",
    moments="those of the table",
    reads="shape",
):
    """Fill a (positions, width) table with sines and cosines of the place on a grid.

    Half of the width tells the column and the other half the row (``rows_first``: the other way
    round), sines before cosines in each. ``blank`` rows of zeros come first (class tokens).
    ``columns`` says how wide the grid is; without it, it is square. ``single`` as in ``sinusoids``.
    """

    base: AtLeastOne = 10000.0
    endpoint: bool = False
    blank: Natural = 0
    single: bool = False
    columns: AtLeastOne | None = None
    rows_first: bool = False

    def resolve(self, site: Site) -> Distribution:
        _need_table(self, site, 4)  # sines and cosines for each of two axes
        places = site.shape[-2] - self.blank
        columns = self._columns(site, places)
        return distributions.Sinusoids2d(
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
        raise site.mismatch(f"sincos_2d: {message}")


@frozen(kw_only=True)
class RotatedFrequencies(
    Scheme,
    name="rotated_frequencies",
    formula="base^(-i/(width/2)) (cos a, sin a), a ~ U(0, 2 pi) per row",
    source="Heo et al. 2024, Rotary Position Embedding for Vision Transformer",
    moments="mean 0, std the root mean square of the frequencies / sqrt(2)",
    reads="shape",
):
    """Draw the two-dimensional frequencies of mixed rotary positions, each head turned at random.

    The tensor is (2, ..., width): x and y of ``width/2`` frequencies at an angle, then of as many
    at a right angle to them.
    """

    base: AtLeastOne = 10.0

    def resolve(self, site: Site) -> Distribution:
        _need_table(self, site, 2)  # two directions at right angles
        if site.shape[0] != 2:
            message = f"{self.name} needs x and y in dimension 0, which has {site.shape[0]} entries"
            raise site.mismatch(message)
        return distributions.Rotated(site.shape, self.number(site, "base"))


@frozen(kw_only=True)
class RadialOffsets(
    Scheme,
    name="radial_offsets",
    formula="(k + 1) u/max |u|, u = (cos a, sin a), a = 2 pi head/heads, k the point",
    source="Zhu et al. 2021, Deformable DETR; fundamentalvision/Deformable-DETR: ms_deform_attn.py",
    moments="those of the table",
    reads="shape",
):
    """Let the sampling points of each attention head lie on a ray of its own, a step apart.

    The tensor holds x and y of ``heads`` times any number of levels times ``points``.
    """

    heads: AtLeastOne
    points: AtLeastOne

    def resolve(self, site: Site) -> Distribution:
        heads, points = (int(self.number(site, name)) for name in ("heads", "points"))
        levels, rest = divmod(math.prod(site.shape), heads * points * 2)
        if rest:
            message = f"{list(site.shape)} holds no x and y of {heads} heads times {points} points"
            raise site.mismatch(f"{self.name}: {message}")
        if not levels:  # a tensor without elements
            return Constant(0.0)
        # In float32 from the start, as the published code reckons.
        angles = torch.arange(heads, dtype=torch.float32) * (2 * math.pi / heads)
        rays = torch.stack([angles.cos(), angles.sin()], -1)
        rays = rays / rays.abs().amax(-1, keepdim=True)
        steps = torch.arange(1, points + 1, dtype=torch.float32)
        offsets = rays[:, None, None] * steps[:, None]
        return distributions.Table.of(offsets.expand(-1, levels, -1, -1).reshape(site.shape))


def _need_table(scheme: Scheme, site: Site, pairs: int) -> None:
    """Raise unless the tensor is a table of positions whose width these waves fill."""
    site.need(2)
    if site.shape[-1] % pairs:
        message = f"{scheme.name} needs a width that {pairs} divides, not {site.shape[-1]}"
        raise site.mismatch(message)
