"""Which slots share memory, and how.

Two names are tied when they reach one slot, one tensor object, or tensors that share a byte. The
kind of a group is its weakest necessary link: links are drawn from the strongest kind to the
weakest, and the last that joined two parts of the group names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import overload

import torch
from torch import Tensor
from torch.nn import Parameter

from ..errors import UnknownNameError, visible
from ..model import (
    ComputedWeight,
    Model,
    ModelView,
    SharedWeight,
    Slot,
    is_sharded,
    local_part,
)
from ..render import TieFold, fold_ties, places_of_names
from ..wording import checks_calls
from .byte_regions import Region, contains
from .grouping import KINDS, Node, TieKind, connected, geometry, plainly_contiguous
from .outlines import Outline, outlines_of
from .storage import regions, self_overlapping, spanning

__all__ = ["KINDS", "TieGroup", "find_tied_parameters", "memories", "plainly_untied", "tie_slots"]

_ONE_OBJECT = KINDS[:2]
FEW = 6  # ties that are read at a glance: folding them would only hide names


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

    >>> from torch import nn
    >>> group = find_tied_parameters(nn.Sequential(*[nn.PReLU()] * 2))[0]
    >>> group == ["0.weight", "1.weight"], group.kind
    (True, 'module')
    """

    def __init__(self, members: Sequence[tuple[Slot, Node]], kind: TieKind) -> None:
        self.slots, self.kind = tuple(slot for slot, _ in members), kind
        # By the visit of the walk that met a path, then by slot: the order of registration.
        places = sorted(
            (visit, order, path)
            for order, slot in enumerate(self.slots)
            for visit, path in zip(slot.visits, slot.paths, strict=True)
        )
        self.names = tuple(path for *_, path in places)
        self._reached = tuple(self.slots[order] for _, order, _ in places)
        self._regions: tuple[tuple[Region, ...], ...] = ()
        self.outlines: tuple[Outline | None, ...] = ()
        if kind not in _ONE_OBJECT:
            # Taken down now: what breaks a tie may change these very tensors in place.
            self._regions = tuple(node.regions for _, node in members)
            self.outlines = outlines_of(
                self.tensors, [self._regions[order] for _, order, _ in places]
            )

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
        # The smallest, whatever the order of registration: a seed makes numbers of it.
        return min(name for slot in self._parameters() for name in slot.canonicals)

    @cached_property
    def writer(self) -> Slot | None:
        """Return the slot through which the memory is written; found when it is asked for."""
        first = next(slot for slot in self._parameters() if self.canonical in slot.canonicals)
        if self.kind != "overlap":
            return first
        every = {region for own in self._regions for region in own}
        place = self.slots.index(first)
        # The canonical name's slot comes first, so that of two that hold all it is the one.
        members = zip(self.slots, self._regions, strict=True)
        for slot, own in ((first, self._regions[place]), *members):
            if all(any(contains(mine, region) for mine in own) for region in every):
                return slot
        return _stand_in(first, self.slots)

    def same_geometry(self, slot: Slot) -> bool:
        """Say whether what the writer writes at an index is what ``slot`` reads at that index.

        True of the writer itself and of what is one object with it or an alias of it; False of a
        view or overlap of other shape, stride, offset or dtype, for which an index is another
        element, and where there is no writer.

        >>> from torch import nn
        >>> bag = nn.Module()
        >>> bag.a = nn.Parameter(torch.zeros(2, 3))
        >>> bag.b = nn.Parameter(bag.a.data.t())
        >>> group = find_tied_parameters(bag)[0]
        >>> [group.same_geometry(slot) for slot in group.slots]
        [True, False]
        """
        writer = self.writer
        if writer is None:
            return False
        if self.kind in KINDS[:3] or slot is writer or isinstance(writer.computed, SharedWeight):
            return True  # a SharedWeight is made up over weights of one shape: each takes the value
        with torch._C.DisableTorchFunctionSubclass():
            return geometry(slot.raw) == geometry(writer.raw)

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
        return hash(self.names)  # of a tuple that it equals, too

    def __repr__(self) -> str:
        return f"TieGroup({self.kind}: {' = '.join(map(visible, self.names))})"


class Ties(list[TieGroup]):
    """Ties in registration order: a list, which prints a line for each, or for several in step.

    >>> from torch import nn
    >>> wide, deep = nn.Linear(1, 1, bias=False), nn.PReLU()
    >>> print(find_tied_parameters(nn.ModuleList([wide, deep, wide, deep])))
    2 ties
    module: 0.weight = 2.weight
    module: 1.weight = 3.weight
    """

    def __repr__(self) -> str:
        return "[" + ",\n ".join(map(repr, self)) + "]"

    def __str__(self) -> str:
        alone = len(self) <= FEW
        several = [[group] for group in self] if alone else [self]
        folds = [fold for groups in several for fold in _in_step(groups)]
        return "\n".join([counted(self), *map(_line, folds)])

    def _repr_html_(self) -> str:
        from .report import ties_page  # the other way round, and lazy: few ties are pages

        return ties_page(self)


def counted(groups: Sequence[TieGroup]) -> str:
    """Return in words how many ties there are."""
    count = len(groups)
    return "no ties" if not count else "1 tie" if count == 1 else f"{count} ties"


def _in_step(groups: Sequence[TieGroup]) -> list[TieFold[TieGroup]]:
    return fold_ties(groups, places=places_of_names, key=lambda group: (group.kind, len(group)))


def _line(fold: TieFold[TieGroup]) -> str:
    told = f" ({fold.told})" if fold.told else ""
    return f"{fold.first.kind}: {visible(' = '.join(fold.labels))}{told}"


def _stand_in(first: Slot, slots: Sequence[Slot]) -> Slot | None:
    """Return a slot made up to write overlaps of which none holds the others."""
    weights = [slot.computed for slot in slots if slot.computed is not None]
    if weights:
        alike = len(weights) == len(slots) and len({weight.shape for weight in weights}) == 1
        one = alike and _one_main(weights)
        return replace(first, computed=SharedWeight(weights)) if one else None
    tensors = [slot.tensor for slot in slots if slot.tensor is not None]
    if any(map(self_overlapping, tensors)):  # its elements want several values for one place
        return None
    flat = spanning(tensors)
    return None if flat is None else replace(first, tensor=flat)


def _one_main(weights: Sequence[ComputedWeight]) -> bool:
    """Say whether computed weights carry their values in one and the same memory."""
    return len({(regions(weight.main), weight.main.stride()) for weight in weights}) == 1


@checks_calls
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
    read. The list prints a line for each. Raises `TargetError` for what is no model and
    `UnknownNameError` for an unknown kind.

    >>> from torch import nn
    >>> linear = nn.Linear(1, 1, bias=False)
    >>> find_tied_parameters(nn.Sequential(linear, linear))
    [TieGroup(module: 0.weight = 1.weight)]
    """
    wanted = _kinds(kinds)
    return Ties(
        group
        for group in tie_slots(ModelView(model).raw_slots)
        if group.kind in wanted
        and (include_buffers or any(slot.kind != "buffer" for slot in group.slots))
    )


def _kinds(kinds: str | Iterable[str] | None) -> set[str]:
    if kinds is None:
        return set(KINDS)
    wanted = {kinds} if isinstance(kinds, str) else set(kinds)
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
        # Together, the raw tensors would tie every computed weight to itself.
        literal = [slot for slot in slots if slot.literal]
        if not literal:
            return _groups(slots)
        plain = [slot for slot in slots if not slot.literal]
        groups = _groups(plain) + _groups(literal)
    order = {id(slot): place for place, slot in enumerate(slots)}  # the caller's slots live on
    return sorted(groups, key=lambda group: order[id(group.slots[0])])


def _groups(slots: Sequence[Slot]) -> list[TieGroup]:
    return [TieGroup(members, kind) for members, kind in connected(slots)]


def memories(slots: Sequence[Slot]) -> Iterator[tuple[tuple[Slot, ...], TieGroup | None]]:
    """Yield the slots of each piece of memory once, in registration order, with their tie group.

    Slots that are registered as None have no memory: each comes by itself.

    >>> from torch import nn
    >>> from initkit.model import walk
    >>> linear = nn.Linear(2, 2, bias=False)
    >>> model = nn.ModuleDict({"a": linear, "b": nn.ModuleList([linear]), "c": nn.PReLU()})
    >>> [(slots[0].name, group and group.kind) for slots, group in memories(walk(model))]
    [('a.weight', 'module'), ('a.bias', None), ('c.weight', None)]
    """
    groups = tie_slots(slots)
    group_of = {id(slot): group for group in groups for slot in group.slots}  # both live in groups
    done: set[int] = set()
    for slot in slots:
        group = group_of.get(id(slot))
        if group is None:
            yield (slot,), None
        elif id(group) not in done:
            done.add(id(group))
            yield tuple(group.slots), group


def plainly_untied(slots: Sequence[Slot]) -> bool:
    """Say at a glance that nothing is tied, which spares most models the long look.

    True where each slot has one name, and in this process an interval of bytes of its own.
    """
    # Devices are not asked for: where addresses of two meet by chance, the long look decides.
    sizes: dict[int, int] = {}
    for slot in slots:
        tensor = slot.tensor
        if tensor is None:
            continue
        if slot.computed is not None or len(slot.paths) > 1:
            return False
        cls = type(tensor)
        if not (cls is Parameter or cls is Tensor):
            if not is_sharded(tensor):
                return False
            tensor = local_part(tensor)
        if not plainly_contiguous(tensor):
            return False
        start, size = tensor.data_ptr(), tensor.nbytes
        if not start or not size or start in sizes:  # meta, freed or empty; or one start twice
            return False
        sizes[start] = size
    # In order, intervals are apart where each starts behind the one before it.
    reach = 0
    for start in sorted(sizes):
        if start < reach:
            return False
        reach = start + sizes[start]
    return True
