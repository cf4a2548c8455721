"""A step says in words what happens, and comes back from plain data equal."""

from __future__ import annotations

from typing import get_args

import torch
from torch import nn

from initkit import Step, plan_init
from initkit.plan import step as steps
from initkit.plan.step import Status


def test_every_status_has_a_name() -> None:
    named = {value for name, value in vars(steps).items() if name.isupper()}
    assert named == set(get_args(Status))


def test_a_step_comes_back_from_plain_data() -> None:
    model = nn.ModuleDict({"e": nn.Embedding(6, 4, padding_idx=2), "n": nn.LayerNorm(4)})
    for step in plan_init(model, {"e.*": "normal(std=0.02)", "n.weight": "keep"}):
        assert Step.from_dict(step.to_dict()) == step


def test_a_renamed_step_differs_in_its_names_alone() -> None:
    (step,) = plan_init(nn.Linear(3, 2, bias=False), {"*": "kaiming_normal"})
    other = step.renamed(("a.weight",), "a.weight")
    assert (other.name, other.seed_name) == ("a.weight", "a.weight")
    assert other.renamed(step.names, step.seed_name) == step


def test_remarks_say_what_a_row_has_no_room_for() -> None:
    embedding = nn.Embedding(6, 4, padding_idx=2)
    embedding.weight.requires_grad_(False)
    model = nn.ModuleDict({"a": embedding, "b": nn.Linear(4, 6, bias=False)})
    model["b"].weight = embedding.weight  # type: ignore[assignment]
    (step,) = plan_init(model, {"*": "trunc_normal(std=0.02)"})
    assert step.remarks == "= b.weight, row 2 zero (padding), the bounds cut nothing, frozen"
    assert step.dtype is torch.float32
