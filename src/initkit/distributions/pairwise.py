"""Two distributions made one, element by element: products and sums of independent values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from ..numbers import frozen
from .base import Distribution, Shaped
from .beside import Cdf, jumps_beside, mixture, outer, too_many
from .blocks import Blocks
from .copied import Copy
from .elementwise import Constant, Normal
from .evidence import Sample, Test
from .jumps import Jumps
from .maps import bracketed
from .source import Runs, Source, Spot, slices, spans

_AT_ONCE = 1 << 16  # values of a CDF
_NEAR = 1e-20  # to 0, as no sum of two numbers that are not opposite is


@frozen
class Pairwise(Shaped):
    """Base of what a value of ``part`` and one of ``other`` make, drawn from streams of their own.

    A subclass says what the operation does to two values, to ends and to a CDF, and how it is
    undone.
    """

    part: Distribution
    other: Distribution
    complex_as_pairs = False
    allows_complex = False

    def of(self, values: Tensor, others: Tensor) -> Tensor:
        """Return what two values make, in the memory of the first."""
        raise NotImplementedError

    def undone(self, values: Tensor, others: Tensor) -> Tensor:
        """Return what makes ``values`` of ``others``; NaN where any would."""
        raise NotImplementedError

    def ends(self, one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float]:
        """Return the ends of what is made of values between these."""
        raise NotImplementedError

    def cdf_beside(self, cdf: Cdf, mass: float, value: Tensor, x: Tensor) -> Tensor:
        """Return the CDF of what each number and values with this CDF make, but for jumps.

        The values are spread, without a jump, and have this mass together.
        """
        raise NotImplementedError

    def jumps_of(self, one: Jumps, two: Jumps) -> Jumps:
        """Return the jumps of what values with these make."""
        raise NotImplementedError

    def independent(
        self, one: tuple[float, float], two: tuple[float, float]
    ) -> tuple[float, float]:
        """Return mean and std of what independent values of these moments make."""
        raise NotImplementedError

    def terms(self) -> list[Distribution]:
        """Return what is drawn each by itself."""
        return [self.part, self.other]

    def misfit(self, shape: tuple[int, ...]) -> str:
        inner = (part.misfit(shape) for part in self.inner())
        return super().misfit(shape) or next(filter(None, inner), "") or self._conflict

    @property
    def _conflict(self) -> str:
        """Why nobody knows what is made of the two, or nothing."""
        if self.part.copy is not None and self.other.copy is not None:
            return "one of its two may be a copy, not both"
        if not (self.part.known and self.other.known):
            return "nobody knows what a function of yours writes"
        if not self.settled:
            return ""  # to be asked again when it is
        terms, name = self.terms(), type(self).__name__.lower()
        if sum(isinstance(d, Pairwise) and d.random for d in terms) > 1:
            return "both of its schemes are made of two random ones"
        known = any(not d.random for d in terms)  # and then all that is not random is one
        if known + sum(d.random and not d.alike for d in terms) > 1:
            return (
                "both go by the place, so that nobody knows the distribution; write "
                f"blocks({name}(...), {name}(...))"
            )
        return ""

    @property
    def copy(self) -> Copy | None:
        return self.part.copy or self.other.copy

    @property
    def elementwise(self) -> bool:
        return self.part.elementwise and self.other.elementwise

    @property
    def random(self) -> bool:
        return self.part.random or self.other.random

    @property
    def iid(self) -> bool:
        return self.part.iid and self.other.iid

    @property
    def alike(self) -> bool:
        return self.part.alike and self.other.alike

    @property
    def shows_in_part(self) -> bool:
        drawn = [d for d in (self.part, self.other) if d.random]
        return self.iid or (len(drawn) < 2 and all(d.shows_in_part for d in drawn))

    @property
    def in_blocks(self) -> Blocks | None:
        blocks, others = self.part.in_blocks, self.other.in_blocks
        if self.random and blocks is not None:
            return blocks.of_parts(lambda part: replace(self, part=part))
        if self.random and others is not None:
            return others.of_parts(lambda other: replace(self, other=other))
        return None

    @property
    def placed(self) -> bool:
        return not self.random

    @property
    def whole_numbers(self) -> bool:
        return self.part.whole_numbers and self.other.whole_numbers

    @property
    def tolerance(self) -> float:
        return self.part.tolerance + self.other.tolerance

    @property
    def moments(self) -> tuple[float, float] | None:
        if not self.random:
            values, shares = _pair_jumps(self)
            mean = float(shares @ values)
            return mean, math.sqrt(float(shares @ (values - mean).square()))
        one, two = self.part.moments, self.other.moments
        # One of them is drawn alike at every place, and so without regard to the other.
        return None if one is None or two is None else self.independent(one, two)

    @property
    def bounds(self) -> tuple[float, float]:
        return self.ends(self.part.bounds, self.other.bounds)

    @property
    def reach(self) -> tuple[float, float]:
        # What is not drawn is known to the last bit, and its reach may be that of a dtype.
        one, two = (d.reach if d.random else d.bounds for d in (self.part, self.other))
        return self.ends(one, two)

    @property
    def atoms(self) -> dict[float, float]:
        return _pair_jumps(self).atoms

    def _cdf(self, x: Tensor) -> Tensor:
        found = _pair_jumps(self)
        if not self.random:
            return found.below(x)
        flat = x.reshape(-1)
        if too_many(jumps_beside(self.part), jumps_beside(self.other)):
            # The one at 0 is counted with the others; so near to it no difference tells the sides.
            share = torch.where((flat < 0) & (flat > -_NEAR), -found.mass, 0.0)
        else:
            share = found.below(flat)
        for cdf, mass, values, shares in mixture(*_drawn_and_given(self)):
            size = max(_AT_ONCE // len(values), 1)
            pieces = [flat[piece] for piece in slices(flat.numel(), size)]
            beside = [shares @ self.cdf_beside(cdf, mass, values[:, None], p) for p in pieces]
            share = share + torch.cat(beside or [flat])
        return share.clamp(0, 1).reshape(x.shape)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        spots = [Spot(at, start, start, length) for at, start, length in spans(runs, out.numel())]
        self.write_block(out, source, spots)

    def write_block(self, out: Tensor, source: Source, spots: Sequence[Spot]) -> None:
        # In float64: each of the two as it is drawn, and one rounding of what they make.
        values = torch.empty(out.numel(), dtype=torch.float64, device="cpu")
        others = torch.empty_like(values)
        own = source.block(1) if _draws_apart(self.part) else source
        self.part.write_block(values, own, spots)
        self.other.write_block(others, source.block(0), spots)
        out.copy_(self.of(values, others))

    def draw(self, source: Source, first: int = 0) -> Tensor:
        count = math.prod(self.shape)
        out = torch.empty(count, dtype=torch.float64, device="cpu")
        self.write_block(out, source, [Spot(0, 0, first, count)])
        return out.view(self.shape)

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None or self.in_blocks is not None or not self.random:
            yield from super().tests(sample)
        elif not (self.part.random and self.other.random):
            yield from self.tests_of_drawn(sample)
        elif self.moments is not None:
            yield from sample.goodness_of_fit()

    def tests_of_drawn(self, sample: Sample, step: float = 0.0) -> Iterator[Test]:
        """Test what is drawn, which the values tell where the other one is known.

        They may have been rounded to multiples of ``step``.
        """
        drawn, known = (self.part, self.other) if self.part.random else (self.other, self.part)
        found, zeros = sample.undone(drawn, known, self.undone, self.of, step)
        if found is None:  # that 0 is where it must be says nothing of the others
            yield from [zeros] if zeros.p == 0 else []
            return
        yield zeros
        for test in drawn.tests(found):
            yield test.within(f"of {drawn.describe()} beside {known.describe()}")


@frozen
class Product(Pairwise):
    """A value of ``part`` times one of ``other``."""

    @property
    def distinct_slices(self) -> bool:
        # Where what is not drawn is 0 two slices may well be alike.
        known = [d for d in (self.part, self.other) if not d.random]
        return self.random and not any(_holds_zero(d) for d in known)

    def remade(self) -> Distribution:
        return product_of(self.shape, self.part, self.other)

    def of(self, values: Tensor, others: Tensor) -> Tensor:
        return values.mul_(others)

    def undone(self, values: Tensor, others: Tensor) -> Tensor:
        return torch.where(others == 0, math.nan, values / others)

    def ends(self, one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float]:
        # 0 times what has no bound is 0, since every value is finite.
        products = [a * b if a and b else 0.0 for a in one for b in two]
        return min(products), max(products)

    def cdf_beside(self, cdf: Cdf, mass: float, value: Tensor, x: Tensor) -> Tensor:
        share = cdf(x / torch.where(value == 0, 1.0, value))
        share = torch.where(value < 0, mass - share, share)
        return torch.where(value == 0, 0.0, share)  # 0 is a jump, and counted there

    def jumps_of(self, one: Jumps, two: Jumps) -> Jumps:
        zeros = [float(found.shares[found.values == 0].sum()) for found in (one, two)]
        zero = sum(zeros) - math.prod(zeros)  # whatever the other value is
        values, shares = outer(one, two, torch.mul)
        kept = values != 0
        atom = values.new_tensor([0.0]), values.new_tensor([zero])
        if not zero:
            return Jumps.of(values[kept], shares[kept])
        return Jumps.of(torch.cat([values[kept], atom[0]]), torch.cat([shares[kept], atom[1]]))

    def independent(
        self, one: tuple[float, float], two: tuple[float, float]
    ) -> tuple[float, float]:
        mean = one[0] * two[0]
        square = (one[0] ** 2 + one[1] ** 2) * (two[0] ** 2 + two[1] ** 2)
        return mean, math.sqrt(max(square - mean * mean, 0.0))

    def random_part(self, tensor: Tensor) -> tuple[Distribution, Tensor]:
        # Up to a factor that slices share where anything of them can be alike.
        drawn = [d for d in (self.part, self.other) if d.random]
        return (drawn[0] if len(drawn) == 1 else self), tensor

    def describe(self) -> str:
        return " x ".join(bracketed(d.describe(), "|+") for d in (self.part, self.other))

    def scaled(self, factor: float) -> Distribution:
        return replace(self, part=self.part.scaled(factor)) if factor else Constant(0.0)


@frozen
class Sum(Pairwise):
    """A value of ``part`` and one of ``other``; what is not drawn, if anything, is the other."""

    def remade(self) -> Distribution:
        return sum_of(self.shape, self.part, self.other)

    def terms(self) -> list[Distribution]:
        return _terms_of(self.part, self.other)

    def of(self, values: Tensor, others: Tensor) -> Tensor:
        return values.add_(others)

    def undone(self, values: Tensor, others: Tensor) -> Tensor:
        return values - others

    def ends(self, one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float]:
        return one[0] + two[0], one[1] + two[1]

    def cdf_beside(self, cdf: Cdf, mass: float, value: Tensor, x: Tensor) -> Tensor:
        return cdf(x - value)

    def jumps_of(self, one: Jumps, two: Jumps) -> Jumps:
        return Jumps.of(*outer(one, two, torch.add))

    def independent(
        self, one: tuple[float, float], two: tuple[float, float]
    ) -> tuple[float, float]:
        return one[0] + two[0], math.hypot(one[1], two[1])

    def describe(self) -> str:
        # What has its place first, or is another's: an identity and what is added to it.
        pair = sorted((self.part, self.other), key=lambda d: d.copy is None and d.random)
        return " + ".join(bracketed(d.describe(), "|,") for d in pair)

    def random_part(self, tensor: Tensor) -> tuple[Distribution, Tensor]:
        if self.other.random or not self.part.random:
            return self, tensor
        # Beside the largest known value rounding leaves the fewest of those that are drawn.
        return self.part.shifted(max(map(abs, self.other.bounds))), tensor

    def scaled(self, factor: float) -> Distribution:
        if not factor:
            return Constant(0.0)
        return replace(self, part=self.part.scaled(factor), other=self.other.scaled(factor))

    def shifted(self, by: float) -> Distribution:
        return replace(self, part=self.part.shifted(by))


def sum_of(shape: tuple[int, ...], *terms: Distribution) -> Distribution:
    """Return the distribution of the sum of independent values, one of each term.

    Numbers move it, normal ones are one, and so is all that nobody draws.

    >>> print(sum_of((2, 2), Normal(0.0, 3.0), Constant(1.0), Normal(0.0, 4.0)))
    N(1, 5)
    """
    leaves = _terms_of(*terms)
    number = math.fsum(leaf.constant for leaf in leaves if leaf.constant is not None)
    rest = [leaf for leaf in leaves if leaf.constant is None]
    normal = [leaf for leaf in rest if isinstance(leaf, Normal)]
    drawn = [leaf for leaf in rest if leaf.random and not isinstance(leaf, Normal)]
    known = [leaf for leaf in rest if not leaf.random]
    if normal:
        mean, std = math.fsum(n.mean for n in normal), math.hypot(*(n.std for n in normal))
        drawn.append(Normal(mean, std) if len(normal) > 1 else normal[0])
    if not drawn and not known:
        return Constant(number)
    together = _chain(shape, known)
    found = together if not drawn else _chain(shape, drawn)
    assert found is not None
    if number:
        found = found.shifted(number)
    return Sum(shape, found, together) if drawn and together is not None else found


def product_of(shape: tuple[int, ...], part: Distribution, other: Distribution) -> Distribution:
    """Return the distribution of a value of each, multiplied; a number scales the other.

    >>> print(product_of((2, 2), Normal(0.0, 3.0), Constant(2.0)))
    N(0, 6)
    """
    for one, two in ((part, other), (other, part)):
        if one.constant is not None:
            return two.scaled(one.constant)
    return Product(shape, part, other)


def _terms_of(*sums: Distribution) -> list[Distribution]:
    """Return the terms of sums; what is none is one by itself."""
    found = ([d] if not isinstance(d, Sum) else d.terms() for d in sums)
    return [term for terms in found for term in terms]


def _chain(shape: tuple[int, ...], terms: Sequence[Distribution]) -> Distribution | None:
    found: Distribution | None = None
    for term in terms:
        found = term if found is None else Sum(shape, found, term)
    return found


def _has_ends(distribution: Distribution) -> bool:
    return all(map(math.isfinite, distribution.bounds))


def _holds_zero(known: Distribution) -> bool:
    before, at = known.cdf(-math.ulp(0.0)), known.cdf(0.0)
    return at > before


def _draws_apart(part: Distribution) -> bool:
    """Whether a part draws from streams of its blocks, which ``other`` would draw from as well."""
    if isinstance(part, Pairwise):
        return part.random
    apart = isinstance(part, Blocks) and not part.elementwise
    return apart or any(map(_draws_apart, part.inner()))


@lru_cache(maxsize=64)
def _pair_jumps(distribution: Pairwise) -> Jumps:
    if not distribution.random:
        table = distribution.draw(Source(0, "")).view(-1)
        return Jumps.of(table, torch.full_like(table, 1 / table.numel()))
    return distribution.jumps_of(jumps_beside(distribution.part), jumps_beside(distribution.other))


def _drawn_and_given(pair: Pairwise) -> tuple[Distribution, Distribution]:
    """Return the one whose CDF is asked, and the one that cells stand for.

    Cells fill what has ends, if any has; and what is made of two is asked but once for them.
    """
    rank = [
        (not d.random, len(jumps_beside(d).values), isinstance(d, Pairwise), _has_ends(d))
        for d in (pair.part, pair.other)
    ]
    return (pair.part, pair.other) if rank[1] >= rank[0] else (pair.other, pair.part)
