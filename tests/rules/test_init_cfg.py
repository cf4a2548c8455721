"""Dicts of MMEngine and AllenNLP are refused with the rule that starts the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from initkit import RuleError, plan_init
from initkit.rules import read_rules

KAIMING = (
    """{"type:Conv2d": {"weight": "kaiming_normal(mode='fan_out', nonlinearity='relu', """
    """fans='tensor')", "bias": 0}}"""
)
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "kaiming": ({"type": "Kaiming", "layer": "Conv2d"}, KAIMING),
    "xavier for two layers": (
        {"type": "Xavier", "layer": ["Conv2d", "Linear"], "distribution": "uniform", "bias": 1.0},
        """{"type:Conv2d|Linear": {"weight": "xavier_uniform(fans='tensor')", "bias": 1.0}}""",
    ),
    "caffe2": (
        {"type": "Caffe2Xavier", "layer": "Conv2d"},
        """{"type:Conv2d": {"weight": "kaiming_uniform(a=1, fans='tensor')", "bias": 0}}""",
    ),
    "the rare class": (
        {"type": "Normal", "std": 0.01, "layer": "Conv2d", "bias_prob": 0.01},
        """{"type:Conv2d": {"weight": "normal(std=0.01)", "bias": "prior_bias(p=0.01)"}}""",
    ),
    "bounds": (
        {"type": "TruncNormal", "layer": "Linear", "std": 0.02, "a": -1, "b": 1},
        """{"type:Linear": {"weight": "trunc_normal(std=0.02, low=-1, high=1)", "bias": 0}}""",
    ),
    "a constant": (
        {"type": "Constant", "layer": "BatchNorm2d", "val": 1.0},
        """{"type:BatchNorm2d": {"weight": "constant(value=1.0)", "bias": 0}}""",
    ),
    "an overriding one": (
        {"type": "Normal", "name": "cls", "std": 0.1, "bias": 2},
        """{"weight": "normal(std=0.1)", "bias": 2}""",
    ),
    "AllenNLP's": ({"type": "uniform", "a": -1, "b": 1}, '''"uniform(low=-1, high=1)"'''),
}


def translation(table: Any) -> str:
    """Return the rule that the error names."""
    with pytest.raises(RuleError) as caught:
        read_rules(table)
    error = caught.value
    assert error.message.endswith("} is how other libraries write it")
    found = re.fullmatch(r"; write (.*); the page '.*' of the documentation has .*", error.hint)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("case", CASES)
def test_a_dict_with_a_type_is_answered_with_the_rule_to_write(case: str) -> None:
    table, rule = CASES[case]
    assert ast.literal_eval(translation({**table})) == ast.literal_eval(rule)
    assert read_rules({"*": 0, "a": ast.literal_eval(rule)}) is not None  # it can be read


@pytest.mark.parametrize(
    "within",
    [
        lambda table: [{"*.a": 0}, table],
        lambda table: {"fc": table},
        lambda table: {nn.Linear: table},
        lambda table: [("fc.weight", table)],
    ],
)
def test_it_is_found_wherever_it_stands(within: Callable[[Any], Any]) -> None:
    assert translation(within({"type": "TruncNormal", "std": 0.02})) == "'trunc_normal(std=0.02)'"


@pytest.mark.parametrize("case", ["kaiming", "caffe2", "xavier for two layers"])
def test_the_rule_has_the_std_that_torchs_function_gives(case: str) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 128, 3, groups=2)
    rules = ast.literal_eval(CASES[case][1])
    planned = plan_init(conv, rules)["weight"].distribution
    functions: dict[str, Callable[[torch.Tensor], object]] = {
        "kaiming": lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
        "caffe2": lambda w: nn.init.kaiming_uniform_(w, a=1, nonlinearity="leaky_relu"),
        "xavier for two layers": nn.init.xavier_uniform_,
    }
    functions[case](conv.weight)
    # of 36,864 values the std is within 4 / sqrt(2 n) = 1.5 %
    assert planned is not None
    assert conv.weight.std().item() == pytest.approx(planned.std, rel=0.015)


@pytest.mark.parametrize(
    "table",
    [{"type": "normal"}, {"type": 0}, {"type": "keep", "*": 0}, {"type": "normal", "bias": 0}],
)
def test_a_parameter_may_be_called_type(table: dict[str, Any]) -> None:
    assert str(read_rules(table)[0]).startswith("type -> ")
