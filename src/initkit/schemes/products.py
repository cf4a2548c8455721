"""Schemes whose values are reckoned from those of others: products, and what is rounded."""

from __future__ import annotations

from .. import distributions
from ..distributions import Distribution
from ..numbers import frozen
from .base import Scheme, option_text
from .composite import refuse_whole
from .options import Positive
from .site import Site


@frozen
class Product(
    Scheme,
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

    scheme: Scheme
    other: Scheme

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_whole(self.name, self.inner)

    def resolve(self, site: Site) -> Distribution:
        part, other = self.scheme.resolve(site), self.other.resolve(site)
        for one, two in ((part, other), (other, part)):
            if one.constant is not None:
                return two.scaled(one.constant)
        if not (part.known and other.known):
            raise site.mismatch("product: nobody knows what a function of yours writes")
        if any(d.random and isinstance(d, distributions.Product) for d in (part, other)):
            raise site.mismatch("product: one of its two schemes is a product of random values")
        uneven = [d for d in (part, other) if not d.random or isinstance(d, distributions.Blocks)]
        if len(uneven) == 2 and (part.random or other.random):
            raise site.mismatch(
                "product: both go by the place, so that nobody knows the distribution; write "
                "blocks(product(...), product(...))"
            )
        return distributions.Product(site.shape, part, other)

    def __str__(self) -> str:
        return f"product({self.scheme}, {self.other})"


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
