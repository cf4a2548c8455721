"""What is wrong between a model and its optimizers: left out, left behind, stepped twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import TargetError
from ..model import Model, ModelView, Slot
from ..render import fold_rows
from ..ties import memories

Optimizers: TypeAlias = "Optimizer | Sequence[Optimizer]"


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A parameter of an optimizer, and where it stands there."""

    tensor: Tensor
    group: int
    place: int
    name: str
    decay: float
    optimizer: int  # which of several; 0 of one

    @property
    def where(self) -> str:
        of = f" of optimizer {self.optimizer}" if self.optimizer else ""
        return f"group {self.group}{of}"

    @property
    def label(self) -> str:
        return self.name or f"parameter {self.place}"


def optimizer_problems(model: Model, optimizer: Optimizers) -> list[str]:
    """Return what is wrong between a model and its optimizer, or several, in sentences.

    Parameters that no group holds, parameters that it holds and the model doesn't, one memory that
    is stepped twice, and frozen parameters under weight decay.

    Raises :class:`TargetError` for what has no ``param_groups``.

    >>> import torch
    >>> model = nn.Linear(2, 2)
    >>> optimizer = torch.optim.SGD([model.weight], lr=0.1)
    >>> print(optimizer_problems(model, optimizer)[0])
    bias is in no group of the optimizer, which won't train it; add it to a group, or freeze it \
with requires_grad_(False)
    """
    held = list(_held(optimizer))
    view = ModelView(model)
    slots = [s for s in view.raw_slots if s.kind != "buffer" and s.tensor is not None]
    # By id: the optimizer and the model keep their tensors alive meanwhile.
    names = {id(slot.tensor): slot.name for slot in slots}
    return [
        *_left_out(slots, held),
        *_left_behind(view, slots, names, held),
        *_stepped_twice(slots, held),
        *_decayed(names, held),
    ]


def _held(optimizer: object) -> Iterator[_Held]:
    several: Sequence[Any] = optimizer if isinstance(optimizer, list | tuple) else [optimizer]
    for number, one in enumerate(several):
        groups = getattr(one, "param_groups", None)
        if groups is None:
            raise TargetError(f"an optimizer has param_groups; this is a {type(one).__name__}")
        for index, group in enumerate(groups):
            known = group.get("param_names", ())  # of optimizers made from named_parameters()
            for place, tensor in enumerate(group["params"]):
                name = known[place] if place < len(known) else ""
                decay = float(group.get("weight_decay") or 0)
                yield _Held(tensor, index, place, name, decay, number)


def _left_out(slots: Sequence[Slot], held: Sequence[_Held]) -> list[str]:
    stepped = {id(one.tensor) for one in held}
    missed = [
        members[0].name
        for members, _ in memories(slots)
        # Of one memory under several names one name is enough.
        if not any(id(slot.tensor) in stepped for slot in members)
        and any(slot.tensor is not None and slot.tensor.requires_grad for slot in members)
    ]
    return [
        f"{label} is in no group of the optimizer, which won't train it; add it to a group, or "
        "freeze it with requires_grad_(False)"
        for label in _labels(missed)
    ]


def _left_behind(
    view: ModelView, slots: Sequence[Slot], names: dict[int, str], held: Sequence[_Held]
) -> list[str]:
    """Return the parameters that only the optimizer knows, and what may have become of them."""
    foreign = [one for one in held if id(one.tensor) not in names]
    if not foreign:
        return []
    known = _known_otherwise(view)
    stepped = {id(one.tensor) for one in held}
    unstepped = [slot for slot in slots if id(slot.tensor) not in stepped]
    lost = [one for one in foreign if id(one.tensor) not in known]
    told = [
        f"{_head(one)}: it is {known[id(one.tensor)]}" for one in foreign if id(one.tensor) in known
    ]
    if len(lost) <= _TOLD:
        return [*told, *(_lost(one, unstepped) for one in lost)]
    places: dict[str, list[str]] = {}
    for one in lost:
        places.setdefault(one.where, []).append(one.label)
    return told + [
        f"{label} of {where} of the optimizer: no parameter of the model{_SINCE}"
        for where, labels in places.items()
        for label in _labels(labels)
    ]


def _known_otherwise(view: ModelView) -> dict[int, str]:
    """Return what the model has beside its parameters, in words by the tensor's id."""
    known = {
        id(slot.tensor): f"{path}, which is not registered"
        for found in view.unregistered
        for slot, path in zip(found.slots(), found.tensors, strict=True)
    }
    buffers = (slot for slot in view.raw_slots if slot.kind == "buffer")
    return known | {id(slot.tensor): f"the buffer {slot.name}" for slot in buffers}


def _head(one: _Held) -> str:
    shape = list(one.tensor.shape) if not nn.parameter.is_lazy(one.tensor) else "lazy"
    return f"{one.label} {shape} of {one.where} of the optimizer is no parameter of the model"


_SINCE = (
    ": the model was rebuilt, tied, untied or moved by assignment since; make the optimizer after "
    "that"
)


def _lost(one: _Held, unstepped: Sequence[Slot]) -> str:
    """Say of a parameter that only the optimizer knows what may have replaced it."""
    shape = list(one.tensor.shape) if not nn.parameter.is_lazy(one.tensor) else None
    alike = [
        slot.name
        for slot in unstepped
        if slot.tensor is not None and not nn.parameter.is_lazy(slot.tensor)
        if list(slot.tensor.shape) == shape
        if not one.name or slot.name == one.name
    ]
    became = f" ({alike[0]} has this shape now, and is not stepped)" if alike else ""
    return f"{_head(one)}{became}{_SINCE}"


def _stepped_twice(slots: Sequence[Slot], held: Sequence[_Held]) -> list[str]:
    """Return the memories that several entries of the optimizer write."""
    entries: dict[int, list[_Held]] = {}
    for one in held:
        entries.setdefault(id(one.tensor), []).append(one)
    found = []
    for members, group in memories(slots):
        tensors = {id(slot.tensor): slot for slot in members}
        steps = [one for tensor in tensors for one in entries.get(tensor, ())]
        if len(steps) > 1:
            names = group.names if group is not None else members[0].paths
            tie = f", tied by {group.kind}," if group is not None and len(tensors) > 1 else ""
            places = " and ".join(dict.fromkeys(one.where for one in steps))
            found.append(
                f"{' = '.join(names)}{tie} is one memory that the optimizer steps "
                f"{len(steps)} times, in {places}; list it once"
            )
    return found


def _decayed(names: dict[int, str], held: Sequence[_Held]) -> list[str]:
    groups: dict[tuple[str, float], list[str]] = {}
    for one in held:
        if one.decay and not one.tensor.requires_grad:
            name = names.get(id(one.tensor), one.label)
            groups.setdefault((one.where, one.decay), []).append(name)
    return [
        f"{label} is frozen, and {where} decays it by {decay:g} as soon as it has a gradient; give "
        "the optimizer only what has requires_grad"
        for (where, decay), frozen in groups.items()
        for label in _labels(frozen)
    ]


def _labels(names: Sequence[str]) -> list[str]:
    """Return names; of many that differ in numbers alone, one label."""
    folds = fold_rows(names, name=str, key=lambda _: None)
    return [label for one in folds for label in ([one.label] if len(one) > _FEW else one.rows)]


_FEW = 3  # names that are told one by one
_TOLD = 8  # parameters that only the optimizer knows, of which each has its own line
