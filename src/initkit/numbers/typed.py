"""Check that the fields of a dataclass hold what their annotations say, for data from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..errors import ReadError

_EXACT = 2**53  # the largest int up to which a float holds every one


def check_fields(value: Any) -> None:
    """Raise :class:`~initkit.errors.ReadError` where a field holds what it is not declared to hold.

    An int will do for a float that holds it exactly, and nothing else for anything but itself: True
    is no number here. Of containers tuples are known, whose entries are looked at in turn.

    >>> from initkit.numbers import Fans
    >>> check_fields(Fans("3", 4))
    Traceback (most recent call last):
    initkit.errors.ReadError: fan_in of Fans cannot be '3'
    """
    cls: Any = type(value)
    hints = _hints(cls)
    for field in fields(value):
        found = getattr(value, field.name)
        if not _fits(found, hints[field.name]):
            raise ReadError(f"{field.name} of {type(value).__name__} cannot be {found!r}")


@cache
def _hints(cls: type) -> Mapping[str, Any]:
    return get_type_hints(cls)


def _fits(value: Any, hint: Any) -> bool:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Union or origin is UnionType:
        return any(_fits(value, one) for one in args)
    if origin is Literal:
        return isinstance(value, str) and value in args
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        wanted = (args[0],) * len(value) if args[1:] == (...,) else args
        return len(value) == len(wanted) and all(map(_fits, value, wanted))
    if hint is float:
        return type(value) is float or (type(value) is int and abs(value) <= _EXACT)
    if hint in (int, str, bool):
        return type(value) is hint
    # What is left are classes, and containers that no file can hold.
    return isinstance(value, origin or hint)
