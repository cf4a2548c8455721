"""The base of frozen values: repr, equality and hash of all of them from one piece of code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any


class Value:
    """Give a dataclass the repr, equality and hash that ``@dataclass`` would write for it.

    To be decorated with ``@dataclass(frozen=True, repr=False, eq=False)``. There are 70 values, and
    compiling these methods for each of them was a third of the time that importing takes.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, repr=False, eq=False)
    ... class Point(Value):
    ...     x: float
    ...     y: float = 0.0
    >>> Point(1.0), Point(1.0) == Point(1.0), Point(1.0) == Point(2.0)
    (Point(x=1.0, y=0.0), True, False)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        own: Any = self
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(own) if f.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _facts(self) == _facts(other)

    def __hash__(self) -> int:
        return hash(_facts(self))


def _facts(value: object) -> tuple[Any, ...]:
    cls: Any = value.__class__
    return _reader(cls)(value)


@cache
def _reader(cls: type) -> Callable[[object], tuple[Any, ...]]:
    """Return what reads the fields that count, as a tuple."""
    names = [f.name for f in fields(cls) if f.compare]
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)
