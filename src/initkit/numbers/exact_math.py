"""Elementary functions in float64 from plain arithmetic alone, so that every machine agrees.

A library's ``log`` or ``sin`` differs in the last bit between instruction sets and devices. Sums,
products and quotients don't, since IEEE 754 says how each is rounded. Relative errors here are a
few 1e-16, far below the float32 that values end in.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

_ROOT_HALF = math.sqrt(0.5)
# ln 2 and pi / 2 in two parts each, as in fdlibm (Cody and Waite): the first has so many zero bits
# at its end that its product with a whole number below 2^20 is exact.
_LN2 = (0.693147180369123816490, 1.90821492927058770002e-10)
_BITS = 10  # of whole exponents that are carried out as products
_HALF_PI = (1.57079632673412561417, 6.07710050650619224932e-11)
_MOST_TURNS = 1 << 20  # quarters, below which these two parts are exact enough
_TWO_OVER_PI_BITS = 1200  # as many as the largest of all numbers and a rest next to 0 ask for


def log(x: Tensor) -> Tensor:
    """Return the natural logarithm of positive numbers; minus infinity for 0.

    >>> log(torch.tensor([1.0, 8.0])).div(math.log(2)).round(decimals=12).tolist()
    [0.0, 3.0]
    """
    x = x.double()
    mantissa, exponent = torch.frexp(x)  # exact, and so is the product with 2
    low = mantissa < _ROOT_HALF
    mantissa = torch.where(low, mantissa * 2, mantissa)
    power = exponent.double() - low.double()
    # log m = 2 artanh s; with m within sqrt(2) of 1, s^2 < 0.03: the first term left out is 1e-19.
    s = (mantissa - 1) / (mantissa + 1)
    series = _horner(s * s, [1 / n for n in range(1, 24, 2)])
    value = (2 * s * series + power * _LN2[1]) + power * _LN2[0]
    return torch.where((x > 0) & (x < math.inf), value, torch.where(x > 0, math.inf, -math.inf))


def exp(x: Tensor) -> Tensor:
    """Return e to the power of ``x``; 0 below -700 and infinity above 700.

    >>> exp(torch.tensor([0.0, 1.0])).round(decimals=12).tolist()
    [1.0, 2.718281828459]
    """
    whole, x = x.double(), x.double().clamp(-700, 700)  # so that 2^power is a normal number
    power = (x * (1 / math.log(2))).round()
    rest = (x - power * _LN2[0]) - power * _LN2[1]
    series = _horner(rest, [1 / math.factorial(n) for n in range(16)])
    # A float64 with this biased exponent, and no mantissa bits, is 2^power.
    value = series * ((power.long() + 1023) << 52).view(torch.float64)
    value = torch.where(whole < -700, 0.0, value)
    return torch.where(whole > 700, math.inf, value)


def power(x: Tensor, y: Tensor) -> Tensor:
    """Return ``x`` to the power of ``y``: of whole ``y`` as products; NaN where it is not real.

    >>> power(torch.tensor([2.0, 0.0, -3.0]), torch.tensor([-10.0, 0.0, 3.0])).tolist()
    [0.0009765625, 1.0, -27.0]
    """
    x, y = x.double(), y.double()
    value = torch.where(x < 0, math.nan, exp(y * log(x)))
    value = torch.where(y == 0.5, x.sqrt(), value)
    return torch.where((y == y.round()) & (y.abs() < 1 << _BITS), _product(x, y), value)


def _product(x: Tensor, y: Tensor) -> Tensor:
    """Return whole powers as products, by the binary digits of the exponent."""
    times = y.abs().nan_to_num(0).clamp(max=(1 << _BITS) - 1).long()
    value, square = torch.ones_like(x), x
    for bit in range(_BITS):
        value = torch.where((times >> bit & 1).bool(), value * square, value)
        square = square * square
    return torch.where(y < 0, 1 / value, value)


def log1p_exp(x: Tensor) -> Tensor:
    """Return softplus, log(1 + exp(x)), for x < 700."""
    return log(1 + exp(x))


def inverse_softplus(y: Tensor) -> Tensor:
    """Return x with log(1 + exp(x)) = y, for y > 0.

    >>> x = inverse_softplus(torch.tensor([0.001, 20.0]))
    >>> log1p_exp(x).round(decimals=6).tolist()
    [0.001, 20.0]
    """
    y = y.double()
    return y + log(1 - exp(-y))


def sin(x: Tensor) -> Tensor:
    """Return the sine.

    >>> sin(torch.tensor([0.0, math.pi / 6], dtype=torch.float64)).round(decimals=12).tolist()
    [0.0, 0.5]
    """
    return _sine(x.double(), 0)


def cos(x: Tensor) -> Tensor:
    """Return the cosine.

    >>> cos(torch.tensor([0.0, math.pi / 3], dtype=torch.float64)).round(decimals=12).tolist()
    [1.0, 0.5]
    """
    return _sine(x.double(), 1)


def _sine(x: Tensor, quarters: int) -> Tensor:
    """Return the sine of ``x`` and so many quarters of a turn."""
    turn = (x * (2 / math.pi)).round()
    rest = (x - turn * _HALF_PI[0]) - turn * _HALF_PI[1]
    if bool((far := turn.abs() >= _MOST_TURNS).any()):
        turn, rest = turn.masked_fill(far, 0.0), rest.masked_fill(far, math.nan)
        whole, left = zip(*map(_turned, x[far].tolist()), strict=True)
        turn[far], rest[far] = turn.new_tensor(whole), rest.new_tensor(left)
    # |rest| <= pi / 4, where the first term left out is below 1e-19 in either series.
    square, quarter = rest * rest, (turn.long() + quarters) % 4
    sine = rest * _horner(square, [(-1) ** n / math.factorial(2 * n + 1) for n in range(9)])
    cosine = _horner(square, [(-1) ** n / math.factorial(2 * n) for n in range(10)])
    value = torch.where(quarter % 2 == 1, cosine, sine)
    return torch.where(quarter >= 2, -value, value)


def _turned(x: float) -> tuple[int, float]:
    """Return how often pi/2 goes into a large angle, modulo 4, and the rest of the angle.

    In whole numbers, since the product with 2/pi needs as many digits as the angle before the
    point (Payne and Hanek).
    """
    if not math.isfinite(x):
        return 0, math.nan
    mantissa, exponent = math.frexp(x)
    digits = _TWO_OVER_PI_BITS - exponent + 53
    product = int(mantissa * (1 << 53)) * _two_over_pi()
    turn = (product + (1 << (digits - 1))) >> digits
    return turn % 4, (product - (turn << digits)) / (1 << digits) * (math.pi / 2)


@cache
def _two_over_pi() -> int:
    """Return 2/pi times a power of two, with pi by Machin's formula."""
    one = 1 << (_TWO_OVER_PI_BITS + 64)

    def arc_cotangent(n: int) -> int:
        total, power, k = 0, one // n, 1
        while power:
            total += power // k if k % 4 == 1 else -(power // k)
            power, k = power // (n * n), k + 2
        return total

    pi = 4 * (4 * arc_cotangent(5) - arc_cotangent(239))
    return (one << (_TWO_OVER_PI_BITS + 1)) // pi


def _horner(x: Tensor, coefficients: list[float]) -> Tensor:
    """Return the polynomial with these coefficients, the constant one first."""
    total = torch.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total * x
        total = total + c  # two operations, since a fused one rounds once, and elsewhere twice
    return total
