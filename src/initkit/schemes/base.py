"""The base of all schemes: options that are read, checked and printed."""

from __future__ import annotations

import math
from dataclasses import MISSING, Field, fields
from typing import Any, ClassVar

from .. import distributions
from ..errors import FormulaError, OptionError, did_you_mean
from ..numbers import (
    Formula,
    Number,
    Value,
    frozen,
    read_number,
)
from .site import Site


@frozen
class Scheme(Value):
    """Base of all schemes: a frozen value with its name, formula and source.

    A subclass is a frozen dataclass whose fields are the options; fields annotated ``Number`` (of
    ``initkit.formula``) take formulas, which ``number`` reads. ``resolve`` returns the distribution
    for one tensor.

    >>> from initkit import schemes
    >>> scheme = schemes.KaimingNormal(mode="fan_out")
    >>> print(scheme.scaled(0.5))
    scaled(kaiming_normal(mode='fan_out'), 0.5)
    """

    name: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    source: ClassVar[str] = ""
    moments: ClassVar[str] = ""
    limits: ClassVar[dict[str, tuple[float, float]]] = {}
    choices: ClassVar[dict[str, tuple[str, ...]]] = {}
    synonyms: ClassVar[dict[str, str]] = {}
    positional: ClassVar[tuple[str, ...]] = ()
    endless: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for option in fields(self):
            value = _coerce(self, option, getattr(self, option.name))
            object.__setattr__(self, option.name, value)

    def resolve(self, site: Site) -> distributions.Distribution:
        """Return the distribution of the tensor that ``site`` describes."""
        raise NotImplementedError

    def number(self, site: Site, option: str) -> float:
        """Return the value of a numeric option for this tensor, checked against its limits."""
        value = getattr(self, option)
        if isinstance(value, Formula):
            value = value.value(site.lookup)
            _check_number(self, option, value)
        return float(value)

    def scaled(self, factor: Number | str) -> Scheme:
        """Return this scheme with every value multiplied by ``factor``."""
        return Scaled(self, read_number(factor, "factor"))

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """The options that are formulas."""
        values = (getattr(self, f.name) for f in fields(self))
        return tuple(v for v in values if isinstance(v, Formula))

    def __str__(self) -> str:
        shown: list[str] = []
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in self.positional and not shown and f.default is MISSING:
                shown.append(_text(value))
            elif value != f.default:
                shown.append(f"{f.name}={_text(value)}")
        return f"{self.name}({', '.join(shown)})" if shown else self.name


@frozen
class Scaled(Scheme):
    """Multiply every value of another scheme by a factor."""

    scheme: Scheme
    factor: Number

    name: ClassVar[str] = "scaled"
    formula: ClassVar[str] = "factor x"
    source: ClassVar[str] = "initkit"
    positional: ClassVar[tuple[str, ...]] = ("scheme", "factor")

    @property
    def formulas(self) -> tuple[Formula, ...]:
        own = (self.factor,) if isinstance(self.factor, Formula) else ()
        return self.scheme.formulas + own

    def resolve(self, site: Site) -> distributions.Distribution:
        return self.scheme.resolve(site).scaled(self.number(site, "factor"))

    def __str__(self) -> str:
        return f"scaled({self.scheme}, {_text(self.factor)})"


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if isinstance(value, Formula | Scheme) else repr(value)


def _coerce(scheme: Scheme, option: Field[Any], value: object) -> object:
    """Return the value of an option in its declared type, or raise in the user's words."""
    kind, name = _declared(option), option.name
    if value is None and "None" in kind:
        return None
    if kind.startswith("Number"):
        return _formula(scheme, name, value)
    if kind == "float":
        return _plain_number(scheme, name, value)
    if kind == "int":
        return _whole(scheme, name, value)
    if kind == "bool" and not isinstance(value, bool):
        raise _bad(scheme, name, f"must be True or False, not {value!r}")
    if name in scheme.choices and value not in scheme.choices[name]:
        known = scheme.choices[name]
        near = did_you_mean(str(value), known)
        raise _bad(scheme, name, f"must be one of {', '.join(known)}, not {value!r}{near}")
    return value


def _declared(option: Field[Any]) -> str:
    """Return an annotation as text, whether or not its module defers annotations."""
    kind = option.type.__name__ if isinstance(option.type, type) else str(option.type)
    return kind.replace("initkit.numbers.formula.", "").replace("float | Formula", "Number")


def _no_names(name: str) -> float:
    raise AssertionError(f"a formula without names asked for {name}")


def _formula(scheme: Scheme, option: str, value: object) -> Number:
    if isinstance(value, bool):
        raise _bad(scheme, option, f"must be a number or a formula, not {value!r}")
    try:
        number = read_number(value, option)
    except FormulaError as error:
        raise _bad(scheme, option, f"cannot be read: {error}") from None
    if isinstance(number, float):
        _check_number(scheme, option, number)
    elif not number.names:
        _check_number(scheme, option, number.value(_no_names))
    return number


def _plain_number(scheme: Scheme, option: str, value: object) -> float:
    """Return the number of an option that a user's class reads as it is."""
    number = _formula(scheme, option, value)
    if isinstance(number, float):
        return number
    if number.names:
        what = f"is a number here, not the formula {str(number)!r}: annotate it as Number"
        raise _bad(scheme, option, f"{what}, and read it with self.number(site, {option!r})")
    return number.value(_no_names)


def _whole(scheme: Scheme, option: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise _bad(scheme, option, f"must be a whole number, not {value!r}")
    _check_number(scheme, option, float(value))
    return int(value)


def _check_number(scheme: Scheme, option: str, value: float) -> None:
    if math.isnan(value):
        raise _bad(scheme, option, "must be a number, not NaN")
    low, high = scheme.limits.get(option, (-math.inf, math.inf))
    if not low <= value <= high:
        limit = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
        raise _bad(scheme, option, f"must be {limit}, not {value:g}")
    if math.isinf(value) and option not in scheme.endless:
        raise _bad(scheme, option, "must be finite")


def _bad(scheme: Scheme, option: str, what: str) -> OptionError:
    return OptionError(f"{scheme.name}: {option} {what}", owner=scheme.name, option=option)


_AT_LEAST_0 = (0.0, math.inf)

_FANS = ("module", "tensor")


def _normal(mean: float, std: float) -> distributions.Distribution:
    return distributions.Normal(mean, std) if std else distributions.Constant(mean)


def _check_order(scheme: Scheme, low: Number, high: Number) -> None:
    if isinstance(low, float) and isinstance(high, float) and low > high:
        raise _bad(scheme, "low", f"must not be above high, but {low:g} > {high:g}")
