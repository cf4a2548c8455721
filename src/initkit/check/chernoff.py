"""Chernoff's bound on the mean of many values of one distribution, from what it remembers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

_RUNG = math.log(1.05)  # of neighbouring exponents: what lies between costs a p-value 0.06 % of log
_FAR = round(math.log(100) / _RUNG)  # rungs from the guess; what is never reached has no best one


class MeanBound:
    """At most how likely the mean of n values of a distribution is so far out.

    ``points`` stand for the distribution with their ``mass``. For every t of the sign of ``level``
    the mean of n values reaches it with a chance of exp(-n (t level - log E exp(t x))) at most, so
    t need not be the best one. It is looked for on a ladder of numbers that all questions share:
    that log is reckoned once for each rung, whatever the number of tensors.

    >>> import torch
    >>> coin = MeanBound(torch.tensor([-1.0, 1.0]).double(), torch.tensor([0.5, 0.5]).double())
    >>> f"{coin.p_value(0.5, 0.5, 100):.3g}"  # of the exact bound 2.08e-06
    '2.09e-06'
    """

    def __init__(self, points: Tensor, mass: Tensor) -> None:
        kept = mass > 0
        self._points, self._log_mass = points[kept], mass[kept].log()
        self._cumulants: dict[float, float] = {}

    def p_value(self, level: float, guess: float, n: int) -> float:
        """Bound the chance of a mean as far from 0 as ``level``, of its sign.

        ``guess`` is about the best t, as of normal values; the bound holds for any.
        """
        return bound_together({self: n}, level, guess)

    def cumulant(self, t: float) -> float:
        """Return log E exp(t x)."""
        known = self._cumulants.get(t)
        if known is None:
            known = float((self._points * t).add_(self._log_mass).logsumexp(0))
            self._cumulants[t] = known
        return known


def bound_together(counts: Mapping[MeanBound, int], level: float, guess: float) -> float:
    """Bound the chance of the mean of values of several distributions, so many of each.

    See :meth:`MeanBound.p_value`.
    """
    n = sum(counts.values())
    sign = math.copysign(1.0, level)
    first = round(math.log(abs(guess)) / _RUNG)

    def gained(rung: int) -> float:
        t = sign * math.exp(rung * _RUNG)
        return t * level - sum(count * bound.cumulant(t) for bound, count in counts.items()) / n

    # Concave in t: what rises no more has passed its best.
    best, at, stride = gained(first), first, 1
    while stride:
        for there in (at + stride, at - stride):
            if abs(there - first) <= _FAR and (value := gained(there)) > best:
                best, at, stride = value, there, 2 * stride
                break
        else:
            stride //= 2
    return min(1.0, math.exp(-n * max(best, 0.0)))
