"""Of a rule that decides, words in braces that match no parameter are remarked on."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from initkit import Rule, apply_init, plan_init


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        block = {"qkv": nn.Linear(4, 12), "proj": nn.Linear(4, 4)}
        self.blocks = nn.ModuleList([nn.ModuleDict(block) for _ in range(3)])
        self.head = nn.Linear(4, 2)


NET = Net()


def remarks(rule: Any, **options: Any) -> list[str]:
    plan = plan_init(NET, [rule, {"*": "keep"}], **options)
    assert not plan.problems
    return list(plan.remarks)


@pytest.mark.parametrize(
    ("rule", "remark"),
    [
        (
            {"blocks.*.{qkv,prj}.weight": 0},
            (
                "of the rule 'blocks.*.{qkv,prj}.weight' 'prj' matches no parameter; "
                "did you mean 'proj'?"
            ),
        ),
        ({"blocks.{0..3}.*": 0}, "of the rule 'blocks.{0..3}.*' '3' matches no parameter"),
        (
            {"blocks.{0..9}.*": 0},
            "of the rule 'blocks.{0..9}.*' '3', '4', '5', '6', ... match no parameter",
        ),
        (
            {"blocks.0": {"{qkv,zzz}.bias": 0}},
            "of the rule 'blocks.0: {qkv,zzz}.bias' 'zzz' matches no parameter",
        ),
        (
            {nn.Linear: {"{weight,bais}": 0}},
            "of the rule 'Linear.{weight,bais}' 'bais' matches no parameter; did you mean 'bias'?",
        ),
        (
            Rule(0, name="{head,haed}.bias"),
            "of the rule '{head,haed}.bias' 'haed' matches no parameter; did you mean 'head'?",
        ),
        (
            {"{head,hed}.{weight,wieght}": 0},
            (
                "of the rule '{head,hed}.{weight,wieght}' 'hed', 'wieght' match no parameter; "
                "did you mean 'head' or 'weight'?"
            ),
        ),
    ],
)
def test_a_word_in_braces_that_matches_nothing_is_told(rule: Any, remark: str) -> None:
    assert remarks(rule) == [remark]


@pytest.mark.parametrize(
    "rule",
    [
        {"blocks.*.{qkv,proj}.weight": 0},
        {"blocks.{0..2}.*": 0},
        {"blocks.{0..2}.{qkv,proj}.weight": 0},
        {"re:.{1,2}ead.weight": 0},
        Rule(0, name="{head,blocks.0.qkv}.bias"),
    ],
)
def test_words_that_all_match_and_counts_of_expressions_are_not_told(rule: Any) -> None:
    assert remarks(rule) == []


def test_a_table_that_is_for_many_models_is_not_told_of_such_words() -> None:
    assert remarks({"{head,classifier}.bias": 0}, idle="ignore") == []


def test_a_word_that_matches_what_a_rule_above_takes_is_not_idle() -> None:
    rules = [{"head.bias": 1}, {"{head,blocks.0.qkv}.bias": 0}, {"*": "keep"}]
    assert list(plan_init(NET, rules).remarks) == []


def test_of_a_name_that_has_braces_itself_nothing_is_told() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_parameter("{a,b}", nn.Parameter(nn.Linear(2, 2).weight))

    assert list(plan_init(Odd(), {"{a,b}": 0}).remarks) == []


def test_a_remark_stands_above_the_table_of_plan_report_and_page() -> None:
    rules = [{"{head,haed}.bias": 0}, {"*": "keep"}]
    plan, report = plan_init(NET, rules), apply_init(NET, rules, seed=0)
    for text in (str(plan), str(report), plan.to_html(), report.to_html()):
        assert 0 < text.index("matches no parameter") < text.index("starts as")
