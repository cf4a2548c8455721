"""Every scheme under its name, with its formula and its source; users add their own."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import partial
from numbers import Real
from typing import Any, TypeVar, cast

from ..errors import DuplicateNameError, OptionError, RuleError, UnknownNameError, did_you_mean
from ..numbers import Call, read_call
from .base import Scheme
from .basic import Constant, Function
from .composite import CORE, Blocks
from .positional import SPECIAL

T = TypeVar("T", bound="Callable[..., Any]")
Maker = Callable[..., Scheme]

_MAKERS: dict[str, Maker] = {}

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
_TWO_MEANINGS = {
    "he_normal": "Keras and JAX truncate it, torch does not: write kaiming_normal for the plain "
    "normal distribution, or variance_scaling(scale=2) for the truncated one",
}
_TORCH_INIT_OPTIONS = {"val": "value", "a": "low", "b": "high"}


# ----------------------------------------------------------------------------------- reading


def read_scheme(value: object) -> Scheme:
    """Return the scheme that a rule's value stands for.

    A number is a constant, a string a name with options or a number, a callable a function that
    writes into the tensor it is given. Functions of ``torch.nn.init`` become the scheme of that
    name.

    >>> read_scheme("kaiming_normal(mode='fan_out')")
    KaimingNormal(a=0.0, mode='fan_out', nonlinearity='leaky_relu', fans='module')
    """
    if isinstance(value, Scheme):
        return value
    if isinstance(value, str):
        return _read_text(value)
    if isinstance(value, bool) or value is None:
        raise RuleError(f"{value!r} is no way to start a parameter; write a number or a scheme")
    if isinstance(value, Real) or (hasattr(value, "__float__") and not callable(value)):
        return Constant(_number(value))
    if isinstance(value, type) and issubclass(value, Scheme):
        return _made(value.name, value, (), {})
    if callable(value) and not isinstance(value, type) and not hasattr(value, "named_parameters"):
        return _read_function(value)
    raise RuleError(
        f"{_shown(value)} is no way to start a parameter; write a number, a scheme's name such as "
        "'normal(std=0.02)', a Scheme, or a function that writes into the tensor it is given"
    )


def _number(value: object) -> float:
    try:
        return float(cast(Any, value))
    except (TypeError, ValueError) as error:  # a tensor or an array of several
        message = f"a {type(value).__name__} that is no single number cannot start a parameter"
        raise RuleError(f"{message}: {error}; write a function that copies it in") from None


def _read_text(text: str) -> Scheme:
    try:
        number = float(text)
    except ValueError:
        return make(read_call(text))
    return Constant(number)


def make(call: Call) -> Scheme:
    """Return the scheme that a call names."""
    name = canonical_name(call.name)
    if name is None:
        hint = "list_schemes() and list_recipes() show all names"
        if kind := _kind_elsewhere(call.name):
            hint = f"It is a {kind}, which stands alone or under a module's path."
        raise UnknownNameError("scheme", call.name, names_and_more(), hint)
    return _made(name, _MAKERS[name], call.args, call.kwargs)


def canonical_name(name: str) -> str | None:
    """Return the registered name that ``name`` stands for, or None."""
    for spelled in (name, name.rstrip("_") if name.endswith("_") else name):
        if spelled in _TWO_MEANINGS:
            raise RuleError(f"{name!r} has two meanings: {_TWO_MEANINGS[spelled]}")
        spelled = SYNONYMS.get(spelled, spelled)
        if spelled in _MAKERS:
            return spelled
    return None


def maker(name: str) -> Maker:
    """Return what makes the scheme of a registered name: its class, or a function's wrapper."""
    return _MAKERS[name]


def _made(name: str, maker: Maker, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Scheme:
    """Call a maker with checked options."""
    if "generator" in kwargs:
        message = f"{name} takes no generator; give apply_init seed=g.initial_seed() instead"
        raise OptionError(message, owner=name, option="generator")
    if maker is Blocks:
        if kwargs:
            raise OptionError("blocks takes schemes or numbers, no options", owner=name)
        parts = args[0] if len(args) == 1 and isinstance(args[0], list | tuple) else args
        return Blocks(tuple(read_scheme(part) for part in parts))
    known = options_of(maker)
    named = _by_position(name, maker, known, args)
    _add_by_name(named, name, maker, known, kwargs)
    missing = [k for k, default in known.items() if default is MISSING and k not in named]
    if missing:
        message = f"{name} needs the option {missing[0]}: {name}({missing[0]}=...)"
        raise OptionError(message, owner=name, option=missing[0])
    if "scheme" in named and isinstance(maker, type):
        named["scheme"] = read_scheme(named["scheme"])
    return maker(**named)


def _by_position(
    name: str, maker: Maker, known: Mapping[str, Any], args: Sequence[Any]
) -> dict[str, Any]:
    places = getattr(maker, "positional", ())
    if len(args) > len(places):
        given = f"not {name}({', '.join(map(repr, args))})"
        free = [option for option in known if option not in places]
        if not free:
            takes = f"{name}({', '.join(places)})" if places else name
            raise OptionError(f"{name} takes no more than {takes}, {given}", owner=name)
        needed = next((option for option in free if known[option] is MISSING), None)
        wanted = needed or ("std" if "std" in free else free[0])
        message = f"{name} takes its options by name: write {name}({wanted}=...), {given}"
        raise OptionError(message, owner=name)
    return dict(zip(places, args, strict=False))


def _add_by_name(
    named: dict[str, Any],
    name: str,
    maker: Maker,
    known: Mapping[str, Any],
    kwargs: Mapping[str, Any],
) -> None:
    other = getattr(maker, "synonyms", {})
    for option, value in kwargs.items():
        target = option if option in known else other.get(option, option)
        if target not in known:
            near = did_you_mean(option, known) or f"; it takes {', '.join(known) or 'none'}"
            message = f"{name} has no option {option!r}{near}"
            raise OptionError(message, owner=name, option=option)
        if target in named:
            message = f"{name}: {target} is given twice"
            raise OptionError(message, owner=name, option=target)
        named[target] = value


def options_of(maker: Maker) -> dict[str, Any]:
    """Return option -> default (``MISSING`` where there is none)."""
    if isinstance(maker, type):
        return {f.name: f.default for f in fields(maker)}
    return dict(getattr(maker, "options", {}))


# --------------------------------------------------------------------------- users' functions


def _read_function(function: Callable[..., object]) -> Scheme:
    inner, args, kwargs = function, (), {}
    if isinstance(function, partial):
        inner, args, kwargs = function.func, function.args, function.keywords
    if getattr(inner, "__module__", "") == "torch.nn.init" and not args:
        name = canonical_name(inner.__name__)
        if name is not None:
            return _from_torch(name, kwargs)
    if "generator" in kwargs:
        message = "a function here takes no generator; give apply_init seed=g.initial_seed()"
        raise OptionError(message, option="generator")
    return Function(function)


def _from_torch(name: str, kwargs: Mapping[str, Any]) -> Scheme:
    """Read a partial of a ``torch.nn.init`` function: its options, and fans of the shape alone."""
    maker = _MAKERS[name]
    known = options_of(maker)
    options = {k if k in known else _TORCH_INIT_OPTIONS.get(k, k): v for k, v in kwargs.items()}
    if "fans" in known:
        options["fans"] = "tensor"
    return _made(name, maker, (), options)


def _function_maker(name: str, function: Callable[..., object]) -> Maker:
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    if not parameters:
        message = f"{name}: a scheme's function writes into the tensor it is given; it takes none"
        raise RuleError(message)
    known = {p.name: MISSING if p.default is p.empty else p.default for p in parameters[1:]}

    def maker(**options: Any) -> Scheme:
        return Function(function, tuple(sorted(options.items())), name)

    maker.options = known  # type: ignore[attr-defined]
    maker.__doc__ = function.__doc__
    return maker


# -------------------------------------------------------------------------------- registering


def register_scheme(name: str) -> Callable[[T], T]:
    """Register a scheme under ``name``: a function, or a class that resolves to a distribution.

    A function writes into the tensor it is given; its further parameters are the options. A class
    is a frozen dataclass deriving from :class:`initkit.schemes.Scheme`.

    Raises :class:`DuplicateNameError` where a scheme or a recipe has the name already.

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
        refuse_taken(name)
        if isinstance(thing, type):
            _MAKERS[name] = _class_maker(name, thing)
        elif callable(thing):
            _MAKERS[name] = _function_maker(name, thing)
        else:
            raise RuleError(f"{name}: register a function or a Scheme class, not {_shown(thing)}")
        return thing

    return register


def unregister_scheme(name: str) -> None:
    """Forget a scheme; for tests and interactive work."""
    if name not in _MAKERS:
        raise UnknownNameError("scheme", name, list_schemes())
    del _MAKERS[name]


def _class_maker(name: str, cls: type) -> Maker:
    own_resolve = getattr(cls, "resolve", None)
    if not issubclass(cls, Scheme) or own_resolve is Scheme.resolve:
        raise RuleError(
            f"{name}: {cls.__name__} must derive from initkit.schemes.Scheme and define "
            "resolve(site), which returns a distribution"
        )
    cls.name = name
    return cls


def check_name(name: str) -> None:
    """Raise unless a text can read this name back."""
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
        if spelled in _MAKERS or spelled in SYNONYMS or spelled in _TWO_MEANINGS:
            message = f"the name {name!r} belongs to a scheme already; choose another"
            raise DuplicateNameError(message)
    if kind := _kind_elsewhere(name):
        raise DuplicateNameError(f"the name {name!r} belongs to a {kind} already")


def _kind_elsewhere(name: str) -> str | None:
    """Return "recipe" where a recipe has this name: schemes and recipes share one namespace."""
    from ..rules import recipe_named  # upward, and lazy: recipes are made of schemes

    return "recipe" if name != "torch_default" and recipe_named(name) is not None else None


# ------------------------------------------------------------------------------------ showing


@dataclass(frozen=True)
class SchemeInfo:
    """Hold what is known of a scheme: name, summary, formula, moments, source and options."""

    name: str
    summary: str
    formula: str
    moments: str
    source: str
    options: tuple[tuple[str, Any], ...]
    synonyms: tuple[str, ...]

    @property
    def signature(self) -> str:
        """The scheme as a rule writes it, with every option."""
        if self.name == "blocks":
            return "blocks(s0, s1, ...)"
        shown = (f"{k}" if v is MISSING else f"{k}={_default(v)}" for k, v in self.options)
        return f"{self.name}({', '.join(shown)})"

    def __str__(self) -> str:
        rows = [("formula", self.formula), ("moments", self.moments), ("source", self.source)]
        rows += [("also", ", ".join(self.synonyms))]
        body = "\n".join(f"  {k:<8} {v}" for k, v in rows if v)
        return f"{self.signature}\n  {self.summary}\n{body}"


def list_schemes() -> list[str]:
    """Return the names of all schemes.

    >>> [name for name in list_schemes() if name.startswith("kaiming")]
    ['kaiming_normal', 'kaiming_uniform']
    """
    return sorted(_MAKERS)


def describe_scheme(name: str) -> SchemeInfo:
    """Show a scheme's formula, moments, source and options.

    Raises :class:`UnknownNameError` for an unknown name.

    >>> print(describe_scheme("lecun_normal"))
    lecun_normal(fans='module')
      Keep the variance of a linear layer: normal form, not truncated.
      formula  N(0, 1/sqrt(fan_in))
      moments  mean 0, std 1/sqrt(fan_in)
      source   LeCun et al. 1998, Efficient BackProp
    """
    found = canonical_name(name)
    if found is None:
        kind = _kind_elsewhere(name)
        hint = f"It is a {kind}: describe_{kind}({name!r}) shows it." if kind else ""
        raise UnknownNameError("scheme", name, names_and_more(), hint)
    maker = _MAKERS[found]
    doc = inspect.getdoc(maker) or ""
    return SchemeInfo(
        found,
        doc.split("\n", 1)[0],
        getattr(maker, "formula", "") if isinstance(maker, type) else "",
        getattr(maker, "moments", "") if isinstance(maker, type) else "",
        getattr(maker, "source", "") if isinstance(maker, type) else "a registered function",
        tuple(options_of(maker).items()),
        tuple(other for other, meant in SYNONYMS.items() if meant == found),
    )


def names_and_more() -> list[str]:
    """Return all names that :func:`read_scheme` takes, synonyms included."""
    return sorted([*_MAKERS, *SYNONYMS, *_TWO_MEANINGS])


def _default(value: object) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return format(value, "g")
    return repr(value)


def _shown(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    kind = type(value).__name__
    return f"a {kind}" if hasattr(value, "named_parameters") else f"{value!r} ({kind})"


def blocks(*parts: object) -> Blocks:
    """Start each of as many equal blocks of dimension 0 in its own way.

    Each part is a scheme or a number, in the order of the blocks. torch's LSTM gates are input,
    forget, cell, output, so that the forget gate's bias starts at 1 with:

    >>> str(blocks(0, 1, 0, 0))
    'blocks(0, 1, 0, 0)'
    """
    return cast(Blocks, _made("blocks", Blocks, parts, {}))


for _scheme in (*CORE, *SPECIAL):
    _MAKERS[_scheme.name] = _scheme
