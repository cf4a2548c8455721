"""What a plan shows of its steps, in its text and on its page."""

from __future__ import annotations

import html
import re

import pytest
import torch
from models import tied_lm
from torch import nn

from initkit import Plan, apply_init, plan_init
from initkit.plan.display import totals


def headers(text: str) -> list[str]:
    return text.splitlines()[1].split()


def test_columns_that_say_nothing_are_left_out() -> None:
    plan = plan_init(nn.PReLU(), {"*": 0.25})
    assert headers(str(plan)) == ["name", "starts", "as", "shape", "rule"]
    heads = re.findall(r"<th scope[^>]*>(.*?)</th>", plan.to_html())
    assert heads == ["name", "starts as", "shape", "rule", "std"]


def test_the_page_draws_stds_and_sorts_by_them() -> None:
    rules = {"weight": "normal(std=0.5)", "bias": "normal(std=0.25)"}
    page = plan_init(nn.Linear(2, 2), rules).to_html()
    assert '<td class="r" style="--b:100%">0.5</td>' in page
    assert '<td class="r" style="--b:50%">0.25</td>' in page


def test_the_page_sorts_shapes_by_their_number_of_elements() -> None:
    page = plan_init(nn.Linear(30, 4), {"*": 0}).to_html()
    assert '<td class="r" data-o="120">4x30</td>' in page


def test_the_page_says_first_what_is_wrong_uncovered_and_tied() -> None:
    plan = plan_init(tied_lm(), {"typo": 0, "tokens.weight": 0})
    titles = re.findall("<h3>(.*?)</h3>", plan.to_html())
    assert titles == [
        "Problems",
        "No rule covers",
        "Tied: one memory under several names",
        "Parameters",
    ]
    assert "tokens.weight = head.weight" in plan.to_html()
    assert plan.to_html().count("ties between names") == 1


def test_a_page_shows_the_line_of_each_problem_as_the_terminal_does() -> None:
    plan = plan_init(nn.Linear(2, 2), {"wieght": 0, "*": "keep"})
    (problem,) = plan.problems
    assert problem.sentence == "the rule 'wieght' matches no parameter; did you mean 'weight'?"
    assert str(problem).splitlines()[1:] == [
        "  as written:   'wieght': 0",
        "  would match:  weight",
        "  to paste:     'weight': 0",
    ]
    assert f"<li>{problem}</li>" in html.unescape(plan.to_html()).replace("<wbr>", "")
    assert str(plan).count("to paste:") == 1


def test_a_page_says_nothing_of_what_there_is_not() -> None:
    page = plan_init(nn.Linear(2, 2), {"*": 0}).to_html()
    assert re.findall("<h3>(.*?)</h3>", page) == ["Parameters"]


@pytest.mark.parametrize("done", [False, True])
def test_totals_count_each_status_that_there_is(done: bool) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3))
    model.empty = nn.Parameter(torch.zeros(0, 3))
    plan: Plan = plan_init(model, {"0.*": 1, "1.weight": "keep", "empty": 0}, protect="0.bias")
    assert totals(plan.steps, done=done) == [
        f"{'written' if done else 'to write'}: 1 tensor, 6 elements",
        "kept by rule: 1 tensor, 9 elements",
        "kept, no rule: 1 tensor, 3 elements",
        "protected: 1 tensor, 3 elements",
        "without elements: 1 tensor, 0 elements",
    ]


def test_what_no_rule_covers_stands_above_the_table_of_plan_and_report() -> None:
    for shown in (plan_init, apply_init):
        lines = str(shown(nn.Linear(2, 3), {"weight": 0})).splitlines()
        assert lines[1] == "no rule covers bias [3]"
        assert lines[-1] == "kept, no rule: 1 tensor, 3 elements"


def test_a_rule_of_ones_own_and_a_recipe_s_both_say_what_decided_at_80_columns() -> None:
    model = nn.ModuleDict({f"h{i}": nn.Linear(9, 9) for i in range(14)})
    own = {"h13.with_a_long_name*.weight": "normal(std=0.2)"}
    model["h13"] = nn.ModuleDict({"with_a_long_name_for_a_layer": nn.Linear(9, 9)})
    text = plan_init(model, [own, "resnet/torchvision"]).text(72)
    assert re.search(r"N\(0, 0\.2\) +9x9 +h13\.with_a_long_name\*", text)
    assert "resnet" not in text.partition("\n")[2]


@pytest.mark.parametrize("width", [60, 72, 80, 100, 120])
def test_a_rule_stands_whole_beside_its_line_or_below_it_at_every_width(width: int) -> None:
    part = ("SelfAttention.query", "SelfAttention.output", "DenseReluDense.up")
    layer = {name.replace(".", "_"): nn.Linear(8, 8) for name in part}
    model = nn.ModuleDict({"encoder": nn.ModuleList(nn.ModuleDict(layer) for _ in range(6))})
    rules = {
        f"*{name.replace('.', '_')}.weight": f"normal(std=0.{i})" for i, name in enumerate(part, 1)
    }
    text = plan_init(model, [rules, {"*.bias": 0}]).text(width)
    assert "\u2026" not in text and max(map(len, text.splitlines())) <= width
    assert all(rule.removesuffix(".weight") in text for rule in rules)


def test_a_tied_embedding_is_an_embedding_in_tree_and_page() -> None:
    model = nn.ModuleDict({"tokens": nn.Embedding(8, 4), "head": nn.Linear(4, 8, bias=False)})
    model["head"].weight = model["tokens"].weight
    plan = plan_init(model, {"head.weight": 1})
    assert "Embedding" in str(plan.tree())
    assert 'data-k="Embedding"' in plan.to_html()
