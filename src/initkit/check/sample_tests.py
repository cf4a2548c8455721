"""Whether a sample looks drawn from a distribution: tests that hold for every sample size.

Every p-value is a Chernoff bound on an exact distribution of the counts or sums, so it is never too
small, for one element as for 10^9; what it gives away for that is about half a standard error.
Values of 16 bits are compared with the rounded distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from ..distributions import Distribution, short
from .measure import TINY, Measured

_SHARES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2, 0.3, 0.4)
_TARGETS = (*_SHARES, 0.5, *(1 - share for share in reversed(_SHARES)))
_GRID = 8192  # points that stand for a distribution where sums over it are needed
_FINE = 1 << 17  # as many representable values are listed one by one
_NEVER = (
    2.0**-22
)  # chance of an exact zero where the distribution has none: words of 24 bits have some
_QUIET = 3.0  # standard errors below which no deviation matters


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison: its ``p`` under the plan, and what it says where that is too small.

    ``kind`` is a word ("std", "bounds", ...); ``expected`` and ``seen`` are short texts.
    """

    kind: str
    p: float
    expected: str = ""
    seen: str = ""
    text: str = ""


@dataclass(frozen=True)
class Expectation:
    """What a distribution says about values of one dtype."""

    distribution: Distribution
    dtype: torch.dtype

    @cached_property
    def eps(self) -> float:
        """The relative distance of neighbouring values of the dtype."""
        return float(torch.finfo(self.dtype).eps)

    @cached_property
    def span(self) -> tuple[float, float]:
        """Where all but a vanishing part of the distribution lies."""
        mean, std = self.distribution.moments or (0.0, 1.0)
        low, high = self.distribution.bounds
        return max(low, mean - 12 * std), min(high, mean + 12 * std)

    @cached_property
    def steps(self) -> Tensor | None:
        """All representable values, where they are so few that rounding shows."""
        return _representable(self.dtype, *self.span)

    @cached_property
    def grid(self) -> tuple[Tensor, Tensor]:
        """Points and their probabilities; sums over them are moments of the rounded values."""
        low, high = self.span
        points = self.steps
        if points is None:
            edges = torch.linspace(low, high, _GRID + 1, dtype=torch.float64, device="cpu")
            mass = self.distribution.cdf(edges).diff()
            atoms = torch.tensor(
                [*self.distribution.atoms.items()], dtype=torch.float64, device="cpu"
            )
            return _with_atoms((edges[1:] + edges[:-1]) / 2, mass, edges, atoms.reshape(-1, 2))
        between = self.distribution.cdf((points[1:] + points[:-1]) / 2)
        ends = between.new_tensor([0.0]), between.new_tensor([1.0])
        return points, torch.cat([ends[0], between, ends[1]]).diff()

    @cached_property
    def moments(self) -> tuple[float, float, float]:
        """Mean, standard deviation and kurtosis."""
        points, mass = self.grid
        mean, std = self.distribution.moments or (0.0, 1.0)
        if self.steps is not None:
            mean = float((points * mass).sum())
            std = math.sqrt(float(((points - mean) ** 2 * mass).sum()))
        if not std:
            return mean, 0.0, 3.0
        return mean, std, float((((points - mean) / std) ** 4 * mass).sum())

    @cached_property
    def edges(self) -> Tensor:
        """Thresholds that the dtype can hold: quantiles, and both sides of zero."""
        points, mass = self.grid
        level = mass.cumsum(0)
        place = torch.searchsorted(level, torch.tensor(_TARGETS, dtype=torch.float64, device="cpu"))
        found = points[place.clamp(max=len(points) - 1)]
        if self.distribution.low < 0 < self.distribution.high:
            tiny = float(torch.finfo(self.dtype).tiny)
            found = torch.cat([found, found.new_tensor([-tiny, tiny])])
        rounded = torch.unique(found.to(self.dtype).double())
        low, high = self.span
        inside = (self._beside(rounded, -2) > low) & (self._beside(rounded, 2) < high)
        kept: Tensor = rounded[inside].float()
        return kept

    def _beside(self, values: Tensor, count: int) -> Tensor:
        """Return the representable value so many steps away."""
        if self.steps is not None:
            place = torch.searchsorted(self.steps, values.double()) + count
            return self.steps[place.clamp(0, len(self.steps) - 1)]
        moved = values.float()
        for _ in range(abs(count)):
            moved = torch.nextafter(moved, torch.full_like(moved, math.copysign(math.inf, count)))
        return moved.double()

    @cached_property
    def windows(self) -> list[tuple[float, float]]:
        """Between which probabilities P(X <= edge) lies, however values were rounded."""
        edges, slack = self.edges.double(), self.eps / 2
        low = self.distribution.cdf(self._beside(edges, -1)) if self.steps is not None else None
        high = self.distribution.cdf(self._beside(edges, 1))
        low = high if low is None else low
        room = torch.minimum(low, 1 - low) * 1e-6 + slack
        pairs = torch.stack([low - room, high + room], 1).clamp(0, 1)
        return [(a, b) for a, b in pairs.tolist()]

    @cached_property
    def middle(self) -> int | None:
        """The place of the edge that halves the distribution; None where none does."""
        for place, (low, high) in enumerate(self.windows):
            if abs(low - 0.5) < 0.005 and abs(high - 0.5) < 0.005:
                return place
        return None

    @cached_property
    def zero(self) -> tuple[float, float]:
        """Between which probabilities an exact zero lies."""
        if self.distribution.low > 0 or self.distribution.high < 0:
            return 0.0, _NEVER
        low, high = self._around(0.0)
        mass = self.distribution.cdf(high) - self.distribution.cdf(low)
        if self.distribution.atoms.get(0.0):
            return mass * (1 - 1e-6), mass * (1 + 1e-6)
        return mass / 4 if self.steps is not None else 0.0, 2 * mass + _NEVER

    def _around(self, value: float, count: int = 1) -> tuple[float, float]:
        """Return the representable values so many steps below and above."""
        if self.steps is None:
            step = count * max(abs(value) * 1.2e-7, 1.5e-45)
            return value - step, value + step
        here = torch.tensor([value], dtype=torch.float64, device="cpu")
        return float(self._beside(here, -count)), float(self._beside(here, count))

    def tails(self, low: float, high: float) -> tuple[float, float, float, float]:
        """Return P(X < low) and P(X > high), each as much as rounding allows, then as little."""
        (_, over), (beneath, _) = self._around(low), self._around(high)
        far = 1 if self.steps is None else 2  # in 16 bits torch.nn.init never gives a bound itself
        (under, _), (_, above) = self._around(low, far), self._around(high, far)
        places = torch.tensor((over, beneath, under, above), dtype=torch.float64, device="cpu")
        shares = self.distribution.cdf(places).tolist()
        return shares[0], 1 - shares[1], shares[2], 1 - shares[3]

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The bounds, as far out as rounding may bring a value."""
        low, high = (
            float(torch.tensor(x, dtype=torch.float64, device="cpu").to(self.dtype).double())
            for x in self.distribution.bounds
        )
        kind = torch.finfo(self.dtype)
        return (
            low - abs(low) * kind.eps if math.isfinite(low) else low,
            high + abs(high) * kind.eps if math.isfinite(high) else high,
        )


@lru_cache(maxsize=512)
def expectation(distribution: Distribution, dtype: torch.dtype) -> Expectation:
    """Return what is expected of values of ``dtype``; wide ones are made from float32."""
    small = dtype.is_floating_point and dtype.itemsize <= 2
    return Expectation(distribution, dtype if small else torch.float32)


def _with_atoms(
    points: Tensor, mass: Tensor, edges: Tensor, atoms: Tensor
) -> tuple[Tensor, Tensor]:
    """Take the atoms out of their cells, so that they stand where they are."""
    for value, share in atoms.tolist():
        cell = int(torch.searchsorted(edges, value)) - 1
        mass[max(cell, 0)] -= share
        points = torch.cat([points, points.new_tensor([value])])
        mass = torch.cat([mass, mass.new_tensor([share])])
    order = points.argsort()
    return points[order], mass[order].clamp(min=0)


@lru_cache(maxsize=8)
def _small_floats(dtype: torch.dtype) -> Tensor:
    """Return all finite values of a dtype of at most 16 bits."""
    if dtype.itemsize == 2:
        bits = torch.arange(-(1 << 15), 1 << 15, device="cpu").to(torch.int16)
    else:
        bits = torch.arange(256, device="cpu").to(torch.uint8)
    values = bits.view(dtype).double()
    finite: Tensor = torch.unique(values[values.isfinite()])
    return finite


def _representable(dtype: torch.dtype, low: float, high: float) -> Tensor | None:
    """Return the values of a dtype between two numbers, and one beyond each; None if too many."""
    if dtype.itemsize <= 2:
        values = _small_floats(dtype)
        first = int(torch.searchsorted(values, low, right=True)) - 1
        last = int(torch.searchsorted(values, high))
        return values[max(first, 0) : last + 1]
    if dtype != torch.float32:
        return None
    ends = torch.tensor([low, high], dtype=torch.float32, device="cpu").view(torch.int32).long()
    first, last = torch.where(ends < 0, -(ends & 0x7FFFFFFF), ends).tolist()
    if last - first > _FINE:
        return None
    order = torch.arange(first - 1, last + 2, device="cpu")
    bits = torch.where(order < 0, -order - (1 << 31), order).to(torch.int32)
    return bits.view(torch.float32).double()


# --------------------------------------------------------------------------------------- bounds


def binomial(hits: int, n: int, window: tuple[float, float]) -> float:
    """Return at most how likely a share of hits so far outside the window of chances is.

    >>> binomial(50, 100, (0.5, 0.5)), round(binomial(90, 100, (0.5, 0.5)) * 1e16)
    (1.0, 1)
    """
    share = hits / n
    if window[0] <= share <= window[1]:
        return 1.0
    chance = window[0] if share < window[0] else window[1]
    return math.exp(-n * _divergence(share, chance))


def _divergence(share: float, chance: float) -> float:
    """Return the relative entropy of two coins."""
    total = 0.0
    for seen, meant in ((share, chance), (1 - share, 1 - chance)):
        if seen > 0:
            if meant <= 0:
                return math.inf
            total += seen * math.log(seen / meant)
    return max(total, 0.0)


def _chernoff(points: Tensor, mass: Tensor, level: float, guess: float, n: int) -> float:
    """Return at most how likely the mean of n values is so far from 0 as ``level``."""
    tries = guess * torch.logspace(-2, 2, 97, dtype=torch.float64, device="cpu")
    kept = mass > 0
    grown = tries[:, None] * points[kept] + mass[kept].log()
    best = float((tries * level - grown.logsumexp(1)).max())
    return min(1.0, math.exp(-n * max(best, 0.0)))


# ---------------------------------------------------------------------------------------- tests


def judge(distribution: Distribution, dtype: torch.dtype, seen: Measured) -> Iterator[Test]:
    """Yield the tests of one sample against the distribution of each of its elements."""
    meant = expectation(distribution, dtype)
    yield from _ends(meant, seen)
    yield _zeros(meant, seen)
    if seen.tiny:
        yield _tiny(meant, seen)
    yield from _sums(meant, seen)
    if seen.below:
        yield _shape(meant, seen)
    if meant.middle is not None:
        yield from _neighbours(meant, seen)


def _ends(meant: Expectation, seen: Measured) -> Iterator[Test]:
    low, high = meant.bounds
    if seen.low < low or seen.high > high:
        text = f"values reach from {short(seen.low)} to {short(seen.high)}"
        planned = f"between {short(meant.distribution.low)} and {short(meant.distribution.high)}"
        yield Test("bounds", 0.0, planned, text, f"{text}, and none should leave {planned}")
        return
    under, over, least, most = meant.tails(seen.low, seen.high)
    n = seen.n
    ends = (("smallest", seen.low, under, least), ("largest", seen.high, over, most))
    for what, value, roomy, tight in ends:
        far = min(1.0, n * roomy)  # some value lies as far out
        near = math.exp(n * math.log1p(-tight)) if tight < 1 else 0.0  # none lies further
        bound = meant.distribution.low if what == "smallest" else meant.distribution.high
        mean, std, _ = meant.moments
        bounded = abs(bound - mean) < 12 * std
        planned = f"bound {short(bound)}" if bounded else meant.distribution.describe()
        text = f"the {what} of {n:,} values is {value:.5g}"
        if not bounded and std:
            text += f" ({abs(value - mean) / std:.3g} standard deviations)"
        more = "further out than" if far < near else "too far inside"
        kind = "bounds" if bounded else "extremes"
        p = min(1.0, 2 * min(far, near))
        yield Test(kind, p, planned, text, f"{text}, {more} {planned}")


def _zeros(meant: Expectation, seen: Measured) -> Test:
    window = meant.zero
    share, planned = seen.zeros / seen.n, (window[0] + window[1]) / 2
    planned = planned if planned > 1e-5 else 0.0
    text = f"{seen.zeros:,} of {seen.n:,} elements are exactly 0 ({_percent(share)})"
    return Test(
        "zeros",
        min(1.0, 2 * binomial(seen.zeros, seen.n, window)),
        f"{_percent(planned)} zeros",
        f"{_percent(share)} zeros",
        f"{text}, where {_percent(planned)} should be",
    )


def _tiny(meant: Expectation, seen: Measured) -> Test:
    """Count denormals and their like, which no distribution with a density at 0 ever draws."""
    ends = torch.tensor((-TINY, TINY), dtype=torch.float64, device="cpu")
    chance = float(meant.distribution.cdf(ends).diff()) - meant.distribution.atoms.get(0.0, 0.0)
    count = f"{seen.tiny:,} of {seen.n:,} elements {'is' if seen.tiny == 1 else 'are'}"
    return Test(
        "garbage",
        binomial(seen.tiny, seen.n, (0.0, max(chance - 1e-15, 0.0) + 1e-20)),
        meant.distribution.describe(),
        f"{count} below {TINY:g}",
        f"{count} below {TINY:g} without being 0, as in memory that was never written",
    )


def _sums(meant: Expectation, seen: Measured) -> Iterator[Test]:
    mean, std, _ = meant.moments
    if not std:
        return
    n, (points, mass) = seen.n, meant.grid
    off = _shrunk((seen.mean - mean) / std, meant.eps)
    text = f"the mean is {short(seen.mean)}"
    yield Test(
        "mean",
        _sum_test(off, 1.0, n, lambda: ((points - mean) / std, mass)),
        f"mean {short(mean)}",
        f"mean {short(seen.mean)}",
        f"{text} where {short(mean)} was planned ({abs(off) * math.sqrt(n):.3g} standard errors)",
    )
    second = seen.second + (mean - seen.centre) * (mean - 2 * seen.mean + seen.centre)
    ratio = seen.std / std
    yield Test(
        "std",
        squares(meant, second / std**2 - 1, n),
        f"std {short(std)}",
        f"std {short(seen.std)}",
        f"the std is {short(seen.std)} where {short(std)} was planned ({_times(ratio)})",
    )


def squares(meant: Expectation, off: float, n: int) -> float:
    """Return the p-value of n squares, in units of the variance, whose mean is ``off`` from 1."""
    (mean, std, kurtosis), (points, mass) = meant.moments, meant.grid
    # torch reckons in the parameter's dtype: its truncated normals in bfloat16 are 0.3 % too wide
    off = _shrunk(off, 2e-5 + meant.eps)
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
    if abs(z) < _QUIET:
        return 1.0
    return min(1.0, 2 * _chernoff(*distribution(), off, off / variance, n))


def _shape(meant: Expectation, seen: Measured) -> Test:
    """Compare the share of values below each edge, and between the edges of each pair."""
    below, n = seen.below, seen.sampled
    count = len(below)
    regions = [(None, i) for i in range(count)] + [(i, count - 1 - i) for i in range(count // 2)]
    found = [(_region(meant, below, n, *region), region) for region in regions]
    p, (left, right) = min(found, key=lambda pair: pair[0])
    start = -math.inf if left is None else float(meant.edges[left])
    stop = float(meant.edges[right])
    hits = below[right] - (below[left] if left is not None else 0)
    low, high = _window(meant, left, right)
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


def _window(meant: Expectation, left: int | None, right: int) -> tuple[float, float]:
    low, high = meant.windows[right]
    if left is not None:
        under = meant.windows[left]
        low, high = low - under[1], high - under[0]
    return max(low, 0.0), min(high, 1.0)


def _region(
    meant: Expectation, below: Sequence[int], n: int, left: int | None, right: int
) -> float:
    hits = below[right] - (below[left] if left is not None else 0)
    return binomial(hits, n, _window(meant, left, right))


def _neighbours(meant: Expectation, seen: Measured) -> Iterator[Test]:
    """Compare how often neighbours lie on one side of the median with what coins do."""
    assert meant.middle is not None
    low, high = meant.windows[meant.middle]
    worst = max(abs(low - 0.5), abs(high - 0.5))
    window = (0.5 - 2 * worst - 1e-6, 0.5 + 2 * worst + 1e-6)
    for count, same in seen.pairs:
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
