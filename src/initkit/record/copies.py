"""Parameters that start with the values of another one, found by their draws and their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

import torch
from torch import Tensor

from ..distributions import Copy
from ..plan import WRITE, Step, copied
from .regions import Found

_SOME = 64  # elements that show whether a tensor holds some of another's


class _Relation(Enum):
    NONE = auto()
    COPY = auto()
    SHARED = auto()


def name_copies(steps: Sequence[Step], found: Sequence[Found]) -> list[Step]:
    """Return the steps, with those that hold another's values as copies of it."""
    holders: dict[int, int] = {}  # by the number of a draw the first that holds it
    named = list(steps)
    for place, what in enumerate(found):
        firsts = {holders.setdefault(number, place) for number in what.draws} - {place}
        for first in sorted(firsts):
            named[place] = _named(named[place], what, named[first], found[first])
    return named


def _named(step: Step, what: Found, first: Step, source: Found) -> Step:
    relation = _relation(what, source)
    alike = step.shape == first.shape and step.dtype == first.dtype
    if relation is _Relation.COPY and alike and step.status == first.status == WRITE:
        if isinstance(step.distribution, Copy):
            return step
        return copied(replace(step, distribution=Copy(first.name)), first)
    if relation is not _Relation.NONE:
        note = f"shares its draw with {first.name}"
        return replace(step, note="; ".join(part for part in (note, step.note) if part))
    return step


def _relation(what: Found, source: Found) -> _Relation:
    tensor, other = what.tensor, source.tensor
    if tensor is None or other is None or not tensor.numel():
        return _Relation.NONE
    if tensor.is_meta or other.is_meta:
        # Without values only copies of whole tensors are sure.
        same = tensor.shape == other.shape and len(what.present) == len(source.present) == 1
        whole = same and what.present[0].copied is source.present[0].copied
        return _Relation.COPY if whole else _Relation.NONE
    if tensor.shape == other.shape and torch.equal(tensor, other):
        return _Relation.COPY
    return _Relation.SHARED if _some_of(tensor, other) else _Relation.NONE


def _some_of(tensor: Tensor, other: Tensor) -> bool:
    """Say whether most of a few elements stand in the other tensor, where none would by chance."""
    flat = tensor.reshape(-1)
    some = flat[:: max(1, len(flat) // _SOME)][:_SOME]
    return len(some) > 8 and float(torch.isin(some, other).float().mean()) > 0.9
