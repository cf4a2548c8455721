"""Which slots share memory, and how.

Two names are tied when they reach one slot, one tensor object, or tensors that share a byte. The
kind of a group is its weakest necessary link: links are drawn from the strongest kind to the
weakest, and the last that joined two parts of the group names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import overload

import torch
from torch import Tensor
from torch.nn import Parameter

from ..errors import UnknownNameError
from ..model import ComputedWeight, Model, ModelView, SharedWeight, Slot
from .byte_regions import Region, holds
from .grouping import KINDS, Links, RegionCache, is_solid, key_of
from .storage import parts, regions, self_overlapping, spanning, unique_bytes

__all__ = [
    "KINDS",
    "TieGroup",
    "find_tied_parameters",
    "self_overlapping",
    "tie_slots",
    "unique_bytes",
]


class TieGroup(Sequence[str]):
    """Names that reach the same memory: a sequence of them, in registration order.

    Attributes: ``names``; ``kind``, one of "module" (one slot, several paths), "parameter" (one
    object, several slots), "alias" (several objects, same elements and geometry), "view" (same
    bytes, other shape, stride or dtype), "overlap" (some bytes in common); ``tensors``, for each
    name the tensor that it reaches; ``slots``; ``canonical``, the smallest name of a parameter;
    ``writer``, the slot through which the memory is written: the canonical name's, or of overlaps
    the member that holds the others, or where none does a slot made up over all (None if there
    can be none).
    ``outlines`` tell how each name of an alias, view or overlap read the memory when it was found.
    A group equals a list of its names.

    >>> group = find_tied_parameters(nn.Sequential(*[nn.PReLU()] * 2))[0]
    >>> group == ["0.weight", "1.weight"], group.kind
    (True, 'module')
    """

    def __init__(self, slots: Sequence[Slot], kind: str, held: RegionCache | None = None) -> None:
        self.slots, self.kind = tuple(slots), kind
        places = sorted(
            (visit, order, path, slot)
            for order, slot in enumerate(slots)
            for visit, path in zip(slot.visits, slot.paths, strict=True)
        )
        self.names = tuple(path for _, _, path, _ in places)
        self._reached = tuple(slot for *_, slot in places)
        # Taken down now: what breaks a tie may change these very tensors in place.
        held = {} if held is None else held
        self.outlines = _outlines(self._reached, held) if kind in KINDS[2:] else ()
        self._held = [_slot_regions(slot, held) for slot in slots] if kind == "overlap" else []

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Return for each name the tensor that it reaches."""
        return tuple(slot.tensor for slot in self._reached if slot.tensor is not None)

    def reached(self) -> Iterator[tuple[str, Tensor, Slot]]:
        """Yield each name with the tensor and the slot that it reaches."""
        for name, slot in zip(self.names, self._reached, strict=True):
            if slot.tensor is not None:
                yield name, slot.tensor, slot

    @cached_property
    def canonical(self) -> str:
        """Return the smallest of the parameters' names, without wrapper segments."""
        return min(name for slot in self._parameters() for name in slot.canonicals)

    @cached_property
    def writer(self) -> Slot | None:
        """Return the slot through which the memory is written; found when it is asked for."""
        first = next(slot for slot in self._parameters() if self.canonical in slot.canonicals)
        if self.kind != "overlap":
            return first
        every = {region for own in self._held for region in own}
        place = self.slots.index(first)
        for slot, own in ((first, self._held[place]), *zip(self.slots, self._held, strict=True)):
            if all(any(holds(mine, region) for mine in own) for region in every):
                return slot
        return _stand_in(first, self.slots)

    def _parameters(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.kind != "buffer"] or list(self.slots)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self.names[index]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TieGroup):
            return (self.kind, self.names) == (other.kind, other.names)
        if isinstance(other, (list, tuple)):
            return self.names == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return f"TieGroup({self.kind}: {' = '.join(self.names)})"


def _stand_in(first: Slot, slots: Sequence[Slot]) -> Slot | None:
    """Return a slot made up to write overlaps of which none holds the others."""
    weights = [slot.computed for slot in slots if slot.computed is not None]
    if weights:
        alike = len(weights) == len(slots) and len({computed.shape for computed in weights}) == 1
        return (
            replace(first, computed=SharedWeight(weights)) if alike and _one_main(weights) else None
        )
    tensors = [slot.tensor for slot in slots if slot.tensor is not None]
    if any(map(self_overlapping, tensors)):
        return None
    flat = spanning(tensors)
    return None if flat is None else replace(first, tensor=flat)


def _one_main(weights: Sequence[ComputedWeight]) -> bool:
    """Say whether computed weights carry their values in one and the same memory."""
    return len({(regions(computed.main), computed.main.stride()) for computed in weights}) == 1


def find_tied_parameters(
    model: Model,
    *,
    include_buffers: bool = False,
    kinds: str | Iterable[str] | None = None,
) -> list[TieGroup]:
    """Find every group of parameters that share memory, in registration order.

    Names are those of ``named_parameters``: of a parametrized weight its raw tensors'. A buffer
    that shares memory with a parameter is listed with it; ``include_buffers`` adds groups of
    buffers alone. ``kinds`` keeps groups of those kinds. A state_dict is welcome too. No value is
    read. Raises `TargetError` for what is no model and `UnknownNameError` for an unknown kind.

    >>> linear = nn.Linear(1, 1, bias=False)
    >>> find_tied_parameters(nn.Sequential(linear, linear))
    [TieGroup(module: 0.weight = 1.weight)]
    """
    wanted = _kinds(kinds)
    return [
        group
        for group in tie_slots(ModelView(model).raw_slots)
        if group.kind in wanted
        and (include_buffers or any(slot.kind != "buffer" for slot in group.slots))
    ]


def _kinds(kinds: str | Iterable[str] | None) -> set[str]:
    wanted = set(KINDS) if kinds is None else {kinds} if isinstance(kinds, str) else set(kinds)
    for kind in sorted(wanted.difference(KINDS)):
        raise UnknownNameError("kind of tie", kind, KINDS)
    return wanted


def tie_slots(slots: Sequence[Slot]) -> list[TieGroup]:
    """Group slots that share memory; a slot with several paths is a group even alone.

    The raw tensors of a computed weight are not tied to it here: they are its own.
    """
    if plainly_untied(slots):
        return []
    with torch._C.DisableTorchFunctionSubclass():  # a subclass may object to being looked at
        literal = [slot for slot in slots if slot.literal]
        if not literal:
            return _groups(slots)
        plain = [slot for slot in slots if not slot.literal]
        groups = _groups(plain) + _groups(literal)
    order = {id(slot): place for place, slot in enumerate(slots)}
    return sorted(groups, key=lambda group: order[id(group.slots[0])])


def _groups(slots: Sequence[Slot]) -> list[TieGroup]:
    links = Links(slots)
    return [TieGroup(members, kind, links.held) for members, kind in links.groups()]


def plainly_untied(slots: Sequence[Slot]) -> bool:
    """Tell at a glance that nothing is tied, which spares most models the long look.

    True where each slot has one name and memory of its own in one piece, which can be written.
    """
    sizes: dict[int, int] = {}
    for slot in slots:
        tensor = slot.tensor
        if tensor is None:
            continue
        cls = type(tensor)
        if (
            not (cls is Parameter or cls is Tensor)
            or slot.computed is not None
            or len(slot.paths) > 1
        ):
            return False
        if not is_solid(tensor):
            return False
        start, size = tensor.data_ptr(), tensor.nbytes
        if not start or not size or start in sizes:
            return False
        sizes[start] = size
    reach = 0
    for start in sorted(sizes):
        if start < reach:
            return False
        reach = start + sizes[start]
    return True


@dataclass(frozen=True, slots=True)
class Outline:
    """How a name reads the memory of its group; ``offset`` counts bytes from the group's first."""

    shape: torch.Size
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype

    @property
    def stop(self) -> int:
        """The byte behind the last that the name reads; it reads one at least."""
        last = sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        return self.offset + (last + 1) * self.dtype.itemsize


def _outlines(slots: Sequence[Slot], regions_of: RegionCache) -> tuple[Outline | None, ...]:
    """Record for each name how it reads the memory; None for what is not plainly strided."""
    own = [_slot_regions(slot, regions_of) for slot in slots]
    base = min((region.start for found in own for region in found), default=0)
    found: list[Outline | None] = []
    for slot, held in zip(slots, own, strict=True):
        tensor = slot.tensor if len(held) == 1 else None
        if tensor is None or tensor.is_conj() or tensor.is_neg() or parts(tensor)[0] is not tensor:
            found.append(None)
            continue
        shape, stride = tensor.shape, tensor.stride()
        found.append(Outline(shape, stride, held[0].start - base, tensor.dtype))
    return tuple(found)


def _slot_regions(slot: Slot, held: RegionCache) -> tuple[Region, ...]:
    tensors = slot.computed.raw if slot.computed is not None else (slot.tensor,)
    key = key_of(tensors)
    if key in held:
        return held[key]
    return tuple(region for t in tensors if t is not None for region in regions(t))
