"""Distributions by their quantile function: moments, CDF, values, and formulas that are none."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initkit import apply_init, check_init, plan_init
from initkit.distributions import Quantile, Source

# formula -> mean, std, CDF
KNOWN = {
    "-log(-log(u))": (0.5772156649, math.pi / math.sqrt(6), lambda x: math.exp(-math.exp(-x))),
    "log(u/(1 - u))": (0.0, math.pi / math.sqrt(3), lambda x: 1 / (1 + math.exp(-x))),
    "-log(1 - u)": (1.0, 1.0, lambda x: 1 - math.exp(-max(x, 0.0))),
    "where(u < 0.5, log(2*u), -log(2 - 2*u))": (
        0.0,
        math.sqrt(2),
        lambda x: 0.5 * math.exp(x) if x < 0 else 1 - 0.5 * math.exp(-x),
    ),
    "1 - u**3": (0.75, math.sqrt(1 / 7 - 1 / 16), lambda x: 1 - min(max(1 - x, 0), 1) ** (1 / 3)),
    "3 - 2*u": (2.0, 1 / math.sqrt(3), lambda x: min(max((x - 1) / 2, 0), 1)),
}


@pytest.mark.parametrize("formula", KNOWN)
def test_moments_and_cdf_follow_from_the_formula(formula: str) -> None:
    mean, std, cdf = KNOWN[formula]
    found = Quantile(formula)
    assert found.moments == pytest.approx((mean, std), rel=1e-3, abs=1e-3)
    for x in (-3.0, -0.7, 0.0, 0.3, 0.9, 1.0, 2.5, 7.0):
        assert found.cdf(x) == pytest.approx(cdf(x), abs=1e-8)


@given(st.sampled_from(sorted(KNOWN)), st.integers(0, 1 << 20), st.integers(1, 300))
@settings(max_examples=25, deadline=None)
def test_any_part_of_its_values_is_drawn_by_itself(formula: str, first: int, count: int) -> None:
    found, source = Quantile(formula), Source(0, "w")
    whole = torch.empty(first % 500 + count)
    found.write(whole, source, first)
    part = torch.empty(count)
    found.write(part, source, first + first % 500)
    assert torch.equal(part, whole[first % 500 :])
    assert bool((found.cdf(whole) >= 0).all() and (found.cdf(whole) <= 1).all())


@pytest.mark.parametrize("formula", KNOWN)
def test_values_pass_the_check_and_spoiled_ones_do_not(formula: str) -> None:
    rules = {"weight": f"quantile({formula})"}
    for seed, dtype in enumerate((torch.float32, torch.bfloat16, torch.float64)):
        model = nn.Linear(120, 100, bias=False, dtype=dtype)
        apply_init(model, rules, seed=seed)
        assert check_init(model, rules, level=1e-4).ok
        with torch.no_grad():
            model.weight.mul_(1.2)
        assert not check_init(model, rules).ok


def test_names_of_the_model_stand_in_it() -> None:
    model = nn.ModuleList(nn.Linear(60, 50, bias=False) for _ in range(3))
    plan = plan_init(model, {"*": "quantile(-log(1 - u)/(layer + 1))"})
    assert plan["2.weight"].distribution.std == pytest.approx(1 / 3, rel=1e-3)
    assert not plan_init(model, plan.to_recipe("my/net")).diff(plan)


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("u*(1 - u)", "'u*(1 - u)' both rises and falls with u, as at u=0.5; it must do one"),
        ("1/u", "draws values without a finite variance"),
        ("log(u - 0.5)", "'log(u - 0.5)' is nan at u=1.16415e-10"),
        ("floor(10*u)", "is one value for a share of u; rounded(...) draws such values"),
    ],
)
def test_what_is_no_quantile_function_is_a_problem(formula: str, text: str) -> None:
    (problem,) = plan_init(nn.Linear(3, 4, bias=False), {"*": f"quantile({formula})"}).problems
    assert text in str(problem)
