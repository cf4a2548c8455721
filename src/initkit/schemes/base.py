"""The base of all schemes: frozen values that know their name, their formula and their source."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any, ClassVar, Literal, TypeAlias, TypedDict, Unpack, get_args

from .. import distributions
from ..numbers import Formula, Number, Value, frozen, read_number
from ..python_text import Spelled
from ..render import Table, html_page
from .options import Option, option_error, options_of
from .site import Site

Reads: TypeAlias = Literal["options", "shape", "axes", "site"]
"""What decides a scheme's distribution, besides its options.

``options``: nothing. ``shape``: the shape and what is known of the module. ``axes``: these, and
fans or axes above all. ``site``: anything, the tensor's name included.
"""


class About(TypedDict, total=False):
    """What a scheme's class says of itself, as keywords of the class statement."""

    name: str
    formula: str
    source: str
    moments: str
    reads: Reads
    positional: tuple[str, ...]
    synonyms: Mapping[str, str]


def summary_of(described: object) -> str:
    """Return the first line of an object's documentation, as people read it: without markup.

    >>> summary_of(Formula)
    'Hold a number that depends on the parameter, as the user wrote it.'
    """
    line = (inspect.getdoc(described) or "").partition("\n")[0]
    return _MARKUP.sub(r"\1", line)


_MARKUP = re.compile(r"(?::[\w:]+:)?`+(?:~[\w.]*\.)?([^`]+)`+")


@frozen
class Scheme(Value, Spelled):
    """Base of all schemes: a frozen value with its name, formula and source.

    A subclass is a frozen dataclass whose fields are the options. Fields annotated ``Number`` (of
    ``initkit.formula``) take formulas, which ``number`` reads; of a ``Literal`` the value must be
    one of its names. ``resolve`` returns the distribution for one tensor. Keywords of the class
    statement say the rest, see ``About``: most of all ``reads``, what of the tensor decides. A
    class that does not say so is resolved anew for every tensor, since it may read the name.

    >>> from initkit import schemes
    >>> scheme = schemes.KaimingNormal(mode="fan_out")
    >>> print(scheme.scaled(0.5))
    scaled(kaiming_normal(mode='fan_out'), 0.5)
    """

    name: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    source: ClassVar[str] = ""
    moments: ClassVar[str] = ""
    reads: ClassVar[Reads] = "site"
    positional: ClassVar[tuple[str, ...]] = ()
    synonyms: ClassVar[Mapping[str, str]] = {}
    whole: ClassVar[bool] = False
    """Whether it stands for a whole tensor by itself, and for no block or row of one."""

    def __init_subclass__(cls, **about: Unpack[About]) -> None:
        if unknown := about.keys() - About.__annotations__.keys():
            raise TypeError(f"{cls.__name__}: a scheme has no {', '.join(sorted(unknown))}")
        if about.get("reads", "site") not in get_args(Reads):
            known = ", ".join(map(repr, get_args(Reads)))
            raise TypeError(f"{cls.__name__}: reads is one of {known}, not {about['reads']!r}")
        # Never inherited: a subclass may read more of the tensor than its base does.
        for key, value in ({"reads": "site"} | about).items():
            setattr(cls, key, value)

    def __post_init__(self) -> None:
        # From here on every option is valid, but for formulas, which wait for a tensor.
        for option in self._options().values():
            value = option.read(self.name, getattr(self, option.name))
            object.__setattr__(self, option.name, value)  # the last change before it is frozen

    def resolve(self, site: Site) -> distributions.Distribution:
        """Return the distribution of the tensor that ``site`` describes."""
        raise NotImplementedError

    def number(self, site: Site, option: str) -> float:
        """Return the value of a numeric option for this tensor, checked against its limits."""
        value = getattr(self, option)
        if isinstance(value, Formula):
            # A formula has a value of its own for each tensor, so limits are checked here.
            value = value.value(site.lookup)
            self._options()[option].check(self.name, value)
        return float(value)

    def scaled(self, factor: Number | str) -> Scheme:
        """Return this scheme with every value multiplied by ``factor``."""
        return Scaled(self, read_number(factor, "factor"))

    def in_python(self) -> str:
        text = str(self)
        return text if re.fullmatch(r"[-+.\de]+", text) else repr(text)

    def spell(self) -> str:
        """Return the text that a file holds, which reads back as an equal scheme.

        It is ``str`` but for large tables, which readers are not shown whole. Raises
        :class:`~initkit.errors.RuleError` for what no file carries.
        """
        text = str(self)
        for part in self.inner:
            if (whole := part.spell()) != str(part):
                text = text.replace(str(part), whole)
        return text

    @property
    def inner(self) -> tuple[Scheme, ...]:
        """The schemes that this one is made of."""
        return tuple(value for value in self._values if isinstance(value, Scheme))

    def walk(self) -> Iterator[Scheme]:
        """Yield this scheme and all that it is made of."""
        yield self
        for part in self.inner:
            yield from part.walk()

    @property
    def _values(self) -> list[object]:
        """What the options hold: a value alone (scaled, log_of), or several (those of blocks)."""
        values = (getattr(self, f.name) for f in fields(self))
        groups = (value if isinstance(value, tuple) else (value,) for value in values)
        return [value for group in groups for value in group]

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """The options that are formulas, those of inner schemes first."""
        inner = [formula for scheme in self.inner for formula in scheme.formulas]
        return (*inner, *(v for v in self._values if isinstance(v, Formula)))

    def with_names(self, values: Mapping[str, float]) -> Scheme:
        """Return this scheme with some names of its formulas replaced by numbers."""
        if not any(name in values for formula in self.formulas for name in formula.names):
            return self
        changed = {f.name: _with_names(getattr(self, f.name), values) for f in fields(self)}
        return replace(self, **changed)

    def _repr_html_(self) -> str:
        rows = [("formula", self.formula), ("moments", self.moments), ("source", self.source)]
        about = Table(("", ""), [(what, text) for what, text in rows if text])
        return html_page(str(self), [summary_of(type(self)), about])

    @classmethod
    def _options(cls) -> Mapping[str, Option]:
        known: Any = cls  # or mypy takes the hash of instances for that of the class
        return options_of(known)

    def __str__(self) -> str:
        options: list[str] = []
        for f in fields(self):
            value = getattr(self, f.name)
            # It reads back as an equal scheme; only the first option may go without its name.
            if f.name in self.positional and not options and f.default is MISSING:
                options.append(option_text(value))
            elif value != f.default:
                options.append(f"{f.name}={option_text(value)}")
        return f"{self.name}({', '.join(options)})" if options else self.name


@frozen
class Scaled(
    Scheme,
    name="scaled",
    formula="factor x",
    source="initkit",
    reads="options",
    positional=("scheme", "factor"),
):
    """Multiply every value of another scheme by a factor."""

    scheme: Scheme
    factor: Number

    def resolve(self, site: Site) -> distributions.Distribution:
        # The distribution itself is multiplied, so that mean, std, bounds and tests follow.
        return self.scheme.resolve(site).scaled(self.number(site, "factor"))

    def __str__(self) -> str:
        return f"scaled({self.scheme}, {option_text(self.factor)})"


@frozen
class Shifted(
    Scheme,
    name="shifted",
    formula="x + by",
    source="initkit; YOLO's detection biases",
    moments="the mean moves by as much, the std stays",
    reads="options",
    positional=("scheme", "by"),
):
    """Add a number to every value of another scheme."""

    scheme: Scheme
    by: Number

    def resolve(self, site: Site) -> distributions.Distribution:
        return self.scheme.resolve(site).shifted(self.number(site, "by"))

    def __str__(self) -> str:
        return f"shifted({self.scheme}, {option_text(self.by)})"


def _with_names(value: object, values: Mapping[str, float]) -> object:
    if isinstance(value, Formula | Scheme):
        return value.with_names(values)
    if isinstance(value, tuple):
        return tuple(_with_names(part, values) for part in value)
    return value


def option_text(value: object) -> str:
    """Return an option's value as a rule writes it."""
    # Numbers are held as floats, and a rule writes 0 rather than 0.0.
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if isinstance(value, Formula | Scheme) else repr(value)


def normal_or_constant(mean: float, std: float) -> distributions.Distribution:
    """Return N(mean, std); a std of 0 leaves nothing to draw."""
    return distributions.Normal(mean, std) if std else distributions.Constant(mean)


def check_order(scheme: Scheme, low: Number, high: Number) -> None:
    """Raise where ``low`` is above ``high``; formulas have no order before they have values."""
    if isinstance(low, float) and isinstance(high, float) and low > high:
        what = f"must not be above high, but {low:g} > {high:g}"
        error = option_error(scheme.name, "low", what)
        numbers = {f"{low:g}": f"{high:g}", f"{high:g}": f"{low:g}"}
        error.mends = ({"low": "high", "high": "low"}, {"a": "b", "b": "a"}, numbers)
        raise error
