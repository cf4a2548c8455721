"""Scheme from what a rule says: a number, a name with options in call syntax, or a function."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, replace
from functools import partial
from inspect import signature
from numbers import Real
from typing import Any, Literal, TypeGuard, cast, get_args, get_origin

import torch
from torch import nn

from ..errors import FormulaError, OptionError, RuleError
from ..numbers import Call, Formula, read_call
from ..wording import checks_calls, unknown_option
from .base import Scheme
from .basic import Constant, Function, PerModule
from .composite import Blocks
from .elsewhere import option_by_formula, unknown_scheme
from .no_scheme import no_scheme, several_numbers, told
from .options import options_of
from .registry import (
    Factory,
    RegisteredFunction,
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
    if value is None or isinstance(value, bool):
        raise no_scheme(value)
    # Tensors and arrays of one element are no Real, and convert to a float all the same.
    if isinstance(value, Real) or (hasattr(value, "__float__") and not callable(value)):
        return Constant(_number(value))
    if isinstance(value, type) and issubclass(value, Scheme):
        return _make(value.name, value, Call(value.name))
    # Modules can be called, too, and a table with a module for a value is a mistake.
    if callable(value) and not isinstance(value, type) and not hasattr(value, "named_parameters"):
        return _read_function(value)
    raise no_scheme(value)


def read_scheme_call(call: Call) -> Scheme:
    """Return the scheme that a call names."""
    name = canonical_name(call.name)
    if name is None:
        hint = "list_schemes() and list_recipes() show all names"
        if kind := kind_elsewhere(call.name):
            hint = f"It is a {kind}, which stands alone or under a module's path."
        raise unknown_scheme("scheme", call.name, scheme_names(), hint)
    return _make(name, factory_of(name), call)


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
        raise RuleError(f"per_module takes a function of a module, not {told(function)}")
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
    plain = value.detach() if isinstance(value, torch.Tensor) else value  # no gradient is wanted
    try:
        return float(cast(Any, plain))
    except OverflowError:  # not shown: Python may refuse to print an int of so many digits
        message = "an int beyond all floats (about 1.8e308) cannot start a parameter"
        raise RuleError(message) from None
    except (TypeError, ValueError):  # a tensor or an array of several
        raise several_numbers(value) from None


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


# ------------------------------------------------------------------------ a name with its options


def _make(name: str, factory: Factory, call: Call) -> Scheme:
    """Return the scheme of a name, from options that are checked by name here."""
    args, kwargs = call.args, call.kwargs
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
    _check_places(name, factory, defaults, call)
    # Fewer arguments than places is the usual case; more were refused above.
    options = dict(zip(places, args, strict=False))
    _add_by_name(options, name, getattr(factory, "synonyms", {}), defaults, kwargs, call.options)
    missing = [k for k, default in defaults.items() if default is MISSING and k not in options]
    if missing:
        message = f"{name} needs the option {missing[0]}: {name}({missing[0]}=...)"
        error = OptionError(message, owner=name, option=missing[0])
        if isinstance(factory, RegisteredFunction):
            first = next(iter(signature(factory.function).parameters))
            names = ",".join([first, *missing])
            error.hint = f"; or, of a scheme over several tensors, a key names them: '{{{names}}}'"
        if factory is Constant:  # it has no more than that, and these are what is asked for most
            error.either = tuple({call.name: f"{call.name}({one})"} for one in (0, 1))
        raise error
    # Of a class: a user's function may call an option `scheme` and mean something else.
    if isinstance(factory, type):
        known: Any = factory  # or mypy takes the hash of instances for that of the class
        for option, declared in options_of(known).items():
            if declared.kind is Scheme and options.get(option) is not None:
                options[option] = read_scheme(options[option])
    return factory(**options)


def _check_places(name: str, factory: Factory, defaults: Mapping[str, Any], call: Call) -> None:
    """Raise where more options come without their names than may."""
    args, places = call.args, getattr(factory, "positional", ())
    if len(args) <= len(places):
        return
    given = f"not {name}({', '.join(map(repr, args))})"
    free = [option for option in defaults if option not in places]
    if not free:
        takes = f"{name}({', '.join(places)})" if places else name
        error = OptionError(f"{name} takes no more than {takes}, {given}", owner=name)
        kept = ", ".join(call.texts[: len(places)])
        error.mends = ({call.options: f"({kept})" if kept else ""},)
        raise error
    needed = next((option for option in free if defaults[option] is MISSING), None)
    wanted = needed or ("std" if "std" in free else free[0])
    message = f"{name} takes its options by name: write {name}({wanted}=...), {given}"
    order = _in_torchs_order(name, defaults)
    if len(args) > len(defaults):
        known = ", ".join(defaults)
        message = f"{name} has the options {known}, and {len(args)} are given: {given[4:]}"
    error = OptionError(message, owner=name)
    # One alone is most often what a scheme is called for; of several torch's order tells.
    if len(args) == len(places) + 1:
        order = [*places, wanted] if len(args) == 1 or not order else order
    if named := _named(factory, call, order, len(defaults)):
        beside = [f"{option}={value!r}" for option, value in call.kwargs.items()]
        error.mends = ({call.options: f"({', '.join([*named, *beside])})"},)
    if "==" in call.options:
        error.mends += ({call.options: call.options.replace("==", "=")},)
    raise error


def _in_torchs_order(name: str, defaults: Mapping[str, Any]) -> list[str]:
    """Return a scheme's options as torch's function of that name has them; else as declared."""
    function = getattr(nn.init, f"{name}_", None)
    if function is None:
        return list(defaults)
    given = [option for option in signature(function).parameters if option != "generator"][1:]
    return [one if one in defaults else _TORCH_INIT_OPTIONS.get(one, one) for one in given]


def _named(factory: Factory, call: Call, order: Sequence[str], most: int) -> list[str]:
    """Return arguments with the names of options; a text is for the one that has it as a choice."""
    known: Any = factory  # as above
    declared = options_of(known) if isinstance(factory, type) else {}
    choices = {
        option: get_args(one.kind)
        for option, one in declared.items()
        if get_origin(one.kind) is Literal
    }
    left = list(order)
    found: dict[str, str] = {}
    for value, text in zip(call.args[:most], call.texts, strict=False):
        if isinstance(value, str) and (value.isidentifier() or text[0] in "'\""):  # no formula
            named = [one for one, texts in choices.items() if value in texts]
            open_ones = [one.name for one in declared.values() if one.kind is object]
            option = next(iter([*named, *open_ones]), None)
        else:
            option = next((one for one in left if one not in choices), None)
        if option is None or option in found:
            return []
        left = left[left.index(option) + 1 :] if option in left else left
        found[option] = text
    return [f"{option}={text}" for option, text in found.items()]


def _add_by_name(
    options: dict[str, Any],
    name: str,
    synonyms: Mapping[str, str],
    defaults: Mapping[str, Any],
    kwargs: Mapping[str, Any],
    written: str,
) -> None:
    for option, value in kwargs.items():
        # Its own option first: `a` is the slope of kaiming_normal, and elsewhere a synonym.
        target = option if option in defaults else synonyms.get(option, option)
        if target not in defaults:
            error = unknown_option(name, option, [*defaults])
            error.mends = (*option_by_formula(option, written, defaults), *error.mends)
            raise error
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
    return _make(name, factory, Call(name, (), options))
