"""What became of ties that were found earlier, and whether values that are untied still agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.parameter import is_lazy

from ..errors import TieError, UnknownNameError, visible
from ..model import Slot, components, is_fake, same_bits, walk
from ..wording import checks_calls
from .groups import KINDS, TieGroup, tie_slots
from .outlines import copied_together, read_as

State: TypeAlias = Literal["tied", "degraded", "equal", "different", "unknown", "missing"]
Group: TypeAlias = TieGroup | Sequence[str]
_TEXTS: Mapping[str, str] = {
    "tied": "tied",
    "degraded": "degraded to {kind}",
    "equal": "lost, values still equal",
    "different": "lost, values differ",
    "unknown": "lost, on a device without values",
    "missing": "missing: {missing}",
}


@dataclass(frozen=True, slots=True)
class TieStatus:
    """What became of a tie.

    ``state`` is "tied", "degraded" (to the weaker ``kind``), "equal" or "different" (lost, and so
    are the values), "unknown" (lost on meta), or "missing" (``missing`` names are gone).

    >>> model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    >>> tie_status(model, [["0.weight", "1.weight"]])[0].state
    'different'
    """

    names: tuple[str, ...]
    state: State
    kind: str = ""
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = _TEXTS[self.state].format(kind=self.kind, missing=", ".join(self.missing))
        return visible(f"{' = '.join(self.names)}: {text}")


@checks_calls
def tie_status(model: nn.Module, groups: Iterable[Group]) -> list[TieStatus]:
    """Say of each group found earlier whether it is still tied, and what else became of it.

    >>> model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    >>> model[1].weight = model[0].weight
    >>> groups = find_tied_parameters(model)
    >>> model[1].weight = nn.Parameter(model[0].weight.clone())
    >>> print(*tie_status(model, groups))
    0.weight = 1.weight: lost, values still equal
    """
    slots = NamedSlots(model)
    return [_status(slots, group) for group in groups]


def _status(slots: NamedSlots, group: Group) -> TieStatus:
    names = tuple(group)
    missing = tuple(name for name in names if name not in slots)
    if missing:
        return TieStatus(names, "missing", missing=missing)
    own = list({id(slot): slot for slot in map(slots.slot, names)}.values())  # each slot once
    now = next((g for g in tie_slots(own) if set(names) <= set(g.names)), None)
    if now is None:
        return TieStatus(names, _lost(slots, group))
    kind = group.kind if isinstance(group, TieGroup) else "parameter"
    # A module in two places that became one object in two slots is tied as firmly.
    weakest = max(KINDS.index(kind), KINDS.index("parameter"))
    state: State = "tied" if KINDS.index(now.kind) <= weakest else "degraded"
    return TieStatus(names, state, now.kind)


def _lost(slots: NamedSlots, group: Group) -> State:
    """Compare the values of names that are no longer tied; of overlaps, of what they shared."""
    if isinstance(group, TieGroup) and group.kind == "overlap":
        tensors = [slots.tensor(name) for name in group]
        # Copied together, each reads back its own where they agree on what they shared.
        views = copied_together(tensors, group.outlines)
        answers = [False] if views is None else list(map(equal_values, tensors, views))
    else:
        answers = [_still_equal(slots, group, name) for name in group[1:]]
    if False in answers:
        return "different"
    return "unknown" if None in answers else "equal"


def _still_equal(slots: NamedSlots, group: Group, name: str) -> bool | None:
    """Compare a name with the first, read as the name read it."""
    first, source = group[0], slots.tensor(group[0])
    if isinstance(group, TieGroup) and group.outlines:
        outlines = dict(zip(group.names, group.outlines, strict=True))
        here, there = outlines[first], outlines[name]
        if here is not None and there is not None:
            try:
                source = read_as(source.detach(), here, there, (first, name))
            except TieError:
                return False
    return equal_values(source, slots.tensor(name))


# ---- names, what they hold, and its values


class NamedSlots:
    """The slots of a model by every name that it shows, and what they hold now."""

    def __init__(self, model: nn.Module) -> None:
        slots = walk(model, buffers=True, raw=True)
        self.slots = {path: slot for slot in slots for path in slot.paths}

    def __contains__(self, name: str) -> bool:
        slot = self.slots.get(name)
        return slot is not None and slot.tensor is not None

    def slot(self, name: str) -> Slot:
        """Return the slot of a name; raise `UnknownNameError` where it holds nothing."""
        if name not in self:
            known = [path for path, slot in self.slots.items() if slot.tensor is not None]
            hint = f"{name!r} is registered as None." if name in self.slots else ""
            raise UnknownNameError("parameter", name, known, hint)
        return self.slots[name]

    def tensor(self, name: str) -> Tensor:
        """Return what a name reaches now."""
        slot = self.slot(name)
        now = getattr(slot.owner, slot.key)  # a change before this one may have put it there
        assert isinstance(now, Tensor)
        return now

    def put(self, name: str, source: str) -> None:
        """Put the tensor of one name into the slot of another, as a parameter where it is one."""
        slot, tensor, now = self.slot(name), self.tensor(source), self.tensor(name)
        if now is tensor:
            return
        if slot.kind == "buffer" and isinstance(tensor, Parameter):
            tensor = tensor.detach()
        elif slot.kind == "parameter" and not isinstance(tensor, Parameter):
            tensor = Parameter(tensor, requires_grad=now.requires_grad)
        # nn.Module's own setattr: an LSTM keeps a second, flat list of its weights, and follows.
        setattr(slot.owner, slot.key, tensor)


def equal_values(a: Tensor, b: Tensor) -> bool | None:
    """Say whether two tensors have equal values, bit for bit or as numbers; None without values."""
    if is_lazy(a) or is_lazy(b):
        return None
    left, right = components(a), components(b)
    if len(left) != len(right):
        return False
    if any(t.is_meta or is_fake(t) for t in (*left, *right)):
        return None
    return all(map(_same_values, left, right))


def _same_values(a: Tensor, b: Tensor) -> bool:
    if a.device != b.device:
        return False
    # As numbers, since 0.0 is -0.0; where torch can't compare them, or NaN is NaN, by their bits.
    with torch.no_grad(), suppress(RuntimeError, NotImplementedError):
        if a.dtype == b.dtype and torch.equal(a, b):
            return True
    return same_bits(a, b)
