"""The first rule that matches decides, however rules are looked up, and asking changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn, ones

from initkit import Rule, plan_init
from initkit.model import ModelView
from initkit.plan.matching import RuleTable
from initkit.rules import read_rules

MODEL = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
SLOTS = ModelView(MODEL).slots
KEYS = ["0.weight", "1.0.bias", "1.*", "*.weight", "*.bias", "*running*", "nowhere", "re:1.+", "*"]
KEYS += ["[01].*", "1.?.weight", "*.0.*", "type:Linear", "0*t", "*1*s*"]
KEYS += ["type:_NormBase", "type:Conv2d", "in:Sequential", "in:Linear", "in:Conv2d", "last:*"]


SCOPES = ["1", "in:Sequential", "in:BatchNorm1d", "in:Conv2d", "type:Linear", "type:*Norm*"]
TABLES = st.recursive(
    st.sampled_from(KEYS).map(lambda key: {key: 0}),
    lambda inner: st.tuples(st.sampled_from(SCOPES[:4]), inner).map(lambda pair: dict([pair])),
    max_leaves=2,
) | st.tuples(st.sampled_from(SCOPES[4:]), st.sampled_from(["weight", "b*"])).map(
    lambda pair: {pair[0]: {pair[1]: 0}}
)


@settings(max_examples=60, deadline=None)
@given(st.lists(TABLES, max_size=20))
def test_names_that_are_looked_up_decide_in_their_turn(tables: list[dict[str, Any]]) -> None:
    clauses = [clause for table in tables for clause in read_rules(table)]
    table = RuleTable(clauses)
    for slot in SLOTS:
        slowly = [p for p, c in enumerate(clauses) if c.matcher.matches(slot, slot.name)]
        assert table.first(slot, slot.name, slot.name) == min(slowly, default=None)
        assert list(table.every(slot, slot.name, slot.name)) == slowly


def test_a_rule_takes_a_wrapped_parameter_by_either_of_its_names() -> None:
    slot = ModelView(nn.DataParallel(nn.Linear(2, 2))).slots[0]
    assert (slot.name, slot.canonicals) == ("module.weight", ("weight",))
    for key in ("weight", "module.weight"):
        table = RuleTable(read_rules([{"other": 0}, {key: 0}]))
        assert table.first(slot, slot.name, slot.canonicals[0]) == 1


def odd() -> nn.ModuleDict:
    """A model whose names read as globs of each other's."""
    return nn.ModuleDict({
        "a[0]": nn.Linear(1, 1, bias=False),
        "a0": nn.Linear(1, 1, bias=False),
        "b?": nn.ModuleDict({"c*": nn.Linear(1, 1), "cd": nn.Linear(1, 1)}),
    })  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        ({"a[0].weight": 0}, "a[0].weight"),
        ({"a[0]": {"weight": 0}}, "a[0].weight"),
        ({"a[0]": {nn.Linear: 0}}, "a[0].weight"),
        ([Rule(0, name="a[0].weight", type=nn.Linear)], "a[0].weight"),
        ({"a[01].weight": 0}, "a0.weight"),
        ({"b?": {"c*": {"weight": 0}}}, "b?.c*.weight"),
        ({"b?": {"c*.bias": 0}}, "b?.c*.bias"),
        ({"in:ModuleDict": {"c*.bias": 0}}, "b?.c*.bias"),
        ({"b?.*.bias": 0}, "b?.c*.bias b?.cd.bias"),
    ],
)
def test_a_name_that_reads_as_a_glob_is_that_name_where_the_model_has_it(
    rules: Any, names: str
) -> None:
    assert [step.name for step in plan_init(odd(), rules).with_status("write")] == names.split()


def test_an_own_name_that_reads_as_a_glob_is_that_name() -> None:
    own = nn.ParameterDict({"w[0]": nn.Parameter(ones(1)), "w0": nn.Parameter(ones(1))})
    plan = plan_init(own, {nn.ParameterDict: {"w[0]": 0}})
    assert [step.name for step in plan.with_status("write")] == ["w[0]"]


def test_a_name_to_the_letter_speaks_for_a_tie_as_a_literal_one_does() -> None:
    model = odd()
    model["a0"].weight = model["a[0]"].weight
    (step,) = plan_init(model, {"a[0].weight": 1, "*.weight": 0}, only="a*").with_status("write")
    assert (step.rule, step.start) == ("a[0].weight", "constant 1")
