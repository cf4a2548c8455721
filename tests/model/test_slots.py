"""Models and state_dicts are walked in order, completely, and in bounded time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from initkit.errors import TargetError
from initkit.model.slots import Slot, walk, walk_state_dict


def names(model: nn.Module, **options: bool) -> list[str]:
    return [slot.name for slot in walk(model, **options)]


def only(model: nn.Module, name: str) -> Slot:
    [slot] = [slot for slot in walk(model, buffers=True) if name in slot.paths]
    return slot


class Holder(nn.Module):
    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


def test_per_module_come_parameters_then_buffers_then_children() -> None:
    model = Holder(child=nn.BatchNorm1d(2))
    model.register_buffer("table", torch.zeros(2))
    model.weight = nn.Parameter(torch.zeros(2))
    assert names(model, buffers=True) == [
        "weight",
        "table",
        "child.weight",
        "child.bias",
        "child.running_mean",
        "child.running_var",
        "child.num_batches_tracked",
    ]
    assert names(model) == ["weight", "child.weight", "child.bias"]


def test_names_are_those_of_named_parameters() -> None:
    model = nn.Sequential(nn.TransformerEncoderLayer(4, 2), nn.LSTM(2, 2))
    held = [slot for slot in walk(model) if slot.tensor is not None]
    assert [slot.name for slot in held] == [name for name, _ in model.named_parameters()]
    assert all(slot.tensor is model.get_parameter(slot.name) for slot in held)


def test_a_parameter_registered_as_none_is_a_slot() -> None:
    [_, bias] = walk(nn.Linear(2, 2, bias=False))
    assert (bias.name, bias.tensor) == ("bias", None)
    with pytest.raises(TargetError, match="bias is registered as None and has no shape"):
        _ = bias.shape


def test_slots_know_their_owner_and_lineage() -> None:
    model = nn.Sequential(Holder(inner=nn.Linear(2, 2)))
    slot = walk(model)[0]
    assert slot.owner is model[0].inner and slot.key == "weight" and slot.kind == "parameter"
    assert slot.lineage == (model, model[0], model[0].inner)
    assert slot.shape == (2, 2)


# ---- several paths


def test_a_module_registered_twice_is_one_slot_with_both_names() -> None:
    linear = nn.Linear(2, 2, bias=False)
    slot = walk(Holder(a=linear, b=Holder(c=linear)))[0]
    assert slot.paths == ("a.weight", "b.c.weight") and slot.name == "a.weight"


def test_names_are_those_that_named_parameters_shows_with_duplicates() -> None:
    shared = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
    model = nn.Sequential(shared, Holder(x=shared, y=shared[0]), nn.Linear(2, 2))
    shown = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    slots = walk(model)
    found = [(v, i, p) for i, s in enumerate(slots) for v, p in zip(s.visits, s.paths, strict=True)]
    assert [path for _, _, path in sorted(found)] == shown


def test_a_cycle_ends_where_it_began() -> None:
    model = Holder(child=nn.Linear(2, 2))
    model.child.parent = model
    assert names(model) == ["child.weight", "child.bias"]
    assert all(len(slot.paths) == 1 for slot in walk(model))


def test_modules_that_hold_each_other_show_each_other() -> None:
    a, b = nn.Linear(1, 1, bias=False), nn.PReLU()
    a.other, b.other = b, a
    found = {slot.name: slot.paths for slot in walk(Holder(a=a, b=b))}
    assert found == {
        "a.weight": ("a.weight", "b.other.weight"),
        "a.bias": ("a.bias", "b.other.bias"),
        "a.other.weight": ("a.other.weight", "b.weight"),
    }


def test_thousands_of_paths_through_diamonds() -> None:
    model: nn.Module = nn.PReLU()
    for _ in range(12):
        model = Holder(left=model, right=model)
    [slot] = walk(model)
    assert len(slot.paths) == len(set(slot.paths)) == 4096
    assert slot.paths[0] == "left." * 12 + "weight" and slot.paths[-1] == "right." * 12 + "weight"


def test_paths_that_lead_to_nothing_are_not_followed() -> None:
    model: nn.Module = nn.ReLU()
    for _ in range(200):
        model = Holder(left=model, right=model)
    assert walk(Holder(empty=model, weight=nn.PReLU()))[0].name == "weight.weight"


def test_paths_that_only_lead_back_to_the_root_are_not_followed() -> None:
    leaf: nn.Module = nn.ReLU()
    model = leaf
    for _ in range(200):
        model = Holder(left=model, right=model)
    root = Holder(weight=nn.PReLU(), maze=model)
    root.scale = nn.Parameter(torch.ones(1))
    leaf.root = root
    assert names(root) == ["scale", "weight.weight"]


def test_a_deep_chain_is_no_recursion() -> None:
    model: nn.Module = nn.PReLU()
    for _ in range(2000):
        model = Holder(x=model)
    assert len(walk(model)[0].lineage) == 2001


def test_children_that_are_none_are_passed_over() -> None:
    model = Holder(a=nn.PReLU())
    model.register_module("b", None)
    assert names(model) == ["a.weight"]


# ---- canonical names


def canonicals(model: nn.Module) -> list[str]:
    return [slot.canonicals[0] for slot in walk(model)]


@pytest.mark.filterwarnings("ignore")
def test_wrapper_segments_are_dropped_where_the_owner_is_that_wrapper() -> None:
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    inner = nn.Sequential(nn.PReLU(), checkpoint_wrapper(nn.PReLU()))
    for wrapped in (
        nn.DataParallel(inner),
        torch.compile(inner),
        nn.DataParallel(torch.compile(inner)),
    ):
        assert canonicals(wrapped) == ["0.weight", "1.weight"]
    averaged = torch.optim.swa_utils.AveragedModel(nn.PReLU())
    assert (names(averaged), canonicals(averaged)) == (["module.weight"], ["weight"])
    assert names(nn.DataParallel(inner)) == [
        "module.0.weight",
        "module.1._checkpoint_wrapped_module.weight",
    ]


def test_fsdps_wrapper_is_known_by_its_name() -> None:
    class FullyShardedDataParallel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self._fsdp_wrapped_module = nn.PReLU()

    assert canonicals(Holder(a=FullyShardedDataParallel())) == ["a.weight"]


def test_a_users_own_module_called_module_keeps_its_name() -> None:
    assert canonicals(Holder(module=nn.PReLU())) == ["module.weight"]
    assert canonicals(Holder(_orig_mod=nn.PReLU())) == ["_orig_mod.weight"]


def test_each_path_has_its_own_canonical_name() -> None:
    shared = nn.PReLU()
    [slot] = walk(Holder(a=nn.DataParallel(shared), b=shared))
    assert slot.paths == ("a.module.weight", "b.weight")
    assert slot.canonicals == ("a.weight", "b.weight")


# ---- layers


def layer(model: nn.Module, name: str) -> tuple[int | None, int | None]:
    slot = only(model, name)
    return slot.layer, slot.n_layers


def test_layers_are_counted_in_the_outermost_list() -> None:
    block = lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model = Holder(stem=nn.Linear(2, 2), layers=nn.ModuleList([block() for _ in range(3)]))
    assert (only(model, "stem.weight").layer, only(model, "stem.weight").n_layers) == (None, None)
    assert (only(model, "layers.2.1.weight").layer, only(model, "layers.2.1.weight").n_layers) == (
        2,
        3,
    )


def test_a_numbered_sequential_counts_and_a_named_one_does_not() -> None:
    numbered = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    assert layer(numbered, "2.weight") == (2, 3)
    named = nn.Sequential(OrderedDict(a=nn.Sequential(nn.PReLU(), nn.PReLU())))
    assert layer(named, "a.1.weight") == (1, 2)


def test_parameters_in_a_list_are_counted_there() -> None:
    scales = nn.ParameterList([torch.ones(2) for _ in range(3)])
    assert layer(nn.ModuleDict({"scales": scales}), "scales.2") == (2, 3)
    inside = nn.ModuleList([nn.ModuleDict({"scales": scales})])
    assert layer(inside, "0.scales.2") == (0, 1)
    entries = {
        slot.name: (slot.layer, slot.n_layers) for slot in walk_state_dict(scales.state_dict())
    }
    assert entries == {"0": (0, 3), "1": (1, 3), "2": (2, 3)}


@pytest.mark.parametrize(
    ("keys", "last"),
    [("01", (1, 2)), (("0", "10"), (10, None)), ("45", (5, None)), (("a", "1"), (None, None))],
)
def test_numbers_with_gaps_say_which_layer_it_is_and_not_of_how_many(
    keys: Sequence[str], last: tuple[int | None, int | None]
) -> None:
    model = nn.ModuleDict({key: nn.Linear(2, 2) for key in keys})
    assert layer(model, f"{keys[-1]}.weight") == last


def test_a_list_of_parametrizations_is_no_list_of_layers() -> None:
    linear = parametrizations.weight_norm(nn.Linear(2, 2))
    assert {slot.layer for slot in walk(linear)} == {None}


# ---- computed weights


def test_a_parametrized_weight_has_its_public_name() -> None:
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 3)))
    found = {slot.name: slot.literal for slot in walk(model)}
    raw = "0.parametrizations.weight.original"
    assert found == {"0.bias": False, "0.weight": False, f"{raw}0": True, f"{raw}1": True}
    assert only(model, "0.weight").shape == (3, 2)
    assert names(model, raw=True) == ["0.bias", f"{raw}0", f"{raw}1"]


def test_a_parametrizations_own_parameters_are_slots() -> None:
    class LoRA(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(torch.zeros(2, 1)), nn.Parameter(torch.zeros(1, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.a @ self.b

    model = nn.Linear(2, 2, bias=False)
    parametrize.register_parametrization(model, "weight", LoRA())
    slot = only(model, "parametrizations.weight.0.a")
    assert not slot.literal and slot.computed is None


def test_a_parametrized_buffer_is_a_buffer() -> None:
    model = nn.BatchNorm1d(2)
    parametrize.register_parametrization(model, "running_mean", nn.Identity())
    assert "running_mean" not in names(model)
    assert only(model, "running_mean").kind == "buffer"


# ---- state_dicts


def test_a_state_dict_gives_its_tensors_in_order() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    slots = walk_state_dict({**model.state_dict(), "epoch": 3, "_extra_state": b""})
    assert [slot.name for slot in slots] == list(model.state_dict())
    assert all(slot.kind == "entry" and slot.owner is None for slot in slots)
    assert [slot.key for slot in slots][:2] == ["weight", "bias"]


def test_a_wrappers_prefix_goes_where_all_keys_have_it() -> None:
    short = lambda *keys: [
        s.canonicals[0] for s in walk_state_dict(dict.fromkeys(keys, torch.zeros(1)))
    ]
    assert short("module.a.w", "module.b") == ["a.w", "b"]
    assert short("module._orig_mod.a", "module._orig_mod.b") == ["a", "b"]
    assert short("module.a.w", "b") == ["module.a.w", "b"]
    assert short("modules.a", "modules.b") == ["modules.a", "modules.b"]
    assert short() == []


def test_layers_of_a_state_dict_are_counted_from_its_names() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    found = {slot.name: (slot.layer, slot.n_layers) for slot in walk_state_dict(model.state_dict())}
    assert found == {slot.name: (slot.layer, slot.n_layers) for slot in walk(model)}


def test_what_cannot_be_walked_is_refused() -> None:
    with pytest.raises(TargetError, match="a model is an nn.Module; this is a dict"):
        walk({})
    with pytest.raises(TargetError, match="the keys of a state_dict are strings"):
        walk_state_dict({0: torch.zeros(1)})


class Buffered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("b", torch.zeros(2))


@pytest.mark.parametrize("leaf", [nn.PReLU(), Buffered()])
def test_a_module_with_more_names_than_anyone_can_list_is_refused(leaf: nn.Module) -> None:
    for _ in range(64):  # 2 ** 64 paths lead to the leaf
        leaf = nn.ModuleDict({"a": leaf, "b": leaf})
    with pytest.raises(TargetError, match=r"stands at 'a\.a.* and more than 10,000 other places"):
        walk(leaf, buffers=True)


def test_a_module_that_stands_in_a_thousand_places_has_all_its_names() -> None:
    (slot,) = walk(nn.ModuleList([nn.PReLU()] * 1000))
    assert slot.paths == tuple(f"{i}.weight" for i in range(1000))


def test_what_is_kept_behind_a_weight_goes_by_its_whole_name_in_a_state_dict_too() -> None:
    new = parametrizations.spectral_norm(nn.Linear(3, 3)).state_dict()
    old = nn.utils.spectral_norm(nn.Linear(3, 3)).state_dict()
    masked = prune.identity(nn.Linear(3, 3), "weight").state_dict()
    free = {"weight_u": torch.zeros(3), "mask": torch.zeros(3)}
    literal = [
        {slot.name for slot in walk_state_dict(entries) if slot.literal}
        for entries in (new, old, masked, free)
    ]
    assert literal == [
        {"parametrizations.weight.0._u", "parametrizations.weight.0._v"},
        {"weight_u", "weight_v"},
        {"weight_mask"},
        set(),
    ]
