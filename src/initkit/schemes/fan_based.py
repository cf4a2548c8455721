"""Schemes whose spread follows from the fans."""

from __future__ import annotations

import math
from typing import ClassVar

from .. import distributions
from ..numbers import (
    MODES,
    Number,
    frozen,
    is_leaky,
)
from ..numbers import gain as gain_of
from .base import _AT_LEAST_0, _FANS, Scheme
from .site import Site

_TRUNCATED_STD = 0.87962566103423978  # std of a standard normal cut at two sigma


@frozen(kw_only=True)
class VarianceScaling(Scheme):
    """Draw with variance ``scale / fan``, the fan chosen by ``mode``."""

    scale: Number = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    fans: str = "module"

    name: ClassVar[str] = "variance_scaling"
    formula: ClassVar[str] = "std = sqrt(scale/fan)"
    source: ClassVar[str] = "jax.nn.initializers.variance_scaling; He et al. 2015"
    moments: ClassVar[str] = "mean 0, std sqrt(scale/fan), corrected where it is truncated"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"scale": _AT_LEAST_0}
    choices: ClassVar[dict[str, tuple[str, ...]]] = {
        "mode": MODES,
        "distribution": ("normal", "uniform", "truncated_normal"),
        "fans": _FANS,
    }

    def resolve(self, site: Site) -> distributions.Distribution:
        fan = site.fans(self.fans).of(self.mode)
        return _spread(self.distribution, _std(self.number(site, "scale"), fan))


@frozen(kw_only=True)
class XavierUniform(Scheme):
    """Keep the variance of activations and gradients: uniform form."""

    gain: Number = 1.0
    fans: str = "module"

    name: ClassVar[str] = "xavier_uniform"
    formula: ClassVar[str] = "U(-b, b), b = gain sqrt(6/(fan_in + fan_out))"
    source: ClassVar[str] = "Glorot & Bengio 2010"
    moments: ClassVar[str] = "mean 0, std gain sqrt(2/(fan_in + fan_out))"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"gain": _AT_LEAST_0}
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"fans": _FANS}
    spread: ClassVar[str] = "uniform"

    def resolve(self, site: Site) -> distributions.Distribution:
        std = _std(1.0, site.fans(self.fans).of("fan_avg"))
        return _spread(self.spread, self.number(site, "gain") * std)


@frozen(kw_only=True)
class XavierNormal(XavierUniform):
    """Keep the variance of activations and gradients: normal form, not truncated."""

    name: ClassVar[str] = "xavier_normal"
    formula: ClassVar[str] = "N(0, gain sqrt(2/(fan_in + fan_out)))"
    spread: ClassVar[str] = "normal"


@frozen(kw_only=True)
class KaimingUniform(Scheme):
    """Keep the variance through a rectifier: uniform form."""

    a: Number = 0.0
    mode: str = "fan_in"
    nonlinearity: str = "leaky_relu"
    fans: str = "module"

    name: ClassVar[str] = "kaiming_uniform"
    formula: ClassVar[str] = "U(-b, b), b = gain sqrt(3/fan)"
    source: ClassVar[str] = "He et al. 2015"
    moments: ClassVar[str] = "mean 0, std gain/sqrt(fan)"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"mode": MODES, "fans": _FANS}
    spread: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._gain(0.0)

    def _gain(self, a: float) -> float:
        return gain_of(self.nonlinearity, a if is_leaky(self.nonlinearity) else None)

    def resolve(self, site: Site) -> distributions.Distribution:
        fan = site.fans(self.fans).of(self.mode)
        return _spread(self.spread, self._gain(self.number(site, "a")) * _std(1.0, fan))


@frozen(kw_only=True)
class KaimingNormal(KaimingUniform):
    """Keep the variance through a rectifier: normal form, not truncated."""

    name: ClassVar[str] = "kaiming_normal"
    formula: ClassVar[str] = "N(0, gain/sqrt(fan))"
    spread: ClassVar[str] = "normal"


@frozen(kw_only=True)
class LecunUniform(Scheme):
    """Keep the variance of a linear layer: uniform form."""

    fans: str = "module"

    name: ClassVar[str] = "lecun_uniform"
    formula: ClassVar[str] = "U(-b, b), b = sqrt(3/fan_in)"
    source: ClassVar[str] = "LeCun et al. 1998, Efficient BackProp"
    moments: ClassVar[str] = "mean 0, std 1/sqrt(fan_in)"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"fans": _FANS}
    spread: ClassVar[str] = "uniform"

    def resolve(self, site: Site) -> distributions.Distribution:
        return _spread(self.spread, _std(1.0, site.fans(self.fans).fan_in))


@frozen(kw_only=True)
class LecunNormal(LecunUniform):
    """Keep the variance of a linear layer: normal form, not truncated."""

    name: ClassVar[str] = "lecun_normal"
    formula: ClassVar[str] = "N(0, 1/sqrt(fan_in))"
    spread: ClassVar[str] = "normal"


def _std(scale: float, fan: float) -> float:
    return math.sqrt(scale / fan) if fan else 0.0


def _spread(distribution: str, std: float) -> distributions.Distribution:
    """Return the centred distribution of this kind and std."""
    if not std:
        return distributions.Constant(0.0)
    if distribution == "uniform":
        bound = math.sqrt(3.0) * std
        return distributions.Uniform(-bound, bound)
    if distribution == "normal":
        return distributions.Normal(0.0, std)
    scale = std / _TRUNCATED_STD
    return distributions.TruncatedNormal(0.0, scale, -2 * scale, 2 * scale)
