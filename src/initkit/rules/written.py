"""What a user wrote, as data that can be printed, changed in one word, and read again."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import BuiltinFunctionType, FunctionType
from typing import Any, NamedTuple, TypeVar

from torch import nn

from ..errors import Correction, InitkitError, OptionError, RuleError, shown
from ..schemes import Scheme
from .base import Matcher
from .hints import text_in_quotes

Changes = Callable[[str], Iterator[str]]
"""What yields the forms that a text may have been meant to have."""
T = TypeVar("T")
C = TypeVar("C", bound="type[Any]")


class Entry(NamedTuple):
    """One line of a rule table: its keys from the outermost in, and what stands there.

    Without keys it is rules that stand alone, such as a recipe's name.
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
        return text[1:-1] if self.keys else text


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


class HasCall:
    """Base of what keeps the call that made it, as a :class:`Rule` does."""

    written: Call


# ------------------------------------------------------------------------------------- printing


def python_text(value: object) -> str:
    """Return the Python that makes a value; ``...`` stands for what no line of it can make.

    >>> from torch import nn
    >>> print(python_text({nn.Linear: {"weight": "normal(std=0.02)", "bias": 0}}))
    {nn.Linear: {'weight': 'normal(std=0.02)', 'bias': 0}}
    """
    if type(value) is str:
        return text_in_quotes(value)
    if isinstance(value, str | int | float | None):
        return shown(value)
    if isinstance(value, Entry | Argument | Call):
        return str(value)
    if isinstance(value, Mapping):
        pairs = (f"{python_text(key)}: {python_text(one)}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, tuple | list):
        inner = ", ".join(map(python_text, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    if isinstance(value, re.Pattern):
        return f"re.compile({text_in_quotes(str(value.pattern))})"
    if isinstance(value, Scheme):
        text = str(value)
        return text if re.fullmatch(r"[-+.\de]+", text) else repr(text)
    return _named(value)


def _named(value: object) -> str:
    """Return the text of what has a name in the user's program."""
    if isinstance(value, Matcher):
        try:
            return repr(value.spell())
        except RuleError:
            return "..."
    if isinstance(value, HasCall):
        return str(value.written)
    if not isinstance(value, type | FunctionType | BuiltinFunctionType):
        return "..."
    name = value.__name__
    if getattr(nn, name, None) is value:
        return f"nn.{name}"
    return name if name.isidentifier() else "..."  # no <lambda>


# -------------------------------------------------------------------------------------- mending


def words_for(words: Mapping[str, str]) -> Changes:
    """Return the changes that put words in place of others: of one word at one place at a time."""
    *_, whole = sorted(words, key=len)
    edged = "|".join(re.escape(word) for word in words)
    pattern = re.compile(rf"(?<![\w])(?:{edged})(?![\w])" if whole.isidentifier() else edged)

    def changes(text: str) -> Iterator[str]:
        if len(words) > 1:
            if pattern.search(text):
                yield pattern.sub(lambda found: words[found[0]], text)
            return
        for found in pattern.finditer(text):
            yield text[: found.start()] + words[found[0]] + text[found.end() :]

    return changes


def changed(value: Any, changes: Changes) -> Iterator[Any]:
    """Yield the forms of nested data that have one of its texts changed.

    >>> list(changed({"a": ["normal(sdt=1)", 0]}, words_for({"sdt": "std"})))
    [{'a': ['normal(std=1)', 0]}]
    """
    if isinstance(value, str) or value is None:
        yield from changes(str(value))
    elif isinstance(value, Mapping):
        pairs = list(value.items())
        others = map(dict, changed(pairs, changes))
        yield from (other for other in others if len(other) == len(pairs))
    elif isinstance(value, tuple | list):
        make = getattr(type(value), "_make", type(value))  # of a named tuple
        for place, one in enumerate(value):
            for other in changed(one, changes):
                yield make([*value[:place], other, *value[place + 1 :]])
    elif isinstance(value, re.Pattern):
        for text in changes(f"re:{value.pattern}"):
            if text.startswith("re:"):
                yield re.compile(text[3:], value.flags)
    elif isinstance(value, Matcher):
        with suppress(RuleError):  # no text stands for it
            yield from changes(value.spell())


_DEEPEST = 3  # slips that one line may have


def mended(
    written: T, error: InitkitError, read: Callable[[T], object], deep: int = _DEEPEST
) -> T | None:
    """Return what was written as its author meant it, which reads without an error; or None.

    ``error`` is what :func:`read` raised of it.
    """
    for words in error.mends:
        forms: Iterator[T] = changed(written, words_for(words))
        for other in forms:
            try:
                read(other)
            except InitkitError as further:
                found = mended(other, further, read, deep - 1) if deep > 1 else None
                if found is not None:
                    return found
            else:
                return other
    return None


def show(error: InitkitError, written: T, read: Callable[[T], object]) -> None:
    """Let an error show what was written, and what to paste in place of it."""
    if not worth_showing(written):
        return
    meant = mended(written, error, read)
    # A name alone, or an argument, stands in the message already.
    alone = isinstance(written, Argument) or (isinstance(written, Entry) and not written.keys)
    if meant is not None or not alone:
        error.shown = Correction(written, meant)


def names_arguments(cls: C) -> C:
    """Let a class refuse arguments that it has not, and show the call with the one that is meant.

    Raises :class:`OptionError`.
    """
    thing: Any = cls  # mypy lets nobody assign __init__
    init, name = thing.__init__, cls.__name__
    known = [*inspect.signature(cls).parameters]
    names = frozenset(known)

    def read(call: GivenCall) -> None:
        for argument in call.arguments:
            if argument.name not in known:
                message = f"{name} has no argument {argument.name!r}"
                error = OptionError(message, owner=name, option=argument.name)
                raise error.or_rather(argument.name, known)

    @functools.wraps(init)
    def __init__(self: object, *args: Any, **options: Any) -> None:  # noqa: N807  it becomes one
        if not options.keys() <= names:
            call = GivenCall(name, args, tuple(map(Argument, options, options.values())))
            try:
                read(call)
            except OptionError as error:
                show(error, call, read)
                raise
        init(self, *args, **options)

    thing.__init__ = __init__
    return cls


def worth_showing(written: object) -> bool:
    """Whether what was written has few enough characters to be read in an error."""
    try:
        return len(str(written)) <= _LONGEST
    except RecursionError:  # it contains itself
        return False


_LONGEST = 400
