"""What a user wrote, as data that can be printed, changed in one word, and read again."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

from .errors import Correction, InitkitError, Mend, OptionError, RuleError
from .python_text import Spelled, python_text
from .spelling import nearest, option_elsewhere

Changes = Callable[[str], Iterator[str]]
"""What yields the forms that a text may have been meant to have."""
T = TypeVar("T")
C = TypeVar("C", bound="Callable[..., Any]")
K = TypeVar("K", bound="type[Any]")


class Entry(NamedTuple):
    """One line of a rule table: its keys from the outermost in, and what stands there.

    Without keys it is rules that stand alone, such as a recipe's name, or several lines.
    """

    keys: tuple[Any, ...]
    value: Any

    @property
    def table(self) -> Any:
        """The rules that have this line alone."""
        table = self.value
        for key in reversed(self.keys):
            table = {key: table}
        return table

    def under(self, key: object) -> Entry:
        """Return it as it stands in a table under one more key."""
        return Entry((key, *self.keys), self.value)

    def __str__(self) -> str:
        text = python_text(self.table)
        return text[1:-1] if isinstance(self.table, Mapping) else text


class Argument(NamedTuple):
    """An argument of a call, by its name."""

    name: str
    value: Any

    def __str__(self) -> str:
        return f"{self.name}={python_text(self.value)}"


class Call(NamedTuple):
    """A call with its arguments, the first of them without its name."""

    function: str
    arguments: tuple[Argument, ...]

    def __str__(self) -> str:
        first, *others = self.arguments
        return f"{self.function}({', '.join([python_text(first.value), *map(str, others)])})"


class GivenCall(NamedTuple):
    """A call as it was given: what stands there without a name, and what has one."""

    function: str
    values: tuple[Any, ...]
    arguments: tuple[Argument, ...]

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(python_text, (*self.values, *self.arguments)))})"


class HasCall(Spelled):
    """Base of what keeps the call that made it, as a rule does."""

    __slots__ = ()

    written: Call

    def in_python(self) -> str:
        return str(self.written)

    @classmethod
    def _meant(cls, call: GivenCall) -> Call | None:  # noqa: ARG003 - for classes that know
        """Return the call that one which does not fit stands for, where that is known."""
        return None


# -------------------------------------------------------------------------------------- mending


def words_for(words: Mapping[str, str]) -> Changes:
    """Return the changes that put words in place of others: of one word at one place at a time.

    >>> list(words_for({"(0,1)": "(mean=0, std=1)"})("normal(0,1)"))
    ['normal(mean=0, std=1)']
    """
    *_, whole = sorted(words, key=len)
    edged = "|".join(map(re.escape, words))
    pattern = re.compile(rf"(?<![\w])(?:{edged})(?![\w])" if whole.isidentifier() else edged)

    def changes(text: str) -> Iterator[str]:
        if len(words) > 1:
            if pattern.search(text):
                yield pattern.sub(lambda found: words[found[0]], text)
            return
        for found in pattern.finditer(text):
            yield text[: found.start()] + words[whole] + text[found.end() :]

    return changes


def changed(value: Any, changes: Changes) -> Iterator[Any]:
    """Yield the forms of nested data that have one of its texts changed.

    >>> list(changed({"a": ["normal(sdt=1)", 0]}, words_for({"sdt": "std"})))
    [{'a': ['normal(std=1)', 0]}]
    """
    return _altered(value, functools.partial(_texts_changed, changes))


def _texts_changed(changes: Changes, part: object) -> Iterator[object]:
    """Yield the forms of what a text is, or stands for."""
    if isinstance(part, str):
        yield from changes(str(part))
    elif isinstance(part, re.Pattern):
        for text in changes(f"re:{part.pattern}"):
            if text.startswith("re:"):
                yield re.compile(text[3:], part.flags)
    elif isinstance(part, Spelled):
        with suppress(RuleError):  # no text stands for it
            yield from changes(part.spell())


def _altered(value: Any, alter: Callable[[Any], Iterator[Any]]) -> Iterator[Any]:
    """Yield the forms of nested data that have one of its parts altered, from the outside in."""
    yield from alter(value)
    if isinstance(value, Mapping):
        pairs = list(value.items())
        others = map(dict, _altered(pairs, alter))
        yield from (other for other in others if len(other) == len(pairs))
    elif isinstance(value, tuple | list):
        make = getattr(type(value), "_make", type(value))  # of a named tuple
        for place, one in enumerate(value):
            for other in _altered(one, alter):
                yield make([*value[:place], other, *value[place + 1 :]])
    elif isinstance(value, functools.partial):
        for args, options in _altered((value.args, value.keywords), alter):
            yield functools.partial(value.func, *args, **options)


def forms_of(written: T, mend: Mend) -> Iterator[T]:
    """Yield what was written with what an error says would do in place of a part of it.

    >>> list(forms_of(["normal", True], (True, 1)))
    [['normal', 1]]
    """
    if isinstance(mend, Mapping):
        return changed(written, words_for(mend))
    old, new = mend  # by identity: 1 is True to Python
    return _altered(written, lambda part: iter([new] if part is old else []))


_DEEPEST = 3  # slips that one line may have


def mended(
    written: T, error: InitkitError, read: Callable[[T], object], deep: int = _DEEPEST
) -> T | None:
    """Return what was written as its author meant it, which reads without an error; or None.

    ``error`` is what :func:`read` raised of it.
    """
    for mend in error.mends:
        for other in forms_of(written, mend):
            try:
                read(other)
            except InitkitError as further:
                found = mended(other, further, read, deep - 1) if deep > 1 else None
                if found is not None:
                    return found
            else:
                return other
    return None


def show(
    error: InitkitError,
    written: T,
    read: Callable[[T], object],
    otherwise: Callable[[T], T | None] = lambda _: None,
) -> None:
    """Let an error show what was written, and what to paste in place of it.

    Where the error knows nothing that reads, that is what ``otherwise`` makes of it, if that does.
    """
    if not worth_showing(written):
        return
    meant = mended(written, error, read)
    if meant is None and (other := otherwise(written)) is not None:
        with suppress(InitkitError):
            read(other)
            meant = other
    either = [mended(written, _Meaning(mend), read) for mend in error.either]
    # A name alone, or an argument, stands in the message already.
    alone = isinstance(written, Argument) or (isinstance(written, Entry) and not written.keys)
    if all(form is not None for form in either) and either:
        error.shown = Correction(written, either[0], others=tuple(either[1:]))
    elif meant is not None or not alone:
        error.shown = Correction(written, meant)


class _Meaning(InitkitError):
    """One of the meanings that a word has."""

    def __init__(self, mend: Mend) -> None:
        self.mends = (mend,)


def worth_showing(written: object) -> bool:
    """Whether what was written has few enough characters to be read in an error."""
    try:
        return len(str(written)) <= _LONGEST
    except RecursionError:  # it contains itself
        return False


_LONGEST = 400


# ---------------------------------------------------------------------------------------- calling


def checks_calls(thing: C) -> C:
    """Let a function, or a class's constructor, say how it is called where a call does not fit.

    Raises :class:`OptionError` for an argument that it has not, showing the one that is meant, for
    one too many, and for one that is missing.

    >>> @checks_calls
    ... def draw(shape, *, std=1.0): ...
    >>> draw(3, sdt=2)
    Traceback (most recent call last):
    initkit.errors.OptionError: draw has no option 'sdt'
      as written:   sdt=2
      to paste:     std=2
    """
    made: Any = thing  # mypy lets nobody assign __init__
    if isinstance(thing, type):
        made.__init__ = _checked(made.__init__, thing.__name__, own=1, made=thing)
        return thing
    checked: Any = _checked(thing, thing.__name__)
    return checked  # type: ignore[no-any-return]


def checks_methods(cls: K) -> K:
    """Let the public methods of a class say how they are called, as :func:`checks_calls` does."""
    for name, part in list(vars(cls).items()):
        if name.startswith("_"):
            continue
        if isinstance(part, classmethod):
            kept = classmethod(_checked(part.__func__, part.__func__.__qualname__, own=1))
            setattr(cls, name, kept)
        elif isinstance(part, FunctionType):
            setattr(cls, name, _checked(part, part.__qualname__, own=1))
    return cls


def _checked(
    function: Callable[..., Any], name: str, own: int = 0, *, made: type | None = None
) -> Callable[..., Any]:
    """Return a function that answers calls that don't fit; ``own`` arguments are Python's.

    ``made`` is the class whose constructor it is, if it is one.
    """

    # A call that fits costs nothing more: only what failed is looked at.
    @functools.wraps(function)
    def checked(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except TypeError as error:
            if len(args) < own or isinstance(error, InitkitError):
                raise
            parameters = [*inspect.signature(function).parameters.values()][own:]
            _check_call(name, parameters, args[own:], options, made)
            raise  # the call fits, and what it does went wrong

    return checked


def _check_call(
    name: str,
    parameters: Sequence[inspect.Parameter],
    values: tuple[Any, ...],
    options: Mapping[str, Any],
    made: type | None,
) -> None:
    """Raise where a call does not fit: the whole of it is shown where it makes a value."""
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters)
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    surplus = values[len(places) :]

    def read(call: GivenCall) -> None:
        names = [argument.name for argument in call.arguments]
        for unknown in (each for each in names if each not in named and not any_name):
            raise unknown_option(name, unknown, named)
        if problem := _misplaced(parameters, call.values, names):
            usage = _usage(name, parameters)
            raise OptionError(f"{name} {problem}; it is called as {usage}", owner=name)

    call = GivenCall(name, values, tuple(map(Argument, options, options.values())))
    try:
        read(call)
    except OptionError as error:
        if made is not None and (values or options):
            show(error, call, read)
            if issubclass(made, HasCall) and (meant := made._meant(call)) is not None:
                error.shown = Correction(call, meant)
        elif "seed" in named and len(surplus) == 1 and type(surplus[0]) is int:
            error.shown = Correction(surplus[0], Argument("seed", surplus[0]))
        elif error.option:
            _show_argument(error, Argument(error.option, options[error.option]), named)
        raise error from None


def _show_argument(error: OptionError, argument: Argument, known: Sequence[str]) -> None:
    """Let an error show an argument alone: what stands around it is long, or unknown."""

    def read(other: Argument) -> None:
        if other.name not in known:
            raise unknown_option(error.owner, other.name, known)

    show(error, argument, read)


def unknown_option(owner: str, name: str, known: Sequence[str]) -> OptionError:
    """Return the error that a call has an argument of a name that is none of the ``known``."""
    error = OptionError(f"{owner} has no option {name!r}", owner=owner, option=name)
    if (meant := option_elsewhere(name, known)) is None:
        error.or_rather(name, known, f"; it takes {', '.join(known) or 'none'}")
        # Of so few names the only one that is near is meant.
        near = nearest(name, known)
        meant = near[0] if len(near) == 1 and not error.mends else None
    if meant is not None:
        error.hint, error.mends = f"; did you mean {meant!r}?", ({name: meant},)
    return error


def _misplaced(
    parameters: Sequence[inspect.Parameter], values: Sequence[Any], options: Sequence[str]
) -> str:
    """Return what of a call stands in the wrong place, or is missing; or nothing."""
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(values) > len(places) and not rest:
        few = f"only {len(places)} of its arguments" if places else "no argument"
        return f"takes {few} without a name, and {len(values)} are given"
    taken = [p.name for p in places[: len(values)]]
    if twice := [name for name in taken if name in options]:
        return f"is given {twice[0]!r} twice"
    lacking = [
        p.name
        for p in parameters
        if p.default is p.empty
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and p.name not in (*taken, *options)
    ]
    return f"lacks {' and '.join(map(repr, lacking))}" if lacking else ""


def _usage(name: str, parameters: Sequence[inspect.Parameter]) -> str:
    """Return a call with what it needs, and dots where more may stand."""
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    texts = [
        f"*{p.name}"
        if p.kind is p.VAR_POSITIONAL
        else f"{p.name}=..."
        if p.kind is p.KEYWORD_ONLY
        else p.name
        for p in needed
    ]
    further = [f"{p.name}=..." for p in parameters if p.kind is p.KEYWORD_ONLY and p not in needed]
    return f"{name}({', '.join([*texts, *further[:_SHOWN], *['...'] * (len(further) > _SHOWN)])})"


_SHOWN = 4  # options that a usage names
