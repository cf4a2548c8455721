"""Ties can be made, and made again, and nothing is overwritten in silence."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from bags import Bag, Tied, over, untied
from torch import nn
from torch.nn import Parameter
from torch.nn.utils import parametrize

from initkit import errors
from initkit.ties import find_tied_parameters, preserve_ties, retie, tie, tie_status

# ---- tie


def test_tie_puts_one_object_into_every_slot() -> None:
    model = untied()
    group = tie(model, "emb.weight", "head.weight")
    assert model.head.weight is model.emb.weight
    assert group == ["emb.weight", "head.weight"] and group.kind == "parameter"


def test_tie_refuses_to_drop_values_unless_asked() -> None:
    model = untied()
    before = model.emb.weight.detach().clone()
    with torch.no_grad():
        model.head.weight.add_(1)
    text = "head.weight cannot be tied to emb.weight: their values differ; pass values='source'"
    with pytest.raises(errors.TieError, match=text):
        tie(model, "emb.weight", "head.weight")
    tie(model, "emb.weight", "head.weight", values="source")
    assert model.head.weight is model.emb.weight and torch.equal(model.emb.weight, before)


def test_equal_nans_are_equal_values() -> None:
    model = Bag(a=Parameter(torch.full((2,), torch.nan)), b=Parameter(torch.full((2,), torch.nan)))
    tie(model, "a", "b")
    assert model.a is model.b


def test_tie_checks_all_before_it_changes_anything() -> None:
    model = Bag(a=over(torch.zeros(2)), b=over(torch.zeros(2)), c=over(torch.zeros(3)))
    with pytest.raises(
        errors.TieError, match=r"c cannot be tied to a: shapes differ, \(3,\) and \(2,\)"
    ):
        tie(model, "a", "b", "c")
    assert model.a is not model.b


def test_tie_checks_dtypes() -> None:
    model = Bag(a=over(torch.zeros(2)), b=over(torch.zeros(2).double()))
    with pytest.raises(errors.TieError, match="dtypes differ, torch.float64 and torch.float32"):
        tie(model, "a", "b")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(errors.UnknownNameError, match="'head.weigth'; did you mean 'head.weight'"):
        tie(Tied(), "emb.weight", "head.weigth")


def test_a_name_registered_as_none_is_said_to_be() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    with pytest.raises(errors.UnknownNameError, match="'1.bias' is registered as None"):
        tie(model, "0.bias", "1.bias")


def test_tie_wants_a_target_and_a_known_option() -> None:
    with pytest.raises(errors.TieError, match="give at least one name to tie to 'emb.weight'"):
        tie(Tied(), "emb.weight")
    with pytest.raises(errors.OptionError, match="values is 'equal' or 'source', not 'first'"):
        tie(Tied(), "emb.weight", "head.weight", values="first")


def test_an_lstms_flat_weights_follow() -> None:
    model = nn.Module()
    model.a, model.b = nn.LSTM(3, 3), nn.LSTM(3, 3)
    tie(model, "a.weight_hh_l0", "b.weight_hh_l0", values="source")
    assert any(weight is model.a.weight_hh_l0 for weight in model.b._flat_weights)


def test_buffers_stay_buffers_and_parameters_stay_parameters() -> None:
    model = Bag(w=over(torch.ones(2)), b=torch.ones(2))
    tie(model, "w", "b")
    assert list(model._buffers) == ["b"] and model.b.data_ptr() == model.w.data_ptr()
    model = Bag(w=over(torch.ones(2)), b=torch.ones(2))
    tie(model, "b", "w")
    assert list(model._parameters) == ["w"] and model.b.data_ptr() == model.w.data_ptr()


def test_raw_tensors_of_parametrized_weights_are_tied_by_their_raw_names() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    for lin in model:
        parametrize.register_parametrization(lin, "weight", nn.Identity())
    raw = "parametrizations.weight.original"
    tie(model, f"0.{raw}", f"1.{raw}", values="source")
    assert torch.equal(model[0].weight, model[1].weight)


def test_meta_and_lazy_parameters_have_no_values_to_compare() -> None:
    model = untied().to("meta")
    tie(model, "emb.weight", "head.weight")
    assert model.head.weight is model.emb.weight
    model = nn.Sequential(nn.LazyLinear(3), nn.LazyLinear(3))
    tie(model, "0.weight", "1.weight")
    assert model[0].weight is model[1].weight
    with pytest.raises(errors.TieError, match="kinds differ, not lazy and lazy"):
        tie(nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 3)), "0.weight", "1.weight")


# ---- retie


def test_retie_takes_lists_of_names() -> None:
    model = untied()
    retie(model, [["emb.weight", "head.weight"]])
    assert model.head.weight is model.emb.weight


def test_retie_checks_every_group_before_it_changes_one() -> None:
    model = Bag(a=over(torch.zeros(2)), b=over(torch.zeros(2)), c=over(torch.zeros(3)))
    with pytest.raises(errors.TieError, match="shapes differ"):
        retie(model, [["a", "b"], ["a", "c"]])
    assert model.a is not model.b


def test_retie_refuses_values_that_differ() -> None:
    model = Tied()
    groups = find_tied_parameters(model)
    model.head.weight = Parameter(torch.zeros(5, 3))
    with pytest.raises(errors.TieError, match="their values differ"):
        retie(model, groups)


def test_aliases_and_views_are_laid_over_the_same_memory_again() -> None:
    base = torch.arange(12.0).view(3, 4)
    model = Bag(a=over(base), b=over(base), c=over(base.t()), d=over(base[1:]))
    groups = find_tied_parameters(model)
    for name in "abcd":
        setattr(model, name, over(getattr(model, name).clone(memory_format=torch.preserve_format)))
    kept = model.b
    retie(model, groups)
    assert find_tied_parameters(model) == groups
    assert model.b is kept, "a separate parameter stays the object that optimizers know"
    with torch.no_grad():
        model.a.add_(1)
    assert torch.equal(model.c, (base + 1).t()) and torch.equal(model.d, (base + 1)[1:])


def test_overlaps_that_none_holds_are_laid_over_new_memory() -> None:
    base = torch.arange(5.0)
    model = Bag(a=over(base[:3]), b=over(base[1:]))
    groups = find_tied_parameters(model)
    with preserve_ties(model) as broken:
        model.double()
    assert [status.state for status in broken] == ["equal"]
    assert find_tied_parameters(model) == groups and tie_status(model, groups)[0].state == "tied"
    assert model.a.tolist() == [0, 1, 2] and model.b.tolist() == [1, 2, 3, 4]


def test_overlaps_that_came_to_differ_are_not_laid_together_in_silence() -> None:
    base = torch.zeros(5)
    model = Bag(a=over(base[:3]), b=over(base[1:]))
    groups = find_tied_parameters(model)
    model.b = over(torch.ones(4))
    with pytest.raises(
        errors.TieError,
        match="a and b cannot be laid over one memory again: where they overlapped, their values "
        "differ; pass values='source' to keep those of a",
    ):
        retie(model, groups)
    retie(model, groups, values="source")
    assert model.a.tolist() == [0, 0, 0] and model.b.tolist() == [0, 0, 1, 1]


def test_overlaps_of_another_shape_cannot_be_laid_together() -> None:
    base = torch.zeros(5)
    model = Bag(a=over(base[:3]), b=over(base[1:]))
    groups = find_tied_parameters(model)
    model.b = over(torch.zeros(7))
    with pytest.raises(
        errors.TieError, match="since their shapes or dtypes are no longer what they were"
    ):
        retie(model, groups)


def test_a_view_of_what_changed_shape_cannot_be_made_again() -> None:
    model = Bag(a=over(torch.zeros(2, 3)))
    model.b = over(model.a.t())
    groups = find_tied_parameters(model)
    model.a = over(torch.zeros(3, 3))
    with pytest.raises(
        errors.TieError, match=r"b cannot be laid over a again: a had shape \(2, 3\)"
    ):
        retie(model, groups)


# ---- preserve_ties


def halves(model: nn.Module) -> None:
    model.half()


def doubles(model: nn.Module) -> None:
    model.double()


def to_empty(model: nn.Module) -> None:
    model.to_empty(device="cpu")


def assigns(model: nn.Module) -> None:
    model.load_state_dict(copy.deepcopy(dict(model.state_dict())), assign=True)


def quantises(model: nn.Module) -> None:
    for module in model.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            setattr(module, name, Parameter((weight * 4).round() / 4))


@pytest.mark.parametrize("breaks", [halves, doubles, to_empty, assigns, quantises])
def test_ties_survive(breaks: Callable[[nn.Module], None]) -> None:
    base = torch.arange(12.0).view(3, 4)
    model = Tied()
    model.shared = nn.ModuleList([model.emb])
    model.bag = Bag(a=over(base), b=over(base), c=over(base.t()), d=over(base[:2]), e=base[0])
    groups = find_tied_parameters(model)
    with preserve_ties(model):
        breaks(model)
    assert find_tied_parameters(model) == groups


def test_a_meta_model_that_becomes_real_keeps_its_ties() -> None:
    with torch.device("meta"):
        model = Tied()
    with preserve_ties(model) as broken:
        model.to_empty(device="cpu")
    assert model.head.weight is model.emb.weight and len(broken) == 1


def test_what_was_broken_is_listed() -> None:
    model = Tied()
    with preserve_ties(model) as broken:
        model.head.weight = Parameter(torch.zeros(5, 3))
    assert [status.state for status in broken] == ["different"]
    assert model.head.weight is model.emb.weight


def test_ties_with_missing_names_are_listed_and_the_rest_is_made_again() -> None:
    weight = over(torch.zeros(2))
    model = Bag(a=weight, b=weight, c=weight)
    with preserve_ties(model) as broken:
        del model.c
        model.b = over(torch.zeros(2))
    assert model.a is model.b and broken[0].missing == ("c",)


def test_on_an_exception_ties_are_made_again_and_it_comes_through() -> None:
    model = Tied()

    def fails() -> None:
        model.head.weight = Parameter(torch.zeros(5, 3))
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"), preserve_ties(model):
        fails()
    assert model.head.weight is model.emb.weight


def test_values_that_differ_are_an_error_on_request() -> None:
    model = Tied()
    with (
        pytest.raises(errors.TieError, match="values differ"),
        preserve_ties(model, values="equal"),
    ):
        model.head.weight = Parameter(torch.zeros(5, 3))


def test_a_tie_is_made_again_over_the_member_that_has_memory() -> None:
    model = untied()
    names = [name for name, _ in model.named_parameters()][:2]
    real = model.get_parameter(names[1])
    owner, _, key = names[0].rpartition(".")
    module = model.get_submodule(owner)
    module._parameters[key] = nn.Parameter(module._parameters[key].to("meta"))  # type: ignore[union-attr]
    retie(model, [names])
    assert model.get_parameter(names[0]) is model.get_parameter(names[1]) is real
