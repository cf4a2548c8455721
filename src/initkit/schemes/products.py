"""Schemes whose values are reckoned from those of others: products, sums, and what is rounded."""

from __future__ import annotations

from .. import distributions
from ..distributions import Distribution
from ..numbers import frozen
from .base import Scheme, option_text
from .composite import refuse_whole
from .copied import CopyOf
from .options import Positive
from .site import Site


@frozen
class OfTwo(Scheme):
    """Base of schemes that make one value of those of two others, drawn independently."""

    scheme: Scheme
    other: Scheme

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_whole(self.name, self.inner, but=CopyOf)

    def made(self, shape: tuple[int, ...], one: Distribution, two: Distribution) -> Distribution:
        """Return what values of both make."""
        raise NotImplementedError

    def resolve(self, site: Site) -> Distribution:
        return self.made(site.shape, self.scheme.resolve(site), self.other.resolve(site))

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

    def made(self, shape: tuple[int, ...], one: Distribution, two: Distribution) -> Distribution:
        return distributions.product_of(shape, one, two)


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

    ``sum(eye, normal(std=0.01))`` is the identity with noise, ``sum(copy_of('q.*'), normal(
    std=0.01))`` another parameter with noise. Independent normals make one normal; of what is not
    random, or held by the other parameter, and noise, ``check_init`` tests the noise alone.
    """

    def made(self, shape: tuple[int, ...], one: Distribution, two: Distribution) -> Distribution:
        return distributions.sum_of(shape, one, two)


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
