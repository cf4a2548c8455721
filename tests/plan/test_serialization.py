"""A plan travels as JSON and comes back equal, and its digest tells plans apart."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor, nn

from initkit import Plan, PlanError, ReadError, model_digest, plan_init

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
    assert data["format"] == "initkit-plan-1"
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
    with pytest.raises(ReadError, match="^this is a 'later', and 'initkit-plan-1' is known here$"):
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
