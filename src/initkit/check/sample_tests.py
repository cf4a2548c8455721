"""Whether a sample looks drawn from a distribution: tests that hold for every sample size.

Every p-value is a Chernoff bound on an exact distribution of the counts or sums, so it is never too
small, for one element as for 10^9; what it gives away for that is about half a standard error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TypeAlias

import torch

from ..distributions import Distribution, Test, binomial, passed, short, shorts
from .chernoff import MeanBound, bound_together
from .expectation import QUIET, Expectation, expectation
from .measure import TINY, Measured

_QUIET = 3.0  # standard errors below which no deviation matters, see QUIET
# torch reckons in the parameter's dtype: its truncated normals in bfloat16 are 0.3 % too wide.
_REACH = 2e-5  # beside an eps
_BoundOf: TypeAlias = "Callable[[Expectation], MeanBound]"
_MEAN: _BoundOf = attrgetter("mean_bound")
_SQUARE: _BoundOf = attrgetter("square_bound")


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
    n = measured.n
    quiet, kinds = expected.quiet_ends[n], expected.kinds_of_ends
    if measured.low in quiet[0] and measured.high in quiet[1]:
        yield from map(passed, kinds)
        return
    under, over, least, most = expected.tails(measured.low, measured.high)
    ends = (("smallest", measured.low, under, least), ("largest", measured.high, over, most))
    # Rounding may move an extreme either way: each chance takes the tail that makes it larger.
    for kind, known, (what, value, roomy, tight) in zip(kinds, quiet, ends, strict=True):
        far = min(1.0, n * roomy)  # some value lies as far out
        near = math.exp(n * math.log1p(-tight)) if tight < 1 else 0.0  # none lies further
        p = min(1.0, 2 * min(far, near))
        if p > QUIET:
            known.add(value)
            yield passed(kind)
            continue
        bound = expected.distribution.low if what == "smallest" else expected.distribution.high
        (mean, std, _), bounded = expected.moments, kind == "bounds"
        planned = f"bound {short(bound)}" if bounded else expected.distribution.describe()
        text = f"the {what} of {n:,} values is {value:.5g}"
        if not bounded and std:
            text += f" ({abs(value - mean) / std:.3g} standard deviations)"
        more = "further out than" if far < near else "too far inside"
        yield Test(kind, p, planned, text, f"{text}, {more} {planned}")


def _zeros(expected: Expectation, measured: Measured) -> Test:
    window = expected.zero
    if not measured.zeros and not window[0]:
        return passed("zeros")
    p = min(1.0, 2 * binomial(measured.zeros, measured.n, window))
    if p == 1:
        return passed("zeros")
    share, planned = measured.zeros / measured.n, (window[0] + window[1]) / 2
    planned = planned if planned > 1e-5 else 0.0
    text = f"{measured.zeros:,} of {measured.n:,} elements are exactly 0 ({_percent(share)})"
    return Test(
        "zeros",
        p,
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
    n, (shift, off) = measured.n, deviations(expected, measured)
    shift = _shrunk(shift, expected.eps)
    p = _sum_test(shift, 1.0, {expected: n}, _MEAN)
    # A mean reckoned from a density that mirrors itself is 0 but for the rounding.
    shown = 0.0 if abs(mean) < 1e-12 * std else mean
    yield passed("mean") if p == 1 else _mean_test(p, measured, shown, abs(shift) * math.sqrt(n))
    p = squares_p_value(expected, off, n)
    yield passed("std") if p == 1 else _std_test(p, measured, std)


def deviations(expected: Expectation, measured: Measured) -> tuple[float, float]:
    """Return how far the mean is off, in deviations, and the mean square, in variances."""
    mean, std, _ = expected.moments
    # From squares around the centre to squares around the planned
    # mean m: E(x-m)^2 = E(x-c)^2 + (m-c)(m - 2 E(x) + c).
    second = measured.second + (mean - measured.centre) * (
        mean - 2 * measured.mean + measured.centre
    )
    return (measured.mean - mean) / std, second / std**2 - 1


def tests_together(each: Sequence[tuple[Expectation, Measured]]) -> Iterator[Test]:
    """Yield the tests of many samples by what they share: a shift of the mean, and a scale.

    Each is measured in deviations of its own, so that they may have different ones.
    """
    n = sum(measured.n for _, measured in each)
    counts: dict[Expectation, int] = {}
    shift = off = slack = spread = 0.0
    for expected, measured in each:
        counts[expected] = counts.get(expected, 0) + measured.n
        found, share = deviations(expected, measured), measured.n / n
        shift, off = shift + share * found[0], off + share * found[1]
        slack, spread = slack + share * expected.eps, spread + share * expected.spread
    many = f"{len(each)} tensors together have"
    p = _sum_test(_shrunk(shift, slack), 1.0, counts, _MEAN)
    seen = f"a mean that is {short(abs(shift))} of a std too {'large' if shift > 0 else 'small'}"
    yield Test("mean", p, "means as planned", seen, f"{many} {seen}")
    p = _sum_test(_shrunk(off, _REACH + slack), spread, counts, _SQUARE)
    seen = f"a std that is {_times(math.sqrt(max(1 + off, 0.0)))}"
    yield Test("std", p, "stds as planned", seen, f"{many} {seen}")


def _mean_test(p: float, measured: Measured, mean: float, errors: float) -> Test:
    seen, planned = shorts(measured.mean, mean)
    far = f"{errors:,.0f}" if errors >= 100 else f"{errors:.3g}"
    text = f"the mean is {seen} where {planned} was planned ({far} standard errors)"
    return Test("mean", p, f"mean {planned}", f"mean {seen}", text)


def _std_test(p: float, measured: Measured, std: float) -> Test:
    seen, planned = shorts(measured.std, std)
    text = f"the std is {seen} where {planned} was planned ({_times(measured.std / std)})"
    return Test("std", p, f"std {planned}", f"std {seen}", text)


def squares_p_value(expected: Expectation, off: float, n: int) -> float:
    """Return the p-value of n squares, in units of the variance, whose mean is ``off`` from 1."""
    off = _shrunk(off, _REACH + expected.eps)
    return _sum_test(off, expected.spread, {expected: n}, _SQUARE)


def _shrunk(off: float, slack: float) -> float:
    return math.copysign(max(abs(off) - slack, 0.0), off)


def _sum_test(
    off: float, variance: float, counts: Mapping[Expectation, int], of: _BoundOf
) -> float:
    """Return the p-value of a mean that should be 0, of so many values of each expectation."""
    if not math.isfinite(off):
        return 0.0
    z = off * math.sqrt(sum(counts.values()) / variance)
    # Most tensors are spared the bound.
    if abs(z) < _QUIET:
        return 1.0
    bounds = {of(expected): count for expected, count in counts.items()}
    return min(1.0, 2 * bound_together(bounds, off, off / variance))


def _shape(expected: Expectation, measured: Measured) -> Test:
    """Compare the share of values below each edge, and between the edges of each pair."""
    below, n, found = (*measured.below, 0), measured.sampled, []
    for place, (left, right, least, most) in enumerate(expected.quiet_counts[n]):
        if not least <= (hits := below[right] - below[left]) <= most:
            region = expected.regions[place]
            found.append((binomial(hits, n, (region.low, region.high)), hits / n, region))
    if not found:
        return passed("distribution")
    p, share, region = min(found, key=lambda entry: entry[0])
    p *= 2 * len(expected.regions)
    if p > QUIET:
        return passed("distribution")
    start = -math.inf if region.left is None else float(expected.edges[region.left])
    stop = short(float(expected.edges[region.right]))
    where = f"at most {stop}" if region.left is None else f"in ({short(start)}, {stop}]"
    planned = min(max(share, region.low), region.high)
    return Test(
        "distribution",
        p,
        f"{_percent(planned)} {where}",
        f"{_percent(share)} {where}",
        f"the distribution is another: {_percent(share)} of the values are {where}, where "
        f"{_percent(planned)} should be",
    )


def _neighbours(expected: Expectation, measured: Measured) -> Iterator[Test]:
    """Compare how often neighbours lie on one side of the median with what coins do."""
    # At p = 1/2 the pairs are independent though they overlap, as sums of coins modulo 2 are.
    for count, same in measured.pairs:
        least, most = expected.quiet_pairs[count]
        quiet = least <= same <= most
        p = 1.0 if quiet else 2 * binomial(same, count, expected.same_side)
        if p > QUIET:
            yield passed("order")
            continue
        yield Test(
            "order",
            p,
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
        share = abs(ratio - 1)
        told = f"{share:.2%}" if share > 1e-4 else f"{100 * share:.1g}%"
        return f"{told} too {'large' if ratio > 1 else 'small'}"
    return f"{ratio:.3g} times"
