"""A plan travels as JSON and comes back equal, and its digest tells plans apart."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import pytest
import torch
from torch import Tensor, nn

from initkit import Plan, PlanError, ReadError, model_digest, plan_init
from initkit.distributions import Constant

SCHEMES = (
    "normal(std=0.02)",
    "normal(mean=1, std=0.5)",
    "uniform(-1, 2)",
    "trunc_normal(std=0.02, cutoff=2)",
    f"trunc_normal(std=0.02, low=0, high={math.inf})",
    "zero_mask_uniform",
    "kaiming_normal(nonlinearity='relu')",
    "orthogonal(gain=2)",
    "sparse(sparsity=0.5)",
    "eye",
    "constant(3)",
    "blocks(0, 'uniform(0, 1)')",
    "blocks('orthogonal', 'normal(std=1)')",
)


def back(plan: Plan) -> Plan:
    return Plan.from_json(plan.to_json())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_distribution_survives_json_bit_by_bit(scheme: str) -> None:
    model = nn.Linear(6, 8)
    plan = plan_init(model, {"weight": scheme, "bias": 0})
    read = back(plan)
    assert read.steps == plan.steps
    assert read.digest() == plan.digest()
    plan.apply(model, seed=1)
    before = model_digest(model)
    read.apply(model, seed=1)
    assert model_digest(model) == before


@pytest.mark.parametrize("recipe", ["resnext", "gpt2", "vit", "xavier_uniform", "torch_default"])
def test_recipes_survive_json(recipe: str) -> None:
    plan = plan_init(nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 2)), recipe)
    if not plan.problems:
        assert back(plan).steps == plan.steps


def test_json_is_plain_and_says_what_it_is() -> None:
    data = json.loads(plan_init(nn.Linear(2, 2), {"*": 0}).to_json(), parse_constant=pytest.fail)
    assert data["format"] == "initkit-plan-2"
    assert data["steps"][0]["names"] == ["weight"]
    assert data["rules"] == ["*: 0"] or data["rules"]


def test_the_digest_is_frozen() -> None:
    plan = plan_init(nn.Linear(4, 4), {"weight": "normal(std=0.02)", "bias": 0})
    assert plan.digest() == "f838dbe2ab5a19d1"


def test_the_digest_depends_on_what_decides_values_alone() -> None:
    def digest(rules: object, model: nn.Module | None = None) -> str:
        return plan_init(model or nn.Linear(4, 4), rules).digest()

    same = digest({"*": "normal(std=1)"})
    assert digest({"weight": "normal(std=1)", "bias": "normal(std=1)"}) == same
    assert digest({"*": "normal(std=2)"}) != same
    assert digest({"*": "normal(std=1)"}, nn.Linear(4, 5)) != same
    assert digest({"*": "normal(std=1)"}, nn.Linear(4, 4).double()) != same
    assert digest({"*": "normal(std=1)"}, nn.DataParallel(nn.Linear(4, 4))) == same


def test_a_changed_plan_is_refused() -> None:
    text = plan_init(nn.Linear(2, 2), {"*": "normal(std=0.5)"}).to_json()
    with pytest.raises(ReadError, match="^the plan was changed: its digest is [0-9a-f]{16}, not "):
        Plan.from_json(text.replace("0.5", "0.6"))


@pytest.mark.parametrize(
    ("scheme", "field", "value"),
    [
        ("orthogonal", "grid", [1, 4, 3]),
        ("orthogonal", "shape", [2, 8]),
        ("blocks('uniform(0, 1)', 0)", "size", 15),
        ("sparse(sparsity=0.5)", "zeros", 5),
        ("arange", "axis", 2),
    ],
)
def test_a_plan_whose_sizes_do_not_agree_is_refused(scheme: str, field: str, value: object) -> None:
    data = json.loads(plan_init({"a": torch.zeros(4, 4)}, {"*": scheme}).to_json())
    data["steps"][0]["distribution"][field] = value
    with pytest.raises(ReadError, match=r"no distribution of the shape \[4, 4\]"):
        Plan.from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "initkit-plan-1"}', "null"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(ReadError, match="^this is no plan that initkit wrote: "):
        Plan.from_json(text)


def test_another_format_is_named() -> None:
    text = "this is a 'later', and 'initkit-plan-1' and 'initkit-plan-2' are known here"
    with pytest.raises(ReadError, match=f"^{text}$"):
        Plan.from_json('{"format": "later"}')


def test_a_users_function_cannot_travel_as_json() -> None:
    def mine(tensor: Tensor) -> None:
        tensor.fill_(1)

    plan = plan_init(nn.Linear(2, 2), {"weight": mine, "bias": 0})
    with pytest.raises(ReadError, match="^JSON cannot carry the function that starts weight$"):
        plan.to_json()


def test_a_plan_with_problems_is_not_written() -> None:
    with pytest.raises(PlanError):
        plan_init(nn.Linear(2, 2), {"nothing": 0, "*": 0}).to_json()


def test_a_step_that_is_like_another_is_written_once() -> None:
    model = nn.Sequential(*(nn.Linear(3, 3) for _ in range(3)), nn.Embedding(4, 3, padding_idx=1))
    model[2].weight = model[1].weight
    model = nn.Sequential(nn.DataParallel(model), nn.Linear(3, 3))
    plan = plan_init(model, {"*.weight": "kaiming_normal", "*.bias": f"{math.pi}"})
    text = plan.to_json()
    rows = json.loads(text)["steps"]
    assert rows[4:6] == [
        {"names": ["0.module.2.bias"], "seed_name": "0.2.bias", "like": 1},
        {**rows[5], "padding": 1},
    ]
    assert [row["like"] for row in rows if "like" in row] == [1, 1, 0, 1]
    assert Plan.from_json(text).steps == plan.steps


def test_numbers_that_are_equal_and_written_otherwise_stay_apart() -> None:
    plan = plan_init(nn.ModuleList(nn.Linear(1, 1, bias=False) for _ in range(3)), {"*": 0})
    first, second, third = plan.steps
    steps = [
        dataclasses.replace(step, distribution=Constant(value))
        for step, value in ((first, 0.0), (second, -0.0), (third, 0.0))
    ]
    read = back(Plan(steps, []))
    assert [math.copysign(1, s.distribution.value) for s in read.steps] == [1, -1, 1]


def test_plans_of_the_first_format_are_read() -> None:
    plan = plan_init(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)), {"*": "normal(std=0.02)"})
    data = {"format": "initkit-plan-1", "digest": plan.digest(), **plan.to_dict()}
    text = json.dumps(data | {"rules": list(plan.rules), "idle": []})
    assert Plan.from_json(text).steps == plan.steps


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"names": ["b"], "like": 3}, "list index out of range"),
        ({"names": ["b"], "like": -1}, "names ['b'] like -1"),
        ({"names": ["b"], "like": True}, "names ['b'] like True"),
        ({"names": [], "like": 0}, "list index out of range"),
        ({"names": [1], "like": 0}, "names [1, 1]"),
        ({"names": "b", "like": 0}, "names 'b' like 0"),
        ({"like": 0}, "KeyError('names')"),
    ],
)
def test_a_row_that_is_like_none_is_refused(row: object, text: str) -> None:
    data = json.loads(plan_init({"a": torch.zeros(4, 4)}, {"*": 0}).to_json())
    data["steps"].append(row)
    with pytest.raises(ReadError, match=f"^step 1 is none that initkit wrote: .*{re.escape(text)}"):
        Plan.from_json(json.dumps(data))


def test_a_row_like_a_tied_step_is_refused() -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    data = json.loads(plan_init(model, {"*": 0}).to_json())
    data["steps"].append({"names": ["b"], "like": 0})
    with pytest.raises(ReadError, match="step 0 is tied, or has a history, and no other is like"):
        Plan.from_json(json.dumps(data))
