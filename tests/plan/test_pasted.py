"""What is wrong with rules is told in the model's own names, with lines that were tried on it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from initkit import plan_init
from initkit.errors import InitkitError, PlanError, RuleError


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block() for _ in range(3)])
        self.fc = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)


MODEL = Net()
SPARE = {"*": "keep"}


def told(rules: Any, model: Any = MODEL) -> list[str]:
    """Return the lines that the error of some rules shows: what was written, and what to paste."""
    with pytest.raises(InitkitError) as caught:
        plan_init(model, rules).check()
    return re.findall(r"(?m)^ +(?:as written|to paste|or): +(.*)$", str(caught.value))


@pytest.mark.parametrize(
    ("rules", "lines"),
    [
        ({MODEL.fc: "norml"}, ["model.fc: 'norml'", "'fc.*': 'normal'"]),
        ({MODEL.fc: {"wieght": 0}}, ["model.fc: {'wieght': 0}", "'fc': {'weight': 0}"]),
        ({MODEL.blocks: "gpt2"}, ["model.blocks: 'gpt2'", "'blocks': 'gpt2'"]),
        (
            {MODEL.blocks[1].attn.bias: 1},
            ["model.blocks[1].attn.bias: 1", "'blocks.1.attn.bias': 1"],
        ),
        ({"head": {MODEL.fc: 0}}, ["'head': {model.fc: 0}", "'fc.*': 0"]),
        (
            {"blocks": {MODEL.blocks[0].norm: 0}},
            ["'blocks': {model.blocks[0].norm: 0}", "'blocks.0.norm.*': 0"],
        ),
        ({MODEL: {"fc.bias": 0}}, ["model: {'fc.bias': 0}", "'fc.bias': 0"]),
        (
            {MODEL.fc: "xavier_uniform"},
            ["model.fc: 'xavier_uniform'", "'fc.bias': 0, 'fc.*': 'xavier_uniform'"],
        ),
        ({"fc.weight": MODEL.head}, ["'fc.weight': model.head"]),
    ],
)
def test_modules_and_parameters_are_told_by_their_names_in_the_model(
    rules: Any, lines: list[str]
) -> None:
    assert told([rules, SPARE]) == lines


def test_a_tensor_of_a_state_dict_is_told_by_its_name() -> None:
    entries = MODEL.state_dict()
    assert told({entries["fc.bias"]: 0}, entries) == ["model.fc.bias: 0", "'fc.bias': 0"]


def test_a_model_on_meta_is_read_as_any_other() -> None:
    with torch.device("meta"):
        model = Net()
    assert told({model.fc.bias: torch.tensor([1.0, 2.0, 3.0, 4.0])}, model) == [
        "model.fc.bias: torch.tensor([1., 2., 3., 4.])",
        "'fc.bias': lambda t: t.copy_(torch.tensor([1., 2., 3., 4.]))",
    ]


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ([{"head": "xavier_uniform"}, SPARE], "'head.bias': 0, 'head.*': 'xavier_uniform'"),
        ([{"head": "xavier_uniform"}, {"head.bias": 0}, SPARE], "'head.weight': 'xavier_uniform'"),
        ([{"head.bias": 0}, {"head": "xavier_uniform"}, SPARE], "'head.*': 'xavier_uniform'"),
        (
            [{"fc,head": "orthogonal"}, SPARE],
            "'{fc.bias,head.bias}': 0, '{fc,head}.*': 'orthogonal'",
        ),
        (
            [{"blocks": "orthogonal"}, SPARE],
            "'blocks.*.bias': 0, 'blocks.*.norm.weight': 1, 'blocks.*': 'orthogonal'",
        ),
        ([{"head": "dirac"}, SPARE], "'head.bias': 0, 'head.*': 'eye'"),
        ([SPARE, {"head": 0}], "[{'head.*': 0}, rules]  and drop the old line"),
    ],
    ids=str,
)
def test_a_line_is_pasted_that_starts_what_it_takes_among_the_others(rules: Any, line: str) -> None:
    assert told(rules)[-1] == line


def test_a_line_that_could_start_nothing_is_not_pasted() -> None:
    assert told([{"head": "sincos_2d"}, SPARE]) == ["'head': 'sincos_2d'"]
    written = "'head.weight': 'normal(std=d_model**-0.5)'"
    assert told([{"head.weight": "normal(std=d_model**-0.5)"}, SPARE]) == [written]


def test_the_number_of_layers_of_a_model_is_counted_where_a_parameter_has_none() -> None:
    rules = [{"head.weight": "normal(std=1/sqrt(n_layers))"}, SPARE]
    with pytest.raises(PlanError) as caught:
        plan_init(MODEL, rules).check()
    problem = caught.value.problems[0]
    assert problem.hint == "; count('Block') is how many the model has of that class"
    assert told(rules)[-1] == "'head.weight': \"normal(std=1/sqrt(count('Block')))\""
    two = nn.ModuleDict({"a": Net(), "b": Net()})  # which of the two containers is meant?
    assert len(told([{"a.head.weight": "normal(std=1/n_layers)"}, SPARE], two)) == 1


def test_what_matches_nothing_is_told_before_what_it_leaves_to_others() -> None:
    rules = {"*.norm.wieght": 1, "*.bias": 0, "*.weight": "xavier_uniform"}
    first, second = (problem.sentence for problem in plan_init(MODEL, rules).problems[:2])
    assert first.startswith("the rule '*.norm.wieght' matches no parameter")
    assert second.startswith("blocks.0.norm.weight: xavier_uniform cannot start it")


def test_a_line_of_no_rules_is_offered_to_nobody() -> None:
    for rules in ({b"x": []}, {b"x": {}}, [{nn.Linear(2, 2): {}}]):
        with pytest.raises(RuleError, match="is no key of a rule table") as caught:
            plan_init(nn.Linear(2, 2), rules)  # type: ignore[arg-type]
        assert "to paste" not in str(caught.value)
