"""In random models, what is found agrees with poking memory through one name and looking on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import hypothesis.strategies as st
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor, nn
from torch.nn import Parameter

from initkit.ties import byte_regions as bytesets
from initkit.ties import storage as memory
from initkit.ties.groups import find_tied_parameters

LAW = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
DTYPES = (torch.uint8, torch.int16, torch.float32, torch.complex64)


class Bag(nn.Module):
    pass


@st.composite
def tensors(draw: st.DrawFn, bases: list[Tensor]) -> Tensor:
    """Draw any strided window into one of a few memories, as any dtype."""
    base = draw(st.sampled_from(bases)).view(draw(st.sampled_from(DTYPES)))
    sides = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7)), max_size=3))
    reach = sum((n - 1) * s for n, s in sides if n)
    start = draw(st.integers(0, 6))
    if start + reach >= base.numel():
        sides, start = [], start % base.numel()
    return base.as_strided([n for n, _ in sides], [s for _, s in sides], start)


@st.composite
def models(draw: st.DrawFn) -> nn.Module:
    """Draw a module graph, cycles and diamonds included, whose slots are windows or shared."""
    bases = [torch.zeros(48, dtype=torch.uint8) for _ in range(draw(st.integers(1, 3)))]
    bags = [Bag() for _ in range(draw(st.integers(1, 4)))]
    made: list[Tensor] = []
    for i in range(draw(st.integers(1, 6))):
        bag, fresh = draw(st.sampled_from(bags)), not made or draw(st.booleans())
        tensor = draw(tensors(bases)) if fresh else draw(st.sampled_from(made))
        if isinstance(tensor, Parameter) or draw(st.booleans()):
            if not isinstance(tensor, Parameter):
                tensor = Parameter(tensor, requires_grad=False)
            bag.register_parameter(f"p{i}", tensor)
        else:
            bag.register_buffer(f"b{i}", tensor)
        made.append(tensor)
    for i, bag in enumerate(bags[1:], 1):
        draw(st.sampled_from(bags[:i])).add_module(f"m{i}", bag)
    for i in range(draw(st.integers(0, 3))):
        draw(st.sampled_from(bags)).add_module(f"again{i}", draw(st.sampled_from(bags)))
    return bags[0]


def all_names(
    module: nn.Module, prefix: str = "", path: tuple[int, ...] = ()
) -> Iterator[tuple[str, Tensor]]:
    """Yield every name in order; no path enters a module twice."""
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        yield prefix + name, tensor
    here = (*path, id(module))
    for name, child in module._modules.items():
        if id(child) not in here:
            yield from all_names(child, f"{prefix}{name}.", here)


def in_bytes(tensor: Tensor) -> Tensor:
    """Read a window as bytes: one more side for the bytes of an element."""
    size = tensor.element_size()
    raw = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
    shape, strides = (*tensor.shape, size), (*(s * size for s in tensor.stride()), 1)
    return raw.as_strided(shape, strides, tensor.storage_offset() * size)


def poke(tensor: Tensor, others: list[Tensor]) -> list[bool]:
    """Write through one tensor and say in which others something changed."""
    in_bytes(tensor).fill_(1)
    seen = [bool(in_bytes(other).any()) for other in others]
    in_bytes(tensor).fill_(0)
    return seen


def filled_by(tensor: Tensor, other: Tensor) -> bool:
    """Say whether writing the whole of one tensor changes all of another."""
    in_bytes(tensor).fill_(1)
    full = bool(in_bytes(other).all())
    in_bytes(tensor).fill_(0)
    return full


def components(names: list[str], linked: Callable[[int, int], bool]) -> list[list[str]]:
    """Group names by links, in the order of their first members."""
    group = list(range(len(names)))
    for i, j in combinations(range(len(names)), 2):
        if linked(i, j):
            old, new = max(group[i], group[j]), min(group[i], group[j])
            group = [new if g == old else g for g in group]
    found = [[names[i] for i in range(len(names)) if group[i] == g] for g in sorted(set(group))]
    return [members for members in found if len(members) > 1]


def geometry(tensor: Tensor) -> object:
    sides = [(n, s if n > 1 else 0) for n, s in zip(tensor.shape, tensor.stride(), strict=True)]
    return tensor.data_ptr(), sides, tensor.dtype


def link(a: Tensor, b: Tensor, same_slot: bool) -> str:
    """Return the kind of one link, or nothing; by poking, not by arithmetic."""
    if same_slot:
        return "module"
    if a is b:
        return "parameter"
    if not a.numel() or not b.numel() or not poke(a, [b])[0]:
        return ""
    if geometry(a) == geometry(b):
        return "alias"
    return "view" if filled_by(a, b) and filled_by(b, a) else "overlap"


def slot_ids(module: nn.Module, path: tuple[int, ...] = ()) -> Iterator[tuple[int, str]]:
    yield from ((id(module), key) for key in (*module._parameters, *module._buffers))
    here = (*path, id(module))
    for child in module._modules.values():
        if id(child) not in here:
            yield from slot_ids(child, here)


KINDS = ("module", "parameter", "alias", "view", "overlap")


def by_poking(model: nn.Module) -> list[tuple[str, list[str]]]:
    """Find the groups and their kinds: the weakest links without which they fall apart."""
    named, slots = list(all_names(model)), list(slot_ids(model))
    names = [name for name, _ in named]
    links = {
        (i, j): link(named[i][1], named[j][1], slots[i] == slots[j])
        for i, j in combinations(range(len(named)), 2)
    }
    groups = components(names, lambda i, j: bool(links[i, j]))
    found = []
    for group in groups:
        for rank, kind in enumerate(KINDS):
            strong = set(KINDS[: rank + 1])
            if group in components(names, lambda i, j, strong=strong: links[i, j] in strong):
                found.append((kind, group))
                break
    return found


@LAW
@given(models())
def test_groups_kinds_and_order_are_those_that_poking_shows(model: nn.Module) -> None:
    found = [(g.kind, list(g)) for g in find_tied_parameters(model, include_buffers=True)]
    assert found == by_poking(model)


@LAW
@given(models())
def test_the_writer_reaches_every_byte_of_its_group(model: nn.Module) -> None:
    for group in find_tied_parameters(model, include_buffers=True):
        held = [t for t in group.tensors if t.numel()]
        members = {id(t) for t in held if all(filled_by(t, other) for other in held)}
        if group.writer is None:
            assert not members, group
        elif held:
            assert all(filled_by(group.writer.tensor, other) for other in held), group
            assert members or group.writer not in group.slots, group
            whole = memory.unique_bytes(held)
            assert memory.unique_bytes([group.writer.tensor]) == whole, "and nothing besides"


@LAW
@given(st.data())
def test_arithmetic_on_regions_is_arithmetic_on_sets_of_bytes(data: st.DataObject) -> None:
    base = torch.zeros(64, dtype=torch.uint8)
    a, b = data.draw(tensors([base])), data.draw(tensors([base]))
    left, right = set(places(a)), set(places(b))
    assert memory.unique_bytes([a, b]) == len(left | right)
    assert memory.self_overlapping(a) == (len(left) < len(list(places(a))))
    for x in memory.regions(a):
        assert bytesets.size(x) == len(left)
        for y in memory.regions(b):
            assert bytesets.intersect(x, y) == bool(left & right)
            assert bytesets.same_bytes([x], [y]) == (left == right)
            assert bytesets.contains(x, y) == (left >= right)


@LAW
@given(st.data())
def test_several_regions_are_compared_as_one_set_of_bytes(data: st.DataObject) -> None:
    base = torch.zeros(24, dtype=torch.uint8)
    left = [base, *(data.draw(tensors([base])) for _ in range(2))][data.draw(st.integers(0, 1)) :]
    right = [data.draw(tensors([base])) for _ in range(2)]
    a, b = ([region for t in side for region in memory.regions(t)] for side in (left, right))
    if a and b:
        same = {p for t in left for p in places(t)} == {p for t in right for p in places(t)}
        assert bytesets.same_bytes(a, b) == same
        assert bytesets.same_bytes(a, a[::-1])


def places(tensor: Tensor) -> list[int]:
    """Return the address of every byte of every element."""
    count = tensor.untyped_storage().nbytes()
    size = tensor.element_size()
    shape, strides = (*tensor.shape, size), (*(s * size for s in tensor.stride()), 1)
    return (
        torch.arange(count)
        .as_strided(shape, strides, tensor.storage_offset() * size)
        .flatten()
        .tolist()
    )
