"""A generic rule above a recipe for some modules says what the recipe would have done."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from initkit import Plan, Recipe, apply_init, plan_init
from initkit.rules import read_key


class Mixer(nn.Module):
    """The parameters of a Mamba layer, under the names that its recipe knows."""

    def __init__(self) -> None:
        super().__init__()
        self.A_log = nn.Parameter(torch.ones(8, 4))
        self.in_proj = nn.Linear(4, 16, bias=False)
        self.dt_proj = nn.Linear(2, 8)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Mixer(), Mixer()])
        self.head = nn.Linear(4, 4)


LINEAR = {nn.Linear: {"weight": "normal(std=0.02)", "bias": 0}}
SCOPED: dict[str, Any] = {"in:Mixer": "mamba/original"}
REST = {"*": "keep"}
DT = "instead of mamba/original's U(-0.7071, 0.7071)"


def remarks(rules: Any, model: nn.Module | None = None) -> dict[str, str]:
    plan = plan_init(model or Net(), rules)
    return {step.name: step.remarks for step in plan if "instead of" in step.remarks}


@pytest.mark.parametrize(
    "rules",
    [
        [LINEAR, SCOPED, REST],
        [LINEAR, {"layers.?": "mamba/original"}, REST],
        [{"role:weight": "normal", "role:bias": 0}, SCOPED, REST],
        [{"*.weight": "normal", "*.bias": 0}, SCOPED, REST],
        [{nn.Linear: "keep"}, SCOPED, REST],
        ["torch_default", SCOPED, REST],
        [LINEAR, "mamba/original"],  # the recipe is for all, and this rule of it for a few
    ],
)
def test_what_a_generic_rule_takes_from_a_recipe_is_remarked_on(rules: Any) -> None:
    assert remarks(rules)["layers.1.dt_proj.weight"] == DT


@pytest.mark.parametrize(
    "rules",
    [
        [SCOPED, LINEAR, REST],  # in the order that was meant
        [{"*.dt_proj.*": 0}, SCOPED, REST],  # an exception that names what it takes
        [{"layers.0.dt_proj.weight": 0}, SCOPED, REST],
        [{"in:Mixer": {"dt_proj.*": 0}}, SCOPED, REST],
        [{"head.*": 0}, "torch_default"],
        [{nn.Linear: {"weight": "normal", "bias": 0}}, "xavier_uniform"],  # as much as it is for
        [{"*.weight": "normal", "*.bias": 0, "*": "keep"}],
    ],
)
def test_an_exception_and_a_plain_override_stay_quiet(rules: Any) -> None:
    assert remarks(rules) == {}


def test_only_what_would_start_otherwise_is_remarked_on() -> None:
    mine = Recipe("mine/net", rules={"*.weight": "normal(std=0.02)", "*.bias": 1, "*": "keep"})
    assert remarks([LINEAR, {"head": mine}, REST]) == {
        "head.bias": "instead of mine/net's constant 1"
    }
    assert remarks([{"*": "normal"}, {"head": Recipe("mine/two", rules={"*": "keep"})}]) == {
        "head.weight": "instead of mine/two's keep",
        "head.bias": "instead of mine/two's keep",
    }
    assert remarks([{"*": "keep"}, {"head": Recipe("mine/two", rules={"*": "keep"})}]) == {}


def test_the_users_own_rule_between_them_would_decide_and_nothing_is_lost_to_the_recipe() -> None:
    own = {"*.dt_proj.*": 1}
    assert "layers.0.dt_proj.weight" not in remarks([LINEAR, {"idle": 0}, own, SCOPED, REST])


def test_the_remark_stands_in_table_text_page_data_and_report_and_moves_no_digest() -> None:
    model = Net()
    plan = plan_init(model, [LINEAR, SCOPED])
    report = apply_init(model, [LINEAR, SCOPED], seed=0)
    shown = (plan.table(), str(plan), json.dumps(plan.to_dict()), plan.to_json(), str(report))
    assert all(DT in text for text in (*shown, json.dumps(report.to_dict())))
    assert "instead of mamba/original" in plan.to_html() and "instead of" in report.to_html()
    assert Plan.from_json(plan.to_json())["layers.0.dt_proj.weight"].note == DT
    quiet = plan.replaced(steps=[replace(step, note="") for step in plan])
    assert plan.digest() == quiet.digest()


@pytest.mark.parametrize(
    ("key", "generic"),
    [
        (nn.Linear, True), ("type:Linear", True), ("role:bias", True), ("torch:*", True),
        ("*", True), ("*.weight", True), ("*bias*", True), ("weight", False), ("fc.*", False),
        ("*.fc.weight", False), ("re:.*", False), ("in:Block", False), ("last:*", False),
    ],
)  # fmt: skip
def test_a_key_is_generic_where_it_names_no_module(key: Any, generic: bool) -> None:
    assert read_key(key).generic is generic
