"""Normals between bounds that hold next to nothing of the whole: far out, or close together.

The 32-bit words of the stream tell too few of their values apart, so that these are reckoned in
float64, from the bound that is nearer to the mean: a value is that bound and ``t`` beyond it, whose
density is exp(-a t - t^2/2).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from ..numbers import exact_math
from ..stream.bounds import LEAST, WORDS, tail_words

_NARROW = 0.5  # below it, of the exponent, the series has all digits; above, the bounds are far out
_TERMS = 20
_FRACTIONS = 40  # of the continued fraction; far fewer would do from 4 deviations on
_STEPS = 6  # of Newton's method, which doubles the digits each time
_GRID = 20_000  # an even number


@lru_cache(maxsize=1024)
def too_coarse(low: float, high: float) -> bool:
    """Say whether so few words lie between two bounds, in deviations, that none can be drawn.

    >>> too_coarse(-2.0, 2.0), too_coarse(5.0, 6.0), too_coarse(0.0, 1e-6)
    (False, True, True)
    """
    if not low < high:  # NaN, too: whoever draws it says so
        return False
    share = (math.erfc(low / math.sqrt(2)) - math.erfc(high / math.sqrt(2))) / 2
    if not 0.5 < share * WORDS / LEAST < 2:  # only near the limit words have to be counted
        return share * WORDS < LEAST
    return min((tail_words(low) - tail_words(high)) & ~1, WORDS - 2) < LEAST


def quantile(u: Tensor, low: float, high: float) -> Tensor:
    """Return the standard normal between two bounds below which a share ``u`` of it lies.

    For bounds that are `too_coarse`, in float64, with the same bits everywhere.

    >>> quantile(torch.tensor([0.0, 0.5, 1.0]), 5.0, 6.0).round(decimals=4).tolist()
    [5.0, 5.1314, 6.0]
    """
    if low + high < 0:
        return -quantile(1 - u, -high, -low)
    return (low + _excess(u.double(), low, high - low)).clamp(low, high)


def share(z: Tensor, low: float, high: float) -> Tensor:
    """Return which share of the standard normal between two bounds lies below ``z``."""
    if low + high < 0:
        return 1 - share(-z, -high, -low)
    t, width = (z.double() - low).clamp(0, high - low), high - low
    return (_mass(t, low) / _mass(_scalar(width), low)).clamp(0, 1)


@lru_cache(maxsize=256)
def moments(low: float, high: float) -> tuple[float, float]:
    """Return mean and standard deviation of the standard normal between two bounds."""
    # Of what lies beyond the bound, where no difference loses digits.
    sign = -1.0 if low + high < 0 else 1.0
    near, width = (low if sign > 0 else -high), high - low
    # Simpson's rule; behind the last point far out lies less than exp(-60) of the whole.
    span = width if _narrow(near, width) else min(width, 60 / near)
    t = torch.linspace(0, span, _GRID + 1, dtype=torch.float64, device="cpu")
    weight = exact_math.exp(-near * t - t * t / 2)
    weight[1:-1:2] *= 4
    weight[2:-1:2] *= 2
    weight /= weight.sum()
    mean = float((weight * t).sum())
    return sign * (near + mean), math.sqrt(float((weight * (t - mean) ** 2).sum()))


def _excess(u: Tensor, a: float, width: float) -> Tensor:
    """Solve mass(t) = u mass(width) by Newton's method."""
    if _narrow(a, width):
        wanted, t = u * _mass(_scalar(width), a), u * width
        for _ in range(_STEPS):
            t = t - (_mass(t, a) - wanted) / exact_math.exp(-a * t - t * t / 2)
        return t
    # By the logarithm of what is left, nearly a straight line so far out.
    whole = _mills(_scalar(a))
    left = whole - u * _mass(_scalar(width), a)
    fall = exact_math.log(whole) - exact_math.log(left)
    t = 2 * fall / (a + torch.sqrt(a * a + 2 * fall))
    for _ in range(_STEPS):
        rest = _mills(a + t)
        t = t + (exact_math.log(rest) - exact_math.log(left) - a * t - t * t / 2) * rest
    return t.clamp(0, width)


def _mass(t: Tensor, a: float) -> Tensor:
    """Return the integral of exp(-a s - s^2/2) from 0 to ``t``."""
    widest = float(t.max()) if t.numel() else 0.0
    if not _narrow(a, widest):
        far = t.clamp(max=1e150)  # an infinite bound leaves nothing
        left = exact_math.exp(-a * far - far * far / 2) * _mills(a + far)
        return _mills(_scalar(a)) - left
    before, term, total = 0.0, 1.0, torch.zeros_like(t)
    power = t
    for k in range(_TERMS):
        total = total + power * (term / (k + 1))
        before, term = term, -(a * term + before) / (k + 1)
        power = power * t
    return total


def _narrow(a: float, width: float) -> bool:
    return (abs(a) + width) * width < _NARROW


def _mills(x: Tensor) -> Tensor:
    """Return Q(x)/phi(x), Mills' ratio, by Laplace's continued fraction, for x >= 4."""
    value = x
    for k in range(_FRACTIONS, 0, -1):
        value = x + k / value
    return 1 / value


def _scalar(x: float) -> Tensor:
    return torch.tensor(x, dtype=torch.float64, device="cpu").clamp(max=1e150)


def ends(low: float, high: float) -> tuple[float, float]:
    """Return the smallest and the largest value that a 32-bit word makes."""
    half = torch.tensor([0.5, WORDS - 0.5], dtype=torch.float64, device="cpu") / WORDS
    first, last = quantile(half, low, high).tolist()
    return first, last
