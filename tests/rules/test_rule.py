"""A rule combines name, type and predicate, and refuses at once what it cannot read."""

from __future__ import annotations

import pickle
import re
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from torch import nn
from torch.nn.utils import prune

from initkit import Recipe, Rule, check_init, plan_init
from initkit.errors import InitkitError, LayoutError, RuleError, UnknownNameError
from initkit.numbers import Layout
from initkit.rules import REST, All, HasTorchDefault, Name, Type
from initkit.schemes import Constant


def test_a_slot_must_meet_all_that_is_given(net: nn.Module) -> None:
    rules = [
        Rule(1, name="*.weight", type=nn.Linear, where=lambda slot: slot.tensor.shape[0] == 4),
        Rule(2, type="Linear"),
        Rule(3),
    ]
    got = plan_init(net, rules)
    assert got["head.weight"].start == "constant 1"
    assert got["body.0.weight"].start == got["head.bias"].start == "constant 2"
    assert got["conv1.weight"].start == "constant 3"


@pytest.mark.parametrize(
    ("rule", "matcher"),
    [
        (Rule(0), Name("*")),
        (Rule(0, name="a.*"), Name("a.*")),
        (Rule(0, type=[nn.Linear, "Conv*"]), Type((nn.Linear, "Conv*"))),
        (Rule(0, name="a", type="B"), All((Type(("B",)), Name("a")))),
        (REST, HasTorchDefault()),
    ],
)
def test_a_rule_stands_for_a_matcher(rule: Rule, matcher: Any) -> None:
    assert rule.matcher == matcher and str(rule) == str(matcher)


def test_a_rule_without_conditions_leaves_raw_tensors_to_what_is_computed_from_them() -> None:
    pruned = prune.identity(nn.Linear(2, 2), "weight")
    assert {step.name for step in plan_init(pruned, [Rule(0)])} == {"weight", "bias"}


def test_scheme_and_layout_are_read_at_once() -> None:
    rule = Rule("0", name="*", layout="E in out")
    assert rule.scheme == Constant(0.0) and rule.layout == Layout.parse("E in out")


def test_a_rule_may_draw_the_padding_row_like_the_others() -> None:
    model = nn.ModuleList(nn.Embedding(6, 8, padding_idx=2) for _ in range(3))
    rules = [Rule("normal", name="1.*", padding=False), {"*": "normal"}]
    plan = plan_init(model, [Recipe("mine/net", rules=rules[:1]), *rules[1:]])
    assert [step.padding for step in plan] == [2, None, 2]
    assert plan.digest() == plan_init(model, rules).digest() != plan_init(model, rules[1:]).digest()
    plan.apply(model, seed=0)
    assert [bool(m.weight[2].any()) for m in model] == [False, True, False]
    assert check_init(model, rules).ok
    assert [f.kind for f in check_init(model, rules[1:]).failures] == ["padding"]


def test_no_rule_of_a_recipe_that_draws_padding_rows_zeroes_them() -> None:
    rules = Recipe("mine/net", rules=[Rule("normal", padding=True)], padding=False)
    assert plan_init(nn.Embedding(6, 8, padding_idx=2), rules)["weight"].padding is None


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"scheme": "nromal"}, UnknownNameError, "there is no scheme 'nromal'"),
        ({"name": 3}, RuleError, "3 is no name: write a glob such as '*.weight', or a compiled"),
        ({"name": "re:("}, RuleError, "cannot read the regular expression in 're:('"),
        ({"type": 3}, RuleError, "3 is no module class; a type key is a class such as nn.Linear"),
        ({"where": 3}, RuleError, "where must be a function of the slot, not 3"),
        ({"padding": 0}, RuleError, "padding must be True or False, not 0"),
        ({"layout": 3}, LayoutError, "a layout is written like 'E in out', not 3"),
    ],
)
def test_what_a_rule_cannot_read_is_refused_where_it_is_made(
    options: dict[str, Any], kind: type[InitkitError], message: str
) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        Rule(**{"scheme": 0, **options})


def test_rules_are_frozen_values() -> None:
    rule = Rule("normal(std=0.1)", name="a.*", optional=True)
    assert rule == Rule("normal(std=0.1)", name="a.*", optional=True) != Rule(0, name="a.*")
    assert pickle.loads(pickle.dumps(rule)) == rule
    with pytest.raises(FrozenInstanceError):
        rule.name = "b"  # type: ignore[misc]
