"""Schemes are frozen values, and their formulas have a value for each tensor."""

from __future__ import annotations

import math

import pytest
from torch import nn

from initkit import distributions, plan_init, schemes
from initkit.errors import FormulaError
from initkit.numbers import Layout
from initkit.schemes import Site, read_scheme

LINEAR = Site((300, 200), layout=Layout.parse("out in"))


def start(model: nn.Module, name: str, text: str) -> distributions.Distribution:
    got = plan_init(model, {name: text, "*": "keep"})[name].distribution
    assert got is not None
    return got


def test_a_formula_takes_the_depth_of_its_layer() -> None:
    model = nn.ModuleList(nn.Linear(2, 2) for _ in range(4))
    plan = plan_init(model, {"*.weight": "normal(std=0.02/sqrt(2*(layer+1)))", "*.bias": 0})
    stds = [plan[f"{i}.weight"].distribution.std for i in range(4)]
    assert stds == pytest.approx([0.02 / math.sqrt(2 * (i + 1)) for i in range(4)])
    assert plan["1.weight"].note == "0.02/sqrt(2*(layer+1))"


def test_a_bias_takes_the_fan_in_of_its_weight() -> None:
    bias = start(nn.Linear(16, 4), "bias", "uniform(-1/sqrt(fan_in), 1/sqrt(fan_in))")
    assert (bias.low, bias.high) == (-0.25, 0.25)


def test_a_layer_outside_of_any_list_has_no_number() -> None:
    plan = plan_init(nn.Linear(2, 2), {"*": "normal(std=1/n_layers)"})
    assert "n_layers has no value for 'weight'" in str(plan.problems[0])


def test_a_formula_that_turns_out_negative_is_a_problem_of_the_plan() -> None:
    model = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
    plan = plan_init(model, {"*": "normal(std=1-2*layer)"})
    assert "normal: std must be at least 0, not -1" in str(plan.problems[0])


def test_a_name_of_a_formula_without_a_model_is_an_error() -> None:
    with pytest.raises(FormulaError, match="layer has no value without a model"):
        read_scheme("normal(std=layer)").resolve(LINEAR)


def test_schemes_are_frozen() -> None:
    with pytest.raises(AttributeError):
        schemes.Normal(std=1).std = 2  # type: ignore[misc]


def test_scaled_multiplies_the_distribution() -> None:
    half = schemes.XavierNormal().scaled(0.5)
    assert str(half) == "scaled(xavier_normal, 0.5)"
    assert half.resolve(LINEAR).std == pytest.approx(0.5 * math.sqrt(2 / 500))
