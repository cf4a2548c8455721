"""Every scheme under its name: initkit's own by being defined, others by being registered."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeAlias, TypeVar

from ..errors import (
    DuplicateNameError,
    FormulaError,
    OptionError,
    RuleError,
    UnknownNameError,
)
from ..numbers import Call, Formula, Value, frozen, read_number, slot_parameter
from ..wording import checks_calls
from .base import Scheme
from .basic import Function

T = TypeVar("T", bound=Callable[..., Any])

SYNONYMS = {
    "glorot_uniform": "xavier_uniform",
    "glorot_normal": "xavier_normal",
    "he_uniform": "kaiming_uniform",
    "msra": "kaiming_normal",
    "truncated_normal": "trunc_normal",
    "zero": "zeros",
    "one": "ones",
    "identity": "eye",
}
AMBIGUOUS = {
    "he_normal": (
        ("kaiming_normal", "variance_scaling(scale=2)"),
        (
            "Keras and JAX truncate it, torch does not: write kaiming_normal for the plain "
            "normal distribution, or variance_scaling(scale=2) for the truncated one"
        ),
    ),
}


@frozen
class RegisteredFunction(Value):
    """A user's function that is a scheme by its name: calling it with options makes the scheme."""

    name: str
    function: Callable[..., object]
    options: Mapping[str, Any]
    texts: frozenset[str] = frozenset()  # options whose texts are no formulas

    def __call__(self, **options: Any) -> Scheme:
        # A default such as fan_in="fan_in" asks for this tensor's, too.
        wanted = {k: v for k, v in self.options.items() if v == k and k not in self.texts}
        read = {
            name: value if name in self.texts else _formula_or_same(value)
            for name, value in (wanted | options).items()
        }
        # Sorted: written in another order, the same options make an equal scheme.
        return Function(self.function, tuple(sorted(read.items())), self.name)


def read_options(
    factory: RegisteredFunction, call: Call, members: Collection[str]
) -> tuple[tuple[str, Any], ...]:
    """Return the options that a call gives a function of several tensors, formulas read.

    Raises :class:`OptionError` for what is none: ``members`` are the tensors.
    """
    takes = [name for name in factory.options if name not in members and name != "slot"]
    for name in (*map(repr, call.args), *call.kwargs):
        if name not in takes:
            message = f"{factory.name} has no option {name}"
            error = OptionError(message, owner=factory.name, option=name)
            raise error.or_rather(name, takes, f"; it takes {', '.join(takes) or 'none'}")
    read = {k: v if k in factory.texts else _formula_or_same(v) for k, v in call.kwargs.items()}
    return tuple(sorted(read.items()))


Factory: TypeAlias = type[Scheme] | RegisteredFunction
"""What makes a scheme from its options."""


def _defined(base: type[Scheme]) -> Iterator[type[Scheme]]:
    for cls in base.__subclasses__():
        # Bases such as `_Xavier` have no name of their own and are no schemes.
        if "name" in vars(cls):
            yield cls
        yield from _defined(cls)


_FACTORIES: dict[str, Factory] = {}


def register_defined() -> None:
    """Register every scheme class that has a name; users' classes come by registering.

    The room's `__init__` calls this when it has loaded its files, before anybody else can reach
    `Scheme`: so these are initkit's own.
    """
    _FACTORIES.update((cls.name, cls) for cls in _defined(Scheme))


def factory_of(name: str) -> Factory:
    """Return what makes the scheme of a registered name."""
    return _FACTORIES[name]


def defaults_of(factory: Factory) -> dict[str, Any]:
    """Return option -> default (``MISSING`` where there is none)."""
    if isinstance(factory, RegisteredFunction):
        return dict(factory.options)
    return {f.name: f.default for f in fields(factory)}


def registered_names() -> list[str]:
    """Return the names of all schemes, without synonyms."""
    return sorted(_FACTORIES)


def scheme_names() -> list[str]:
    """Return all names that :func:`read_scheme` takes, synonyms included."""
    return sorted([*_FACTORIES, *SYNONYMS, *AMBIGUOUS])


def canonical_name(name: str) -> str | None:
    """Return the registered name that ``name`` stands for, or None."""
    # As written first: a registered name may end in an underscore itself.
    for spelled in (name, name.rstrip("_") if name.endswith("_") else name):
        if spelled in AMBIGUOUS:
            meanings, told = AMBIGUOUS[spelled]
            error = RuleError(f"{name!r} has two meanings: {told}")
            error.either = tuple({name: meaning} for meaning in meanings)
            raise error
        spelled = SYNONYMS.get(spelled, spelled)
        if spelled in _FACTORIES:
            return spelled
    return None


@checks_calls
def register_scheme(name: str) -> Callable[[T], T]:
    """Register a scheme under ``name``: a function, or a class that resolves to a distribution.

    A function writes into the tensor it is given; a parameter called ``slot``, without a default,
    gets the slot (its name, owner and layer). Further parameters are the options, of which a text
    that is a formula (``fan_in="fan_in"``) becomes its number for the tensor, unless the parameter
    is annotated as ``str`` or has another text for a default. A function of several tensors,
    ``def glow(p, l, u)``, starts as one what a key with as many names in braces takes,
    ``"*.{p,l,u}"``. A class is a frozen dataclass deriving from :class:`initkit.schemes.Scheme`.

    Raises :class:`DuplicateNameError` where a scheme or a recipe has the name already, unless this
    is the same definition run again, as a notebook's cell or a reload does, and :class:`RuleError`
    for a name that no text could read back, or for what is no scheme.

    >>> @register_scheme("doc_ramp")
    ... def ramp(tensor, *, top=1.0):
    ...     "Grow evenly from 0 to top."
    ...     tensor.copy_(torch.linspace(0, top, tensor.numel()).view_as(tensor))
    >>> str(read_scheme("doc_ramp(top=2)"))
    'doc_ramp(top=2)'
    >>> unregister_scheme("doc_ramp")
    """
    check_name(name)

    def register(thing: T) -> T:
        # Every check comes before the registry changes, so that a refusal leaves it as it was.
        if not _defined_anew(_FACTORIES.get(name), thing):
            refuse_taken(name)
        if isinstance(thing, type):
            _FACTORIES[name] = _named_class(name, thing)
        elif callable(thing):
            _FACTORIES[name] = _named_function(name, thing)
        else:
            raise RuleError(
                f"{name}: register a function or a Scheme class, not {thing!r} "
                f"({type(thing).__name__})"
            )
        return thing

    return register


@checks_calls
def unregister_scheme(name: str) -> None:
    """Forget a scheme; for tests and interactive work.

    Raises :class:`UnknownNameError` where no scheme has the name.
    """
    if name not in _FACTORIES:
        raise UnknownNameError("scheme", name, registered_names())
    del _FACTORIES[name]


def _named_class(name: str, cls: type) -> type[Scheme]:
    if not issubclass(cls, Scheme) or cls.resolve is Scheme.resolve:
        raise RuleError(
            f"{name}: {cls.__name__} must derive from initkit.schemes.Scheme and define "
            "resolve(site), which returns a distribution"
        )
    cls.name = name
    return cls


def _named_function(name: str, function: Callable[..., object]) -> RegisteredFunction:
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        message = f"{name}: a scheme's function writes into the tensor it is given; it takes none"
        raise RuleError(message)
    # The first parameter is the tensor, whatever it is called; one for the slot is no option.
    slot = slot_parameter(function, registered=True)
    further = [p for p in parameters[1:] if p.name != slot]
    options = {p.name: MISSING if p.default is p.empty else p.default for p in further}
    texts = frozenset(p.name for p in further if _takes_text(p))
    return RegisteredFunction(name, function, options, texts)


def _takes_text(parameter: inspect.Parameter) -> bool:
    """Whether an option means its text: annotated as one, or with a text for a default."""
    if parameter.annotation is not parameter.empty:
        # Text where the module defers annotations; `str | None` and Literal["a"] are texts, too.
        return bool(re.search(r"\bstr\b|Literal", inspect.formatannotation(parameter.annotation)))
    return isinstance(parameter.default, str) and parameter.default != parameter.name


def _formula_or_same(value: object) -> object:
    """Return the formula that a text is, such as fan_in or 1/3; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        number = read_number(value)
    except FormulaError:
        return value
    return number if isinstance(number, Formula) else value


def _defined_anew(known: Factory | None, thing: object) -> bool:
    """Whether what is registered comes from the place where ``known`` came from."""
    if known is None:
        return False
    before, now = (
        (getattr(t, "__module__", None), getattr(t, "__qualname__", None))
        for t in (known.function if isinstance(known, RegisteredFunction) else known, thing)
    )
    # What is typed into a session or a notebook is one place, whatever it is called there; a
    # lambda has no name that could tell it from another.
    return before[0] == now[0] and (
        now[0] == "__main__" or (before == now and not str(now[1]).endswith("<lambda>"))
    )


def check_name(name: str) -> None:
    """Raise unless a text can read this name back."""
    # These have a meaning in call syntax, in globs or between words.
    if not name or set(name) & set("()'\"=,*?[] \t\n"):
        raise RuleError(f"{name!r} is no good name: use letters, digits, '_', '-' and '/'")
    try:
        float(name)
    except ValueError:
        return
    raise RuleError(f"{name!r} is no good name: rules read it as a number")


def refuse_taken(name: str) -> None:
    """Raise where a scheme or a recipe has this name already."""
    for spelled in (name, name.rstrip("_")):  # every name may carry torch's trailing _
        if spelled in _FACTORIES or spelled in SYNONYMS or spelled in AMBIGUOUS:
            message = f"the name {name!r} belongs to a scheme already; choose another"
            raise DuplicateNameError(message)
    if kind := kind_elsewhere(name):
        raise DuplicateNameError(f"the name {name!r} belongs to a {kind} already")


def kind_elsewhere(name: str) -> str | None:
    """Return "recipe" where a recipe has this name: schemes and recipes share one namespace."""
    from ..rules import recipe_named  # upward, and lazy: recipes are made of schemes

    # torch_default is both on purpose: as a whole table it is the recipe, as a value the scheme.
    return "recipe" if name != "torch_default" and recipe_named(name) is not None else None
