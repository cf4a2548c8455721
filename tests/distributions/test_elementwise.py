"""Distributions that are drawn element by element."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from initkit import distributions
from initkit.stream import uniform_spec
from initkit.stream.eager import value


def test_a_truncation_that_cuts_nothing_says_so() -> None:
    assert distributions.TruncatedNormal(0.0, 0.02, -2.0, 2.0).note() == "the bounds cut nothing"
    assert distributions.TruncatedNormal(0.0, 0.02, -0.04, 0.04).note() == ""


@pytest.mark.parametrize(
    ("low", "high", "flaw"),
    [(-2.0, 0.07, True), (-0.08, 2.0, True), (-0.08, 0.07, False)],
)
def test_a_bound_that_no_value_should_come_near_to_is_torchs_flaw(
    low: float, high: float, flaw: bool
) -> None:
    distribution = distributions.TruncatedNormal(0.0, 0.02, -2.0, 2.0)
    assert distribution.known_flaw(low, high).startswith("torch.nn.init.trunc_normal_") is flaw


def test_a_bound_that_cuts_is_no_flaw() -> None:
    assert not distributions.TruncatedNormal(0.0, 1.0, -2.0, 2.0).known_flaw(-2.0, 2.0)


@pytest.mark.parametrize("scale", [1e2, 1e4, 1e6, 1e9])
@pytest.mark.parametrize("loc", [0.0, 3.0])
def test_bounds_far_inside_a_normal_leave_a_uniform_distribution(loc: float, scale: float) -> None:
    found = distributions.TruncatedNormal(loc, scale, -2.0, 2.0)
    # The density falls by less than (2 / scale)^2 + 2 loc / scale^2 from end to end.
    assert found.std == pytest.approx(distributions.Uniform(-2.0, 2.0).std, rel=10 / scale**2)
    assert found.mean == pytest.approx(loc * (found.std or 0) ** 2 / scale**2, rel=1e-3, abs=1e-15)


@pytest.mark.parametrize("loc", [0.0, 0.5, -3.0])
def test_both_ways_to_the_moments_of_a_truncated_normal_meet(loc: float) -> None:
    half = 1e-2 / 2 / max(abs(loc) + 5e-3, 1)
    # One just within the bounds between which terms are summed, one just without.
    ends = (half * (1 - 1e-3), half * (1 + 1e-3))
    inside, outside = (distributions.TruncatedNormal(loc, 1.0, -h, h) for h in ends)
    assert inside.std is not None and outside.std is not None
    assert inside.std / ends[0] == pytest.approx(outside.std / ends[1], rel=1e-7)


def test_a_table_of_complex_numbers_reaches_as_far_as_both_of_their_parts() -> None:
    assert distributions.Table.of(torch.tensor([1 + 9j, 2 - 3j])).reach == (-3.0, 9.0)


@given(high=st.floats(1e-30, 1e30))
def test_a_uniform_end_at_zero_is_never_written(high: float) -> None:
    """So that logarithms of it exist; the word is the one that comes nearest to the end."""
    first = torch.tensor([-(2**31)], dtype=torch.int32)
    least = float(value(first, uniform_spec(0.0, high)))
    made = distributions.Uniform(0.0, high)
    assert 0 < made.reach[0] <= least
    assert made.scaled(-1.0).reach == (-made.reach[1], -made.reach[0])
