"""Schemes whose values are reckoned from those of others: products, sums, and what is rounded."""

from __future__ import annotations

from .. import distributions
from ..distributions import Distribution
from ..numbers import frozen
from .base import Scheme, option_text
from .composite import refuse_whole
from .options import Positive
from .site import Site


@frozen
class OfTwo(Scheme):
    """Base of schemes that make one value of those of two others, drawn independently."""

    scheme: Scheme
    other: Scheme

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_whole(self.name, self.inner)

    def with_number(self, part: Distribution, number: float) -> Distribution:
        """Return what values of ``part`` and a number make."""
        raise NotImplementedError

    def with_values(self, site: Site, part: Distribution, other: Distribution) -> Distribution:
        """Return what values of both make."""
        raise NotImplementedError

    def terms(self, part: Distribution, other: Distribution) -> list[Distribution]:
        """Return what is drawn each by itself."""
        return [part, other]

    def resolve(self, site: Site) -> Distribution:
        part, other = self.scheme.resolve(site), self.other.resolve(site)
        for one, two in ((part, other), (other, part)):
            if one.constant is not None:
                return self.with_number(two, one.constant)
        if not (part.known and other.known):
            raise site.mismatch(f"{self.name}: nobody knows what a function of yours writes")
        terms = self.terms(part, other)
        if sum(isinstance(d, distributions.Pairwise) and d.random for d in terms) > 1:
            raise site.mismatch(f"{self.name}: both of its schemes are made of two random ones")
        known = any(not d.random for d in terms)  # and then all that is not random is one
        if known + sum(d.random and not d.alike for d in terms) > 1:
            raise site.mismatch(
                f"{self.name}: both go by the place, so that nobody knows the distribution; write "
                f"blocks({self.name}(...), {self.name}(...))"
            )
        return self.with_values(site, part, other)

    def __str__(self) -> str:
        return f"{self.name}({self.scheme}, {self.other})"


@frozen
class Product(
    OfTwo,
    name="product",
    formula="x y, drawn independently",
    source="initkit",
    moments="mean E x E y, mean square E x^2 E y^2",
    reads="shape",
    positional=("scheme", "other"),
):
    """Multiply the values of two schemes, element by element.

    ``product(normal, indexed(1/sqrt(i + 1)))`` lets the std fall along the last axis.
    """

    def with_number(self, part: Distribution, number: float) -> Distribution:
        return part.scaled(number)

    def with_values(self, site: Site, part: Distribution, other: Distribution) -> Distribution:
        return distributions.Product(site.shape, part, other)


@frozen
class Sum(
    OfTwo,
    name="sum",
    formula="x + y, drawn independently",
    source="initkit; Ash & Adams 2020 (shrink and perturb); identities and tables with noise",
    moments="means and variances add up",
    reads="shape",
    positional=("scheme", "other"),
):
    """Add the values of two schemes, element by element.

    ``sum(eye, normal(std=0.01))`` is the identity with noise. Independent normals make one normal;
    of what is not random and noise, ``check_init`` tests the noise alone.
    """

    def with_number(self, part: Distribution, number: float) -> Distribution:
        return part.shifted(number)

    def with_values(self, site: Site, part: Distribution, other: Distribution) -> Distribution:
        return distributions.sum_of(site.shape, part, other)

    def terms(self, part: Distribution, other: Distribution) -> list[Distribution]:
        return distributions.terms_of(part, other)


@frozen
class Rounded(
    Scheme,
    name="rounded",
    formula="step round(x/step), of two as near the even one",
    source="initkit; quantised and ternary starts",
    moments="those of the rounded values",
    reads="options",
    positional=("scheme", "step"),
):
    """Round every value of another scheme to a multiple of ``step``."""

    scheme: Scheme
    step: Positive = 1.0

    def resolve(self, site: Site) -> Distribution:
        return self.scheme.resolve(site).mapped("rounded", self.number(site, "step"))

    def __str__(self) -> str:
        step = "" if self.step == 1 else f", {option_text(self.step)}"
        return f"rounded({self.scheme}{step})"
