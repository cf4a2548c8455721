"""Scheme from what a rule says: a number, a name with options in call syntax, or a function."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, replace
from functools import partial
from numbers import Real
from typing import Any, TypeGuard, cast

from ..errors import FormulaError, OptionError, RuleError
from ..numbers import Call, Formula, read_call
from ..wording import checks_calls, unknown_option
from .base import Scheme
from .basic import Constant, Function, PerModule
from .composite import Blocks
from .elsewhere import unknown_scheme
from .options import options_of
from .registry import (
    Factory,
    canonical_name,
    defaults_of,
    factory_of,
    kind_elsewhere,
    scheme_names,
)

_TORCH_INIT_OPTIONS = {"val": "value", "a": "low", "b": "high"}


@checks_calls
def read_scheme(value: object) -> Scheme:
    """Return the scheme that a rule's value stands for.

    A number is a constant, a string a name with options, a number or a formula, a dict has the name
    under ``scheme`` and the options beside it, a callable is a function that writes into the tensor
    it is given. Functions of ``torch.nn.init`` become the scheme of that name.

    >>> read_scheme("kaiming_normal(mode='fan_out')")
    KaimingNormal(a=0.0, mode='fan_out', nonlinearity='leaky_relu', fans='module')
    """
    if isinstance(value, Scheme):
        return value
    if isinstance(value, str):
        return _read_text(value)
    if is_scheme_table(value):
        return _read_table(value)
    # Before numbers, since True is one in Python.
    if value is None:
        error = RuleError("None is no way to start a parameter; write a number or a scheme")
        error.hint = ", or 'keep' to leave it as it is"
        error.mends = ({"None": "keep"},)
        raise error
    if isinstance(value, bool):
        raise RuleError(f"{value!r} is no way to start a parameter; write a number or a scheme")
    # Tensors and arrays of one element are no Real, and convert to a float all the same.
    if isinstance(value, Real) or (hasattr(value, "__float__") and not callable(value)):
        return Constant(_number(value))
    if isinstance(value, type) and issubclass(value, Scheme):
        return _make(value.name, value, (), {})
    # Modules can be called, too, and a table with a module for a value is a mistake.
    if callable(value) and not isinstance(value, type) and not hasattr(value, "named_parameters"):
        return _read_function(value)
    raise RuleError(
        f"{_what(value)} is no way to start a parameter; write a number, a scheme's name such as "
        "'normal(std=0.02)', a Scheme, or a function that writes into the tensor it is given"
    )


def read_scheme_call(call: Call) -> Scheme:
    """Return the scheme that a call names."""
    name = canonical_name(call.name)
    if name is None:
        hint = "list_schemes() and list_recipes() show all names"
        if kind := kind_elsewhere(call.name):
            hint = f"It is a {kind}, which stands alone or under a module's path."
        raise unknown_scheme("scheme", call.name, scheme_names(), hint)
    return _make(name, factory_of(name), call.args, call.kwargs)


@checks_calls
def blocks(*parts: object, dim: int = 0, sizes: Sequence[float | str] | None = None) -> Blocks:
    """Start each of as many blocks of a dimension in its own way.

    Each part is a scheme or a number, in the order of the blocks; a part may be ``blocks`` itself.
    ``dim`` is the dimension that is cut, ``sizes`` the entries of each block where they are not
    equal: numbers or formulas. torch's LSTM gates are input, forget, cell, output, so that the
    forget gate's bias starts at 1 with:

    >>> str(blocks(0, 1, 0, 0))
    'blocks(0, 1, 0, 0)'

    Grouped-query attention has fewer keys and values than queries:

    >>> str(blocks("orthogonal", "normal", "normal", sizes=(512, "owner.kv_size", "owner.kv_size")))
    "blocks(orthogonal, normal, normal, sizes=(512, 'owner.kv_size', 'owner.kv_size'))"

    Raises :class:`OptionError` where there is no part, or one is ``keep``, and where ``sizes`` are
    not as many.
    """
    if len(parts) == 1 and isinstance(parts[0], list | tuple):
        parts = tuple(parts[0])
    given: Any = sizes if sizes is None or isinstance(sizes, str) else tuple(sizes)
    return Blocks(tuple(read_scheme(part) for part in parts), dim=dim, sizes=given)


@checks_calls
def per_module(function: Callable[..., object], **options: Any) -> PerModule:
    """Start modules by a function of yours that takes a module, such as ``model.apply`` takes.

    ``function`` is called as ``Module.apply`` calls it, inner modules first: with the owner of each
    parameter that it starts, and, unless the rule goes by the owner's class, with every module all
    of whose parameters it starts. It writes into scratch in place of all parameters and buffers of
    the module, filled with NaN, before anything else is written; torch's global generator stands at
    a state of the seed and the module's name, and afterwards where it stood. A tied parameter holds
    what the last of its modules left, or the one that the rule names. What it leaves unwritten is
    an error, and what it does to buffers is undone.
    ``options`` are passed on.

    Nobody knows the distribution: plans show the function, :func:`initkit.check_init` looks for
    garbage alone, and :func:`initkit.verify_report` cannot draw the values again.

    Raises :class:`RuleError` for what is no function of a module.

    >>> from torch import nn
    >>> from initkit import plan_init
    >>> def init(m):
    ...     if isinstance(m, nn.Linear):
    ...         nn.init.normal_(m.weight, std=0.02)
    ...         nn.init.zeros_(m.bias)
    >>> plan_init(nn.Linear(3, 4), {nn.Linear: per_module(init)})["bias"].start
    'per_module(init)'
    """
    given: object = function
    if not callable(given) or isinstance(given, type) or hasattr(given, "named_parameters"):
        raise RuleError(f"per_module takes a function of a module, not {_what(function)}")
    if getattr(function, "__module__", "") == "torch.nn.init":
        name = getattr(function, "__name__", "")
        raise RuleError(f"per_module: {name} takes a tensor, so that a rule takes it as it is")
    return PerModule(function, tuple(sorted(options.items())))


def is_scheme_table(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Tell a scheme that is written as a dict from a table of rules.

    >>> is_scheme_table({"scheme": "normal", "std": 0.02}), is_scheme_table({"scheme": 0})
    (True, False)
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("scheme"), str):
        return False
    # A parameter may be called scheme, and stand in a table beside globs.
    return all(isinstance(key, str) and key.isidentifier() for key in value)


def _read_table(table: Mapping[str, Any]) -> Scheme:
    call = read_call(table["scheme"])
    beside = {option: value for option, value in table.items() if option != "scheme"}
    if twice := call.kwargs.keys() & beside.keys():
        option = min(twice)
        message = f"{call.name}: {option} is given twice"
        raise OptionError(message, owner=call.name, option=option)
    return read_scheme_call(replace(call, kwargs={**call.kwargs, **beside}))


def _number(value: object) -> float:
    try:
        return float(cast(Any, value))
    except OverflowError:  # not shown: Python may refuse to print an int of so many digits
        message = "an int beyond all floats (about 1.8e308) cannot start a parameter"
        raise RuleError(message) from None
    except (TypeError, ValueError):  # a tensor or an array of several
        message = f"a {type(value).__name__} that is no single number cannot start a parameter"
        ways = "a scheme such as 'normal(std=0.02)', or a function that copies it in"
        raise RuleError(f"{message}; write {ways}") from None


def _read_text(text: str) -> Scheme:
    number = _float(text)
    if number is None:
        formula = _formula(text)
        return Constant(formula) if formula is not None else read_scheme_call(read_call(text))
    if math.isinf(number) and "inf" not in text.lower():
        raise RuleError(f"{text} is beyond all floats (about 1.8e308)")
    return Constant(number)


def _float(text: str) -> float | None:
    # Left before anything is raised on its text: the traceback would begin with Python's own.
    try:
        return float(text)
    except ValueError:
        return None


def _formula(text: str) -> Formula | None:
    """Return the number that a text reckons, such as log(1/0.07); None where it names a scheme."""
    head = text.partition("(")[0].strip()
    # A name by itself would be a misspelt scheme rather than a number.
    if canonical_name(head) is not None or not re.search(r"[-+*/(]", text):
        return None
    try:
        return Formula(text)
    except FormulaError:
        return None


def _what(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    kind = type(value).__name__
    return f"a {kind}" if hasattr(value, "named_parameters") else f"{value!r} ({kind})"


# ------------------------------------------------------------------------ a name with its options


def _make(name: str, factory: Factory, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Scheme:
    """Return the scheme of a name, from options that are checked by name here."""
    if "generator" in kwargs:
        message = f"{name} takes no generator; give apply_init seed=g.initial_seed() instead"
        raise OptionError(message, owner=name, option="generator")
    # Its arguments are schemes and not options, as many as there are blocks.
    if factory is Blocks:
        if strange := kwargs.keys() - {"dim", "sizes"}:
            what = "takes schemes or numbers, and the options dim and sizes"
            error = OptionError(f"blocks {what}, not {min(strange)}", owner=name)
            raise error.meaning(min(strange), ("dim", "sizes"))
        return blocks(*args, **kwargs)
    defaults = defaults_of(factory)
    places = getattr(factory, "positional", ())
    _check_places(name, places, defaults, args)
    # Fewer arguments than places is the usual case; more were refused above.
    options = dict(zip(places, args, strict=False))
    _add_by_name(options, name, getattr(factory, "synonyms", {}), defaults, kwargs)
    missing = [k for k, default in defaults.items() if default is MISSING and k not in options]
    if missing:
        message = f"{name} needs the option {missing[0]}: {name}({missing[0]}=...)"
        raise OptionError(message, owner=name, option=missing[0])
    # Of a class: a user's function may call an option `scheme` and mean something else.
    if isinstance(factory, type):
        known: Any = factory  # or mypy takes the hash of instances for that of the class
        for option, declared in options_of(known).items():
            if declared.kind is Scheme and options.get(option) is not None:
                options[option] = read_scheme(options[option])
    return factory(**options)


def _check_places(
    name: str, places: Sequence[str], defaults: Mapping[str, Any], args: Sequence[Any]
) -> None:
    """Raise where more options come without their names than may."""
    if len(args) <= len(places):
        return
    given = f"not {name}({', '.join(map(repr, args))})"
    free = [option for option in defaults if option not in places]
    if not free:
        takes = f"{name}({', '.join(places)})" if places else name
        raise OptionError(f"{name} takes no more than {takes}, {given}", owner=name)
    needed = next((option for option in free if defaults[option] is MISSING), None)
    wanted = needed or ("std" if "std" in free else free[0])
    message = f"{name} takes its options by name: write {name}({wanted}=...), {given}"
    error = OptionError(message, owner=name)
    *by_place, value = map(repr, args)
    if free[:2] == ["mean", "std"] and len(args) == 2:  # in torch's order
        named = f"(mean={by_place[0]}, std={value})"
        error.mends = ({f"({by_place[0]}, {value})": named},)
    elif len(by_place) == len(places):
        named = ", ".join([*by_place, f"{wanted}={value}"])
        error.mends = ({f"({', '.join([*by_place, value])})": f"({named})"},)
    raise error


def _add_by_name(
    options: dict[str, Any],
    name: str,
    synonyms: Mapping[str, str],
    defaults: Mapping[str, Any],
    kwargs: Mapping[str, Any],
) -> None:
    for option, value in kwargs.items():
        # Its own option first: `a` is the slope of kaiming_normal, and elsewhere a synonym.
        target = option if option in defaults else synonyms.get(option, option)
        if target not in defaults:
            raise unknown_option(name, option, [*defaults])
        if target in options:
            message = f"{name}: {target} is given twice"
            raise OptionError(message, owner=name, option=target)
        options[target] = value


# --------------------------------------------------------------------------- users' functions


def _read_function(function: Callable[..., object]) -> Scheme:
    inner, args, kwargs = function, (), {}
    if isinstance(function, partial):
        inner, args, kwargs = function.func, function.args, function.keywords
    # Positional arguments of a partial come before the tensor, so such a one is called as it is.
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
    factory = factory_of(name)
    known = defaults_of(factory)
    options = {k if k in known else _TORCH_INIT_OPTIONS.get(k, k): v for k, v in kwargs.items()}
    if "fans" in known:
        # Whoever passes torch's function wants torch's std, which it reads off the shape alone.
        options["fans"] = "tensor"
    return _make(name, factory, (), options)
