"""A step's memory is found in a model again, and the padding row wherever a view shows it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initkit import plan_init
from initkit.model import ModelView
from initkit.plan import SlotLookup, padding_mask


def padded(view: str) -> nn.Module:
    model = nn.ModuleDict({"e": nn.Embedding(6, 4, padding_idx=2), "h": nn.Module()})
    weight = model["e"].weight.data
    model["h"].weight = nn.Parameter(weight.t() if view == "transposed" else weight.view(-1))
    return model


@pytest.mark.parametrize("view", ["transposed", "flat"])
def test_the_mask_covers_the_padding_row_and_nothing_else(view: str) -> None:
    model = padded(view)
    (step,) = plan_init(model, {"*": "normal"})
    lookup = SlotLookup(ModelView(model).slots)
    rows = lookup.padding(step)
    assert [(slot.name, row) for slot, row in rows] == [("e.weight", 2)]
    for slot in lookup.slots:
        mask = padding_mask(slot, rows)
        assert mask is not None and slot.tensor is not None
        slot.tensor.data.fill_(1.0)
        slot.tensor.data[mask] = 0.0
        assert torch.equal(model["e"].weight.sum(1), torch.tensor([4.0, 4, 0, 4, 4, 4]))


def test_names_of_the_model_go_before_names_without_wrappers() -> None:
    lookup = SlotLookup(ModelView(nn.DataParallel(nn.Linear(2, 2))).slots)
    assert lookup.by_name["weight"] is lookup.by_name["module.weight"]


def test_a_step_that_a_model_does_not_have_is_not_found() -> None:
    (step,) = plan_init(nn.PReLU(), {"*": 0})
    assert SlotLookup(ModelView(nn.Sequential(nn.PReLU())).slots).find(step) is None
