"""Writes as they are noted while code runs: cheap to make, put into words only when asked for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from ..distributions import short
from ..plan import Write
from .callers import Caller
from .expression import Expression
from .init_functions import Call

_order = itertools.count()
_CALLS = 4  # calls of one line that are named, the last of them


class Event:
    """One write: what was called, what the memory held afterwards, and which code caused it.

    Events that have one ``key`` and follow each other are one write of the caller's.
    """

    __slots__ = ("arguments", "before", "caller", "held", "key", "name", "order", "place")

    def __init__(
        self,
        name: str,
        arguments: Call | Sequence[Any],
        held: Sequence[Expression],
        caller: Caller,
        key: object,
        place: tuple[Any, ...] | None,
    ) -> None:
        self.name, self.arguments, self.held = name, arguments, held
        self.caller, self.key, self.place = caller, key, place
        self.order = next(_order)
        self.before: tuple[str, ...] = ()  # the calls of the same write that came first

    def follow(self, first: Event) -> None:
        """Take another's place, as a later part of the same write."""
        part_by_part = self.place is not None and first.call == self.call
        if isinstance(self.key, tuple) and not self.caller.helper and not part_by_part:
            self.before = (*first.before, first.call)[-_CALLS:]
        elif part_by_part:
            self.before = first.before
        if first.place != self.place:
            self.place = None

    @property
    def call(self) -> str:
        """What was called."""
        helper = self.caller.helper
        if helper and helper != self.name:
            return f"{helper}()"
        given = self.arguments
        return f"{self.name}({_arguments(given.arguments if isinstance(given, Call) else given)})"

    def write(self, tensor: Tensor) -> Write:
        """Return the write in words, as it is seen from a tensor of its memory."""
        if len(self.held) == 1:
            start = _start(self.held[0])
        else:
            start = " and ".join(dict.fromkeys(map(_start, self.held[:3])))
        caller, part = self.caller, _part(self.place, tensor)
        call = ", ".join((*self.before, self.call))
        return Write(call, start, caller.function, caller.file, caller.line, part)


def _start(expression: Expression) -> str:
    return (
        expression.distribution.describe()
        if expression.distribution is not None
        else expression.describe()
    )


def _arguments(arguments: Mapping[str, Any] | Sequence[Any]) -> str:
    named = arguments.items() if isinstance(arguments, Mapping) else [("", a) for a in arguments]
    shown = [
        f"{name}={_value(value)}" if name else _value(value)
        for name, value in named
        if isinstance(value, int | float | str)
    ]
    return ", ".join(shown)


def _value(value: object) -> str:
    """Return a number as people write it: the square root of 5, not 2.236."""
    if not isinstance(value, float):
        return repr(value)
    square = value * value
    if value > 0 and value != int(value) and abs(square - round(square)) < 1e-9 and square < 1000:
        return f"sqrt({round(square)})"
    return short(value)


def _part(place: tuple[Any, ...] | None, tensor: Tensor) -> str:
    """Say which elements of a tensor were written; nothing where it was all of them."""
    if place is None:
        return ""
    shape, strides, offset = place
    if math.prod(shape) >= tensor.numel():
        return ""
    rows = tensor.stride(0) if tensor.dim() and tensor.is_contiguous() else 0
    start = offset - tensor.storage_offset()
    if rows and start % rows == 0 and math.prod(shape) % rows == 0 and _plain(shape, strides):
        first, count = start // rows, math.prod(shape) // rows
        return f"row {first}" if count == 1 else f"rows {first} to {first + count - 1}"
    return f"{math.prod(shape)} of {tensor.numel()} elements"


def _plain(shape: Sequence[int], strides: Sequence[int]) -> bool:
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def touches(event: Event, tensor: Tensor, whole: int) -> bool:
    """Say whether a write may have met elements of a tensor in a storage of so many elements."""
    if event.place is None or tensor.numel() == whole:
        return True
    shape, strides, offset = event.place
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    mine = tensor.storage_offset()
    end = mine + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    return bool(offset <= end and mine <= last)


def merged(histories: Iterable[Sequence[Event]]) -> list[Event]:
    """Return the events of several histories in order, each once."""
    found = {event.order: event for events in histories for event in events}
    return [found[order] for order in sorted(found)]
