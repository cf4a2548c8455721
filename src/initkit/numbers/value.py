"""Frozen values: dataclasses whose repr, equality and hash come from one piece of code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

from ..wording import checks_calls

T = TypeVar("T", bound="type[Any]")


@overload
def frozen(cls: T, /) -> T: ...
@overload
def frozen(*, kw_only: bool = False) -> Callable[[T], T]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: Any = None, /, *, kw_only: bool = False) -> Any:
    """Make a subclass of :class:`Value` a frozen dataclass.

    Its constructor answers a call that does not fit, see :func:`~initkit.wording.checks_calls`.
    There are some 70 of them, and letting each compile its own repr, equality and hash was a third
    of the time that importing takes.

    >>> @frozen
    ... class Point(Value):
    ...     x: float
    ...     y: float = 0.0
    >>> Point(1.0), Point(1.0) == Point(1.0), Point(1.0) == Point(2.0)
    (Point(x=1.0, y=0.0), True, False)
    """

    def make(cls: Any) -> Any:
        return checks_calls(dataclass(frozen=True, repr=False, eq=False, kw_only=kw_only)(cls))

    return make if cls is None else make(cls)


class Value:
    """Base of frozen values; see :func:`frozen`."""

    __slots__ = ()

    def __repr__(self) -> str:
        own: Any = self
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(own) if f.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        # Fields alone don't tell: a uniform and a normal may both be (0.0, 1.0).
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash(_compared(self))


def _compared(value: object) -> tuple[Any, ...]:
    cls: Any = value.__class__
    return _reader(cls)(value)


@cache  # by class: a dataclass does not get other fields
def _reader(cls: type) -> Callable[[object], tuple[Any, ...]]:
    """Return what reads the fields that count, as a tuple."""
    names = [f.name for f in fields(cls) if f.compare]
    if len(names) > 1:  # of one name attrgetter gives the bare value
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)
