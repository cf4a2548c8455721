"""In random models, what is found agrees with poking memory through one name and looking on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import hypothesis.strategies as st
import torch
from bags import EXAMPLES, Bag, windows
from hypothesis import given
from torch import Tensor, nn
from torch.nn import Parameter

from initkit.ties import find_tied_parameters
from initkit.ties.storage import unique_bytes


@st.composite
def models(draw: st.DrawFn) -> nn.Module:
    """Draw a module graph, cycles and diamonds included, whose slots are windows or shared."""
    bases = [torch.zeros(48, dtype=torch.uint8) for _ in range(draw(st.integers(1, 3)))]
    bags = [Bag() for _ in range(draw(st.integers(1, 4)))]
    made: list[Tensor] = []
    for i in range(draw(st.integers(1, 6))):
        bag, fresh = draw(st.sampled_from(bags)), not made or draw(st.booleans())
        tensor = draw(windows(bases)) if fresh else draw(st.sampled_from(made))
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


@EXAMPLES
@given(models())
def test_groups_kinds_and_order_are_those_that_poking_shows(model: nn.Module) -> None:
    found = [(g.kind, list(g)) for g in find_tied_parameters(model, include_buffers=True)]
    assert found == by_poking(model)


@EXAMPLES
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
            whole = unique_bytes(held)
            assert unique_bytes([group.writer.tensor]) == whole, "and nothing besides"
