"""Every kind of tie is found, named and ordered as it should be, and nothing else is."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.utils import parametrizations, parametrize

from initkit import errors
from initkit.model.slots import walk, walk_state_dict
from initkit.ties.groups import KINDS, TieGroup, find_tied_parameters, tie_slots

Group = tuple[str, str]  # kind, names
Case = Callable[[], nn.Module]
CASES: dict[str, tuple[Case, list[Group], dict[str, object]]] = {}


def case(*groups: Group, **options: object) -> Callable[[Case], Case]:
    """File a builder with the groups that its model has."""

    def keep(build: Case) -> Case:
        CASES[build.__name__] = build, list(groups), options
        return build

    return keep


class Bag(nn.Module):
    """A module with whatever it is given: parameters, buffers (plain tensors), children."""

    def __init__(self, **given: object) -> None:
        super().__init__()
        for name, part in given.items():
            if isinstance(part, Tensor) and not isinstance(part, Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)


def param(*shape: int, dtype: torch.dtype = torch.float32) -> Parameter:
    return Parameter(torch.zeros(*shape, dtype=dtype), requires_grad=dtype.is_floating_point)


def over(tensor: Tensor) -> Parameter:
    """Return a new parameter over this very memory."""
    return Parameter(tensor.detach(), requires_grad=False)


# ---- one slot, several paths


@case(("module", "0.weight 1.weight"), ("module", "0.bias 1.bias"))
def one_module_twice_in_a_sequential() -> nn.Module:
    linear = nn.Linear(2, 2)
    return nn.Sequential(linear, linear)


@case(("module", "0.weight 1.weight"))
def the_tutorials_sequential() -> nn.Module:
    linear = nn.Linear(1, 1, bias=False)
    return nn.Sequential(linear, linear)


@case(("module", "a.lin.weight b.lin.weight"), ("module", "a.lin.bias b.lin.bias"))
def one_module_under_two_parents() -> nn.Module:
    lin = nn.Linear(2, 2)
    return Bag(a=Bag(lin=lin), b=Bag(lin=lin))


@case(("module", "a.0.weight b.0.weight"))
def one_module_in_two_lists() -> nn.Module:
    lin = nn.Linear(2, 2, bias=False)
    return Bag(a=nn.ModuleList([lin]), b=nn.ModuleList([lin]))


@case(("module", "a.weight b.weight"))
def one_module_under_two_names_of_one_parent() -> nn.Module:
    lin = nn.Linear(2, 2, bias=False)
    return Bag(a=lin, b=lin)


@case(("module", "a.inner.p b.p"), ("module", "a.inner.q b.q"))
def a_module_and_its_child_both_registered() -> nn.Module:
    inner = Bag(p=param(2), q=param(3))
    return Bag(a=Bag(inner=inner), b=inner)


@case()
def a_cycle_back_to_the_root_shows_nothing_twice() -> nn.Module:
    root = Bag(child=Bag(p=param(2)))
    root.loop = root
    return root


@case()
def a_cycle_to_the_root_is_no_tie() -> nn.Module:
    root = Bag(child=Bag(p=param(2)))
    root.child.parent = root
    return root


@case(("module", "a.p b.sibling.p"), ("module", "a.sibling.q b.q"))
def two_siblings_that_hold_each_other() -> nn.Module:
    a, b = Bag(p=param(2)), Bag(q=param(2))
    a.sibling, b.sibling = b, a
    return Bag(a=a, b=b)


@case(("module", "layers.0.ref.w encoder.w"), ("module", "layers.0.ref.b encoder.b"))
def a_layer_that_refers_to_another_branch() -> nn.Module:
    encoder = Bag(w=param(2), b=param(2))
    return Bag(layers=nn.ModuleList([Bag(ref=encoder)]), encoder=encoder)


# ---- one object, several slots


@case(("parameter", "emb.weight head.weight"))
def embedding_and_head() -> nn.Module:
    model = Bag(emb=nn.Embedding(5, 3), head=nn.Linear(3, 5))
    model.head.weight = model.emb.weight
    return model


@case(("parameter", "a b"))
def two_names_in_one_module() -> nn.Module:
    weight = param(2)
    return Bag(a=weight, b=weight)


@case(("parameter", "shared.weight enc.weight dec.weight"))
def three_slots() -> nn.Module:
    model = Bag(shared=nn.Embedding(4, 2), enc=nn.Embedding(4, 2), dec=nn.Embedding(4, 2))
    model.enc.weight = model.dec.weight = model.shared.weight
    return model


@case(("parameter", "0 2"))
def a_parameter_list() -> nn.Module:
    weight = param(2)
    return nn.ParameterList([weight, param(2), weight])


@case(("parameter", "x z"))
def a_parameter_dict() -> nn.Module:
    weight = param(2)
    return nn.ParameterDict({"x": weight, "y": param(2), "z": weight})


@case(("parameter", "weight list.0 dict.k"))
def a_list_a_dict_and_an_attribute() -> nn.Module:
    weight = param(2)
    bag = Bag(weight=weight)
    bag.list, bag.dict = nn.ParameterList([weight]), nn.ParameterDict({"k": weight})
    return bag


@case(("parameter", "0.weight 1.weight 2.weight"), ("module", "0.bias 1.bias"))
def a_module_twice_and_its_parameter_elsewhere() -> nn.Module:
    lin, other = nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
    other.weight = lin.weight
    return nn.Sequential(lin, lin, other)


@case(("parameter", "b.0.weight b.1.weight a.0.weight"))
def groups_follow_registration_not_the_alphabet() -> nn.Module:
    weight = param(2, 2)
    lins = [nn.Linear(2, 2, bias=False) for _ in range(3)]
    for lin in lins:
        lin.weight = weight
    return Bag(b=nn.Sequential(*lins[:2]), a=nn.Sequential(lins[2]))


@case(("parameter", "w child.v"), ("parameter", "u child.t"))
def two_groups_in_order_of_their_first_names() -> nn.Module:
    w, u = param(2), param(3)
    return Bag(w=w, u=u, child=Bag(t=u, v=w))


@case(("parameter", "weight_hh_l0 other"))
def a_recurrent_weight() -> nn.Module:
    lstm = nn.LSTM(2, 2, bias=False)
    lstm.register_parameter("other", lstm.weight_hh_l0)
    return lstm


@case(("parameter", "a b"))
def empty_but_one_object() -> nn.Module:
    weight = param(0, 3)
    return Bag(a=weight, b=weight)


@case(("parameter", "a.weight b.weight"))
def a_lazy_parameter_in_two_slots() -> nn.Module:
    model = Bag(a=nn.LazyLinear(3, bias=False), b=nn.LazyLinear(3, bias=False))
    model.b.weight = model.a.weight
    return model


@case(("module", "a.weight b.weight"))
def a_lazy_module_twice() -> nn.Module:
    lazy = nn.LazyLinear(3, bias=False)
    return Bag(a=lazy, b=lazy)


@case()
def lazy_parameters_are_untied() -> nn.Module:
    return nn.Sequential(nn.LazyLinear(3), nn.LazyLinear(3))


@case(("parameter", "a.parametrizations.weight.original b.parametrizations.weight.original"))
def parametrized_raw_tensors() -> nn.Module:
    a, b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    b.weight = a.weight
    model = Bag(a=a, b=b)
    for lin in (a, b):
        parametrize.register_parametrization(lin, "weight", Double())
    return model


@case(("module", "a.parametrizations.weight.original b.parametrizations.weight.original"))
def a_parametrized_module_twice() -> nn.Module:
    lin = nn.Linear(2, 2, bias=False)
    parametrize.register_parametrization(lin, "weight", Double())
    return Bag(a=lin, b=lin)


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x

    def right_inverse(self, x: Tensor) -> Tensor:
        return x / 2


# ---- aliases


@case(("alias", "a b"))
def data_of_a_parameter() -> nn.Module:
    weight = param(2, 3)
    return Bag(a=weight, b=Parameter(weight.data))


@case(("alias", "a b c"))
def three_aliases() -> nn.Module:
    weight = param(2, 3)
    return Bag(a=weight, b=over(weight), c=over(weight))


@case(("alias", "a b c"))
def one_object_twice_and_an_alias() -> nn.Module:
    weight = param(2, 3)
    return Bag(a=weight, b=weight, c=over(weight))


@case(("alias", "0.weight 1.weight"), ("alias", "0.bias 1.bias"))
def load_with_assign() -> nn.Module:
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    b.load_state_dict(a.state_dict(), assign=True)
    return nn.Sequential(a, b)


@case(("alias", "emb.weight head.weight"))
def a_tied_model_loaded_with_assign() -> nn.Module:
    source, target = embedding_and_head(), embedding_and_head()
    target.load_state_dict(source.state_dict(), assign=True)
    return target


@case(
    (
        "alias",
        "0.parametrizations.weight.original1 1.parametrizations.weight.original1",
    ),
)
def weight_norm_after_a_tie() -> nn.Module:
    a, b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    b.weight = a.weight
    return nn.Sequential(parametrizations.weight_norm(a), parametrizations.weight_norm(b))


@case(("alias", "0.weight_v 1.weight_v"))
def legacy_weight_norm_after_a_tie() -> nn.Module:
    a, b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    b.weight = a.weight
    with pytest.warns(FutureWarning):
        return nn.Sequential(nn.utils.weight_norm(a), nn.utils.weight_norm(b))


@case(("alias", "a b"))
def two_storages_over_one_array() -> nn.Module:
    array = np.zeros((2, 3), np.float32)
    return Bag(a=Parameter(torch.from_numpy(array)), b=Parameter(torch.from_numpy(array)))


@case(("alias", "a b"))
def strides_of_sides_of_one_mean_nothing() -> nn.Module:
    base = torch.zeros(6)
    return Bag(
        a=over(base.as_strided((1, 6), (6, 1))),
        b=over(base.as_strided((1, 6), (1, 1))),
    )


@case(("alias", "a b"))
def aliases_of_a_scalar() -> nn.Module:
    weight = Parameter(torch.tensor(1.0))
    return Bag(a=weight, b=over(weight))


@case(("alias", "a b"))
def a_meta_alias() -> nn.Module:
    weight = Parameter(torch.zeros(2, 3, device="meta"))
    return Bag(a=weight, b=Parameter(weight.data))


@case()
def meta_parameters_are_apart() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2, device="meta"), nn.Linear(2, 2, device="meta"))


@case(("parameter", "emb.weight head.weight"))
def a_tie_on_meta() -> nn.Module:
    with torch.device("meta"):
        return embedding_and_head()


@case(("alias", "a b"), ("view", "c d"))
def fake_tensors() -> nn.Module:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        a, c, lone = (Parameter(torch.zeros(2, 3)) for _ in range(3))
        return Bag(a=a, b=Parameter(a.data), c=c, d=Parameter(c.data.t()), lone=lone)


# ---- views


@case(("view", "a b"))
def a_transposed_view() -> nn.Module:
    weight = param(2, 3)
    return Bag(a=weight, b=Parameter(weight.data.t()))


@case(("view", "a b"))
def a_square_transposed_view() -> nn.Module:
    weight = param(3, 3)
    return Bag(a=weight, b=Parameter(weight.data.t()))


@case(("view", "a b"))
def a_reshaped_view() -> nn.Module:
    weight = param(2, 3)
    return Bag(a=weight, b=Parameter(weight.data.view(6)))


@case(("view", "a b"))
def another_dtype() -> nn.Module:
    weight = param(2, 3)
    return Bag(a=weight, b=over(weight.data.view(torch.int32)))


@case(("view", "a b"))
def a_narrower_dtype() -> nn.Module:
    weight = param(2, 3)
    return Bag(a=weight, b=over(weight.data.view(torch.bfloat16)))


@case(("view", "a b"))
def a_complex_tensor_and_its_real_view() -> nn.Module:
    weight = Parameter(torch.zeros(3, dtype=torch.complex64))
    return Bag(a=weight, b=Parameter(torch.view_as_real(weight.data)))


@case(("view", "a b"))
def a_conjugated_view() -> nn.Module:
    weight = Parameter(torch.zeros(3, dtype=torch.complex64))
    return Bag(a=weight, b=over(weight.data.conj()))


@case(("view", "a b"))
def an_expanded_view() -> nn.Module:
    weight = param(1, 3)
    return Bag(a=weight, b=Parameter(weight.data.expand(4, 3)))


@case(("view", "a b c"))
def an_alias_and_a_view_are_a_view() -> nn.Module:
    weight = param(2, 3)
    return Bag(a=weight, b=over(weight), c=over(weight.data.t()))


@case(("view", "a b"))
def a_meta_view() -> nn.Module:
    weight = Parameter(torch.zeros(2, 3, device="meta"))
    return Bag(a=weight, b=Parameter(weight.data.t()))


@case(("view", "a b"))
def windows_that_cover_the_same_bytes() -> nn.Module:
    base = torch.zeros(10)
    return Bag(a=over(base), b=over(base.unfold(0, 3, 1)))


@case(("view", "a b"))
def one_column_read_in_two_ways() -> nn.Module:
    base = torch.zeros(4, 6)
    return Bag(a=over(base[:, 1]), b=over(base.as_strided((2, 2), (12, 6), 1)))


@case(("view", "a b"))
def channels_last_and_plain_order() -> nn.Module:
    base = torch.zeros(2, 3, 4, 4)
    return Bag(a=over(base), b=over(base.permute(0, 2, 3, 1)))


# ---- overlaps


@case(("overlap", "a b"))
def a_partial_overlap() -> nn.Module:
    base = torch.zeros(10)
    return Bag(a=over(base[:6]), b=over(base[4:]))


@case(("overlap", "a b"))
def a_contained_range() -> nn.Module:
    base = torch.zeros(10)
    return Bag(a=over(base), b=over(base[3:5]))


@case(("overlap", "flat first second"))
def a_flat_parameter_and_its_halves() -> nn.Module:
    base = torch.zeros(10)
    return Bag(flat=over(base), first=over(base[:5]), second=over(base[5:]))


@case(("overlap", "a b c"))
def a_chain_of_overlaps() -> nn.Module:
    base = torch.zeros(10)
    return Bag(a=over(base[:4]), b=over(base[3:7]), c=over(base[6:]))


@case(("overlap", "a b c"))
def a_view_joined_by_an_overlap() -> nn.Module:
    base = torch.zeros(4, 4)
    return Bag(a=over(base), b=over(base.t()), c=over(base[0]))


@case(("overlap", "rows columns"))
def a_row_and_a_column() -> nn.Module:
    base = torch.zeros(4, 4)
    return Bag(rows=over(base[1]), columns=over(base[:, 2]))


@case(("overlap", "a b"))
def strided_sets_that_meet_in_one_element() -> nn.Module:
    base = torch.zeros(40)
    return Bag(a=over(base[::3][:4]), b=over(base[1::4][:3]))  # 0 3 6 9 and 1 5 9


@case(("overlap", "a b"))
def a_dtype_view_of_a_part() -> nn.Module:
    base = torch.zeros(4)
    return Bag(a=over(base), b=over(base[:2].view(torch.int16)))


@case(("overlap", "diagonal whole"))
def a_diagonal() -> nn.Module:
    base = torch.zeros(4, 4)
    return Bag(diagonal=over(base.diagonal()), whole=over(base))


@case(("overlap", "a b"))
def a_meta_overlap() -> nn.Module:
    base = torch.zeros(10, device="meta")
    return Bag(a=over(base[:6]), b=over(base[4:]))


@case(("overlap", "a b"))
def overlapping_arrays() -> nn.Module:
    array = np.zeros(10, np.float32)
    return Bag(a=over(torch.from_numpy(array[:6])), b=over(torch.from_numpy(array[4:])))


# ---- not ties


@case()
def equal_values() -> nn.Module:
    lin = nn.Linear(2, 2)
    return nn.Sequential(lin, copy.deepcopy(lin))


@case()
def disjoint_halves() -> nn.Module:
    base = torch.zeros(10)
    return Bag(a=over(base[:5]), b=over(base[5:]))


@case()
def interleaved_columns() -> nn.Module:
    base = torch.zeros(4, 6)
    return Bag(even=over(base[:, ::2]), odd=over(base[:, 1::2]))


@case()
def column_blocks() -> nn.Module:
    base = torch.zeros(4, 9)
    q, k, v = base.split(3, dim=1)
    return Bag(q=over(q), k=over(k), v=over(v))


@case()
def real_and_imaginary_parts() -> nn.Module:
    base = torch.zeros(4, dtype=torch.complex64)
    return Bag(re=over(base.real), im=over(base.imag))


@case()
def strided_sets_that_pass_each_other() -> nn.Module:
    base = torch.zeros(40)
    return Bag(a=over(base[::4]), b=over(base[2::4]), c=over(base[1::6]))


@case()
def a_hole_filled_by_another() -> nn.Module:
    base = torch.zeros(6, 6)
    return Bag(frame=over(base[::5, ::5]), core=over(base[1:5, 1:5]))


@case()
def disjoint_meta_halves() -> nn.Module:
    base = torch.zeros(10, device="meta")
    return Bag(a=over(base[:5]), b=over(base[5:]))


@case()
def empty_tensors() -> nn.Module:
    base = torch.zeros(4)
    return Bag(a=over(base[:0]), b=over(base[:0]), c=over(base), d=param(0), e=param(0))


@case()
def freed_memory_is_a_null_pointer() -> nn.Module:
    base = torch.zeros(4)
    bag = Bag(a=over(base), b=over(base), c=over(base[2:]), d=over(base[2:]))
    base.untyped_storage().resize_(0)
    return bag


@case()
def registered_as_none() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))


@case()
def an_empty_model() -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.ReLU())


# ---- buffers


@case(("alias", "w mirror"))
def a_buffer_over_a_parameter() -> nn.Module:
    weight = param(3)
    return Bag(w=weight, mirror=weight.data)


@case(("alias", "mirror child.w"))
def a_buffer_before_a_parameter() -> nn.Module:
    weight = param(3)
    return Bag(mirror=weight.data, child=Bag(w=weight))


@case(("overlap", "w part"))
def a_buffer_over_a_part_of_a_parameter() -> nn.Module:
    weight = param(3)
    return Bag(w=weight, part=weight.data[1:])


@case(("alias", "w late child.early"))
def buffers_come_after_parameters_and_before_children() -> nn.Module:
    weight = param(3)
    bag = Bag(late=weight.data, child=Bag(early=over(weight)))
    bag.w = weight
    return bag


@case()
def buffers_alone_are_not_listed() -> nn.Module:
    table = torch.zeros(3)
    return Bag(a=Bag(table=table), b=Bag(table=table))


@case(("parameter", "a.table b.table"), include_buffers=True)
def buffers_alone_on_request() -> nn.Module:
    return buffers_alone_are_not_listed()


@case(("module", "0.weight 1.weight"), ("module", "0.bias 1.bias"))
def the_buffers_of_a_shared_norm_are_not_listed() -> nn.Module:
    norm = nn.BatchNorm1d(2)
    return nn.Sequential(norm, norm)


@case(
    ("module", "0.weight 1.weight"),
    ("module", "0.bias 1.bias"),
    ("module", "0.running_mean 1.running_mean"),
    ("module", "0.running_var 1.running_var"),
    ("module", "0.num_batches_tracked 1.num_batches_tracked"),
    include_buffers=True,
)
def the_buffers_of_a_shared_norm_on_request() -> nn.Module:
    return the_buffers_of_a_shared_norm_are_not_listed()


@case(("alias", "w hidden"))
def a_buffer_that_is_not_saved() -> nn.Module:
    bag = Bag(w=param(3))
    bag.register_buffer("hidden", bag.w.data, persistent=False)
    return bag


# ---- kinds asked for


@case(("alias", "c d"), kinds="alias")
def one_kind() -> nn.Module:
    a, c = param(2), param(2)
    return Bag(a=a, b=a, c=c, d=over(c))


@case(("parameter", "a b"), kinds=["module", "parameter"])
def two_kinds() -> nn.Module:
    return one_kind()


# ---- sparse tensors and wrappers


@case(("overlap", "a b"))
def two_sparse_tensors_over_one_memory_of_values() -> nn.Module:
    values = torch.ones(2)
    a = torch.sparse_coo_tensor([[0, 1], [1, 0]], values, (2, 2))
    return Bag(a=over(a), b=over(torch.sparse_coo_tensor([[0, 1]], values, (2,))))


@case(("overlap", "sparse values"))
def a_sparse_tensor_and_its_values() -> nn.Module:
    values = torch.ones(2)
    sparse = torch.sparse_coo_tensor([[0, 1], [1, 0]], values, (2, 2), is_coalesced=True)
    return Bag(sparse=over(sparse), values=values_of(sparse))


def values_of(sparse: Tensor) -> Parameter:
    return over(sparse._values())


@case(("alias", "a b"))
def two_sparse_tensors_over_one_memory() -> nn.Module:
    sparse = torch.eye(3).to_sparse()
    return Bag(a=over(sparse), b=over(sparse))


@case()
def sparse_tensors_apart() -> nn.Module:
    return Bag(a=over(torch.eye(3).to_sparse()), b=over(torch.eye(3).to_sparse()))


@case(("overlap", "csr values"))
@pytest.mark.filterwarnings("ignore:Sparse")
def a_compressed_sparse_tensor_and_its_values() -> nn.Module:
    csr = torch.sparse_csr_tensor([0, 1, 2], [0, 1], torch.ones(2), (2, 2))
    return Bag(csr=over(csr), values=over(csr.values()))


class Scaled(Tensor):
    """A wrapper of integers and a scale, as quantised weights are."""

    @staticmethod
    def __new__(cls, data: Tensor, scale: Tensor) -> Scaled:
        made = Tensor._make_wrapper_subclass(cls, data.shape, dtype=torch.float32)
        made.data_, made.scale_ = data, scale
        return made

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["data_", "scale_"], None

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.detach.default:
            return Scaled(args[0].data_, args[0].scale_)
        raise NotImplementedError(str(func))

    def __repr__(self) -> str:
        return "Scaled"


def scaled(data: Tensor, scale: Tensor) -> Parameter:
    return Parameter(Scaled(data, scale), requires_grad=False)


@case(("alias", "a b"))
def two_wrappers_over_one_memory() -> nn.Module:
    data, scale = torch.zeros(4, dtype=torch.int8), torch.ones(1)
    return Bag(a=scaled(data, scale), b=scaled(data, scale))


@case(("overlap", "a b"))
def two_wrappers_that_share_a_scale() -> nn.Module:
    scale = torch.ones(1)
    first, second = torch.zeros(4, dtype=torch.int8), torch.zeros(4, dtype=torch.int8)
    return Bag(a=scaled(first, scale), b=scaled(second, scale))


@case(("view", "a whole"))
def a_wrapper_over_the_two_parts_of_another_tensor() -> nn.Module:
    whole = torch.zeros(5, dtype=torch.int8)
    return Bag(a=scaled(whole[:4], whole[4:]), whole=over(whole))


@case(("overlap", "a inner"))
def a_wrapper_and_what_it_wraps() -> nn.Module:
    data = torch.zeros(4, dtype=torch.int8)
    return Bag(a=scaled(data, torch.ones(1)), inner=data)


@case()
def wrappers_apart() -> nn.Module:
    made = [(torch.zeros(4, dtype=torch.int8), torch.ones(1)) for _ in range(2)]
    return Bag(a=scaled(*made[0]), b=scaled(*made[1]))


@case(("parameter", "a b"))
def one_wrapper_twice() -> nn.Module:
    weight = scaled(torch.zeros(4, dtype=torch.int8), torch.ones(1))
    return Bag(a=weight, b=weight)


@case(("alias", "a b"))
def nested_tensors_over_one_memory() -> nn.Module:
    nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    return Bag(a=over(nested), b=over(nested))


@case(("overlap", "jagged values"))
def a_jagged_tensor_and_its_values() -> nn.Module:
    parts = [torch.zeros(2), torch.zeros(3)]
    jagged = torch.nested.nested_tensor(parts, layout=torch.jagged)
    return Bag(jagged=over(jagged), values=over(jagged.values()))


class Plain(Tensor):
    """A subclass with memory of its own, and no interest in being looked at."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is Tensor.detach:
            return super().__torch_function__(func, types, args, kwargs)
        raise RuntimeError("leave me alone")


@case(("alias", "a b"), include_buffers=True)
def a_subclass_that_refuses_every_function() -> nn.Module:
    stubborn = torch.zeros(3).as_subclass(Plain)
    bag = Bag()
    bag._buffers["a"], bag._buffers["b"] = stubborn, stubborn.detach()
    return bag


@case()
def a_lazy_clone_is_another_memory() -> nn.Module:
    base = torch.zeros(3)
    return Bag(a=over(base), b=over(torch._lazy_clone(base)))


@case(("parameter", "0.weight 2.weight"), ("parameter", "0.bias 2.bias"))
@pytest.mark.filterwarnings("ignore")
def a_scripted_module() -> nn.Module:
    linear = nn.Linear(2, 2)
    return torch.jit.script(nn.Sequential(linear, nn.ReLU(), linear))


# ---- the table


def shown(groups: list[TieGroup]) -> list[Group]:
    return [(group.kind, " ".join(group.names)) for group in groups]


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.filterwarnings("ignore:.*PyTorch API of nested tensors")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
@pytest.mark.parametrize("name", CASES)
def test_the_table_of_kinds(name: str) -> None:
    build, expected, options = CASES[name]
    assert shown(find_tied_parameters(build(), **options)) == expected


# ---- distributed tensors


@pytest.fixture
def mesh() -> Iterator[object]:
    from torch import distributed
    from torch.distributed.device_mesh import DeviceMesh
    from torch.testing._internal.distributed.fake_pg import FakeStore

    distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=2)
    yield DeviceMesh("cpu", [0, 1])
    distributed.destroy_process_group()


def test_distributed_tensors_are_tied_by_their_local_parts(mesh: object) -> None:
    from torch.distributed.tensor import Shard, distribute_tensor

    weight, lone = (distribute_tensor(torch.zeros(4, 4), mesh, [Shard(0)]) for _ in range(2))
    tied = Parameter(weight)
    model = Bag(a=tied, b=tied, c=Parameter(weight), lone=Parameter(lone))
    assert shown(find_tied_parameters(model)) == [("alias", "a b c")]
    assert shown(find_tied_parameters(Bag(a=tied, t=Parameter(weight.t())))) == [("view", "a t")]
    local = Bag(a=tied, local=weight.to_local())
    assert shown(find_tied_parameters(local)) == [("view", "a local")]


def test_ties_last_under_fully_shard(mesh: object) -> None:
    from torch.distributed.fsdp import fully_shard

    model = embedding_and_head()
    fully_shard(model, mesh=mesh)
    assert shown(find_tied_parameters(model)) == [("parameter", "emb.weight head.weight")]


# ---- groups as values


def test_groups_serve_where_lists_of_names_are_expected() -> None:
    groups = find_tied_parameters(embedding_and_head())
    assert groups == [["emb.weight", "head.weight"]]
    assert [["emb.weight", "head.weight"]] == groups
    assert [list(group) for group in groups] == groups
    assert ("emb.weight", "head.weight") == groups[0]
    assert groups[0] != ["emb.weight"]
    assert len(groups[0]) == 2 and groups[0][1] == "head.weight" and "emb.weight" in groups[0]
    assert groups[0][:1] == ("emb.weight",)
    assert set(groups) == set(find_tied_parameters(embedding_and_head()))


def test_tensors_stand_one_for_each_name() -> None:
    model = Bag(a=param(2, 3))
    model.b = model.a
    model.c = over(model.a)
    [group] = find_tied_parameters(model)
    assert [t is model.a for t in group.tensors] == [True, True, False]
    assert dict(zip(group.names, group.tensors, strict=True))["c"] is model.c


def test_a_group_shows_itself() -> None:
    [group] = find_tied_parameters(two_names_in_one_module())
    assert repr(group) == "TieGroup(parameter: a = b)"


def test_the_canonical_name_is_the_smallest_of_the_parameters_names() -> None:
    weight = param(2)
    model = Bag(aaa=weight.data, z=weight, child=Bag(m=weight))
    [group] = find_tied_parameters(model)
    assert group.names == ("z", "aaa", "child.m")
    assert group.canonical == "child.m"


def test_the_first_name_is_the_one_that_named_parameters_keeps() -> None:
    for build in (three_slots, a_module_twice_and_its_parameter_elsewhere, embedding_and_head):
        model = build()
        kept = dict(model.named_parameters())
        assert all(group.names[0] in kept for group in find_tied_parameters(model))


def test_wrapper_segments_are_shown_but_not_canonical() -> None:
    model = nn.DataParallel(embedding_and_head())
    [group] = find_tied_parameters(model)
    assert group.names == ("module.emb.weight", "module.head.weight")
    assert group.canonical == "emb.weight"


# ---- the writer


def writer(model: nn.Module) -> str | None:
    [group] = find_tied_parameters(model)
    return group.writer.name if group.writer else None


def test_a_group_is_written_through_its_canonical_name() -> None:
    assert writer(Bag(z=(w := param(2)), b=w)) == "b"


def test_overlaps_are_written_through_the_member_that_holds_the_others() -> None:
    base = torch.zeros(4, 4)
    assert writer(Bag(a=over(base[0]), b=over(base), c=over(base[:, 1]))) == "b"
    assert writer(Bag(a=over(base.t()), b=over(base[1]))) == "a"


def test_overlaps_of_which_none_holds_the_others_get_a_writer_over_all() -> None:
    base = torch.zeros(12)
    [group] = find_tied_parameters(Bag(b=over(base[1:6]), a=over(base[4:10].view(2, 3))))
    assert group.writer is not None and group.writer not in group.slots
    assert group.writer.name == "a" and group.writer.shape == (9,)
    group.writer.tensor.fill_(1)
    assert base.tolist() == [0, *[1] * 9, 0, 0]


def test_overlaps_that_no_tensor_can_span_have_no_writer() -> None:
    assert writer(a_row_and_a_column()) is None
    assert writer(overlapping_arrays()) is None
    assert writer(two_sparse_tensors_over_one_memory_of_values()) is None
    assert writer(two_wrappers_that_share_a_scale()) is None


def test_weight_norms_over_one_direction_are_written_together() -> None:
    model = weight_norm_after_a_tie()
    [group] = [g for g in tie_slots(walk(model)) if g.kind == "overlap"]
    value = torch.randn(2, 2)
    group.writer.computed.write(value)
    assert torch.allclose(model[0].weight, value) and torch.allclose(model[1].weight, value)


# ---- state_dicts


def test_a_state_dict_shows_ties_by_memory() -> None:
    groups = find_tied_parameters(embedding_and_head().state_dict())
    assert shown(groups) == [("alias", "emb.weight head.weight")]
    kept = find_tied_parameters(embedding_and_head().state_dict(keep_vars=True))
    assert shown(kept) == [("parameter", "emb.weight head.weight")]


def test_a_state_dict_of_buffers_lists_them_as_entries() -> None:
    state = the_buffers_of_a_shared_norm_are_not_listed().state_dict()
    assert len(find_tied_parameters(state)) == 5


# ---- errors


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(errors.TargetError, match="a model is a module or a state_dict, not a list"):
        find_tied_parameters([])


def test_an_unknown_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        errors.UnknownNameError, match="kind of tie 'aliases'; did you mean 'alias'"
    ):
        find_tied_parameters(nn.Module(), kinds=["aliases"])
    assert KINDS == ("module", "parameter", "alias", "view", "overlap")


# ---- computed weights as the plan sees them


def plan_groups(model: nn.Module) -> list[Group]:
    return shown(tie_slots(walk(model, buffers=True)))


def test_a_computed_weight_is_not_tied_to_its_own_raw_tensors() -> None:
    assert plan_groups(parametrizations.weight_norm(nn.Linear(2, 2))) == []


def test_tied_computed_weights_are_one_group_beside_their_raw_tensors() -> None:
    raw = ".parametrizations.weight.original"
    assert plan_groups(parametrized_raw_tensors()) == [
        ("parameter", "a.weight b.weight"),
        ("parameter", f"a{raw} b{raw}"),
    ]
    assert plan_groups(a_parametrized_module_twice()) == [
        ("module", "a.weight b.weight"),
        ("module", f"a{raw} b{raw}"),
    ]


def test_weight_norm_over_one_direction_is_an_overlap() -> None:
    raw = ".parametrizations.weight.original1"
    assert plan_groups(weight_norm_after_a_tie()) == [
        ("overlap", "0.weight 1.weight"),
        ("alias", f"0{raw} 1{raw}"),
    ]


def test_a_computed_weight_is_tied_to_a_plain_one_over_its_raw_tensor() -> None:
    model = embedding_and_head()
    parametrizations.spectral_norm(model.emb)
    assert plan_groups(model) == [("parameter", "emb.weight head.weight")]


# ---- size


def test_ten_thousand_columns_of_one_matrix_are_apart() -> None:
    base = torch.zeros(3, 10_000)
    slots = walk_state_dict({f"c{i}": column for i, column in enumerate(base.unbind(1))})
    assert tie_slots(slots) == []


def test_ten_thousand_columns_that_skip_rows_are_apart() -> None:
    base = torch.zeros(8, 10_000)
    columns = {f"even{i}": column for i, column in enumerate(base[::2].unbind(1))}
    columns |= {f"odd{i}": column for i, column in enumerate(base[1::4].unbind(1))}
    assert tie_slots(walk_state_dict(columns)) == []


def test_a_matrix_and_its_ten_thousand_columns_are_one_group() -> None:
    base = torch.zeros(4, 10_000)
    columns = {f"c{i}": column for i, column in enumerate(base.unbind(1))}
    [group] = tie_slots(walk_state_dict({"whole": base, **columns}))
    assert len(group) == 10_001 and group.kind == "overlap"


def test_a_flat_parameter_over_ten_thousand_slices_is_one_group() -> None:
    base = torch.zeros(20_000)
    slots = walk_state_dict({"flat": base, **{f"s{i}": base[2 * i :][:2] for i in range(10_000)}})
    [group] = tie_slots(slots)
    assert len(group) == 10_001 and group.kind == "overlap" and group.writer is slots[0]


def test_nothing_of_the_models_size_is_allocated() -> None:
    base = torch.zeros(1_000_000_000, device="meta").view(1000, -1)
    model = Bag(a=over(base[:, ::3]), b=over(base[:, 1::3]), c=over(base[:, 1::2]))
    gc.collect()
    assert shown(find_tied_parameters(model)) == [("overlap", "a b c")]


def test_finding_ties_moves_no_buffer_and_no_generator() -> None:
    model = parametrizations.spectral_norm(nn.Linear(3, 3))
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    find_tied_parameters(model)
    tie_slots(walk(model, buffers=True))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
