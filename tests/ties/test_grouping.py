"""Every kind of tie is found and named as it should be, and nothing else is."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from bags import Bag, Tied, over, param, shown
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.utils import parametrizations, parametrize

from initkit import plan_init
from initkit.model import walk, walk_state_dict
from initkit.ties import find_tied_parameters, plainly_untied, tie_slots

Build = Callable[[], nn.Module]


def lin(bias: bool = False) -> nn.Linear:
    return nn.Linear(2, 2, bias=bias)


# ---- one slot with several paths, one object in several slots


def cycle(*, through_child: bool) -> nn.Module:
    root = Bag(child=Bag(p=param(2)))
    (root.child if through_child else root).parent = root
    return root


def siblings_that_hold_each_other() -> nn.Module:
    a, b = Bag(p=param(2)), Bag(q=param(2))
    a.sibling, b.sibling = b, a
    return Bag(a=a, b=b)


def one_weight(**slots: nn.Module) -> nn.Module:
    """Give modules the weight of the first."""
    first, *others = slots.values()
    for other in others:
        other.weight = first.weight
    return Bag(**slots)


def in_a_list_a_dict_and_an_attribute() -> nn.Module:
    w = param(2)
    return Bag(weight=w, list=nn.ParameterList([w]), dict=nn.ParameterDict({"k": w}))


def a_module_twice_and_its_weight_elsewhere() -> nn.Module:
    twice, other = lin(bias=True), lin()
    other.weight = twice.weight
    return nn.Sequential(twice, twice, other)


def not_in_alphabetical_order() -> nn.Module:
    model = one_weight(x=lin(), y=lin(), z=lin())
    return Bag(b=nn.Sequential(model.x, model.y), a=nn.Sequential(model.z))


def an_lstms_weight_in_another_slot() -> nn.Module:
    lstm = nn.LSTM(2, 2, bias=False)
    lstm.register_parameter("other", lstm.weight_hh_l0)
    return lstm


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x

    def right_inverse(self, x: Tensor) -> Tensor:
        return x / 2


def parametrized(*layers: nn.Module) -> nn.Module:
    """Parametrize the weights of layers that have one weight; a layer may stand twice."""
    a, b = layers
    b.weight = a.weight
    for layer in dict.fromkeys(layers):
        parametrize.register_parametrization(layer, "weight", Double())
    return Bag(a=a, b=b)


def twice(module: nn.Module) -> nn.Module:
    return Bag(a=module, b=module)


RAW = ".parametrizations.weight.original"
OBJECTS: dict[str, tuple[Build, list[str]]] = {
    "one module twice in a Sequential": (
        lambda: nn.Sequential(*[lin(bias=True)] * 2),
        ["module: 0.weight 1.weight", "module: 0.bias 1.bias"],
    ),
    "one module under two parents": (
        lambda: (m := lin()) and Bag(a=Bag(lin=m), b=Bag(lin=m)),
        ["module: a.lin.weight b.lin.weight"],
    ),
    "one module in two lists": (
        lambda: (m := lin()) and Bag(a=nn.ModuleList([m]), b=nn.ModuleList([m])),
        ["module: a.0.weight b.0.weight"],
    ),
    "one module under two names": (lambda: twice(lin()), ["module: a.weight b.weight"]),
    "a module and its child": (
        lambda: (m := Bag(p=param(2), q=param(3))) and Bag(a=Bag(inner=m), b=m),
        ["module: a.inner.p b.p", "module: a.inner.q b.q"],
    ),
    "a cycle back to the root": (lambda: cycle(through_child=False), []),
    "a cycle through a child": (lambda: cycle(through_child=True), []),
    "two siblings that hold each other": (
        siblings_that_hold_each_other,
        ["module: a.p b.sibling.p", "module: a.sibling.q b.q"],
    ),
    "a layer that refers to another branch": (
        lambda: (m := Bag(w=param(2))) and Bag(layers=nn.ModuleList([Bag(ref=m)]), encoder=m),
        ["module: layers.0.ref.w encoder.w"],
    ),
    "a lazy module twice": (
        lambda: twice(nn.LazyLinear(3, bias=False)),
        ["module: a.weight b.weight"],
    ),
    "a parametrized module twice": (
        lambda: parametrized(*[lin()] * 2),
        [f"module: a{RAW} b{RAW}"],
    ),
    "embedding and head": (Tied, ["parameter: emb.weight head.weight"]),
    "two names in one module": (
        lambda: (w := param(2)) is not None and Bag(a=w, b=w),
        ["parameter: a b"],
    ),
    "three slots": (
        lambda: one_weight(shared=lin(), enc=lin(), dec=lin()),
        ["parameter: shared.weight enc.weight dec.weight"],
    ),
    "a ParameterList": (
        lambda: (w := param(2)) is not None and nn.ParameterList([w, param(2), w]),
        ["parameter: 0 2"],
    ),
    "a ParameterDict": (
        lambda: (w := param(2)) is not None and nn.ParameterDict({"x": w, "y": param(2), "z": w}),
        ["parameter: x z"],
    ),
    "a list, a dict and an attribute": (
        in_a_list_a_dict_and_an_attribute,
        ["parameter: weight list.0 dict.k"],
    ),
    "a module twice and its weight elsewhere": (
        a_module_twice_and_its_weight_elsewhere,
        ["parameter: 0.weight 1.weight 2.weight", "module: 0.bias 1.bias"],
    ),
    "registered against the alphabet": (
        not_in_alphabetical_order,
        ["parameter: b.0.weight b.1.weight a.0.weight"],
    ),
    "two groups, in the order of their first names": (
        lambda: Bag(w=(w := param(2)), u=(u := param(3)), child=Bag(t=u, v=w)),
        ["parameter: w child.v", "parameter: u child.t"],
    ),
    "an LSTM's weight in another slot": (
        an_lstms_weight_in_another_slot,
        ["parameter: weight_hh_l0 other"],
    ),
    "empty, but one object": (lambda: Bag(a=(w := param(0, 3)), b=w), ["parameter: a b"]),
    "a lazy parameter in two slots": (
        lambda: one_weight(a=nn.LazyLinear(3, bias=False), b=nn.LazyLinear(3, bias=False)),
        ["parameter: a.weight b.weight"],
    ),
    "raw tensors of parametrized weights": (
        lambda: parametrized(lin(), lin()),
        [f"parameter: a{RAW} b{RAW}"],
    ),
    "lazy parameters of their own": (lambda: nn.Sequential(*map(nn.LazyLinear, (3, 3))), []),
    "equal values": (lambda: nn.Sequential(m := lin(), copy.deepcopy(m)), []),
    "registered as None": (lambda: nn.Sequential(lin(), lin()), []),
    "an empty model": (lambda: nn.Sequential(nn.ReLU(), nn.ReLU()), []),
    "meta parameters of their own": (
        lambda: nn.Sequential(nn.Linear(2, 2, device="meta"), nn.Linear(2, 2, device="meta")),
        [],
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_names_of_one_object_are_tied_by_module_or_parameter(name: str) -> None:
    build, expected = OBJECTS[name]
    assert shown(find_tied_parameters(build())) == expected


def test_a_tie_on_meta_is_found() -> None:
    with torch.device("meta"):
        model = Tied()
    assert shown(find_tied_parameters(model)) == ["parameter: emb.weight head.weight"]


@pytest.mark.filterwarnings("ignore")
def test_a_scripted_module_is_looked_into() -> None:
    model = torch.jit.script(nn.Sequential(m := lin(), nn.ReLU(), m))
    assert shown(find_tied_parameters(model)) == ["parameter: 0.weight 2.weight"]


# ---- several objects that read one memory

Read = Callable[[Tensor], Tensor]
Window = tuple[str, Tensor, Sequence[Read]]


def same(base: Tensor) -> Tensor:
    return base


def strided(shape: Sequence[int], stride: Sequence[int], start: int = 0) -> Read:
    return lambda base: base.as_strided(shape, stride, start)


def from_array(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array)


FLAT, MATRIX = torch.zeros(10), torch.zeros(4, 6)
COMPLEX = torch.zeros(4, dtype=torch.complex64)
SHADOW = torch.zeros(10, device="meta")
ARRAY = np.zeros(10, np.float32)

WINDOWS: dict[str, Window] = {
    # the same elements and geometry
    "data of a parameter": ("alias", MATRIX, [same, same]),
    "three aliases": ("alias", MATRIX, [same, same, same]),
    "a scalar": ("alias", torch.tensor(1.0), [same, same]),
    "strides of sides of one": ("alias", FLAT, [strided((1, 6), (6, 1)), strided((1, 6), (1, 1))]),
    "two storages over one array": ("alias", FLAT, [lambda _: from_array(ARRAY)] * 2),
    "an alias on meta": ("alias", SHADOW, [same, same]),
    # the same bytes, read in another way
    "transposed": ("view", MATRIX, [same, Tensor.t]),
    "square and transposed": ("view", torch.zeros(3, 3), [same, Tensor.t]),
    "reshaped": ("view", MATRIX, [same, lambda b: b.view(-1)]),
    "another dtype": ("view", MATRIX, [same, lambda b: b.view(torch.int32)]),
    "a narrower dtype": ("view", MATRIX, [same, lambda b: b.view(torch.bfloat16)]),
    "complex and its real view": ("view", COMPLEX, [same, torch.view_as_real]),
    "conjugated": ("view", COMPLEX, [same, torch.conj]),
    "expanded": ("view", torch.zeros(1, 3), [same, lambda b: b.expand(4, 3)]),
    "an alias and a view": ("view", MATRIX, [same, same, Tensor.t]),
    "a view on meta": ("view", SHADOW, [same, lambda b: b.view(2, 5)]),
    "windows over the same bytes": ("view", FLAT, [same, lambda b: b.unfold(0, 3, 1)]),
    "a column in two ways": ("view", MATRIX, [lambda b: b[:, 1], strided((2, 2), (12, 6), 1)]),
    "channels last": ("view", torch.zeros(2, 3, 4, 4), [same, lambda b: b.permute(0, 2, 3, 1)]),
    # some bytes in common
    "ranges that overlap": ("overlap", FLAT, [lambda b: b[:6], lambda b: b[4:]]),
    "a range within": ("overlap", FLAT, [same, lambda b: b[3:5]]),
    "a whole and its halves": ("overlap", FLAT, [same, lambda b: b[:5], lambda b: b[5:]]),
    "a chain": ("overlap", FLAT, [lambda b: b[:4], lambda b: b[3:7], lambda b: b[6:]]),
    "a view and a row": ("overlap", MATRIX, [same, Tensor.t, lambda b: b[0]]),
    "a row and a column": ("overlap", MATRIX, [lambda b: b[1], lambda b: b[:, 2]]),
    "0 3 6 9 and 1 5 9": ("overlap", FLAT, [lambda b: b[::3], lambda b: b[1::4]]),
    "a part in another dtype": ("overlap", FLAT, [same, lambda b: b[:2].view(torch.int16)]),
    "a diagonal": ("overlap", MATRIX, [lambda b: b.diagonal(), same]),
    "an overlap on meta": ("overlap", SHADOW, [lambda b: b[:6], lambda b: b[4:]]),
    "arrays that overlap": (
        "overlap",
        FLAT,
        [lambda _: from_array(ARRAY[:6]), lambda _: from_array(ARRAY[4:])],
    ),
    # nothing in common
    "disjoint halves": ("", FLAT, [lambda b: b[:5], lambda b: b[5:]]),
    "interleaved columns": ("", MATRIX, [lambda b: b[:, ::2], lambda b: b[:, 1::2]]),
    "blocks of columns": (
        "",
        MATRIX,
        [lambda b: b[:, :2], lambda b: b[:, 2:4], lambda b: b[:, 4:]],
    ),
    "real and imaginary": ("", COMPLEX, [lambda b: b.real, lambda b: b.imag]),
    "strides that pass each other": (
        "",
        torch.zeros(40),
        [lambda b: b[::4], lambda b: b[2::4], lambda b: b[1::6]],
    ),
    "a hole filled by another": (
        "",
        torch.zeros(6, 6),
        [lambda b: b[::5, ::5], lambda b: b[1:5, 1:5]],
    ),
    "disjoint halves on meta": ("", SHADOW, [lambda b: b[:5], lambda b: b[5:]]),
    "empty slices": ("", FLAT, [lambda b: b[:0], lambda b: b[:0], same]),
    "a lazy clone": ("", FLAT, [same, torch._lazy_clone]),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_into_one_memory_are_tied_by_what_they_share(name: str) -> None:
    kind, base, reads = WINDOWS[name]
    model = Bag(**{key: over(read(base)) for key, read in zip("abc", reads, strict=False)})
    names = " ".join("abc"[: len(reads)])
    assert shown(find_tied_parameters(model)) == ([f"{kind}: {names}"] if kind else [])


def test_the_weakest_necessary_link_names_the_group() -> None:
    w = param(2, 3)
    assert shown(find_tied_parameters(Bag(a=w, b=w, c=over(w)))) == ["alias: a b c"]
    assert shown(find_tied_parameters(Bag(a=w, b=w, c=over(w), d=w.data.t()))) == ["view: a b c d"]


def test_freed_memory_is_a_null_pointer_and_no_tie() -> None:
    base = torch.zeros(4)
    bag = Bag(a=over(base), b=over(base), c=over(base[2:]), d=over(base[2:]))
    base.untyped_storage().resize_(0)
    assert find_tied_parameters(bag) == []


def test_fake_tensors_are_told_apart_by_their_storages() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        a, c, lone = (param(2, 3) for _ in range(3))
        bag = Bag(a=a, b=Parameter(a.data), c=c, d=Parameter(c.data.t()), lone=lone)
        assert shown(find_tied_parameters(bag)) == ["alias: a b", "view: c d"]


def loaded_with_assign() -> nn.Module:
    source, target = Tied(), Tied()
    target.load_state_dict(source.state_dict(), assign=True)
    return target


def test_a_tied_model_loaded_with_assign_has_aliases() -> None:
    assert shown(find_tied_parameters(loaded_with_assign())) == ["alias: emb.weight head.weight"]


# ---- tensors of several components


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


class Stubborn(Tensor):
    """A subclass with memory of its own, and no interest in being looked at."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is Tensor.detach:
            return super().__torch_function__(func, types, args, kwargs)
        raise RuntimeError("leave me alone")


def sparse(values: Tensor) -> Tensor:
    return torch.sparse_coo_tensor([[0, 1], [1, 0]], values, (2, 2), is_coalesced=True)


def csr() -> Tensor:
    return torch.sparse_csr_tensor([0, 1, 2], [0, 1], torch.ones(2), (2, 2))


def nested(**options: object) -> Tensor:
    return torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)], **options)


def ints(count: int = 4) -> Tensor:
    return torch.zeros(count, dtype=torch.int8)


COMPONENTS: dict[str, tuple[str, Callable[[], tuple[Tensor, Tensor]]]] = {
    "two sparse over one memory of values": (
        "overlap",
        lambda: (sparse(v := torch.ones(2)), torch.sparse_coo_tensor([[0, 1]], v, (2,))),
    ),
    "a sparse and its values": ("overlap", lambda: ((s := sparse(torch.ones(2))), s._values())),
    "a csr and its values": ("overlap", lambda: ((s := csr()), s.values())),
    "two sparse over one memory": ("alias", lambda: (s := sparse(torch.ones(2)), s)),
    "two sparse apart": ("", lambda: (sparse(torch.ones(2)), sparse(torch.ones(2)))),
    "two wrappers over one memory": (
        "alias",
        lambda: (Scaled(d := ints(), s := torch.ones(1)), Scaled(d, s)),
    ),
    "two wrappers with one scale": (
        "overlap",
        lambda: (Scaled(ints(), s := torch.ones(1)), Scaled(ints(), s)),
    ),
    "a wrapper over both parts of another tensor": (
        "view",
        lambda: (Scaled((d := ints(5))[:4], d[4:]), d),
    ),
    "a wrapper and what it wraps": ("overlap", lambda: (Scaled(d := ints(), torch.ones(1)), d)),
    "two wrappers apart": ("", lambda: tuple(Scaled(ints(), torch.ones(1)) for _ in "ab")),
    "two nested over one memory": ("alias", lambda: (n := nested(), n)),
    "a jagged one and its values": (
        "overlap",
        lambda: (n := nested(layout=torch.jagged), n.values()),
    ),
}


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.filterwarnings("ignore:.*PyTorch API of nested tensors")
@pytest.mark.parametrize("name", COMPONENTS)
def test_tensors_are_tied_by_the_memory_of_their_components(name: str) -> None:
    kind, build = COMPONENTS[name]
    a, b = map(over, build())
    assert shown(find_tied_parameters(Bag(a=a, b=b))) == ([f"{kind}: a b"] if kind else [])


def test_one_wrapper_in_two_slots_is_one_object() -> None:
    weight = over(Scaled(ints(), torch.ones(1)))
    assert shown(find_tied_parameters(Bag(a=weight, b=weight))) == ["parameter: a b"]


def test_a_subclass_that_refuses_every_function_is_looked_at_all_the_same() -> None:
    tensor, bag = torch.zeros(3).as_subclass(Stubborn), Bag()
    bag._buffers["a"], bag._buffers["b"] = tensor, tensor.detach()
    assert shown(find_tied_parameters(bag, include_buffers=True)) == ["alias: a b"]


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
    from torch.distributed.tensor import DTensor, Shard

    weight, lone = (DTensor.from_local(torch.zeros(2, 4), mesh, [Shard(0)]) for _ in range(2))
    tied = Parameter(weight)
    model = Bag(a=tied, b=tied, c=Parameter(weight), lone=Parameter(lone))
    assert shown(find_tied_parameters(model)) == ["alias: a b c"]
    assert shown(find_tied_parameters(Bag(a=tied, t=Parameter(weight.t())))) == ["view: a t"]
    local = Bag(a=tied, local=weight.to_local())
    assert shown(find_tied_parameters(local)) == ["view: a local"]


def test_the_glance_says_untied_of_sharded_parts_with_memory_of_their_own_alone(
    mesh: object,
) -> None:
    from torch.distributed.tensor import DTensor, Shard

    def shard(local: Tensor) -> Parameter:
        return Parameter(DTensor.from_local(local, mesh, [Shard(0)], run_check=False))

    one = torch.zeros(2, 4)
    assert plainly_untied(walk(Bag(a=shard(one), b=shard(torch.zeros(2, 4)))))
    for other in (one, one[1:], torch.zeros(4, 2).t(), torch.zeros(0, 4)):
        assert not plainly_untied(walk(Bag(a=shard(one), b=shard(other))))


def test_of_like_layers_the_one_whose_shard_cannot_be_written_is_named(mesh: object) -> None:
    from torch.distributed.tensor import DTensor, Partial, Shard

    model = nn.Sequential(*[nn.Linear(4, 4, bias=False) for _ in range(3)])
    for place, layer in enumerate(model):
        how = Partial() if place == 2 else Shard(0)
        rows = 4 if place == 2 else 2
        layer.weight = Parameter(DTensor.from_local(torch.zeros(rows, 4), mesh, [how]))  # type: ignore[arg-type]
    (problem,) = plan_init(model, {"*": 0}).problems
    assert str(problem).startswith("2.weight: its placement P")
    assert list(problem.names) == ["2.weight"]


def test_ties_last_under_fully_shard(mesh: object) -> None:
    from torch.distributed.fsdp import fully_shard

    model = Tied()
    fully_shard(model, mesh=mesh)
    assert shown(find_tied_parameters(model)) == ["parameter: emb.weight head.weight"]


# ---- computed weights as the plan sees them


def plan_groups(model: nn.Module) -> list[str]:
    return shown(tie_slots(walk(model, buffers=True)))


def normed(norm: Callable[[nn.Module], nn.Module]) -> nn.Module:
    """Return two layers of one weight, of which weight norm has split the length off."""
    model = one_weight(a=lin(), b=lin())
    norm(model.a)
    norm(model.b)
    return model


def test_weight_norm_after_a_tie_leaves_the_direction_tied() -> None:
    found = find_tied_parameters(normed(parametrizations.weight_norm))
    assert shown(found) == [f"alias: a{RAW}1 b{RAW}1"]
    with pytest.warns(FutureWarning):
        found = find_tied_parameters(normed(nn.utils.weight_norm))
    assert shown(found) == ["alias: a.weight_v b.weight_v"]


def test_a_computed_weight_is_not_tied_to_its_own_raw_tensors() -> None:
    assert plan_groups(parametrizations.weight_norm(lin())) == []


def test_tied_computed_weights_are_one_group_beside_their_raw_tensors() -> None:
    for model, kind in (
        (parametrized(lin(), lin()), "parameter"),
        (parametrized(*[lin()] * 2), "module"),
    ):
        assert plan_groups(model) == [f"{kind}: a.weight b.weight", f"{kind}: a{RAW} b{RAW}"]


def test_weight_norms_over_one_direction_overlap() -> None:
    assert plan_groups(normed(parametrizations.weight_norm)) == [
        "overlap: a.weight b.weight",
        f"alias: a{RAW}1 b{RAW}1",
    ]


def test_a_computed_weight_is_tied_to_a_plain_one_over_its_raw_tensor() -> None:
    model = Tied()
    parametrizations.spectral_norm(model.emb)
    assert plan_groups(model) == ["parameter: emb.weight head.weight"]


# ---- size


def columns(base: Tensor, name: str = "c") -> dict[str, Tensor]:
    return {f"{name}{i}": column for i, column in enumerate(base.unbind(1))}


def test_ten_thousand_columns_of_one_matrix_are_apart() -> None:
    assert tie_slots(walk_state_dict(columns(torch.zeros(3, 10_000)))) == []


def test_ten_thousand_columns_that_skip_rows_are_apart() -> None:
    base = torch.zeros(8, 10_000)
    entries = columns(base[::2], "even") | columns(base[1::4], "odd")
    assert tie_slots(walk_state_dict(entries)) == []


def test_a_matrix_and_its_ten_thousand_columns_are_one_group() -> None:
    base = torch.zeros(4, 10_000)
    [group] = tie_slots(walk_state_dict({"whole": base, **columns(base)}))
    assert len(group) == 10_001 and group.kind == "overlap"


def test_a_flat_parameter_over_ten_thousand_slices_is_one_group() -> None:
    base = torch.zeros(20_000)
    slots = walk_state_dict({"flat": base, **columns(base.view(-1, 2).t(), "s")})
    [group] = tie_slots(slots)
    assert len(group) == 10_001 and group.kind == "overlap" and group.writer is slots[0]


def test_nothing_of_the_models_size_is_allocated() -> None:
    base = torch.zeros(1_000_000_000, device="meta").view(1000, -1)
    model = Bag(a=over(base[:, ::3]), b=over(base[:, 1::3]), c=over(base[:, 1::2]))
    gc.collect()
    assert shown(find_tied_parameters(model)) == ["overlap: a b c"]


def test_finding_ties_moves_no_buffer_and_no_generator() -> None:
    model = parametrizations.spectral_norm(nn.Linear(3, 3))
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    find_tied_parameters(model)
    tie_slots(walk(model, buffers=True))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
