"""Schemes whose spread follows from the fans: points of one engine, variance scaling."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from ..distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform
from ..numbers import FanMode, Number, frozen, gain, is_leaky
from .base import Scheme
from .options import NonNegative, NonNegativeGain
from .site import FansOf, Site

Spread: TypeAlias = Literal["normal", "uniform", "truncated_normal"]

# JAX's constant, so that the last bit is JAX's, too.
_TRUNCATED_STD = 0.87962566103423978  # std of a standard normal cut at two sigma


class _FanBased(Scheme):
    """Draw around 0 with the std that ``std`` makes of one fan; the engine of all schemes here.

    A scheme says which fan (``mode``), whose (``fans``) and which ``distribution``, each as an
    option or as a constant of its class.
    """

    fans: FansOf
    mode: FanMode = "fan_in"
    distribution: Spread

    def std(self, site: Site, fan: float) -> float:
        """Return the standard deviation, given the fan that ``mode`` names."""
        return _root(1.0, fan)

    def resolve(self, site: Site) -> Distribution:
        return _centred(self.distribution, self.std(site, site.fans(self.fans).of(self.mode)))


@frozen(kw_only=True)
class VarianceScaling(
    _FanBased,
    name="variance_scaling",
    formula="std = sqrt(scale/fan)",
    source="jax.nn.initializers.variance_scaling; He et al. 2015",
    moments="mean 0, std sqrt(scale/fan), corrected where it is truncated",
    reads="axes",
):
    """Draw with variance ``scale / fan``, the fan chosen by ``mode``."""

    scale: NonNegative = 1.0
    mode: FanMode = "fan_in"
    distribution: Spread = "truncated_normal"
    fans: FansOf = "module"

    def std(self, site: Site, fan: float) -> float:
        return _root(self.number(site, "scale"), fan)


@frozen(kw_only=True)
class _Xavier(
    _FanBased,
    source="Glorot & Bengio 2010",
    moments="mean 0, std gain sqrt(2/(fan_in + fan_out))",
):
    gain: NonNegativeGain = 1.0
    fans: FansOf = "module"
    mode = "fan_avg"

    def std(self, site: Site, fan: float) -> float:
        return self.number(site, "gain") * _root(1.0, fan)


@frozen(kw_only=True)
class XavierUniform(
    _Xavier,
    name="xavier_uniform",
    formula="U(-b, b), b = gain sqrt(6/(fan_in + fan_out))",
    reads="axes",
):
    """Keep the variance of activations and gradients: uniform form."""

    distribution = "uniform"


@frozen(kw_only=True)
class XavierNormal(
    _Xavier,
    name="xavier_normal",
    formula="N(0, gain sqrt(2/(fan_in + fan_out)))",
    reads="axes",
):
    """Keep the variance of activations and gradients: normal form, not truncated."""

    distribution = "normal"


@frozen(kw_only=True)
class _Kaiming(_FanBased, source="He et al. 2015", moments="mean 0, std gain/sqrt(fan)"):
    a: Number = 0.0
    mode: FanMode = "fan_in"
    nonlinearity: object = "leaky_relu"
    fans: FansOf = "module"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._gain(0.0)  # so that an unknown nonlinearity is refused where it is written

    def std(self, site: Site, fan: float) -> float:
        return self._gain(self.number(site, "a")) * _root(1.0, fan)

    def _gain(self, a: float) -> float:
        # As in torch, ``a`` is the slope of a leaky_relu and counts for nothing else.
        return gain(self.nonlinearity, a if is_leaky(self.nonlinearity) else None)


@frozen(kw_only=True)
class KaimingUniform(
    _Kaiming, name="kaiming_uniform", formula="U(-b, b), b = gain sqrt(3/fan)", reads="axes"
):
    """Keep the variance through a rectifier: uniform form."""

    distribution = "uniform"


@frozen(kw_only=True)
class KaimingNormal(_Kaiming, name="kaiming_normal", formula="N(0, gain/sqrt(fan))", reads="axes"):
    """Keep the variance through a rectifier: normal form, not truncated."""

    distribution = "normal"


@frozen(kw_only=True)
class _Lecun(
    _FanBased,
    source="LeCun et al. 1998, Efficient BackProp",
    moments="mean 0, std 1/sqrt(fan_in)",
):
    fans: FansOf = "module"


@frozen(kw_only=True)
class LecunUniform(
    _Lecun, name="lecun_uniform", formula="U(-b, b), b = sqrt(3/fan_in)", reads="axes"
):
    """Keep the variance of a linear layer: uniform form."""

    distribution = "uniform"


@frozen(kw_only=True)
class LecunNormal(_Lecun, name="lecun_normal", formula="N(0, 1/sqrt(fan_in))", reads="axes"):
    """Keep the variance of a linear layer: normal form, not truncated."""

    distribution = "normal"


# The order of operations is part of the values: a gain multiplies the root, and a scale stands
# under it, since sqrt(2) sqrt(1 / fan) and sqrt(2 / fan) differ in the last bit.
def _root(scale: float, fan: float) -> float:
    # A fan of 0 belongs to a tensor without elements, over which torch.nn.init may divide by 0.
    return math.sqrt(scale / fan) if fan else 0.0


def _centred(distribution: Spread, std: float) -> Distribution:
    """Return the distribution around 0 of this kind and std."""
    if not std:
        return Constant(0.0)
    if distribution == "uniform":
        # U(-b, b) has the std b / sqrt(3).
        bound = math.sqrt(3.0) * std
        return Uniform(-bound, bound)
    if distribution == "normal":
        return Normal(0.0, std)
    # Wider before the cut, so that it has ``std`` after it.
    scale = std / _TRUNCATED_STD
    return TruncatedNormal(0.0, scale, -2 * scale, 2 * scale)
