"""Tensors on meta get their memory in place, once, and never hold garbage."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import initkit
from initkit import (
    PlanError,
    apply_init,
    deferred,
    model_digest,
)


def test_objects_attributes_hooks_and_an_optimizer_stay_valid() -> None:
    with deferred():
        model = nn.Linear(3, 1)
    weight = model.weight
    weight.note = "mine"
    hook = weight.register_hook(lambda gradient: gradient * 2)
    seen = []
    weight.register_post_accumulate_grad_hook(seen.append)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    apply_init(model, {"weight": 1, "bias": 0}, seed=0)
    assert model.weight is weight
    assert weight.note == "mine"
    model(torch.ones(1, 3)).sum().backward()
    assert weight.grad.tolist() == [[2.0, 2.0, 2.0]]
    assert len(seen) == 1
    assert seen[0] is weight
    optimizer.step()
    assert model.weight.tolist() == [[-1.0, -1.0, -1.0]]
    hook.remove()
    weight.grad = None
    model(torch.ones(1, 3)).sum().backward()
    assert weight.grad.tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_modules_compute_with_their_new_weights(kind: type[nn.RNNBase]) -> None:
    with deferred():
        model = kind(4, 5, num_layers=2, bidirectional=True)
    apply_init(model, "torch_default", seed=0)
    whole = kind(4, 5, num_layers=2, bidirectional=True)
    apply_init(whole, "torch_default", seed=0)
    x = torch.randn(3, 2, 4)
    assert torch.equal(model(x)[0], whole(x)[0])
    assert all(a is b for a, b in zip(model._flat_weights, model.parameters(), strict=True))
    model(x)[0].sum().backward()
    assert model.weight_hh_l1.grad is not None
    assert torch.equal(copy.deepcopy(model)(x)[0], whole(x)[0])


def test_recurrent_modules_on_meta_may_share_weights() -> None:
    with torch.device("meta"):
        model = nn.ModuleList([nn.LSTM(4, 4), nn.LSTM(4, 4, num_layers=2)])
        model[1].weight_ih_l0 = model[1].weight_ih_l1 = model[0].weight_ih_l0
    apply_init(model, "xavier_uniform", seed=0, device="cpu")
    shared = model[0].weight_ih_l0
    assert [list(group) for group in initkit.find_tied_parameters(model)] == [
        ["0.weight_ih_l0", "1.weight_ih_l0", "1.weight_ih_l1"]
    ]
    assert model[1]._flat_weights[0] is model[1]._flat_weights[4] is shared
    model[1](model[0](torch.randn(3, 2, 4))[0])[0].sum().backward()


def test_overlaps_on_meta_of_which_none_holds_the_others_are_written_once() -> None:
    def build(device: str) -> nn.Module:
        base, model = torch.zeros(8, device=device), nn.Module()
        model.a, model.b = nn.Parameter(base[:5]), nn.Parameter(base[3:])
        return model

    model, whole = build("meta"), build("cpu")
    apply_init(model, {"*": "normal(std=1)"}, seed=0, device="cpu")
    apply_init(whole, {"*": "normal(std=1)"}, seed=0)
    assert [g.kind for g in initkit.find_tied_parameters(model)] == ["overlap"]
    assert torch.equal(model.a, whole.a) and torch.equal(model.b, whole.b)


def test_recurrent_modules_on_meta_keep_their_parameters() -> None:
    model = nn.LSTM(4, 5, device="meta")
    kept = list(model.parameters())
    apply_init(model, "torch_default", seed=0, device="cpu")
    assert all(a is b for a, b in zip(kept, model.parameters(), strict=True))
    model(torch.randn(3, 2, 4))[0].sum().backward()


def test_strides_dtypes_and_frozenness_are_kept() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.t = nn.Parameter(torch.empty(3, 5).t(), requires_grad=False)
            self.short = nn.Parameter(torch.empty(4, dtype=torch.bfloat16))
            self.counts = nn.Parameter(torch.zeros(3, dtype=torch.int64), requires_grad=False)

    with deferred():
        model = Odd()
    apply_init(model, {"counts": 7, "*": "uniform(0, 1)"}, seed=0)
    whole = Odd()
    apply_init(whole, {"counts": 7, "*": "uniform(0, 1)"}, seed=0)
    assert model.t.stride() == (1, 5)
    assert not model.t.requires_grad
    assert model_digest(model) == model_digest(whole)


def test_vectors_of_spectral_norm_are_found_from_the_weight() -> None:
    with deferred():
        model = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3))
    apply_init(model, {"*": "normal(std=1)"}, seed=0)
    norm = torch.linalg.matrix_norm(model.eval().weight, 2)
    assert torch.allclose(norm, torch.ones(()), atol=1e-5)


def test_no_rule_on_memory_that_holds_nothing_is_an_error_by_name() -> None:
    with deferred():
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"0.*": 0, "1.weight": "keep"}, seed=0)
    assert str(caught.value) == (
        "nothing was written: on the meta device, which holds no values: 1.weight, 1.bias; no rule "
        "writes these parameters, which would hold garbage"
    )
    assert model[0].weight.is_meta, "nothing was written"


def test_a_meta_model_needs_a_device_and_a_deferred_one_does_not() -> None:
    with torch.device("meta"):
        model = nn.Linear(2, 2)
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"*": 0}, seed=0)
    assert str(caught.value) == (
        "nothing was written: on the meta device, which holds no values: weight, bias; say where "
        "they should live, as in device='cpu'"
    )
    apply_init(model, {"*": 0}, seed=0, device="cpu")
    assert model.weight.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert isinstance(model.weight, nn.Parameter)


def test_a_device_for_memory_that_is_elsewhere_already_is_an_error() -> None:
    with deferred():
        model = nn.ModuleDict({"a": nn.Linear(2, 2)})
    model["b"] = nn.Linear(2, 2)
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"*": 0}, seed=0, device="xpu")
    assert str(caught.value) == (
        "nothing was written: device='xpu' is where parameters on the meta device get their "
        "memory, and these have theirs elsewhere: b.weight, b.bias; move the model with .to()"
    )
    apply_init(model, {"*": 0}, seed=0, device="cpu")


def test_buffers_that_were_never_computed_are_errors_by_name() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 2)
            self.register_buffer("table", torch.arange(3.0))

    with torch.device("meta"):
        model = Table()
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"fc.*": 0}, seed=0, device="cpu")
    assert str(caught.value) == (
        "nothing was written: on the meta device, which holds no values: table; these buffers were "
        "never computed; construct under initkit.deferred(), which computes buffers, or give them "
        "a rule and buffers=True"
    )
    apply_init(model, {"*": 2}, seed=0, device="cpu", buffers=True)
    assert model.table.tolist() == [2.0, 2.0, 2.0]
    with deferred(), torch.device("meta"):
        model = Table()
    with pytest.raises(PlanError, match="table; these buffers were never computed"):
        apply_init(model, {"fc.*": 0}, seed=0)


def test_a_state_dict_on_meta_is_refused() -> None:
    with torch.device("meta"):
        entries = nn.Linear(2, 2).state_dict()
    with pytest.raises(PlanError, match="a state_dict cannot be given memory in place; apply to"):
        apply_init(entries, {"*": 0}, seed=0, device="cpu")


def test_memory_that_a_view_holds_on_to_is_told_by_name() -> None:
    with torch.device("meta"):
        model = nn.Linear(2, 2)
    view = model.weight.view(-1)
    with pytest.raises(PlanError, match="weight cannot be given memory in place: a view or a gra"):
        apply_init(model, {"*": 0}, seed=0, device="cpu")
    assert view.is_meta


def test_a_weak_reference_is_told_by_name_before_anything_happens() -> None:
    import weakref

    with deferred():
        model = nn.Linear(2, 2)
    reference = weakref.ref(model.weight)
    with pytest.raises(PlanError, match="weight; a weak reference holds on to it"):
        apply_init(model, {"*": 0}, seed=0)
    assert reference() is model.weight
    assert model.weight.is_meta
    assert model.bias.is_meta


def test_a_function_of_the_users_fails_before_any_memory_is_given() -> None:
    def broken(tensor: Tensor) -> None:
        raise ValueError("no")

    with deferred():
        model = nn.Linear(2, 2)
    with pytest.raises(initkit.FillError):
        apply_init(model, {"weight": broken, "bias": 0}, seed=0)
    assert model.weight.is_meta
    apply_init(model, {"*": 0}, seed=0)


def test_what_has_no_memory_is_listed_by_like_layers() -> None:
    with torch.device("meta"):
        model = nn.ModuleDict({"h": nn.ModuleList(nn.Linear(2, 2) for _ in range(40))})
    with pytest.raises(PlanError) as caught:
        apply_init(model, {"*.wieght": 1, "*": 0})
    slip, _, told = str(caught.value).partition("2. ")
    assert "to paste:     '*.weight': 1" in slip
    assert told == (
        "on the meta device, which holds no values: h.{0..39}.weight, h.{0..39}.bias; say where "
        "they should live, as in device='cpu'"
    )
