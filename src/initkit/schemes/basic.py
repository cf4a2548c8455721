"""Schemes that need no fans: constants, plain draws, a module's own default."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field
from functools import lru_cache
from typing import Any, ClassVar

from .. import distributions
from ..errors import SchemeMismatch
from ..numbers import (
    Number,
    frozen,
)
from ..stream import trunc_bounds
from .base import _AT_LEAST_0, Scheme, _bad, _check_order, _normal, _text
from .site import Site


@frozen
class Keep(Scheme):
    """Leave the tensor as it is."""

    name: ClassVar[str] = "keep"
    formula: ClassVar[str] = "x"
    source: ClassVar[str] = "initkit"

    def resolve(self, site: Site) -> distributions.Distribution:
        raise SchemeMismatch(
            "keep stands for a whole tensor; it cannot be scaled or be one of blocks",
            names=[site.name],
        )


@frozen
class Constant(Scheme):
    """Set every element to ``value``."""

    value: Number

    name: ClassVar[str] = "constant"
    formula: ClassVar[str] = "value"
    source: ClassVar[str] = "torch.nn.init.constant_"
    moments: ClassVar[str] = "the mean is the value, std 0"
    positional: ClassVar[tuple[str, ...]] = ("value",)
    endless: ClassVar[tuple[str, ...]] = ("value",)
    synonyms: ClassVar[dict[str, str]] = {"val": "value"}

    def resolve(self, site: Site) -> distributions.Distribution:
        return distributions.Constant(self.number(site, "value"))

    def __str__(self) -> str:
        return _text(self.value) if isinstance(self.value, float) else f"constant({self.value})"


@frozen
class Zeros(Scheme):
    """Set every element to 0."""

    name: ClassVar[str] = "zeros"
    formula: ClassVar[str] = "0"
    source: ClassVar[str] = "torch.nn.init.zeros_"
    moments: ClassVar[str] = "mean 0, std 0"

    def resolve(self, site: Site) -> distributions.Distribution:
        return distributions.Constant(0.0)


@frozen
class Ones(Scheme):
    """Set every element to 1."""

    name: ClassVar[str] = "ones"
    formula: ClassVar[str] = "1"
    source: ClassVar[str] = "torch.nn.init.ones_"
    moments: ClassVar[str] = "mean 1, std 0"

    def resolve(self, site: Site) -> distributions.Distribution:
        return distributions.Constant(1.0)


@frozen(kw_only=True)
class Normal(Scheme):
    """Draw from the normal distribution with ``mean`` and ``std``."""

    mean: Number = 0.0
    std: Number = 1.0

    name: ClassVar[str] = "normal"
    formula: ClassVar[str] = "N(mean, std)"
    source: ClassVar[str] = "torch.nn.init.normal_"
    moments: ClassVar[str] = "mean and std as given"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"std": _AT_LEAST_0}

    def resolve(self, site: Site) -> distributions.Distribution:
        return _normal(self.number(site, "mean"), self.number(site, "std"))


@frozen
class Uniform(Scheme):
    """Draw from the uniform distribution between ``low`` and ``high``."""

    low: Number = 0.0
    high: Number = 1.0

    name: ClassVar[str] = "uniform"
    formula: ClassVar[str] = "U(low, high)"
    source: ClassVar[str] = "torch.nn.init.uniform_"
    moments: ClassVar[str] = "mean (low + high)/2, std (high - low)/sqrt(12)"
    positional: ClassVar[tuple[str, ...]] = ("low", "high")
    synonyms: ClassVar[dict[str, str]] = {"a": "low", "b": "high"}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self, self.low, self.high)

    def resolve(self, site: Site) -> distributions.Distribution:
        low, high = self.number(site, "low"), self.number(site, "high")
        _check_order(self, low, high)
        return distributions.Uniform(low, high) if low < high else distributions.Constant(low)


@frozen(kw_only=True)
class TruncNormal(Scheme):
    """Draw from the normal distribution with ``mean`` and ``std``, cut at bounds.

    ``cutoff`` gives the bounds in standard deviations, ``low`` and ``high`` absolutely. ``std`` is
    that of the distribution before it is cut, unless ``preserve_std``.
    """

    mean: Number = 0.0
    std: Number = 1.0
    cutoff: Number | None = None
    low: Number = -2.0
    high: Number = 2.0
    preserve_std: bool = False

    name: ClassVar[str] = "trunc_normal"
    formula: ClassVar[str] = "N(mean, std) given low <= x <= high, or |x - mean| <= cutoff std"
    source: ClassVar[str] = "torch.nn.init.trunc_normal_"
    moments: ClassVar[str] = "its std is 0.8796 std at cutoff=2, and std where nothing is cut"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"std": _AT_LEAST_0, "cutoff": _AT_LEAST_0}
    endless: ClassVar[tuple[str, ...]] = ("cutoff", "low", "high")
    synonyms: ClassVar[dict[str, str]] = {"a": "low", "b": "high"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cutoff is not None and (self.low, self.high) != (-2.0, 2.0):
            raise _bad(self, "cutoff", "goes without low and high: bounds are given in one way")
        _check_order(self, self.low, self.high)

    def resolve(self, site: Site) -> distributions.Distribution:
        mean, std = self.number(site, "mean"), self.number(site, "std")
        if std == 0:
            return distributions.Constant(mean)
        if self.cutoff is not None:
            cutoff = self.number(site, "cutoff")
            if cutoff == 0:
                return distributions.Constant(mean)
            scale = std / _cut_std(cutoff) if self.preserve_std else std
            return _truncated(mean, scale, mean - cutoff * scale, mean + cutoff * scale)
        low, high = self.number(site, "low"), self.number(site, "high")
        _check_order(self, low, high)
        if low == high:
            return distributions.Constant(low)
        scale = self._wider(mean, std, low, high) if self.preserve_std else std
        return _truncated(mean, scale, low, high)

    def _wider(self, mean: float, std: float, low: float, high: float) -> float:
        """Return the scale whose distribution, cut at the bounds, has ``std``."""
        widest = (high - low) / math.sqrt(12)
        if std >= widest:
            what = f"of {std:g} cannot be preserved between {low:g} and {high:g}"
            raise _bad(self, "std", f"{what}, where no normal distribution has {widest:g} or more")
        return _solve(
            lambda s: distributions.TruncatedNormal(mean, s, low, high).moments[1],
            std,
            std,
            std * 2,
        )


@frozen
class ZeroMaskUniform(Scheme):
    """Draw from the uniform distribution between ``low`` and ``high``, then zero what is small.

    Entries with ``|x| < threshold`` become 0. The defaults are the tutorials' example.
    """

    low: Number = -10.0
    high: Number = 10.0
    threshold: Number = field(default=5.0, kw_only=True)

    name: ClassVar[str] = "zero_mask_uniform"
    formula: ClassVar[str] = "x ~ U(low, high); 0 where |x| < threshold"
    source: ClassVar[str] = "Dive into Deep Learning, chapter 6.3 (custom initialisation)"
    moments: ClassVar[str] = "half the entries 0 and std 5.401 with the default options"
    limits: ClassVar[dict[str, tuple[float, float]]] = {"threshold": _AT_LEAST_0}
    positional: ClassVar[tuple[str, ...]] = ("low", "high")
    synonyms: ClassVar[dict[str, str]] = {"a": "low", "b": "high"}

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self, self.low, self.high)

    def resolve(self, site: Site) -> distributions.Distribution:
        low, high = self.number(site, "low"), self.number(site, "high")
        threshold = self.number(site, "threshold")
        _check_order(self, low, high)
        if low == high:
            return distributions.Constant(low if abs(low) >= threshold else 0.0)
        return distributions.MaskedUniform(low, high, threshold)


@frozen(kw_only=True)
class PriorBias(Scheme):
    """Start a classifier's bias so that it predicts the rare class with probability ``p``."""

    p: Number = 0.01

    name: ClassVar[str] = "prior_bias"
    formula: ClassVar[str] = "-log((1 - p)/p)"
    source: ClassVar[str] = "Lin et al. 2017, Focal Loss for Dense Object Detection, section 4.1"
    moments: ClassVar[str] = "mean -log((1 - p)/p), std 0"

    def resolve(self, site: Site) -> distributions.Distribution:
        p = self.number(site, "p")
        if not 0 < p < 1:
            raise _bad(self, "p", f"must lie strictly between 0 and 1, not {p:g}")
        return distributions.Constant(-math.log((1 - p) / p))

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.p, float) and not 0 < self.p < 1:
            raise _bad(self, "p", f"must lie strictly between 0 and 1, not {self.p:g}")


@frozen
class TorchDefault(Scheme):
    """Start as torch's own constructor of the module does."""

    name: ClassVar[str] = "torch_default"
    formula: ClassVar[str] = "as the module's reset_parameters; U(-1/sqrt(fan_in), ...) for Linear"
    source: ClassVar[str] = "torch.nn"

    def resolve(self, site: Site) -> distributions.Distribution:
        if site.default is None:
            whose = site.owner or "an unknown module"
            raise SchemeMismatch(
                f"initkit does not know how the constructor of {whose} starts this tensor; name a "
                "scheme for it, or 'keep'",
                names=[site.name],
            )
        if site.default.kind == "uniform":
            return distributions.Uniform(-site.default.value, site.default.value)
        if site.default.kind == "normal":
            return _normal(0.0, site.default.value)
        return distributions.Constant(site.default.value)


@frozen
class Function(Scheme):
    """Let a user's own function write into the tensor it is given."""

    function: Callable[..., object]
    options: tuple[tuple[str, Any], ...] = ()
    label: str = ""

    source: ClassVar[str] = "the user's own function"
    name: ClassVar[str] = "function"

    def resolve(self, site: Site) -> distributions.Distribution:
        return distributions.UserFunction(site.shape, self.function, self.options, label=self.label)

    def __str__(self) -> str:
        options = ", ".join(f"{k}={_text(v)}" for k, v in self.options)
        if self.label:
            return f"{self.label}({options})" if options else self.label
        name = getattr(self.function, "__qualname__", None) or distributions.function_name(
            self.function
        )
        return f"{name}({options})"


def _truncated(mean: float, scale: float, low: float, high: float) -> distributions.Distribution:
    trunc_bounds(mean, scale, low, high)  # raises where too little is left to draw from
    return distributions.TruncatedNormal(mean, scale, low, high)


@lru_cache(maxsize=256)
def _cut_std(cutoff: float) -> float:
    """Return the std of a standard normal cut at ``cutoff`` on both sides."""
    return distributions.TruncatedNormal(0.0, 1.0, -cutoff, cutoff).moments[1]


def _solve(f: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Return x with f(x) = wanted, for a growing f with f(low) <= wanted."""
    while f(high) < wanted:
        low, high = high, high * 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < wanted else (low, middle)
    return (low + high) / 2
