"""Slots as a graph: an edge where two share memory, drawn from the strongest kind to the weakest.

Objects are compared first, then addresses, at a glance; only tensors whose bounding intervals meet
are looked at byte by byte. Connected nodes form a group; they are kept as a union-find forest.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor
from torch.nn import Parameter

from ..model import Slot, components
from .byte_regions import Region, bounding_intervals, clusters, intersect, same_bytes
from .storage import regions_of

TieKind: TypeAlias = Literal["module", "parameter", "alias", "view", "overlap"]
KINDS: tuple[TieKind, ...] = get_args(TieKind)
"""From the strongest link to the weakest."""
_ALIAS, _VIEW, _OVERLAP = 2, 3, 4  # their places among KINDS


class Node:
    """One memory: a tensor object, or the raw tensors of a computed weight, with its slots.

    What it says of bytes is looked up once, so a node must not outlive the search that made it:
    later a tensor may be given other memory.
    """

    __slots__ = ("_regions", "parent", "slots", "tensors", "weakest")

    def __init__(self, tensors: tuple[Tensor, ...]) -> None:
        self.tensors = tensors
        self.slots: list[Slot] = []
        self.parent: Node = self
        self.weakest = 0  # of a root: the weakest kind of link that its group needed so far
        self._regions: tuple[Region, ...] | None = None

    @property
    def regions(self) -> tuple[Region, ...]:
        """The bytes of the node's tensors."""
        if self._regions is None:
            self._regions = regions_of(self.tensors)
        return self._regions

    @property
    def is_alone(self) -> bool:
        """Whether one name reaches the node, and no link leads to another."""
        one = len(self.slots) == 1 and self.parent is self and self.weakest == 0
        return one and len(self.slots[0].paths) == 1

    def root(self) -> Node:
        """Return the node that stands for the whole group; paths to it are halved on the way."""
        node = self
        while node.parent is not node:  # halving keeps later look-ups short
            node.parent = node.parent.parent
            node = node.parent
        return node

    def join(self, other: Node, kind: int) -> None:
        """Make two groups one, unless they are; no stronger kind of link may come later."""
        left, right = self.root(), other.root()
        if left is not right:
            right.parent = left
            left.weakest = max(left.weakest, right.weakest, kind)  # KINDS ascend in weakness


def connected(slots: Sequence[Slot]) -> Iterator[tuple[list[tuple[Slot, Node]], TieKind]]:
    """Yield each group of slots that share memory, with their nodes and its kind.

    Groups, and slots within them, come in the order of ``slots``.
    """
    nodes: dict[Hashable, Node] = {}
    node_of: list[tuple[Slot, Node]] = []
    for slot in slots:
        if tensors := slot.raw:
            # The slots keep the tensors alive, so that no id is given out twice.
            key = id(tensors[0]) if len(tensors) == 1 else tuple(map(id, tensors))
            node = nodes.get(key) or nodes.setdefault(key, Node(tensors))
            node.slots.append(slot)
            node_of.append((slot, node))
    if near := _near(list(nodes.values())):
        _link(near)
    groups: dict[Node, list[tuple[Slot, Node]]] = {}
    for slot, node in node_of:
        if not node.is_alone:
            groups.setdefault(node.root(), []).append((slot, node))
    for root, members in groups.items():
        several_slots = any(len(node.slots) > 1 for _, node in members)
        yield members, KINDS[max(root.weakest, several_slots)]


def geometry(tensors: Sequence[Tensor]) -> Hashable:
    """Return what aliases have in common: their bytes, and how these are read."""
    return regions_of(tensors), _readings(tensors)


def plainly_contiguous(tensor: Tensor) -> bool:
    """Say whether a tensor of an ordinary layout is one interval of bytes."""
    return tensor.layout is torch.strided and not tensor.is_nested and tensor.is_contiguous()


def _near(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes whose memory may meet another's: a quick look at addresses alone."""
    bounds: list[tuple[int, int, int]] = []
    virtual: dict[Hashable, list[int]] = defaultdict(list)
    for place, node in enumerate(nodes):
        tensor = node.tensors[0]
        cls = type(tensor)
        ordinary = (cls is Parameter or cls is Tensor) and len(node.tensors) == 1
        if ordinary and plainly_contiguous(tensor):
            if tensor.is_meta:  # without addresses: whoever shares a storage may meet
                virtual["storage", tensor.untyped_storage()._cdata].append(place)
            elif start := tensor.data_ptr():
                bounds.append((start, start + tensor.nbytes, place))
            continue
        for region in node.regions:
            if isinstance(region.space, tuple) and region.space[0] == "storage":
                virtual[region.space].append(place)
            else:
                bounds.append((region.start, region.stop, place))
    near = {place for shared in virtual.values() if len(shared) > 1 for place in shared}
    return [nodes[place] for place in sorted(near | _meeting(bounds))]


def _meeting(bounds: list[tuple[int, int, int]]) -> set[int]:
    """Return the places whose bounding interval (start, stop, place) meets another's."""
    # Sorted by starts, an interval meets an earlier one if it meets that which reaches farthest.
    bounds.sort()
    meeting: set[int] = set()
    reach, owner = -1, -1
    for start, stop, place in bounds:
        if start < reach:
            meeting.update((owner, place))
        if stop > reach:
            reach, owner = stop, place
    return meeting


def _link(nodes: Iterable[Node]) -> None:
    """Join nodes by alias, then view, then overlap.

    In this order a link of a weaker kind joins only what no stronger one has joined, so the last
    that is needed names the group.
    """
    nodes = [node for node in nodes if node.regions]
    alike: dict[Hashable, Node] = {}  # for both loops: a frozenset never equals a tuple
    for node in nodes:
        key = node.regions, _readings(node.tensors)
        alike.setdefault(key, node).join(node, _ALIAS)
    for node in nodes:
        alike.setdefault(frozenset(node.regions), node).join(node, _VIEW)
    _link_same_bytes(nodes)
    spaces: dict[Hashable, int] = {}
    owned = [(region, node) for node in nodes for region in node.regions]
    for region, _ in owned:
        spaces.setdefault(region.space, len(spaces))
    owned.sort(key=lambda pair: (spaces[pair[0].space], pair[0].start))
    for cluster in _clusters(owned):
        _link_overlaps(cluster)


Owned: TypeAlias = tuple[Region, Node]


def _readings(tensors: Iterable[Tensor]) -> Hashable:
    return tuple(map(_reading, tensors))


def _reading(tensor: Tensor) -> Hashable:
    """Return shape, stride, dtype and sign bits; strides of sides of length one mean nothing."""
    inner = components(tensor)
    if len(inner) == 1 and inner[0] is tensor:
        pairs = zip(tensor.shape, tensor.stride(), strict=True)
        stride = tuple(s if n > 1 else 0 for n, s in pairs)
        return tensor.shape, stride, tensor.dtype, tensor.is_conj(), tensor.is_neg()
    shape = None if tensor.is_nested else tensor.shape
    return shape, tensor.dtype, tuple(_reading(component) for component in inner)


def _link_same_bytes(nodes: Iterable[Node]) -> None:
    """Join nodes that are the same bytes in unlike descriptions."""
    bounds: dict[Hashable, dict[Hashable, Node]] = defaultdict(dict)
    for node in nodes:
        bounds[bounding_intervals(node.regions)].setdefault(frozenset(node.regions), node)
    for alike in bounds.values():
        for a, b in combinations(alike.values(), 2):
            # Equal sets have equal bounds, so that few are ever compared byte by byte.
            if a.root() is not b.root() and same_bytes(a.regions, b.regions):
                a.join(b, _VIEW)


def _clusters(owned: Sequence[Owned]) -> Iterator[list[Owned]]:
    """Split regions where their bounding intervals leave a gap; lone ones are left out."""
    begin = 0
    for cluster in clusters([region for region, _ in owned]):
        end = begin + len(cluster)
        if len(cluster) > 1:
            yield from _split_by_residue(owned[begin:end])
        begin = end


def _split_by_residue(cluster: Sequence[Owned]) -> Iterator[list[Owned]]:
    """Split a cluster further where all step with one stride, as the columns of a matrix do.

    Regions whose bytes lie in disjoint intervals modulo that stride cannot meet. Without this,
    ten thousand columns would be compared two by two.
    """
    # By their outermost strides' common divisor: bytes that differ modulo it are not the same.
    stride = math.gcd(*(region.dims[-1][1] for region, _ in cluster))
    residues = [_residues(region, stride) for region, _ in cluster]
    if stride == 1 or None in residues:
        yield list(cluster)
        return
    known = [bounds for bounds in residues if bounds is not None]
    current: list[Owned] = []
    reach = -1
    for (low, high), pair in sorted(zip(known, cluster, strict=True), key=lambda found: found[0]):
        if current and low >= reach:
            yield current
            current = []
        current.append(pair)
        reach = max(reach, high)
    yield current


def _residues(region: Region, stride: int) -> tuple[int, int] | None:
    """Return the interval, modulo the stride, in which all bytes lie; None where it wraps."""
    # Steps by multiples of the stride keep the residue; the others together move it so far at most.
    width = 1 + sum((count - 1) * step for count, step in region.dims if step % stride)
    low = region.start % stride
    return (low, low + width) if low + width <= stride else None


def _link_overlaps(cluster: Iterable[Owned]) -> None:
    """Join regions that share a byte: intervals in one sweep, others against other groups'."""
    active: dict[Node, list[Owned]] = {}  # by root: within a group nobody need be compared
    widest: Owned | None = None  # of the intervals so far, the one that reaches farthest
    for region, node in sorted(cluster, key=lambda pair: pair[0].start):
        if widest is not None and intersect(widest[0], region):
            widest[1].join(node, _OVERLAP)
        for root in list(active):
            if root is node.root():
                continue
            others = active.pop(root)
            if root.root() is not node.root():
                # Sorted by starts, what ends before this one ends before all that follow.
                others = [pair for pair in others if pair[0].stop > region.start]
                if any(intersect(other, region) for other, _ in others):
                    root.join(node, _OVERLAP)
            if others:
                active.setdefault(root.root(), []).extend(others)
        # Of intervals the widest stands for all: what meets another behind it meets it, too.
        if not region.is_interval:
            active.setdefault(node.root(), []).append((region, node))
        elif widest is None or widest[0].stop < region.stop:
            widest = region, node
