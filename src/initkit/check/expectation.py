"""What a distribution says about values of one dtype: moments, quantiles and tails, once rounded.

Values of 16 bits are compared with the rounded distribution; wider ones with the distribution
itself, with the room that rounding needs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor

from ..distributions import Distribution, curve
from ..torch_compat import grain
from .chernoff import MeanBound

K = TypeVar("K")
V = TypeVar("V")
_SHARES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2, 0.3, 0.4)
_TARGETS = (*_SHARES, 0.5, *(1 - share for share in reversed(_SHARES)))
_CLEAR = 0.02  # between probabilities that are one to the eye
_GRID = 8192  # points that stand for a distribution where sums over it are needed
_NEVER = 1e-14  # a share that a CDF in float64 tells from none
QUIET = 2 * math.exp(-4.5)  # of three standard errors: no sensible level fails so probable a value
_FINE = 1 << 17  # as many representable values are listed one by one


class Region(NamedTuple):
    """Values above the edge at ``left``, if any, up to that at ``right``; between which chances."""

    left: int | None
    right: int
    low: float
    high: float


class Quiet:
    """Numbers that are known to tell nothing: all between two that do not.

    Of a test whose p-value falls to either side, so that it is asked but beyond those asked before.
    """

    __slots__ = ("high", "low")

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high

    def add(self, number: float) -> None:
        """Remember a number that tells nothing."""
        self.low, self.high = min(self.low, number), max(self.high, number)


_Span: TypeAlias = tuple[int, int, float, float]  # two edges; how many lie between, least and most


class Remembered(dict[K, V]):
    """What was reckoned of each key, which is reckoned but once."""

    def __init__(self, reckon: Callable[[K], V]) -> None:
        super().__init__()
        self._reckon = reckon

    def __missing__(self, key: K) -> V:
        value = self[key] = self._reckon(key)
        return value


@dataclass(frozen=True, eq=False)  # one of a kind, see `expectation`: told apart without a look
class Expectation:
    """What a distribution says about values of one dtype."""

    distribution: Distribution
    dtype: torch.dtype

    @cached_property
    def eps(self) -> float:
        """The relative distance of neighbouring values of the dtype."""
        return float(torch.finfo(self.dtype).eps)

    @cached_property
    def _words(self) -> float:
        """The chance of a few of torch's own random words: of all that lead to an exact 0."""
        return 4 * grain(self.dtype)

    @cached_property
    def _near(self) -> tuple[float, float]:
        """Where a normal lies: beyond 12 deviations is less than 1e-32, below any level."""
        mean, std = self.distribution.moments or (0.0, 1.0)
        low, high = self.distribution.bounds
        return max(low, mean - 12 * std), min(high, mean + 12 * std)

    @cached_property
    def heavy(self) -> bool:
        """Whether values lie so far out that a normal never has them, as its exponential does."""
        (low, high), bounds = self._near, self.distribution.bounds
        if not all(map(math.isfinite, self.distribution.reach)):
            return False  # nobody knows where they end
        below = low > bounds[0] and self.distribution.cdf(low) > _NEVER
        return below or (high < bounds[1] and self.distribution.cdf(high) < 1 - _NEVER)

    @cached_property
    def span(self) -> tuple[float, float]:
        """Where all but a vanishing part of the distribution lies."""
        return self.distribution.reach if self.heavy else self._near

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
            # Heavy ones crowd in a small part of what they reach.
            found = curve(self.distribution) if self.heavy else None
            edges, levels = found or (edges, self.distribution.cdf(edges))
            mass = levels.diff()
            atoms = torch.tensor(
                [*self.distribution.atoms.items()], dtype=torch.float64, device="cpu"
            )
            return _with_atoms((edges[1:] + edges[:-1]) / 2, mass, edges, atoms.reshape(-1, 2))
        # Rounding to nearest: a representable value gets what lies between its two midpoints.
        between = self.distribution.cdf((points[1:] + points[:-1]) / 2)
        ends = between.new_tensor([0.0]), between.new_tensor([1.0])
        return points, torch.cat([ends[0], between, ends[1]]).diff()

    @cached_property
    def moments(self) -> tuple[float, float, float]:
        """Mean, standard deviation and kurtosis."""
        points, mass = self.grid
        mean, std = self.distribution.moments or (0.0, 1.0)
        # Rounding to few values moves both; in wide dtypes the exact ones are better than sums.
        if self.steps is not None:
            mean = float((points * mass).sum())
            std = math.sqrt(float(((points - mean) ** 2 * mass).sum()))
        if not std:
            return mean, 0.0, 3.0
        return mean, std, float((((points - mean) / std) ** 4 * mass).sum())

    @cached_property
    def mean_bound(self) -> MeanBound:
        """What bounds the mean of standardised values."""
        mean, std, _ = self.moments
        points, mass = self.grid
        return MeanBound((points - mean) / std, mass)

    @cached_property
    def square_bound(self) -> MeanBound:
        """What bounds the mean of squares of standardised values, less 1."""
        mean, std, _ = self.moments
        points, mass = self.grid
        return MeanBound(((points - mean) / std) ** 2 - 1, mass)

    @cached_property
    def edges(self) -> Tensor:
        """Thresholds that the dtype can hold: quantiles, and both sides of zero."""
        points, mass = self.grid
        level = mass.cumsum(0)
        place = torch.searchsorted(level, torch.tensor(_TARGETS, dtype=torch.float64, device="cpu"))
        found = points[place.clamp(max=len(points) - 1)]
        if self.distribution.low < 0 < self.distribution.high:
            # Just beside 0, so that values on either side are counted without the zeros.
            tiny = float(torch.finfo(self.dtype).tiny)
            found = torch.cat([found, found.new_tensor([-tiny, tiny])])
        rounded = torch.unique(self._beside_jumps(found.to(self.dtype).double()))
        low, high = self.span
        # A count at a bound tells nothing that `bounds` does not.
        inside = (self._beside(rounded, -2) > low) & (self._beside(rounded, 2) < high)
        kept: Tensor = rounded[inside].float()
        return kept

    def _beside_jumps(self, edges: Tensor) -> Tensor:
        """Return edges with those at a jump moved over it: rounding may bring it to either side."""
        jumps = torch.tensor([*self.distribution.atoms], dtype=torch.float64, device="cpu")
        jumps = torch.unique(jumps.to(self.dtype).double())
        if not len(jumps):
            return edges
        near = (self._beside(edges, -1) <= jumps[:, None]) & (
            jumps[:, None] <= self._beside(edges, 1)
        )
        return torch.where(near.any(0) & (edges != 0), self._beside(edges, 3), edges)

    def _beside(self, values: Tensor, count: int) -> Tensor:
        """Return the representable value so many steps away."""
        if self.steps is not None:
            # The search finds the values themselves, since they are representable.
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
        low = self.distribution.cdf(self._beside(edges, -1))
        high = self.distribution.cdf(self._beside(edges, 1))
        # A relative room for CDFs that are inexact far out, and an absolute one of half an ulp.
        room = torch.minimum(low, 1 - low) * 1e-6 + slack
        pairs = torch.stack([low - room, high + room], 1).clamp(0, 1)
        return [(a, b) for a, b in pairs.tolist()]

    @cached_property
    def chances(self) -> tuple[tuple[float, float], ...]:
        """Each edge, and the probability of a value up to it; NaN where rounding leaves it open."""
        chances = (
            (low + high) / 2 if high - low < _CLEAR else math.nan for low, high in self.windows
        )
        return tuple(zip(self.edges.tolist(), chances, strict=True))

    @cached_property
    def regions(self) -> list[Region]:
        """Below each edge, which finds a shift; between it and its mirror: tails and peaks."""
        windows = self.windows
        count = len(windows)
        # Intervals subtract end from opposite end, so that the window is never too narrow.
        between = (
            Region(i, count - 1 - i, right[0] - left[1], right[1] - left[0])
            for i, (left, right) in enumerate(zip(windows, reversed(windows), strict=True))
        )
        found = [Region(None, i, *window) for i, window in enumerate(windows)]
        found += itertools.islice(between, count // 2)
        return [r._replace(low=max(r.low, 0.0), high=min(r.high, 1.0)) for r in found]

    @cached_property
    def quiet_counts(self) -> dict[int, list[_Span]]:
        """For each region how many of so many values lie in it that tell nothing.

        An edge at -1 stands for none.
        """

        def spans(n: int) -> list[_Span]:
            entropy = math.log(2 * len(self.regions) / QUIET) / n if self.regions else 0.0
            edges = ((-1 if r.left is None else r.left, r.right) for r in self.regions)
            hits = (_quiet_hits(n, r.low, r.high, entropy) for r in self.regions)
            return [(*edge, *hit) for edge, hit in zip(edges, hits, strict=True)]

        return Remembered(spans)

    @cached_property
    def quiet_pairs(self) -> dict[int, tuple[float, float]]:
        """How many of so many pairs lie on one side of the middle and tell nothing."""
        return Remembered(lambda n: _quiet_hits(n, *self.same_side, math.log(2 / QUIET) / n))

    @cached_property
    def kinds_of_ends(self) -> tuple[str, str]:
        """What the smallest value tells of, and the largest: a bound, where one is near."""
        mean, std, _ = self.moments
        ends = self.distribution.low, self.distribution.high
        low, high = ("bounds" if abs(end - mean) < 12 * std else "extremes" for end in ends)
        return low, high

    @cached_property
    def quiet_ends(self) -> dict[int, tuple[Quiet, Quiet]]:
        """The smallest and the largest of so many values that tell nothing, as far as known."""
        return Remembered(lambda _: (Quiet(), Quiet()))

    @cached_property
    def quiet_lengths(self) -> dict[tuple[int, int], Quiet]:
        """Which of so many mean squares of so many values tells nothing, as far as known."""
        return Remembered(lambda _: Quiet())

    @cached_property
    def spread(self) -> float:
        """The variance of a squared standardised value: its kurtosis less 1."""
        return max(self.moments[2] - 1, 1e-6)

    @cached_property
    def same_side(self) -> tuple[float, float]:
        """Between which probabilities two values lie on one side of the middle edge."""
        assert self.middle is not None
        low, high = self.windows[self.middle]
        # Two values are on one side with p^2 + (1-p)^2 = 1/2 + 2 (p - 1/2)^2.
        worst = max(abs(low - 0.5), abs(high - 0.5))
        return 0.5 - 2 * worst - 1e-6, 0.5 + 2 * worst + 1e-6

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
        # Among representable values 0 has neighbours; beyond all of them no value rounds to it.
        seen = self.distribution.bounds if self.steps is None else self.steps[[0, -1]].tolist()
        if seen[0] > 0 or seen[1] < 0:
            return 0.0, 0.0
        low, high = self._around(0.0)
        mass = self.distribution.cdf(high) - self.distribution.cdf(low)
        if self.distribution.atoms.get(0.0):
            return mass * (1 - 1e-6), mass * (1 + 1e-6)
        return mass / 4 if self.steps is not None else 0.0, 2 * mass + self._words

    def _around(self, value: float, count: int = 1) -> tuple[float, float]:
        """Return the representable values so many steps below and above."""
        if self.steps is None:
            step = count * max(abs(value) * 1.2e-7, 1.5e-45)
            return value - step, value + step
        here = torch.tensor([value], dtype=torch.float64, device="cpu")
        below, above = float(self._beside(here, -count)), float(self._beside(here, count))
        # At the ends there is none beyond, where an atom must be told from what lies below it.
        return (
            min(below, math.nextafter(value, -math.inf)),
            max(above, math.nextafter(value, math.inf)),
        )

    def tails(self, low: float, high: float) -> tuple[float, float, float, float]:
        """Return P(X < low) and P(X > high), each as much as rounding allows, then as little."""
        (_, over), (beneath, _) = self._around(low), self._around(high)
        far = 1 if self.steps is None else 2  # in 16 bits torch.nn.init never gives a bound itself
        (under, _), (_, above) = self._around(low, far), self._around(high, far)
        places = torch.tensor((over, beneath, under, above), dtype=torch.float64, device="cpu")
        shares = self.distribution.cdf(places).tolist()
        room = self._words
        return shares[0], 1 - shares[1], max(shares[2] - room, 0), max(1 - shares[3] - room, 0)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The bounds, as far out as rounding may bring a value."""
        low, high = (
            float(torch.tensor(x, dtype=torch.float64, device="cpu").to(self.dtype).double())
            for x in self.distribution.bounds
        )
        return (
            low - abs(low) * self.eps if math.isfinite(low) else low,
            high + abs(high) * self.eps if math.isfinite(high) else high,
        )


# A model has few distributions and many tensors, and an expectation costs more than a small tensor.
@lru_cache(maxsize=512)
def expectation(distribution: Distribution, dtype: torch.dtype) -> Expectation:
    """Return what is expected of values of ``dtype``; wide ones are made from float32."""
    dtype = dtype.to_real()  # a complex number is two values of half its size
    small = dtype.is_floating_point and dtype.itemsize <= 2
    return Expectation(distribution, dtype if small else torch.float32)


def _quiet_hits(n: int, low: float, high: float, entropy: float) -> tuple[float, float]:
    """Return the least and the most of n values that are no evidence against a chance within both.

    The relative entropy is below (share - chance)^2 / (chance (1 - chance)), so that most counts
    are spared its logarithms.
    """
    below, above = (math.sqrt(entropy * chance * (1 - chance)) for chance in (low, high))
    return n * (low - below), n * (high + above)


def _with_atoms(
    points: Tensor, mass: Tensor, edges: Tensor, atoms: Tensor
) -> tuple[Tensor, Tensor]:
    """Take the atoms out of their cells, so that each stands at its own value."""
    values, shares = atoms.mT.contiguous()
    # The CDF counted an atom in the cell whose right edge is the first that is not below it.
    cells = (torch.searchsorted(edges, values) - 1).clamp(0, len(mass) - 1)
    mass = mass.index_add(0, cells, -shares)
    points, order = torch.cat([points, values]).sort()
    return points, torch.cat([mass, shares])[order].clamp(min=0)


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
    # A float's bits, read as sign and magnitude, are integers in the order of the floats: those
    # between two numbers are counted and listed without trying any.
    ends = torch.tensor([low, high], dtype=torch.float32, device="cpu").view(torch.int32).long()
    first, last = torch.where(ends < 0, -(ends & 0x7FFFFFFF), ends).tolist()
    if last - first > _FINE:
        return None
    order = torch.arange(first - 1, last + 2, device="cpu")
    # Back again: a negative integer becomes its magnitude under a sign bit.
    bits = torch.where(order < 0, -order - (1 << 31), order).to(torch.int32)
    return bits.view(torch.float32).double()
