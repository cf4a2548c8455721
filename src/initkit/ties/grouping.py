"""Links between slots that share memory, drawn from the strongest kind to the weakest.

Objects are compared first, then addresses, at a glance; only tensors whose hulls meet are looked at
byte by byte. Each item is one memory, and items that are linked form a group under one root.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import Parameter

from ..model import Slot
from .byte_regions import Region, clusters, hull, intersect, same_bytes
from .storage import parts, regions

KINDS = ("module", "parameter", "alias", "view", "overlap")
"""From the strongest link to the weakest."""

RegionCache: TypeAlias = dict[Hashable, tuple[Region, ...]]


class _Item:
    """One memory: a tensor object, or the raw tensors of a computed weight, with its slots."""

    __slots__ = ("kind", "parent", "slots", "tensors")

    def __init__(self, slot: Slot, tensors: tuple[Tensor, ...]) -> None:
        self.slots, self.tensors = [slot], tensors
        self.parent: _Item = self
        self.kind = 0  # of the root: the weakest link that was needed so far

    def root(self) -> _Item:
        item = self
        while item.parent is not item:
            item.parent = item.parent.parent
            item = item.parent
        return item


class Links:
    """Join slots to groups, from the strongest kind of link to the weakest."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = slots
        self.items: dict[Hashable, _Item] = {}
        self.held: RegionCache = {}
        for slot in slots:
            tensor = slot.tensor
            if tensor is None:
                continue
            computed = slot.computed
            tensors = (tensor,) if computed is None else computed.raw
            key = key_of(tensors)
            item = self.items.get(key)
            if item is None:
                self.items[key] = _Item(slot, tensors)
            else:
                item.slots.append(slot)

    def groups(self) -> list[tuple[list[Slot], str]]:
        """Return the slots of each group, in order, with its kind."""
        near = self._near()
        if near:
            self._link(near)
        together: dict[int, list[Slot]] = {}
        kinds: dict[int, int] = {}
        for item in self.items.values():
            root = item.root()
            alone = root.kind == 0 and len(item.slots) == 1
            if alone and len(item.slots[0].paths) == 1:
                continue
            together.setdefault(id(root), []).extend(item.slots)
            kinds[id(root)] = max(root.kind, kinds.get(id(root), 0), len(item.slots) > 1)
        return self._sorted(together, kinds) if together else []

    def _sorted(
        self, together: Mapping[int, list[Slot]], kinds: Mapping[int, int]
    ) -> list[tuple[list[Slot], str]]:
        order = {id(slot): place for place, slot in enumerate(self.slots)}
        found = [
            (sorted(members, key=lambda slot: order[id(slot)]), KINDS[kinds[root]])
            for root, members in together.items()
        ]
        return sorted(found, key=lambda pair: order[id(pair[0][0])])

    def _regions(self, item: _Item) -> tuple[Region, ...]:
        """Return the bytes of an item, looked up once."""
        key = key_of(item.tensors)
        if key not in self.held:
            self.held[key] = tuple(region for t in item.tensors for region in regions(t))
        return self.held[key]

    def _near(self) -> list[_Item]:
        """Return the items whose memory may meet another's: a quick look at addresses alone."""
        items = list(self.items.values())
        hulls: list[tuple[int, int, int]] = []
        virtual: dict[Hashable, list[int]] = defaultdict(list)
        for place, item in enumerate(items):
            tensor = item.tensors[0]
            cls = type(tensor)
            plain = (cls is Parameter or cls is Tensor) and len(item.tensors) == 1
            if plain and is_solid(tensor):
                if tensor.is_meta:
                    virtual["storage", tensor.untyped_storage()._cdata].append(place)
                elif start := tensor.data_ptr():
                    hulls.append((start, start + tensor.nbytes, place))
                continue
            for region in self._regions(item):
                if isinstance(region.space, tuple) and region.space[0] == "storage":
                    virtual[region.space].append(place)
                else:
                    hulls.append((region.start, region.stop, place))
        near = {place for shared in virtual.values() if len(shared) > 1 for place in shared}
        return [items[place] for place in sorted(near | _meeting(hulls))]

    def _link(self, near: Sequence[_Item]) -> None:
        """Join items by alias, then view, then overlap."""
        held = [(item, self._regions(item)) for item in near]
        alike: dict[Hashable, _Item] = {}
        for item, own in held:
            if own:
                geometry = own, tuple(map(_outline, item.tensors))
                _join(alike.setdefault(geometry, item), item, 2)
        for item, own in held:
            if own:
                _join(alike.setdefault(frozenset(own), item), item, 3)
        _link_same(held)
        spaces: dict[Hashable, int] = {}
        placed = [(region, item) for item, own in held for region in own]
        for region, _ in placed:
            spaces.setdefault(region.space, len(spaces))
        placed.sort(key=lambda pair: (spaces[pair[0].space], pair[0].start))
        for crowd in _crowds(placed):
            _link_overlaps(crowd)


Placed = tuple[Region, _Item]


def _join(a: _Item, b: _Item, kind: int) -> None:
    left, right = a.root(), b.root()
    if left is not right:
        right.parent = left
        left.kind = max(left.kind, right.kind, kind)


def key_of(tensors: Sequence[Tensor | None]) -> Hashable:
    """Return what tells the memory of these tensor objects from that of others."""
    return id(tensors[0]) if len(tensors) == 1 else tuple(map(id, tensors))


def is_solid(tensor: Tensor) -> bool:
    """Say whether a tensor is one run of bytes."""
    return tensor.layout is torch.strided and not tensor.is_nested and tensor.is_contiguous()


def _meeting(hulls: list[tuple[int, int, int]]) -> set[int]:
    """Return the items whose hulls meet another's."""
    hulls.sort()
    meeting: set[int] = set()
    reach, holder = -1, -1
    for start, stop, place in hulls:
        if start < reach:
            meeting.update((holder, place))
        if stop > reach:
            reach, holder = stop, place
    return meeting


def _outline(tensor: Tensor) -> Hashable:
    """Return shape, stride, dtype and sign bits; strides of sides of length one mean nothing."""
    inner = parts(tensor)
    if len(inner) == 1 and inner[0] is tensor:
        pairs = zip(tensor.shape, tensor.stride(), strict=True)
        stride = tuple(s if n > 1 else 0 for n, s in pairs)
        return tensor.shape, stride, tensor.dtype, tensor.is_conj(), tensor.is_neg()
    shape = None if tensor.is_nested else tensor.shape
    return shape, tensor.dtype, tuple(_outline(part) for part in inner)


def _crowds(placed: Sequence[Placed]) -> Iterator[list[Placed]]:
    """Split placed regions into crowds whose hulls touch; lone ones are left out."""
    begin = 0
    for cluster in clusters([region for region, _ in placed]):
        end = begin + len(cluster)
        if len(cluster) > 1:
            yield from _woven(placed[begin:end])
        begin = end


def _woven(crowd: Sequence[Placed]) -> Iterator[list[Placed]]:
    """Split a crowd further where all its regions step with one stride, as columns do."""
    stride = math.gcd(*(region.dims[-1][1] for region, _ in crowd))
    arcs = [(_arc(region, stride), pair) for pair in crowd for region in pair[:1]]
    if stride == 1 or any(arc is None for arc, _ in arcs):
        yield list(crowd)
        return
    ordered = sorted(((arc, pair) for arc, pair in arcs if arc), key=lambda found: found[0])
    current: list[Placed] = []
    reach = -1
    for (low, high), pair in ordered:
        if current and low >= reach:
            yield current
            current = []
        current.append(pair)
        reach = max(reach, high)
    yield current


def _arc(region: Region, stride: int) -> tuple[int, int] | None:
    """Return the interval, modulo the stride, in which all bytes lie; None where it wraps."""
    width = 1 + sum((count - 1) * step for count, step in region.dims if step % stride)
    low = region.start % stride
    return (low, low + width) if low + width <= stride else None


def _link_same(held: Sequence[tuple[_Item, tuple[Region, ...]]]) -> None:
    """Join items that are the same bytes in unlike descriptions."""
    hulls: dict[Hashable, dict[Hashable, tuple[_Item, tuple[Region, ...]]]] = defaultdict(dict)
    for item, own in held:
        if own:
            hulls[hull(own)].setdefault(frozenset(own), (item, own))
    for alike in hulls.values():
        for (left, a), (right, b) in combinations(alike.values(), 2):
            if left.root() is not right.root() and same_bytes(a, b):
                _join(left, right, 3)


def _link_overlaps(crowd: Sequence[Placed]) -> None:
    """Join regions that share a byte: plain ones in one sweep, others against other groups'."""
    crowd = sorted(crowd, key=lambda pair: pair[0].start)
    active: dict[_Item, list[Placed]] = {}  # by root: within a group nobody need be compared
    solid: Placed | None = None
    for region, item in crowd:
        if solid is not None and intersect(solid[0], region):
            _join(solid[1], item, 4)
        for root in list(active):
            if root is item.root():
                continue
            others = active.pop(root)
            if root.root() is not item.root():
                others = [pair for pair in others if pair[0].stop > region.start]
                if any(intersect(other, region) for other, _ in others):
                    _join(root, item, 4)
            if others:
                active.setdefault(root.root(), []).extend(others)
        if not region.plain:
            active.setdefault(item.root(), []).append((region, item))
        elif solid is None or solid[0].stop < region.stop:
            solid = region, item
