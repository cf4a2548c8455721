"""A diff says what another plan does differently, like things in one line."""

from __future__ import annotations

import re

import pytest
from torch import nn

from initkit import TargetError, plan_init

MODEL = nn.Sequential(*(nn.Linear(4, 4) for _ in range(8)), nn.PReLU())
ONE = plan_init(MODEL, {"*": "normal(std=0.02)"})
OTHER = plan_init(MODEL, {"3.weight": 0, "*.bias": 0, "*": "normal(std=0.01)"})


def test_like_differences_are_one_line_and_an_odd_one_stands_apart() -> None:
    assert str(ONE.diff(OTHER)).splitlines() == [
        "~ {0..2,4..8}.weight  x8  N(0, 0.02) -> N(0, 0.01)",
        "~ {0..7}.bias  x8  N(0, 0.02) -> constant 0",
        "~ 3.weight  N(0, 0.02) -> constant 0",
        "17 differences",
    ]


def test_without_folding_each_has_a_line() -> None:
    diff = ONE.diff(OTHER)
    assert len(diff.text(fold=False).splitlines()) - 1 == len(diff) == 17
    assert [row for fold in diff.folds for row in fold.rows if row not in diff.changes] == []


def test_equal_plans_have_no_difference(capsys: pytest.CaptureFixture[str]) -> None:
    diff = ONE.diff(ONE)
    assert not diff and len(diff) == 0 and str(diff) == "no difference" and diff.to_dict() == []
    diff.show()
    assert capsys.readouterr().out == "no difference\n"
    assert "no difference" in diff.to_html()


def test_a_page_sets_both_side_by_side() -> None:
    page = ONE.diff(OTHER).to_html()
    mine, other = "N(0, 0.02), 4x4<small>*</small>", "constant 0, 4x4<small>3.weight</small>"
    assert f"<td>{mine}</td><td>{other}</td>" in page


def test_a_page_says_besides_what_neither_side_shows() -> None:
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    other.weight.requires_grad_(False)
    mine, theirs = (
        {"weight": "normal(std=0.02)", "bias": 0},
        {"weight": "normal(std=0.01)", "bias": 1},
    )
    page = plan_init(one, mine).diff(plan_init(other, theirs)).to_html()
    assert re.findall("<th scope[^>]*>(.*?)</th>", page) == [
        "name",
        "this plan",
        "the other",
        "change",
    ]
    assert "<td>std x0.5, frozen</td></tr>" in page and "<td></td></tr>" in page
    other.requires_grad_(True)
    page = plan_init(one, {"*": 0}).diff(plan_init(other, {"*": 1})).to_html()
    assert re.findall("<th scope[^>]*>(.*?)</th>", page) == ["name", "this plan", "the other"]


def test_each_sign_has_its_colour() -> None:
    part = plan_init(nn.Sequential(nn.Linear(4, 4)), {"*": 0})
    tones = {line.text[0]: line.tone for line in part.diff(OTHER).lines()}
    assert tones == {"~": "warning", "+": "good", "1": ""}
    assert {line.tone for line in OTHER.diff(part).lines()} == {"warning", "error", ""}


def test_another_dtype_or_a_frozen_tensor_is_a_difference() -> None:
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    other.weight.requires_grad_(False)
    other.bias.data = other.bias.data.double()
    diff = plan_init(one, {"*": 0}).diff(plan_init(other, {"*": 0}))
    told = ["~ weight  frozen", "~ bias  dtype float32 -> float64"]
    assert str(diff).splitlines() == [*told, "2 differences"]


def test_numbers_that_differ_a_little_have_as_many_digits_as_make_them_differ() -> None:
    model = nn.Linear(4, 4)
    one = plan_init(model, {"weight": "normal(std=0.02)", "bias": 0.1})
    other = plan_init(model, {"weight": "normal(std=0.02000001)", "bias": 0.1000000001})
    assert str(one.diff(other)).splitlines() == [
        "~ weight  N(0, 0.02) -> N(0, 0.02000001)",
        "~ bias  constant 0.1 -> constant 0.1000000001",
        "2 differences",
    ]


def test_of_many_that_differ_a_little_the_range_is_told() -> None:
    model = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(4)))
    rules = [
        {f"{i}.weight": f"normal(std={0.02 + i * 1e-9})" for i in range(1, 4)},
        {"*": "normal(std=0.02)"},
    ]
    diff = plan_init(model, {"*": "normal(std=0.02)"}).diff(plan_init(model, rules))
    told = "~ {1..3}.weight  x3  N(0, 0.02) -> N(0, 0.020000001..0.020000003)"
    assert str(diff) == f"{told}\n3 differences"


def test_bounds_that_mirror_each_other_are_told_as_plans_tell_them() -> None:
    model = nn.Sequential(*(nn.Linear(4**i, 4, bias=False) for i in range(1, 4)))
    diff = plan_init(model, {"*": 0}).diff(plan_init(model, {"*": "xavier_uniform"}))
    assert str(diff).startswith("~ {0..2}.weight  x3  constant 0 -> U(\u00b10.297..0.866)\n")


def test_what_is_no_plan_is_refused_by_what_it_is() -> None:
    with pytest.raises(TargetError, match="compared with another plan, not with 'x'"):
        ONE.diff("x")  # type: ignore[arg-type]


def test_what_is_no_plan_is_told_in_a_line() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with pytest.raises(TargetError) as caught:
        plan_init(model, {"*": 0}).diff(model)
    assert str(caught.value) == (
        "a plan is compared with another plan, not with a Sequential; "
        "plan_init(model, rules) makes one"
    )
