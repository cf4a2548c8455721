"""Options of planning and of writing: each has its name, type, default and choices here alone.

A function takes them as ``**options: Unpack[PlanOptions]`` under :func:`takes`, so that an editor
completes them, a type checker knows them, and a name that is none of them is refused.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, get_args

import torch
from torch import nn

from ..errors import Correction, OptionError, TargetError, shown
from ..python_text import Code, python_text
from ..wording import Argument, GivenCall, checks_calls, show, unknown_option, worth_showing

F = TypeVar("F", bound=Callable[..., Any])
Entry: TypeAlias = "str | re.Pattern[str] | type[nn.Module] | nn.Module"
Selection: TypeAlias = "Entry | Iterable[Entry | tuple[type[nn.Module], ...]] | None"
Device: TypeAlias = "torch.device | str | None"
Idle = Literal["error", "ignore"]
OnTieConflict = Literal["error", "first"]


class PlanOptions(TypedDict, total=False):
    """What decides together with the rules who gets what."""

    strict: bool
    idle: Idle
    only: Selection
    protect: Selection
    on_tie_conflict: OnTieConflict
    buffers: bool


class DecoratorOptions(PlanOptions, total=False):
    """What :func:`initkit.initialized` takes."""

    prefix: str


class MaterializeOptions(TypedDict, total=False):
    """How a plan is carried out, but for the device."""

    seed: int | None
    prefix: str
    progress: bool | None
    verify_ranks: object
    communicate: bool
    reset_buffers: bool


class WriteOptions(MaterializeOptions, total=False):
    """How a plan is carried out."""

    device: Device


class InitOptions(PlanOptions, WriteOptions, total=False):
    """What :func:`initkit.apply_init` takes: it plans and writes."""


DEFAULTS: InitOptions = {
    "strict": False,
    "idle": "error",
    "only": None,
    "protect": None,
    "on_tie_conflict": "error",
    "buffers": False,
    "seed": None,
    "prefix": "",
    "device": None,
    "progress": None,
    "verify_ranks": False,
    "communicate": False,
    "reset_buffers": False,
}
_CHOICES = {"idle": get_args(Idle), "on_tie_conflict": get_args(OnTieConflict)}
_TRUTHS = frozenset({"strict", "buffers", "communicate", "reset_buffers"})
_TRUE_OR_FALSE = {True: ("1", "true", "yes", "on"), False: ("0", "false", "no", "off", "none")}
_MEANT = {"generator": "takes a seed, not a generator: write seed=generator.initial_seed()"}


def takes(
    kind: type,
    on_error: Callable[[Mapping[str, Any], OptionError], object] | None = None,
    owner: str = "",
) -> Callable[[F], F]:
    """Let a function take the options of ``kind``, and refuse all others before it begins.

    ``on_error`` is called with the options and the error before it is raised. ``owner`` is what
    errors call the function, where users know it by another name.

    Raises :class:`OptionError` for a name that is no option, and for a value that it cannot have.

    >>> @takes(PlanOptions)
    ... def count(rules, **options): ...
    >>> count({}, strickt=True)
    Traceback (most recent call last):
    initkit.errors.OptionError: count has no option 'strickt'
      as written:   strickt=True
      to paste:     strict=True
    """

    def decorate(function: F) -> F:
        signature = _with(inspect.signature(function), kind)
        known = [p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]

        @functools.wraps(function)
        def checked(*args: Any, **options: Any) -> Any:
            try:
                # Own parameters may come by name, too; hints propose options alone.
                check_options(owner or function.__name__, options, [*signature.parameters], known)
            except OptionError as error:
                if on_error is not None:
                    on_error(options, error)
                raise
            try:
                return function(*args, **options)
            except TargetError as error:
                name = owner or function.__name__
                error.shown = error.shown or _in_order(name, args, options)
                error.shown = error.shown or _made(name, args, options)
                raise

        checked.__signature__ = signature  # type: ignore[attr-defined]
        wrapped: Any = checks_calls(checked)
        return wrapped  # type: ignore[no-any-return]

    return decorate


def _in_order(
    name: str, args: Sequence[object], options: Mapping[str, object]
) -> Correction | None:
    """Return a call with the rules before the model, and as it should be; None for others."""
    rules, model = args if len(args) == 2 else (None, None)
    if not isinstance(model, nn.Module) or isinstance(rules, nn.Module):
        return None
    named = tuple(map(Argument, options, options.values()))
    both = Code("rules") if not worth_showing(python_text(rules)) else rules, Code("model")
    return Correction(GivenCall(name, both, named), GivenCall(name, both[::-1], named))


def _made(name: str, args: Sequence[object], options: Mapping[str, object]) -> Correction | None:
    """Return a call with a class for a model, and with an instance of it; None for others."""
    kind, *rules = args or (None,)
    if not isinstance(kind, type) or not issubclass(kind, nn.Module):
        return None
    given = [rule if worth_showing(python_text(rule)) else Code("rules") for rule in rules]
    named = tuple(map(Argument, options, options.values()))
    needed = [p for p in inspect.signature(kind).parameters.values() if p.default is p.empty]
    made = Code(f"{python_text(kind)}()")
    meant = GivenCall(name, (made, *given), named)
    alone = all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in needed)
    return Correction(GivenCall(name, (kind, *given), named), meant if alone else None)


def _with(signature: inspect.Signature, kind: type) -> inspect.Signature:
    """Return a signature with the options of ``kind`` where it says ``**options``."""
    defaults: Mapping[str, Any] = DEFAULTS
    # `help()` and editors read the signature, so the options stand in it one by one.
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults[name],
            # TypedDict wraps annotations that are texts; signatures show the text itself.
            annotation=getattr(annotation, "__forward_arg__", annotation),
        )
        for name, annotation in kind.__annotations__.items()
    ]
    return signature.replace(parameters=[*own, *options])


def check_options(
    owner: str, options: Mapping[str, object], known: Iterable[str], proposed: Iterable[str]
) -> None:
    """Raise unless every option is ``known`` and has a value that it may have."""
    names, near = set(known), list(proposed)

    def check(argument: Argument) -> None:
        _check_option(owner, argument, names, near)

    for argument in map(Argument, options, options.values()):
        try:
            check(argument)
        except OptionError as error:
            show(error, argument, check)
            raise


def _check_option(
    owner: str, argument: Argument, known: Collection[str], proposed: Sequence[str]
) -> None:
    option, value = argument
    if option not in known:
        if option in _MEANT:
            raise OptionError(f"{owner} {_MEANT[option]}", owner=owner, option=option)
        error = unknown_option(owner, option, proposed)
        raise error if error.mends else error.meaning(option, known)
    if option in _TRUTHS and not isinstance(value, bool):
        message = f"{option} must be True or False, not {shown(value)}"
        error = OptionError(message, owner=owner, option=option)
        meant = (truth for truth, texts in _TRUE_OR_FALSE.items() if str(value).lower() in texts)
        error.mends = tuple((value, truth) for truth in meant)
        raise error
    choices = _CHOICES.get(option)
    if choices is not None and value not in choices:
        listed = ", ".join(map(repr, choices))
        error = OptionError(f"{option} must be one of {listed}, not {shown(value)}", option=option)
        near = error.meaning(value, choices).mends if isinstance(value, str) else ()
        error.either = () if near else tuple((value, choice) for choice in choices)
        raise error


K = TypeVar("K")


def of_kind(kind: Callable[..., K], options: Mapping[str, Any]) -> K:
    """Return those of the options that are of one kind.

    >>> of_kind(PlanOptions, {"strict": True, "seed": 0})
    {'strict': True}
    """
    return kind(**{name: options[name] for name in kind.__annotations__ if name in options})
