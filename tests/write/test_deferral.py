"""Models constructed without values keep their ties, their buffers and their errors."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
import torch
from models import ZOO, tied_lm
from torch import nn
from torch.nn.utils import parametrizations

import initkit
from initkit import (
    DeferredError,
    PlanError,
    apply_init,
    deferred,
    model_digest,
)

DEFAULT = [{"tokens.weight": "normal(std=0.02)"}, "torch_default"]


def test_parameters_are_on_meta_and_buffers_are_real() -> None:
    with deferred():
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    assert all(p.is_meta for p in model.parameters())
    assert model[1].running_var.tolist() == [1.0] * 4
    assert isinstance(model[0].weight, nn.Parameter)


def test_values_are_those_of_a_model_that_was_not_deferred() -> None:
    with deferred():
        model = tied_lm()
    apply_init(model, DEFAULT, seed=1)
    whole = tied_lm()
    apply_init(whole, DEFAULT, seed=1)
    assert model_digest(model) == model_digest(whole)
    assert model.head.weight is model.tokens.weight
    assert not model.tokens.weight[0].any(), "the padding row"


@pytest.mark.parametrize("name", [name for name in ZOO if name not in ("parametrized", "experts")])
def test_the_zoo_constructs_deferred_and_starts_as_always(name: str) -> None:
    with deferred():
        model = ZOO[name]()
    whole = ZOO[name]()
    rules = [{"foreign.weight": 1, "tokens.weight": "normal(std=0.02)"}, "torch_default"]
    report = apply_init(model, rules, seed=2, idle="ignore")
    assert report.digest == apply_init(whole, rules, seed=2, idle="ignore").digest
    assert model_digest(model) == model_digest(whole)
    assert not any(p.is_meta for p in model.parameters())


def test_the_global_generator_is_left_as_it_was() -> None:
    before = torch.get_rng_state()
    with deferred():
        nn.Linear(100, 100)
        nn.Parameter(torch.randn(1000))
    assert torch.equal(torch.get_rng_state(), before)


class Ties(nn.Module):
    """Ties of every kind, made in a constructor."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4, bias=False)
        self.b = nn.Linear(4, 4, bias=False)
        self.b.weight = self.a.weight
        storage = torch.empty(32)
        self.c = nn.Parameter(storage[:16].view(4, 4))
        self.d = nn.Parameter(storage[:16].view(16))
        self.e = nn.Parameter(self.a.weight.data.t())
        self.again = self.a


def test_ties_made_in_constructors_are_kept() -> None:
    with deferred():
        model = Ties()
    groups = [list(group) for group in initkit.find_tied_parameters(model)]
    assert groups == [list(group) for group in initkit.find_tied_parameters(Ties())]
    apply_init(model, {"*": "normal(std=1)"}, seed=0)
    whole = Ties()
    apply_init(whole, {"*": "normal(std=1)"}, seed=0)
    assert [list(group) for group in initkit.find_tied_parameters(model)] == groups
    assert model.c.data_ptr() == model.d.data_ptr()
    assert model.e.data_ptr() == model.a.weight.data_ptr()
    assert torch.equal(model.e, whole.e)
    assert torch.equal(model.d, whole.d)


def test_a_freed_storage_whose_place_is_used_again_makes_no_tie() -> None:
    with deferred():
        model = nn.ModuleList([nn.Linear(8, 8, bias=False) for _ in range(20)])
    assert initkit.find_tied_parameters(model) == []


def test_only_the_thread_that_entered_defers() -> None:
    made: list[nn.Module] = []
    with deferred():
        other = threading.Thread(target=lambda: made.append(nn.Linear(2, 2)))
        other.start()
        other.join()
        mine = nn.Linear(2, 2)
    assert mine.weight.is_meta
    assert not made[0].weight.is_meta
    assert not nn.Linear(2, 2).weight.is_meta, "the block has ended"


def test_buffers_that_constructors_compute_are_right() -> None:
    class Rotary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            inverse = 1.0 / 10000 ** (torch.arange(0, 8, 2) / 8)
            self.register_buffer("inverse", inverse, persistent=False)
            self.proj = nn.Linear(8, 8)

    with deferred():
        model = Rotary()
    apply_init(model, "torch_default", seed=0)
    assert torch.equal(model.inverse, Rotary().inverse)


def test_a_copy_and_a_pickle_of_a_deferred_model_are_deferred_too() -> None:
    with deferred():
        model = tied_lm()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        apply_init(twin, DEFAULT, seed=1)
        assert twin.head.weight is twin.tokens.weight
    assert model.head.weight.is_meta


class Reads(nn.Module):
    """A constructor that reads a value."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.scale = float(self.weight.sum())


def test_an_attribute_computed_from_deferred_parameters_is_told_by_name() -> None:
    class Derived(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))
            self.double = self.weight.detach() * 2
            self.alias = [self.weight]

    with deferred():
        model = nn.ModuleDict({"inner": Derived()})
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"*": 1}, seed=0)
    assert str(caught.value) == (
        "nothing was written: on the meta device, which holds no values: inner.double; these "
        "attributes were computed from deferred parameters; compute them in forward"
    )


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_weights_behind_doors_are_deferred_too() -> None:
    def build() -> nn.Module:
        return nn.ModuleDict(
            {
                "new": nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)),
                "old": nn.utils.weight_norm(nn.Linear(4, 3)),
            }
        )

    with deferred():
        model = build()
    rules = {"*.weight": "orthogonal", "*.bias": 0}
    apply_init(model, rules, seed=0)
    whole = build()
    apply_init(whole, rules, seed=0)
    assert torch.allclose(model["new"].weight, whole["new"].weight)
    assert torch.allclose(model["old"].weight, whole["old"].weight)
    x = torch.randn(2, 4)
    assert torch.allclose(model["old"](x), whole["old"](x))


def test_a_constructor_that_reads_values_is_told() -> None:
    message = "needs the values of its parameters, which are deferred"
    with pytest.raises(DeferredError, match=message), deferred():
        Reads()
    assert not nn.Linear(2, 2).weight.is_meta


@pytest.mark.parametrize(
    "read",
    [
        lambda weight: weight.detach().numpy(),
        lambda weight: torch.equal(weight, torch.ones(3, 3)),
        lambda weight: torch.unique(weight),
        lambda weight: f"{weight.sum():.3f}",
        lambda weight: setattr(weight, "data", torch.eye(3)),
        lambda weight: torch.from_dlpack(weight.detach()),
        lambda weight: weight.share_memory_(),
        lambda weight: weight.to("cpu"),
        lambda weight: torch.cat([weight, torch.ones(3, 3)]),
    ],
    ids=["numpy", "equal", "unique", "format", "data", "dlpack", "share", "to", "cat"],
)
def test_every_way_to_need_values_is_told(read: Callable[[torch.Tensor], object]) -> None:
    message = "needs the values of its parameters, which are deferred"
    with pytest.raises(DeferredError, match=message), deferred():
        read(nn.Linear(3, 3).weight)


@pytest.mark.parametrize("text", ["mine", "missing metadata", "a metaclass conflict"])
@pytest.mark.parametrize("kind", [RuntimeError, TypeError])
def test_an_error_of_the_constructor_stays_its_own(kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=f"^{text}$") as caught, deferred():
        raise kind(text)
    assert not isinstance(caught.value, DeferredError)


def pair() -> nn.Module:
    return nn.ModuleDict({"q": nn.Linear(3, 4), "k": nn.Linear(3, 4)})


def load(model: nn.ModuleDict) -> None:
    model["k"].load_state_dict(model["q"].state_dict())


def copy_each(model: nn.ModuleDict) -> None:
    for mine, other in zip(model["k"].parameters(), model["q"].parameters(), strict=True):
        mine.data.copy_(other.data)


def set_data(model: nn.ModuleDict) -> None:
    for mine, other in zip(model["k"].parameters(), model["q"].parameters(), strict=True):
        mine.data = other.data.clone()


def deep_copy(model: nn.ModuleDict) -> None:
    model["k"] = copy.deepcopy(model["q"])


def new_parameter(model: nn.ModuleDict) -> None:
    model["k"].weight = nn.Parameter(model["q"].weight.detach().clone())


def computed(model: nn.ModuleDict) -> None:
    model["k"].weight.data.lerp_(model["q"].weight.data, 0.5)


def rows(model: nn.ModuleDict) -> None:
    model["k"].weight.data[1:].copy_(model["q"].weight.data[1:])


@pytest.mark.parametrize(
    "copies", [load, copy_each, set_data, deep_copy, new_parameter, computed, rows]
)
def test_a_parameter_made_of_another_is_refused_by_name(
    copies: Callable[[nn.Module], None],
) -> None:
    text = r"made deferred parameters of others, .*: k.weight from q.weight"
    with pytest.raises(DeferredError, match=text), deferred():
        model = pair()
        copies(model)


def test_copies_that_are_written_anew_or_tied_are_none() -> None:
    with deferred():
        model = pair()
        load(model)
        model["k"].reset_parameters()
        model["tied"] = model["q"]
        prototype = nn.TransformerEncoderLayer(4, 2)
        stack = nn.TransformerEncoder(prototype, 2, enable_nested_tensor=False)
    assert all(p.is_meta for p in stack.parameters())


def test_a_copy_whose_source_was_written_anew_follows_nothing() -> None:
    with deferred():
        model = pair()
        load(model)
        model["q"].reset_parameters()


def test_a_target_network_beside_its_model_is_refused_too() -> None:
    text = "weight from weight of another model, bias from bias of another model"
    with pytest.raises(DeferredError, match=text), deferred():
        online, target = nn.Linear(2, 2), nn.Linear(2, 2)
        target.load_state_dict(online.state_dict())


def test_raw_tensors_of_one_weight_may_follow_each_other() -> None:
    with deferred():
        model = parametrizations.weight_norm(nn.Linear(3, 4))
    apply_init(model, {"*": "normal"}, seed=0)
    assert model.weight.isfinite().all()


def test_deferring_imports_no_compiler() -> None:
    code = (
        "import sys, torch, initkit\n"
        "with initkit.deferred(): torch.nn.Linear(2, 2)\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
