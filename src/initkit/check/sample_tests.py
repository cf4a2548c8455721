"""Whether a sample looks drawn from a distribution: tests that hold for every sample size.

Every p-value is a Chernoff bound on an exact distribution of the counts or sums, so it is never too
small, for one element as for 10^9; what it gives away for that is about half a standard error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ..distributions import Distribution, Test, binomial, short
from .expectation import Expectation, expectation
from .measure import TINY, Measured

_QUIET = 3.0  # standard errors below which no deviation matters


def goodness_of_fit(
    distribution: Distribution, dtype: torch.dtype, measured: Measured
) -> Iterator[Test]:
    """Yield the tests of one sample against the distribution of each of its elements."""
    expected = expectation(distribution, dtype)
    yield from _ends(expected, measured)
    yield _zeros(expected, measured)
    if measured.tiny:
        yield _tiny(expected, measured)
    yield from _sums(expected, measured)
    if measured.below:  # counted at edges, which only what is drawn one by one has
        yield _shape(expected, measured)
    if expected.middle is not None:
        yield from _neighbours(expected, measured)


def _ends(expected: Expectation, measured: Measured) -> Iterator[Test]:
    low, high = expected.bounds
    if measured.low < low or measured.high > high:
        text = f"values reach from {short(measured.low)} to {short(measured.high)}"
        planned = (
            f"between {short(expected.distribution.low)} and {short(expected.distribution.high)}"
        )
        yield Test("bounds", 0.0, planned, text, f"{text}, and none should leave {planned}")
        return
    under, over, least, most = expected.tails(measured.low, measured.high)
    n = measured.n
    ends = (("smallest", measured.low, under, least), ("largest", measured.high, over, most))
    # Rounding may move an extreme either way: each chance takes the tail that makes it larger.
    for what, value, roomy, tight in ends:
        far = min(1.0, n * roomy)  # some value lies as far out
        near = math.exp(n * math.log1p(-tight)) if tight < 1 else 0.0  # none lies further
        bound = expected.distribution.low if what == "smallest" else expected.distribution.high
        mean, std, _ = expected.moments
        bounded = abs(bound - mean) < 12 * std
        planned = f"bound {short(bound)}" if bounded else expected.distribution.describe()
        text = f"the {what} of {n:,} values is {value:.5g}"
        if not bounded and std:
            text += f" ({abs(value - mean) / std:.3g} standard deviations)"
        more = "further out than" if far < near else "too far inside"
        kind = "bounds" if bounded else "extremes"
        p = min(1.0, 2 * min(far, near))
        yield Test(kind, p, planned, text, f"{text}, {more} {planned}")


def _zeros(expected: Expectation, measured: Measured) -> Test:
    window = expected.zero
    share, planned = measured.zeros / measured.n, (window[0] + window[1]) / 2
    planned = planned if planned > 1e-5 else 0.0
    text = f"{measured.zeros:,} of {measured.n:,} elements are exactly 0 ({_percent(share)})"
    return Test(
        "zeros",
        min(1.0, 2 * binomial(measured.zeros, measured.n, window)),
        f"{_percent(planned)} zeros",
        f"{_percent(share)} zeros",
        f"{text}, where {_percent(planned)} should be",
    )


def _tiny(expected: Expectation, measured: Measured) -> Test:
    """Count denormals and their like, which no distribution with a density at 0 ever draws."""
    ends = torch.tensor((-TINY, TINY), dtype=torch.float64, device="cpu")
    # Where 0 is an atom the CDF jumps by it, and exact zeros are counted elsewhere.
    chance = float(expected.distribution.cdf(ends).diff()) - expected.distribution.atoms.get(
        0.0, 0.0
    )
    count = f"{measured.tiny:,} of {measured.n:,} elements {'is' if measured.tiny == 1 else 'are'}"
    return Test(
        "garbage",
        binomial(measured.tiny, measured.n, (0.0, max(chance - 1e-15, 0.0) + 1e-20)),
        expected.distribution.describe(),
        f"{count} below {TINY:g}",
        f"{count} below {TINY:g} without being 0, as in memory that was never written",
    )


def _sums(expected: Expectation, measured: Measured) -> Iterator[Test]:
    mean, std, _ = expected.moments
    if not std:
        return
    n, (points, mass) = measured.n, expected.grid
    off = _shrunk((measured.mean - mean) / std, expected.eps)
    text = f"the mean is {short(measured.mean)}"
    yield Test(
        "mean",
        _sum_test(off, 1.0, n, lambda: ((points - mean) / std, mass)),
        f"mean {short(mean)}",
        f"mean {short(measured.mean)}",
        f"{text} where {short(mean)} was planned ({abs(off) * math.sqrt(n):.3g} standard errors)",
    )
    # From squares around the centre to squares around the planned
    # mean m: E(x-m)^2 = E(x-c)^2 + (m-c)(m - 2 E(x) + c).
    second = measured.second + (mean - measured.centre) * (
        mean - 2 * measured.mean + measured.centre
    )
    ratio = measured.std / std
    yield Test(
        "std",
        squares_p_value(expected, second / std**2 - 1, n),
        f"std {short(std)}",
        f"std {short(measured.std)}",
        f"the std is {short(measured.std)} where {short(std)} was planned ({_times(ratio)})",
    )


def squares_p_value(expected: Expectation, off: float, n: int) -> float:
    """Return the p-value of n squares, in units of the variance, whose mean is ``off`` from 1."""
    (mean, std, kurtosis), (points, mass) = expected.moments, expected.grid
    # torch reckons in the parameter's dtype: its truncated normals in bfloat16 are 0.3 % too wide
    off = _shrunk(off, 2e-5 + expected.eps)
    # The variance of a squared standardised value is its kurtosis less 1.
    spread = max(kurtosis - 1, 1e-6)
    return _sum_test(off, spread, n, lambda: (((points - mean) / std) ** 2 - 1, mass))


def _shrunk(off: float, slack: float) -> float:
    return math.copysign(max(abs(off) - slack, 0.0), off)


def _sum_test(
    off: float, variance: float, n: int, distribution: Callable[[], tuple[Tensor, Tensor]]
) -> float:
    """Return the p-value of a mean of n values that should be 0."""
    if not math.isfinite(off):
        return 0.0
    z = off * math.sqrt(n / variance)
    # No sensible level fails so near, and most tensors are spared the bound.
    if abs(z) < _QUIET:
        return 1.0
    return min(1.0, 2 * _chernoff(*distribution(), off, off / variance, n))


def _shape(expected: Expectation, measured: Measured) -> Test:
    """Compare the share of values below each edge, and between the edges of each pair."""
    below, n = measured.below, measured.sampled
    count = len(below)
    # Below each edge finds a shift; between an edge and its mirror finds tails and peaks.
    regions = [(None, i) for i in range(count)] + [(i, count - 1 - i) for i in range(count // 2)]
    found = [(_region(expected, below, n, *region), region) for region in regions]
    p, (left, right) = min(found, key=lambda pair: pair[0])
    start = -math.inf if left is None else float(expected.edges[left])
    stop = float(expected.edges[right])
    hits = below[right] - (below[left] if left is not None else 0)
    low, high = _window(expected, left, right)
    where = f"at most {short(stop)}" if left is None else f"in ({short(start)}, {short(stop)}]"
    share, planned = hits / n, min(max(hits / n, low), high)
    return Test(
        "distribution",
        min(1.0, 2 * len(regions) * p),
        f"{_percent(planned)} {where}",
        f"{_percent(share)} {where}",
        f"the distribution is another: {_percent(share)} of the values are {where}, where "
        f"{_percent(planned)} should be",
    )


def _window(expected: Expectation, left: int | None, right: int) -> tuple[float, float]:
    low, high = expected.windows[right]
    if left is not None:
        under = expected.windows[left]
        # Intervals subtract end from opposite end, so that the window is never too narrow.
        low, high = low - under[1], high - under[0]
    return max(low, 0.0), min(high, 1.0)


def _region(
    expected: Expectation, below: Sequence[int], n: int, left: int | None, right: int
) -> float:
    hits = below[right] - (below[left] if left is not None else 0)
    return binomial(hits, n, _window(expected, left, right))


def _neighbours(expected: Expectation, measured: Measured) -> Iterator[Test]:
    """Compare how often neighbours lie on one side of the median with what coins do."""
    assert expected.middle is not None
    low, high = expected.windows[expected.middle]
    # Two values are on one side with p^2 + (1-p)^2 = 1/2 + 2 (p - 1/2)^2, which this window covers.
    # At p = 1/2 the pairs are independent though they overlap, as sums of coins modulo 2 are.
    worst = max(abs(low - 0.5), abs(high - 0.5))
    window = (0.5 - 2 * worst - 1e-6, 0.5 + 2 * worst + 1e-6)
    for count, same in measured.pairs:
        yield Test(
            "order",
            min(1.0, 2 * binomial(same, count, window)),
            "independent neighbours",
            f"{_percent(same / count)} of neighbours on one side of the median",
            f"the values are not independent: {_percent(same / count)} of neighbours lie on one "
            "side of the median, where 50 % should",
        )


def _percent(share: float) -> str:
    digits = ".3g" if share < 0.995 else ".5g"
    return f"{100 * share:{digits}} %"


def _times(ratio: float) -> str:
    if 0.8 < ratio < 1.25:
        return f"{abs(ratio - 1):.2%} too {'large' if ratio > 1 else 'small'}"
    return f"{ratio:.3g} times"


def _chernoff(points: Tensor, mass: Tensor, level: float, guess: float, n: int) -> float:
    """Return at most how likely the mean of n values is so far from 0 as ``level``."""
    # Every t of the sign of ``level`` gives a valid bound, exp(-n (t level - log E exp(t x))), so
    # the grid need not hold the best one. The guess is the best for normal values.
    tries = guess * torch.logspace(-2, 2, 97, dtype=torch.float64, device="cpu")
    kept = mass > 0
    grown = tries[:, None] * points[kept] + mass[kept].log()
    best = float((tries * level - grown.logsumexp(1)).max())
    return min(1.0, math.exp(-n * max(best, 0.0)))
