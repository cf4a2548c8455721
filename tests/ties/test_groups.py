"""A group is a value: its names in order, its kind, its writer, and what is asked of a search."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from bags import Bag, Tied, over, param, shown
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from initkit import errors
from initkit.model import Slot, walk
from initkit.ties import TieGroup, find_tied_parameters, plainly_untied, tie_slots
from initkit.ties.groups import KINDS

BASE = torch.zeros(4, 4)


def only_group(model: nn.Module) -> TieGroup:
    [group] = find_tied_parameters(model)
    return group


# ---- groups as values


def test_groups_serve_where_lists_of_names_are_expected() -> None:
    groups = find_tied_parameters(Tied())
    assert groups == [["emb.weight", "head.weight"]]
    assert [["emb.weight", "head.weight"]] == groups
    assert [list(group) for group in groups] == groups
    assert ("emb.weight", "head.weight") == groups[0]
    assert groups[0] != ["emb.weight"]
    assert len(groups[0]) == 2 and groups[0][1] == "head.weight" and "emb.weight" in groups[0]
    assert groups[0][:1] == ("emb.weight",)
    assert set(groups) == set(find_tied_parameters(Tied()))


def test_tensors_stand_one_for_each_name() -> None:
    model = Bag(a=(w := param(2, 3)), b=w, c=over(w))
    group = only_group(model)
    assert [tensor is w for tensor in group.tensors] == [True, True, False]
    assert [(name, slot.name) for name, _, slot in group.reached()] == [(n, n) for n in "abc"]


def test_a_group_shows_itself() -> None:
    group = only_group(Bag(a=(w := param(2)), b=w))
    assert repr(group) == "TieGroup(parameter: a = b)"


def test_the_canonical_name_is_the_smallest_of_the_parameters_names() -> None:
    w = param(2)
    group = only_group(Bag(aaa=w.data, z=w, child=Bag(m=w)))
    assert group.names == ("z", "aaa", "child.m")
    assert group.canonical == "child.m"


def test_the_first_name_is_the_one_that_named_parameters_keeps() -> None:
    w, layer = param(2), nn.Linear(2, 2)
    for model in (Bag(b=Bag(w=w), a=w), nn.Sequential(layer, layer), Tied()):
        kept = dict(model.named_parameters())
        assert all(group.names[0] in kept for group in find_tied_parameters(model))


def test_wrapper_segments_are_shown_but_not_canonical() -> None:
    group = only_group(nn.DataParallel(Tied()))
    assert group.names == ("module.emb.weight", "module.head.weight")
    assert group.canonical == "emb.weight"


def test_outlines_are_taken_down_where_names_may_be_parted() -> None:
    assert only_group(Tied()).outlines == ()
    model = Bag(a=over(BASE), b=over(BASE[1:, 2]))
    whole, part = only_group(model).outlines
    model.b.data = torch.zeros(7)
    assert (whole.shape, whole.stride, whole.offset, whole.stop) == ((4, 4), (4, 1), 0, 64)
    assert (part.shape, part.stride, part.offset, part.stop) == ((3,), (4,), 24, 60)


# ---- the writer


WRITERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "the canonical name's": (lambda: Bag(z=(w := param(2)), b=w), "b"),
    "the row's and the column's whole": (
        lambda: Bag(a=over(BASE[0]), b=over(BASE), c=over(BASE[:, 1])),
        "b",
    ),
    "a transposed whole": (lambda: Bag(a=over(BASE.t()), b=over(BASE[1])), "a"),
    "a row and a column": (lambda: Bag(a=over(BASE[0]), b=over(BASE[:, 1])), ""),
    "expanded": (lambda: Bag(a=over(BASE[0, :3].expand(2, 3)), b=over(BASE[0, 1:])), ""),
    "dtypes that differ": (
        lambda: Bag(a=over(BASE[:2].view(torch.int32)), b=over(BASE[1:])),
        "",
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_writer_reaches_all_that_the_group_holds(name: str) -> None:
    build, expected = WRITERS[name]
    writer = only_group(build()).writer
    assert (writer.name if writer else "") == expected


def test_overlaps_of_which_none_holds_the_others_get_a_writer_over_all() -> None:
    base = torch.zeros(12)
    group = only_group(Bag(b=over(base[1:6]), a=over(base[4:10].view(2, 3))))
    assert group.writer is not None and group.writer not in group.slots
    assert group.writer.name == "a" and group.writer.shape == (9,)
    group.writer.tensor.fill_(1)
    assert base.tolist() == [0, *[1] * 9, 0, 0]


def normed() -> nn.Module:
    a, b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    b.weight = a.weight
    return nn.Sequential(parametrizations.weight_norm(a), parametrizations.weight_norm(b))


def test_weight_norms_over_one_direction_are_written_together() -> None:
    model = normed()
    [group] = [group for group in tie_slots(walk(model)) if group.kind == "overlap"]
    value = torch.randn(2, 2)
    group.writer.computed.write(value)
    assert torch.allclose(model[0].weight, value) and torch.allclose(model[1].weight, value)


# ---- the geometry

GEOMETRIES: dict[str, tuple[Callable[[Tensor], Tensor], bool]] = {
    "the same elements": (lambda base: base, True),
    "transposed": (Tensor.t, False),
    "reshaped": (lambda base: base.view(-1), False),
    "another dtype": (lambda base: base.view(torch.int32), False),
    "a row": (lambda base: base[0], False),
    "the first rows": (lambda base: base[:2], False),
    "strides of sides of one": (lambda base: base.view(1, 4, 4)[0], True),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_slot_has_the_writers_geometry_where_an_index_means_the_same_element(name: str) -> None:
    read, expected = GEOMETRIES[name]
    group = only_group(Bag(a=over(BASE), b=over(read(BASE))))
    assert [group.same_geometry(slot) for slot in group.slots] == [True, expected]


def test_the_geometry_is_compared_with_the_writers_and_not_with_the_first_names() -> None:
    enc, dec = nn.Linear(3, 2, bias=False), nn.Linear(2, 3, bias=False)
    dec.weight.data = enc.weight.data.t()
    group = only_group(Bag(enc=enc, dec=dec))
    assert group.names[0] == "enc.weight" and group.writer.name == "dec.weight"
    assert [group.same_geometry(slot) for slot in group.slots] == [False, True]


def test_what_no_member_writes_has_no_members_geometry() -> None:
    base = torch.zeros(10)
    for model in (
        Bag(a=over(base[:6]), b=over(base[4:])),
        Bag(a=over(BASE[0]), b=over(BASE[:, 1])),
    ):
        group = only_group(model)
        assert not any(map(group.same_geometry, group.slots))


def test_computed_weights_written_together_have_one_geometry() -> None:
    [group] = [group for group in tie_slots(walk(normed())) if group.kind == "overlap"]
    assert group.writer not in group.slots and all(map(group.same_geometry, group.slots))


def test_one_object_has_one_geometry_even_before_it_has_a_shape() -> None:
    a, b = nn.LazyLinear(3, bias=False), nn.LazyLinear(3, bias=False)
    b.weight = a.weight
    group = only_group(nn.Sequential(a, b))
    assert all(map(group.same_geometry, group.slots))


# ---- buffers, kinds, state_dicts

NORM = nn.BatchNorm1d(2)
SHARED = torch.zeros(3)
ONE_KIND = Bag(a=(w := param(2)), b=w, c=(v := param(2)), d=over(v))
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def hidden_buffer() -> nn.Module:
    bag = Bag(w=param(3))
    bag.register_buffer("hidden", bag.w.data, persistent=False)
    return bag


def late_parameter() -> nn.Module:
    weight = param(3)
    bag = Bag(late=weight.data, child=Bag(early=over(weight)))
    bag.w = weight
    return bag


ASKED: dict[str, tuple[Callable[[], nn.Module], dict[str, object], list[str]]] = {
    "a buffer over a parameter": (
        lambda: Bag(w=(w := param(3)), mirror=w.data),
        {},
        ["alias: w mirror"],
    ),
    "a buffer before a parameter": (
        lambda: Bag(mirror=(w := param(3)).data, child=Bag(w=w)),
        {},
        ["alias: mirror child.w"],
    ),
    "a buffer over a part": (
        lambda: Bag(w=(w := param(3)), part=w.data[1:]),
        {},
        ["overlap: w part"],
    ),
    "buffers come after parameters and before children": (
        late_parameter,
        {},
        ["alias: w late child.early"],
    ),
    "a buffer that is not saved": (hidden_buffer, {}, ["alias: w hidden"]),
    "buffers alone": (lambda: Bag(a=SHARED, b=SHARED), {}, []),
    "buffers alone, on request": (
        lambda: Bag(a=SHARED, b=SHARED),
        {"include_buffers": True},
        ["parameter: a b"],
    ),
    "a shared norm": (
        lambda: nn.Sequential(NORM, NORM),
        {},
        ["module: 0.weight 1.weight", "module: 0.bias 1.bias"],
    ),
    "a shared norm, with buffers": (
        lambda: nn.Sequential(NORM, NORM),
        {"include_buffers": True},
        [f"module: 0.{key} 1.{key}" for key in ("weight", "bias", *BUFFERS)],
    ),
    "one kind": (lambda: ONE_KIND, {"kinds": "alias"}, ["alias: c d"]),
    "two kinds": (lambda: ONE_KIND, {"kinds": ["module", "parameter"]}, ["parameter: a b"]),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_search_lists_what_it_is_asked_for(name: str) -> None:
    build, options, expected = ASKED[name]
    assert shown(find_tied_parameters(build(), **options)) == expected


def test_a_state_dict_shows_ties_by_memory() -> None:
    model = Tied()
    found = find_tied_parameters(model.state_dict())
    assert shown(found) == ["alias: emb.weight head.weight"]
    found = find_tied_parameters(model.state_dict(keep_vars=True))
    assert shown(found) == ["parameter: emb.weight head.weight"]


def test_a_state_dict_of_buffers_lists_them_as_entries() -> None:
    assert len(find_tied_parameters(nn.Sequential(NORM, NORM).state_dict())) == 5


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(errors.TargetError, match="a model is a module or a state_dict, not a list"):
        find_tied_parameters([])


def test_an_unknown_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        errors.UnknownNameError, match="kind of tie 'aliases'; did you mean 'alias'"
    ):
        find_tied_parameters(nn.Module(), kinds=["aliases"])
    assert KINDS == ("module", "parameter", "alias", "view", "overlap")


# ---- the glance

LAYER = nn.Linear(2, 2)
GLANCES: dict[str, tuple[Callable[[], nn.Module], bool]] = {
    "plain layers": (lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), True),
    "none registered": (lambda: nn.Linear(2, 2, bias=False), True),
    "neighbours in one memory": (lambda: Bag(a=over(BASE[:2]), b=over(BASE[2:])), True),
    "one module twice": (lambda: nn.Sequential(LAYER, LAYER), False),
    "one object twice": (Tied, False),
    "an overlap": (lambda: Bag(a=over(BASE[:3]), b=over(BASE[2:])), False),
    "what is not contiguous": (lambda: Bag(a=over(BASE[:, 1])), False),
    "empty": (lambda: Bag(a=param(0)), False),
    "meta": (lambda: nn.Linear(2, 2, device="meta"), False),
    "computed": (lambda: parametrizations.weight_norm(nn.Linear(2, 2)), False),
}


@pytest.mark.parametrize("name", GLANCES)
def test_the_glance_says_untied_only_of_plain_memory_of_its_own(name: str) -> None:
    build, expected = GLANCES[name]
    slots: list[Slot] = walk(build())
    assert plainly_untied(slots) == expected
    assert not (expected and tie_slots(slots))


def test_what_is_found_is_a_list_that_prints_a_line_for_each_tie() -> None:
    one, other = nn.PReLU(), nn.PReLU()
    ties = find_tied_parameters(nn.ModuleList([one, other, one, other]))
    assert isinstance(ties, list) and ties == [["0.weight", "2.weight"], ["1.weight", "3.weight"]]
    assert str(ties) == "2 ties\nmodule: 0.weight = 2.weight\nmodule: 1.weight = 3.weight"
    assert repr(ties) == (
        "[TieGroup(module: 0.weight = 2.weight),\n TieGroup(module: 1.weight = 3.weight)]"
    )
    assert str(find_tied_parameters(nn.PReLU())) == "no ties"


def test_one_tie_of_many_names_prints_as_one_short_line() -> None:
    ties = find_tied_parameters(nn.ModuleList([nn.PReLU()] * 24))
    assert str(ties) == "1 tie\nmodule: {0..23}.weight (1 tie of 24 names)"


def test_a_notebook_shows_found_ties_as_the_report_does() -> None:
    model = nn.ModuleList([nn.PReLU()] * 24)
    page = find_tied_parameters(model)._repr_html_()
    assert "1 tie" in page and "{0..23}.weight" in page and "one module under several names" in page
    assert "<svg" in page and "<html" not in page
    assert "no ties" in find_tied_parameters(nn.PReLU())._repr_html_()


def test_many_ties_in_step_print_as_one_line() -> None:
    layers = [nn.PReLU() for _ in range(8)]
    model = nn.ModuleDict({"a": nn.ModuleList(layers), "b": nn.ModuleList(layers)})
    assert str(find_tied_parameters(model)) == (
        "8 ties\nmodule: a.{0..7}.weight = b.{0..7}.weight (8 ties of 2 names)"
    )
