"""Parameters that start with the values of another one, found by their draws and their values."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..plan import Step
from .regions import Found

_SOME = 64  # elements that show whether a tensor shares a draw with another


def name_copies(steps: Sequence[Step], found: Sequence[Found]) -> list[Step]:
    """Return the steps, with those that hold another's values named as its copies."""
    holders: dict[int, tuple[Step, Found]] = {}
    named = []
    for step, what in zip(steps, found, strict=True):
        source = next((h for d in sorted(what.draws) if (h := holders.get(d))), None)
        for number in what.draws:
            holders.setdefault(number, (step, what))
        named.append(step if source is None else _named(step, what, *source))
    return named


def _named(step: Step, what: Found, first: Step, source: Found) -> Step:
    relation = _relation(what.tensor, source.tensor)
    if relation:
        step.note = "; ".join(part for part in (f"{relation} {first.name}", step.note) if part)
    return step


def _relation(tensor: Tensor | None, source: Tensor | None) -> str:
    if tensor is None or source is None or tensor.is_meta or source.is_meta:
        return ""
    if tensor.shape == source.shape and tensor.dtype == source.dtype and bool(tensor.equal(source)):
        return "a copy of"
    return ""
