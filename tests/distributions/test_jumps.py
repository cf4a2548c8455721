"""Jumps of a CDF stand where values are written, each with its own probability."""

from __future__ import annotations

import math

import pytest
import torch

from initkit.distributions import (
    Constant,
    Distribution,
    MaskedUniform,
    Normal,
    Product,
    Sum,
    Uniform,
)
from initkit.distributions.jumps import jumps
from initkit.distributions.source import Source

SHAPE = (200, 100)
TENTHS = Normal(0.0, 1.0).mapped("rounded", 0.1)
SIGNS = Uniform(0.0, 1.0).mapped("rounded", 1.0).mapped("plus", -0.5).mapped("times", 2.0)
MASKED = MaskedUniform(-2.0, 2.0, 1.0)
CASES = {
    "steps that are no binary fractions": TENTHS,
    "rounded twice": TENTHS.mapped("rounded", 0.5),
    "a falling map": Uniform(0.0, 1.0).mapped("times", -2.0).mapped("rounded", 0.3),
    "cut from below, and turned": Normal(0.0, 1.0).mapped("at least", -0.5).mapped("times", -1.0),
    "a sum of two": Sum(SHAPE, TENTHS, Uniform(-1.0, 1.0).mapped("rounded", 0.3)),
    "a product of two": Product(SHAPE, TENTHS, SIGNS),
    "some of each are spread": Sum(SHAPE, MASKED, MASKED),
    "0 times what is spread": Product(SHAPE, MASKED, Normal(0.0, 1.0)),
}


def written(distribution: Distribution) -> torch.Tensor:
    out = torch.empty(math.prod(SHAPE), dtype=torch.float64)
    distribution.write(out, Source(0, "w"))
    return out


@pytest.mark.parametrize("case", CASES)
def test_each_jump_comes_as_often_as_it_should(case: str) -> None:
    values, found = written(CASES[case]), jumps(CASES[case])
    n = len(values)
    for value, share in zip(found.values.tolist(), found.shares.tolist(), strict=True):
        # Five deviations of the count, and a few where it is expected less than once.
        room = 5 * math.sqrt(n * share) + 5
        assert abs(int((values == value).sum()) - n * share) < room, value
    if found.all():
        assert set(values.tolist()) <= set(found.values.tolist())


@pytest.mark.parametrize("case", CASES)
def test_the_cdf_jumps_by_them_and_ends_at_one(case: str) -> None:
    distribution, found = CASES[case], jumps(CASES[case])
    before = torch.nextafter(found.values, torch.full_like(found.values, -math.inf))
    steps = distribution.cdf(found.values) - distribution.cdf(before)
    torch.testing.assert_close(steps, found.shares, rtol=1e-6, atol=1e-9)
    assert distribution.cdf(math.inf) == pytest.approx(1.0, abs=1e-9)


def test_a_number_is_one_jump() -> None:
    assert jumps(Constant(2.0)).atoms == {2.0: 1.0}
