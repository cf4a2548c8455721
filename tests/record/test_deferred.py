"""Models that are built without values start as their own code would have started them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initkit import (
    DeferredError,
    PlanError,
    check_init,
    deferred,
    materialize,
    model_digest,
    record_init,
)


class Net(nn.Module):
    """Draws, tables, copies, padding, and functions of torch that do nothing on meta."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 8) * 0.02)
        self.cut = nn.Parameter(torch.empty(4, 8))
        nn.init.trunc_normal_(self.cut, std=0.5, a=-1, b=1)
        self.rotated = nn.Linear(8, 8)
        nn.init.orthogonal_(self.rotated.weight)
        self.place = nn.Parameter(torch.arange(6.0).view(2, 3))
        self.later = nn.Parameter(torch.zeros(2, 3))
        self.later.data.copy_(torch.arange(6.0).view(2, 3))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.words = nn.Embedding(6, 8, padding_idx=1)
        self.head = nn.Linear(8, 6, bias=False)
        self.head.weight = self.words.weight


def test_a_deferred_model_gets_the_values_that_its_recorded_plan_gives() -> None:
    plan, eager = record_init(Net), Net()
    plan.apply(eager, seed=0)
    with deferred(record=True):
        model = Net()
    assert all(parameter.is_meta for parameter in model.parameters())
    report = materialize(model, "cpu", seed=0)
    assert not report.plan.diff(plan)
    assert report.plan.digest() == plan.digest()
    assert model_digest(model) == model_digest(eager)
    assert check_init(Net(), report.plan).ok
    first, second = model.encoder.layers
    assert torch.equal(first.linear1.weight, second.linear1.weight)


def test_models_put_together_later_have_numbers_of_their_own() -> None:
    with deferred(record=True):
        one, two = Net(), Net()
    both = nn.ModuleDict({"one": one, "two": two})
    materialize(both, seed=0)
    assert not torch.equal(one.rotated.weight, two.rotated.weight)
    assert torch.equal(one.encoder.layers[0].linear1.weight, one.encoder.layers[1].linear1.weight)


def test_a_part_of_a_deferred_model_gets_its_part_of_the_numbers() -> None:
    def build() -> nn.ModuleDict:
        with deferred(record=True):
            return nn.ModuleDict({name: nn.Linear(4, 4) for name in "abc"})

    whole, stage = build(), build()
    del stage["a"]  # as a stage of a pipeline does
    reports = materialize(whole, seed=3), materialize(stage, seed=3)
    assert torch.equal(stage["b"].weight, whole["b"].weight)
    assert reports[0].plan.digest() == record_init(build_eagerly).digest()


def build_eagerly() -> nn.Module:
    """Return the same model with values."""
    return nn.ModuleDict({name: nn.Linear(4, 4) for name in "abc"})


def test_what_no_distribution_explains_is_refused_by_name() -> None:
    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 2) @ torch.randn(2, 4))

    with deferred(record=True):
        model = Product()
    with pytest.raises(PlanError) as caught:
        materialize(model, seed=0)
    assert (
        "weight [4, 4]: its own code draws what no distribution explains (mm(N(0, 1), N(0, 1))); "
        "start it by rules, with apply_init"
    ) in str(caught.value)


def test_code_that_reads_drawn_values_is_told_the_way_out() -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3))
            if self.weight.sum() > 0:
                nn.init.zeros_(self.weight)

    with (
        pytest.raises(DeferredError, match="initkit.record_init, and apply that plan"),
        deferred(record=True),
    ):
        Reads()


def test_a_recorded_block_leaves_the_generator_alone() -> None:
    before = torch.get_rng_state()
    with deferred(record=True):
        Net()
    assert torch.equal(before, torch.get_rng_state())
