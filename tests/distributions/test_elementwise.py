"""Distributions that are drawn element by element."""

from __future__ import annotations

import pytest

from initkit import distributions


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
