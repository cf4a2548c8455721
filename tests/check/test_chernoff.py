"""The bound on the mean of many values holds, is tight, and reckons little."""

from __future__ import annotations

import math

import pytest
import torch

from initkit.check.chernoff import MeanBound
from initkit.check.expectation import expectation
from initkit.distributions import Normal


def coins() -> MeanBound:
    return MeanBound(torch.tensor([-1.0, 1.0]).double(), torch.tensor([0.5, 0.5]).double())


@pytest.mark.parametrize("n", [10, 1000])
@pytest.mark.parametrize("level", [0.1, -0.3, 0.9])
def test_the_bound_is_just_above_the_best_one(level: float, n: int) -> None:
    p, q = (1 + level) / 2, (1 - level) / 2
    best = -n * (p * math.log(2 * p) + q * math.log(2 * q))
    found = math.log(coins().p_value(level, level, n))
    assert best <= found + 1e-12
    assert found <= best * 0.999


def test_what_is_never_reached_is_as_good_as_excluded() -> None:
    assert coins().p_value(1.5, 1.5, 100) < 1e-100


def test_a_guess_that_is_far_off_costs_time_alone() -> None:
    bound = coins()
    assert bound.p_value(0.5, 0.02, 100) == bound.p_value(0.5, 10.0, 100)


def test_many_questions_share_what_was_reckoned() -> None:
    bound = expectation(Normal(0.0, 0.02), torch.float32).mean_bound
    for place in range(200):
        level = 0.2 + place / 1000
        exact = math.exp(-100 * level * level / 2)
        assert exact <= bound.p_value(level, level, 100) <= exact**0.999
    assert len(bound._cumulants) < 40
