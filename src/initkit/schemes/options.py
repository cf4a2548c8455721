"""Options of schemes: read as their annotations declare, and kept within limits."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from functools import cache, reduce
from inspect import get_annotations
from operator import or_
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from ..errors import FormulaError, Mend, OptionError, UnknownNameError, shown
from ..numbers import Number, Value, frozen, gain, read_number


@frozen
class Limits(Value):
    """Hold what a number must lie between, whether it may be infinite, or a nonlinearity's gain."""

    low: float = -math.inf
    high: float = math.inf
    infinite: bool = False
    gain: bool = False


# What a scheme's class writes beside an option; the limits are read off it at run time. Limits
# are included, so 1e-300 stands for all above 0.
NonNegative: TypeAlias = Annotated[Number, Limits(0.0)]
Positive: TypeAlias = Annotated[Number, Limits(1e-300)]
AtLeastOne: TypeAlias = Annotated[Number, Limits(1.0)]
Share: TypeAlias = Annotated[Number, Limits(0.0, 1.0)]
Gain: TypeAlias = Annotated[Number, Limits(gain=True)]
NonNegativeGain: TypeAlias = Annotated[Number, Limits(0.0, gain=True)]
Extended: TypeAlias = Annotated[Number, Limits(infinite=True)]
Natural: TypeAlias = Annotated[int, Limits(0)]
Count: TypeAlias = Annotated[int, Limits(1)]


def option_error(owner: str, option: str, what: str) -> OptionError:
    """Return the error that an option of a scheme has a wrong value."""
    return OptionError(f"{owner}: {option} {what}", owner=owner, option=option)


@frozen
class Option(Value):
    """What one option takes: numbers within limits, one of its choices, or anything."""

    name: str
    kind: object
    limits: Limits = Limits()
    optional: bool = False

    def read(self, owner: str, value: object) -> object:
        """Return a value in the declared type, or raise in the user's words."""
        if value is None and self.optional:
            return None
        # What is in no table (a scheme, a tuple, a user's own type) is the class's own affair.
        read = _choice if get_origin(self.kind) is Literal else _READERS.get(self.kind)
        return value if read is None else read(self, owner, value)

    def check(self, owner: str, value: float) -> None:
        """Raise unless a number lies within the limits."""
        # By itself: NaN fails every comparison, and the message would speak of limits.
        if math.isnan(value):
            raise option_error(owner, self.name, "must be a number, not NaN")
        low, high = self.limits.low, self.limits.high
        if not low <= value <= high:
            limit = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
            raise option_error(owner, self.name, f"must be {limit}, not {value:g}")
        if math.isinf(value) and not self.limits.infinite:
            raise option_error(owner, self.name, "must be finite")


def _choice(option: Option, owner: str, value: object) -> object:
    choices = get_args(option.kind)
    if value in choices:
        return value
    known = [str(choice) for choice in choices]
    error = option_error(
        owner, option.name, f"must be one of {', '.join(known)}, not {shown(value)}"
    )
    raise error.or_rather(str(value), known)


def _number(option: Option, owner: str, value: object) -> Number:
    # Python counts True as 1, and as a std it is surely a mistake.
    if isinstance(value, bool):
        raise option_error(owner, option.name, f"must be a number or a formula, not {shown(value)}")
    if option.limits.gain and isinstance(value, str):
        value = _gain_or_text(value)
    try:
        number = read_number(value, option.name)
    except FormulaError as error:
        said = option_error(owner, option.name, f"cannot be read: {error.message}")
        said.instead_of(error)
        if option.limits.gain and isinstance(value, str):
            said.mends += _gains_meant(value)
        if said.mends:
            said.either = ()
        raise said from None
    if isinstance(number, float):
        option.check(owner, number)
    elif not number.names:  # such as sqrt(5): its value is the same everywhere, so check it now
        option.check(owner, number.value(_no_names))
    return number


def _gain_or_text(text: str) -> float | str:
    """Return the gain of a nonlinearity, where a text is the name of one."""
    try:
        return gain(text)
    except UnknownNameError:
        return text  # a number or a formula, or to be refused as neither


def _gains_meant(text: str) -> tuple[Mend, ...]:
    if found := re.fullmatch(r"(?:\w+\.)*calculate_gain\((.*)\)", text):
        return ({text: found[1]},)
    try:
        gain(text)
    except UnknownNameError as error:
        return error.mends
    return ()


def _float(option: Option, owner: str, value: object) -> float:
    """Return the number of an option that a user's class reads as it is."""
    number = _number(option, owner, value)
    if isinstance(number, float):
        return number
    if number.names:
        what = f"is a number here, not the formula {str(number)!r}: annotate it as Number"
        how = f"read it with self.number(site, {option.name!r})"
        raise option_error(owner, option.name, f"{what}, and {how}")
    return number.value(_no_names)


def _no_names(name: str) -> float:
    raise AssertionError(f"a formula without names asked for {name}")


def _whole(option: Option, owner: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise option_error(owner, option.name, f"must be a whole number, not {shown(value)}")
    option.check(owner, float(value))
    return int(value)


def _truth(option: Option, owner: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise option_error(owner, option.name, f"must be True or False, not {shown(value)}")
    return value


# A union is found by the set of its members, so `float | Formula` is `Number`, however spelled.
_READERS: dict[object, Callable[[Option, str, object], object]] = {
    Number: _number,
    float: _float,
    int: _whole,
    bool: _truth,
}


# A class's annotations are read once, at its first instance: it cannot get others afterwards.
@cache
def options_of(cls: type[Any]) -> Mapping[str, Option]:
    """Return the options of a scheme's class, by name."""
    return {field.name: _declared(field.name, _hint(cls, field)) for field in fields(cls)}


def _declared(name: str, hint: Any) -> Option:
    limits, optional = Limits(), False
    if get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
        # `Number | None` arrives as one flat union; its members without None make `Number` again.
        hint, optional = reduce(or_, (h for h in get_args(hint) if h is not NoneType)), True
    if get_origin(hint) is Annotated:
        hint, *metadata = get_args(hint)
        limits = next((m for m in metadata if isinstance(m, Limits)), limits)
    return Option(name, hint, limits, optional)


def _hint(cls: type[Any], field: Field[Any]) -> Any:
    """Return an annotation as a type; ``object`` where names of it are out of reach.

    A module that defers annotations leaves them as text. ``Number`` is known in any of them, since
    a class inside a function has names that its module lacks.
    """
    if not isinstance(field.type, str):
        return field.type
    # An inherited option is read among the names of the module that declared it.
    home = next(c for c in cls.__mro__ if field.name in get_annotations(c))
    names = getattr(sys.modules.get(home.__module__), "__dict__", {})
    # Field by field: one name that cannot be reached would make all of a class's hints fail.
    holder = SimpleNamespace(__annotations__={field.name: field.type})
    try:
        return get_type_hints(holder, names, {"Number": Number}, include_extras=True)[field.name]
    except (NameError, AttributeError, TypeError):
        return object
