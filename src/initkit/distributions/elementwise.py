"""Distributions of which every element is drawn by itself, from its own word of the stream."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

from .. import stream
from ..numbers import frozen
from . import tail
from .base import Distribution
from .digits import short, shorts
from .evidence import Sample, Test, exact_test, passed
from .maps import through
from .source import Runs, Source, slices, spans

_ROOT2 = math.sqrt(2.0)
_ALL = 6.2302  # deviations; just within the stream's largest
_NARROW = 1e-2  # deviations between bounds; here both ways to moments have nine digits
_NORMAL = 2.0**-126  # the smallest that float32 holds with all its digits
_CHUNK = 1 << 20  # words made at a time where values are reckoned from them one by one
_NOTHING = 1e-300  # a deviation that no dtype tells from 0


@lru_cache(maxsize=512)
def _rounded(value: float, dtype: torch.dtype) -> float:
    return float(torch.tensor(value, dtype=torch.float64, device="cpu").to(dtype).real)


@frozen
class Constant(Distribution):
    """Every element is ``value``."""

    value: float
    random = False
    complex_as_pairs = False

    @property
    def constant(self) -> float:
        return self.value

    @property
    def moments(self) -> tuple[float, float]:
        return self.value, 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        return self.value, self.value

    @property
    def atoms(self) -> dict[float, float]:
        return {self.value: 1.0}

    def _cdf(self, x: Tensor) -> Tensor:
        return (x >= self.value).double()

    def describe(self) -> str:
        return f"constant {short(self.value)}"

    def scaled(self, factor: float) -> Constant:
        return Constant(self.value * factor)

    def mapped(self, name: str, number: float = 0.0) -> Constant:
        value = torch.tensor(self.value, dtype=torch.float64, device="cpu")
        return Constant(float(through(value, ((name, number),))))

    @property
    def spec(self) -> stream.Spec:
        return stream.CONSTANT, self.value

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        out.fill_(self.value)

    def tests(self, sample: Sample) -> Iterator[Test]:
        if not self._differs(sample):
            yield passed("constant")
            return
        low, high = sample.extremes
        least, most, planned = shorts(low, high, self.value)
        if low == high:
            seen = f"every element is {least}"
        else:
            seen = f"values reach from {least} to {most}"
        expected = f"constant {planned}"
        text = f"{seen} where {expected} was planned"
        yield exact_test("constant", True, expected, seen, text)

    def _differs(self, sample: Sample) -> bool:
        """Whether some element is another than this one, rounded to the dtype of the tensor."""
        (low, high), dtype = sample.extremes, sample.dtype
        value = _rounded(self.value, dtype)
        if dtype.is_complex:  # measured as pairs: its imaginary parts are 0
            return bool({low, high} - {value, 0.0})
        # Stored values are exact; those of a computed weight have gone through a few roundings.
        room = 8 * float(torch.finfo(dtype).eps) * abs(value) if sample.computed else 0.0
        return not (value - room <= low and high <= value + room)


@frozen
class Normal(Distribution):
    """The normal distribution with ``mean`` and ``std``."""

    mean: float
    std: float
    gaussian = True

    @property
    def moments(self) -> tuple[float, float]:
        return self.mean, self.std

    @property
    def reach(self) -> tuple[float, float]:
        far = stream.LARGEST_NORMAL * self.std
        return self.mean - far, self.mean + far

    @property
    def in_pairs(self) -> Normal:
        # As torch, so that E|z - mean|^2 is std^2; the mean is that of each part.
        return Normal(self.mean, self.std / _ROOT2)

    def _cdf(self, x: Tensor) -> Tensor:
        return ndtr((x - self.mean) / self.std)

    def describe(self) -> str:
        return f"N({short(self.mean)}, {short(self.std)})"

    def scaled(self, factor: float) -> Distribution:
        if not factor:
            return Constant(0.0)
        return Normal(self.mean * factor, self.std * abs(factor))

    def shifted(self, by: float) -> Distribution:
        return Normal(self.mean + by, self.std)

    @property
    def spec(self) -> stream.Spec:
        return stream.normal_spec(self.mean, self.std)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        stream.normal_(out, source.values, self.mean, self.std, runs)


@frozen
class Uniform(Distribution):
    """The uniform distribution between ``low`` and ``high``."""

    low: float
    high: float

    @property
    def moments(self) -> tuple[float, float]:
        return (self.low + self.high) / 2, (self.high - self.low) / math.sqrt(12)

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def reach(self) -> tuple[float, float]:
        # An end at 0 is never written: no rounding brings the sum of two halves so near to it,
        # where float32 holds the least of them.
        least = (self.high - self.low) * 2.0**-25
        return (self.low or least, self.high or -least) if least > _NORMAL else self.bounds

    @property
    def reckoned(self) -> tuple[float, ...]:
        return self.bounds

    def _cdf(self, x: Tensor) -> Tensor:
        return ((x - self.low) / (self.high - self.low)).clamp(0, 1)

    def describe(self) -> str:
        return f"U({short(self.low)}, {short(self.high)})"

    def scaled(self, factor: float) -> Distribution:
        if not factor:
            return Constant(0.0)
        return Uniform(*sorted((self.low * factor, self.high * factor)))

    def shifted(self, by: float) -> Distribution:
        return Uniform(self.low + by, self.high + by)

    @property
    def spec(self) -> stream.Spec:
        return stream.uniform_spec(self.low, self.high)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        stream.uniform_(out, source.values, self.low, self.high, runs)


@frozen
class TruncatedNormal(Distribution):
    """The normal distribution of ``loc`` and ``scale``, cut at ``low`` and ``high``."""

    loc: float
    scale: float
    low: float
    high: float

    @property
    def _ends(self) -> tuple[float, float]:
        """The bounds in deviations from the mean."""
        return (self.low - self.loc) / self.scale, (self.high - self.loc) / self.scale

    @property
    def moments(self) -> tuple[float, float]:
        if tail.too_coarse(*self._ends):
            mean, std = tail.moments(*self._ends)
            return self.loc + self.scale * mean, self.scale * std
        return _truncated_moments(self.loc, self.scale, self.low, self.high)

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    def _cdf(self, x: Tensor) -> Tensor:
        a, b = self._ends
        z = ((x - self.loc) / self.scale).clamp(a, b)
        if tail.too_coarse(a, b):
            return tail.share(z, a, b)
        if a + b > 0:  # reckon in the lighter tail, where nothing cancels
            low, here, high = -b, -z, -a
            share = 1 - (ndtr(here) - _phi(low)) / (_phi(high) - _phi(low))
        else:
            share = (ndtr(z) - _phi(a)) / (_phi(b) - _phi(a))
        # ndtr of many numbers may differ from that of one in the last digit.
        return share.clamp(0, 1).masked_fill(z <= a, 0).masked_fill(z >= b, 1)

    @property
    def reach(self) -> tuple[float, float]:
        if tail.too_coarse(*self._ends):
            low, high = (self.loc + self.scale * end for end in tail.ends(*self._ends))
            return max(self.low, low), min(self.high, high)
        far = stream.LARGEST_NORMAL * self.scale
        return max(self.low, self.loc - far), min(self.high, self.loc + far)

    @property
    def reckoned(self) -> tuple[float, ...]:
        return *self.reach, self.loc, self.scale

    @property
    def in_pairs(self) -> TruncatedNormal:
        # Cut as many deviations away, so that the whole number has the variance of a real one.
        low, high = (self.loc + (end - self.loc) / _ROOT2 for end in (self.low, self.high))
        return TruncatedNormal(self.loc, self.scale / _ROOT2, low, high)

    def describe(self) -> str:
        distribution = f"{short(self.loc)}, {short(self.scale)}"
        return f"TN({distribution}; {short(self.low)}, {short(self.high)})"

    @property
    def gaussian(self) -> bool:
        """Whether the bounds cut nothing: they lie beyond all values that the stream has."""
        a, b = self._ends
        return a < -_ALL and b > _ALL

    def note(self) -> str:
        return "the bounds cut nothing" if self.gaussian else ""

    def known_flaw(self, low: float, high: float) -> str:
        # So far out 2 Phi - 1 is -1 in float32, and erfinv of that infinite: torch clamps it.
        far = min(self.loc - self.low, self.high - self.loc) > 7 * self.scale
        if not far or (low != self.low and high != self.high):
            return ""
        return (
            "torch.nn.init.trunc_normal_ in float32 gives the bound itself once in 16 million "
            "elements; initkit never does"
        )

    def scaled(self, factor: float) -> Distribution:
        if not factor:
            return Constant(0.0)
        low, high = sorted((self.low * factor, self.high * factor))
        scale = self.scale * abs(factor)
        if scale < _NOTHING:  # no deviation is left to cut at
            return Constant(self.loc * factor)
        return TruncatedNormal(self.loc * factor, scale, low, high)

    def shifted(self, by: float) -> Distribution:
        return TruncatedNormal(self.loc + by, self.scale, self.low + by, self.high + by)

    @property
    def spec(self) -> stream.Spec | None:
        if tail.too_coarse(*self._ends):
            return None
        return stream.trunc_normal_spec(self.loc, self.scale, self.low, self.high)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        if tail.too_coarse(*self._ends):
            self._write_exactly(out, source, runs)
            return
        stream.trunc_normal_(out, source.values, self.loc, self.scale, self.low, self.high, runs)

    def _write_exactly(self, out: Tensor, source: Source, runs: Runs) -> None:
        """Write from the exact tail, in float64, where words are too coarse."""
        flat = out.view(-1)
        if out.is_complex():  # its element i has the words 2 i and 2 i + 1
            pairs = spans(runs, out.numel())
            flat = torch.view_as_real(out).view(-1)
            runs = [(2 * start, 2 * length) for _, start, length in pairs]
        for chunk in slices(flat.numel(), _CHUNK):
            here = stream.cut_runs(runs, chunk.start, chunk.stop - chunk.start)
            words = stream.words(source.values, here, chunk.stop - chunk.start)
            for piece in slices(len(words)):
                z = tail.quantile((words[piece].double() + 0.5) / (1 << 32), *self._ends)
                values = (self.loc + self.scale * z).clamp(self.low, self.high)
                flat[chunk][piece].copy_(values)


@frozen
class MaskedUniform(Distribution):
    """The uniform distribution between ``low`` and ``high``, then 0 where ``|x| < threshold``."""

    low: float
    high: float
    threshold: float

    @property
    def _masked(self) -> tuple[float, float]:
        """The interval that becomes zero."""
        low, high = max(self.low, -self.threshold), min(self.high, self.threshold)
        return (low, high) if low < high else (self.low, self.low)

    @property
    def moments(self) -> tuple[float, float]:
        low, high, width = *self._masked, self.high - self.low
        mean = ((self.high**2 - self.low**2) - (high**2 - low**2)) / (2 * width)
        square = ((self.high**3 - self.low**3) - (high**3 - low**3)) / (3 * width)
        return mean, math.sqrt(max(square - mean * mean, 0.0))

    @property
    def bounds(self) -> tuple[float, float]:
        low, high = self._masked
        zero = (0.0,) if high > low else ()
        ends = [self.low if self.low < low or not zero else high]
        ends.append(self.high if self.high > high or not zero else low)
        if self.low >= low and self.high <= high and zero:
            return 0.0, 0.0
        return min(*ends, *zero), max(*ends, *zero)

    @property
    def reckoned(self) -> tuple[float, ...]:
        return self.low, self.high  # drawn before anything is masked

    @property
    def atoms(self) -> dict[float, float]:
        low, high = self._masked
        return {0.0: (high - low) / (self.high - self.low)} if high > low else {}

    def _cdf(self, x: Tensor) -> Tensor:
        # Without the mask it is a ramp; with it, flat over the masked interval but for a step at 0.
        (low, high), width = self._masked, self.high - self.low
        plain = ((x - self.low) / width).clamp(0, 1)
        if high <= low:
            return plain
        inside = (x >= low) & (x <= high)
        step = torch.where(x >= 0, (high - self.low) / width, (low - self.low) / width)
        below = torch.where((x < low) & (x >= 0), step, plain)  # low > 0: the zeros come first
        above = torch.where((x > high) & (x < 0), step, below)
        return torch.where(inside, step, above)

    def describe(self) -> str:
        distribution = f"U({short(self.low)}, {short(self.high)})"
        return f"{distribution}, 0 where |x| < {short(self.threshold)}"

    def scaled(self, factor: float) -> Distribution:
        if not factor:
            return Constant(0.0)
        low, high = sorted((self.low * factor, self.high * factor))
        return MaskedUniform(low, high, self.threshold * abs(factor))

    @property
    def spec(self) -> stream.Spec:
        return stream.uniform_spec(self.low, self.high, self.threshold)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        stream.uniform_(out, source.values, self.low, self.high, runs, threshold=self.threshold)


def ndtr(x: Tensor) -> Tensor:
    """Return the standard normal CDF."""
    value: Tensor = torch.special.ndtr(x)
    return value


def _phi(x: float) -> float:
    """Return the standard normal CDF, exact in the lower tail."""
    return 0.5 * math.erfc(-x / _ROOT2)


def _density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi) if abs(x) < 38 else 0.0


def _narrow_moments(middle: float, half: float) -> tuple[float, float]:
    """Return the moments of a standard normal between bounds that hardly lie apart.

    Differences of its CDF lose all digits there, and the first terms of its density around the
    middle, 1 - m t + (m^2 - 1) t^2 / 2, are exact.
    """
    bend = (middle**2 - 1) / 2
    mass = 1 + bend * half**2 / 3
    shift = -middle * half**2 / (3 * mass)
    second = half**2 * (1 / 3 + bend * half**2 / 5) / mass
    return middle + shift, math.sqrt(second - shift**2)


@lru_cache(maxsize=1024)
def _truncated_moments(loc: float, scale: float, low: float, high: float) -> tuple[float, float]:
    a, b = (low - loc) / scale, (high - loc) / scale
    if (b - a) * max(abs(a), abs(b), 1) < _NARROW:
        mean, std = _narrow_moments((a + b) / 2, (b - a) / 2)
        return loc + scale * mean, scale * std
    # The textbook's formulas, mirrored where need be: in the lower tail `_phi` loses no digits.
    sign = -1.0 if a + b > 0 else 1.0
    if sign < 0:
        a, b = -b, -a
    mass = _phi(b) - _phi(a)
    if not mass:  # so far out that all of it lies at the nearer bound
        return (low if sign > 0 else high), 0.0
    # An infinite bound adds nothing, but inf * 0 would be NaN.
    end_a = a * _density(a) if math.isfinite(a) else 0.0
    end_b = b * _density(b) if math.isfinite(b) else 0.0
    shift = (_density(a) - _density(b)) / mass
    variance = 1 + (end_a - end_b) / mass - shift * shift  # a difference: rounding may pass 0
    return loc + sign * scale * shift, scale * math.sqrt(max(variance, 0.0))
