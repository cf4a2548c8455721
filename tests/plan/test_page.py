"""A page of a plan opens, filters, and hands out rules that match what they say."""

from __future__ import annotations

import ast
import html
import re
from itertools import pairwise

import pytest
from torch import nn

from initkit import plan_init
from initkit.plan import page as pages

RULES = {"*.bias": 0, "*": "normal(std=0.02)"}


def net(depth: int = 14) -> nn.Module:
    return nn.ModuleDict(
        {"h": nn.ModuleList(nn.Linear(4, 4) for _ in range(depth)), "hat": nn.PReLU()}
    )


def rules_of(page: str) -> dict[str, object]:
    """Return the rules that a page would copy, as one table."""
    found = [html.unescape(text) for text in re.findall(r'data-r="([^"]*)"', page)]
    return ast.literal_eval("{" + "".join(found) + "}")


def test_the_rules_of_all_rows_plan_the_same() -> None:
    plan = plan_init(net(), [{"h.3.weight": 1, "h.12.bias": 2}, RULES])
    table = rules_of(plan.to_html())
    assert not plan.diff(plan_init(net(), table))


def test_a_rule_matches_its_rows_alone_where_a_glob_would_match_more() -> None:
    table = rules_of(plan_init(net(), [{"h.3.weight": 1}, RULES]).to_html())
    assert table["h.3.weight"] == 1
    key = next(key for key in table if key.startswith("re:"))
    assert re.fullmatch(key.removeprefix("re:"), "h.13.weight")
    assert not re.fullmatch(key.removeprefix("re:"), "h.3.weight")


def test_parameters_that_start_as_one_copy_the_rule_over_all_of_them() -> None:
    model = nn.ModuleList(
        nn.ModuleDict({name: nn.Linear(4, 4, bias=False) for name in ("base", "down", "up")})
        for _ in range(2)
    )
    plan = plan_init(model, {"*.{base,down,up}.weight": "pissa"})
    assert rules_of(plan.to_html()) == {"*.{base,down,up}.weight": "pissa"}


def test_a_line_opens_to_its_names_without_a_script() -> None:
    page = plan_init(net(), RULES).to_html()
    inside = re.findall(
        r"<details><summary>h\.\{0\.\.13\}\.weight</summary>(.*?)</details>",
        page,
        re.DOTALL,
    )
    assert inside == ["\n".join(f"h.{i}.weight" for i in range(14))]


def test_filters_know_kinds_and_states() -> None:
    model = net()
    model["h"][2].weight.requires_grad_(False)
    model["tail"] = model["hat"]
    page = plan_init(model, {"*.weight": 0}).to_html()
    assert {"Linear", "PReLU"} == set(re.findall(r'data-k="(\w+)"', page))
    assert {"uncovered", "frozen", "tied"} == set(re.findall(r'data-s="(\w+)"', page))


@pytest.mark.parametrize("alike", [True, False])
def test_a_hundred_thousand_rows_make_a_small_page(alike: bool) -> None:
    # Fewer here, at the same number of letters a row: the budget of a row is 50.
    names = (
        f"m{i}" if alike else f"m{'abcdefghij'[i % 10]}{i}x{'klmnop'[i % 6]}" for i in range(4000)
    )
    model = nn.ModuleDict({name: nn.Linear(1, 1) for name in names})
    page = plan_init(model, RULES).to_html()
    assert len(page) < 8000 * 50


def test_what_comes_first_is_how_a_parameter_starts() -> None:
    heads = re.findall(r"<th scope[^>]*>(.*?)</th>", plan_init(net(), RULES).to_html())
    assert [heads.index(name) for name in ("name", "starts as", "shape", "rule")] == [0, 2, 3, 4]
    assert all(a != b for a, b in pairwise(heads))


def test_a_line_of_what_merely_starts_alike_copies_no_rule(monkeypatch) -> None:
    words = ("ant", "bee", "cat", "dog")
    model = nn.ModuleDict({word: nn.Linear(2, 2) for word in words})
    assert plan_init(model, RULES).to_html().count("data-r=") == 8
    monkeypatch.setattr(pages, "_MOST_LINES", 2)
    text = plan_init(model, RULES).to_html()
    assert "ant.weight and 3 more" in text
    assert "data-r=" not in text
