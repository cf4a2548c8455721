"""The truncated normal, whose bounds and spread are asked for in several ways."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

from .. import distributions
from ..numbers import Number, frozen
from .base import Scheme, check_order
from .options import Extended, Limits, NonNegative, option_error
from .site import Site

_FAR = 1e100  # deviations


@frozen(kw_only=True)
class TruncNormal(
    Scheme,
    name="trunc_normal",
    formula="N(mean, std) given low <= x <= high, or |x - mean| <= cutoff std",
    source="torch.nn.init.trunc_normal_",
    moments="its std is 0.8796 std at cutoff=2, and std where nothing is cut",
    synonyms={"a": "low", "b": "high"},
    reads="options",
):
    """Draw from the normal distribution with ``mean`` and ``std``, cut at bounds.

    ``cutoff`` gives the bounds in standard deviations, ``low`` and ``high`` absolutely. ``std`` is
    that of the distribution before it is cut, unless ``preserve_std``. Without a spread, all is at
    the mean, or at the bound that is nearest to it.
    """

    mean: Number = 0.0
    std: NonNegative = 1.0
    cutoff: Annotated[Number, Limits(0.0, infinite=True)] | None = None
    low: Extended = -2.0
    high: Extended = 2.0
    preserve_std: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        # Bounds that are spelt out and equal the defaults go unseen here; they lose to the cutoff.
        if self.cutoff is not None and (self.low, self.high) != (-2.0, 2.0):
            what = "goes without low and high: bounds are given in one way"
            raise option_error(self.name, "cutoff", what)
        check_order(self, self.low, self.high)

    def resolve(self, site: Site) -> distributions.Distribution:
        mean, std = self.number(site, "mean"), self.number(site, "std")
        if self.cutoff is not None:
            cutoff = self.number(site, "cutoff")
            if std == 0 or cutoff == 0:
                return distributions.Constant(mean)
            # Bounds at a multiple of the scale grow with it, so the answer is one division.
            scale = std / _cut_std(cutoff) if self.preserve_std else std
            return distributions.TruncatedNormal(
                mean, scale, mean - cutoff * scale, mean + cutoff * scale
            )
        low, high = self.number(site, "low"), self.number(site, "high")
        check_order(self, low, high)
        nearest = min(max(mean, low), high)
        # So far out all of it lies at the bound, closer than any float tells, as for a std of 0.
        if low == high or std == 0 or abs(nearest - mean) > _FAR * std:
            return distributions.Constant(nearest)
        scale = self._wider(mean, std, low, high) if self.preserve_std else std
        return distributions.TruncatedNormal(mean, scale, low, high)

    def _wider(self, mean: float, std: float, low: float, high: float) -> float:
        """Return the scale whose distribution, cut at the bounds, has ``std``."""
        # As the scale grows, the cut normal tends to the uniform between the bounds.
        widest = (high - low) / math.sqrt(12)
        if std >= widest:
            what = f"of {std:g} cannot be preserved between {low:g} and {high:g}"
            why = f"where no normal distribution has {widest:g} or more"
            raise option_error(self.name, "std", f"{what}, {why}")

        def std_of(scale: float) -> float:
            return distributions.TruncatedNormal(mean, scale, low, high).moments[1]

        # A cut only narrows, so std itself is a lower end to begin with.
        return _solve(std_of, std, std, std * 2)


@lru_cache(maxsize=256)
def _cut_std(cutoff: float) -> float:
    """Return the std of a standard normal cut at ``cutoff`` on both sides."""
    return distributions.TruncatedNormal(0.0, 1.0, -cutoff, cutoff).moments[1]


def _solve(f: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Return x with f(x) = wanted, for a growing f with f(low) <= wanted."""
    while f(high) < wanted:
        low, high = high, high * 2
    # Each halving gains a bit, so that this ends at neighbouring floats, whatever it began with.
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < wanted else (low, middle)
    return (low + high) / 2
