"""A command line as it was typed, and the one that was meant, ready to paste."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

from ..errors import Correction, InitkitError, RuleError, TargetError, visible
from ..rules import list_recipes, recipe_named
from ..schemes import canonical_name, list_schemes
from ..spelling import clearly_nearest
from ..wording import forms_of

Commands = Mapping[str, argparse.ArgumentParser]
"""The commands and what reads their arguments."""


class Typed(NamedTuple):
    """A command line."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(["initkit", *self.words])


class Misuse(Exception):
    """A command line that cannot be read, and the parser that says why."""

    def __init__(self, parser: argparse.ArgumentParser, message: str) -> None:
        self.parser = parser
        super().__init__(message)


class Parser(argparse.ArgumentParser):
    """A parser that raises :class:`Misuse` where another one would end the program."""

    def error(self, message: str) -> NoReturn:
        raise Misuse(self, message)


def told(
    misuse: Misuse, words: Sequence[str], commands: Commands, read: Callable[..., object]
) -> str:
    """Return what argparse says of a command line, and below it the line that was meant.

    ``read`` reads a command line, or raises :class:`Misuse`.
    """
    parser, written = misuse.parser, Typed(tuple(words))
    lines: list[str] = []
    if (meant := _meant(written, commands)) is not None:
        with suppress(Misuse):
            read(meant.words)
            lines += map(visible, Correction(written, meant).lines)
    # Who types the name alone asks what there is.
    head = parser.format_usage() if words else f"{parser.format_help()}\n"
    return "\n  ".join([f"{head}{parser.prog}: error: {misuse}", *lines])


def meant(words: Sequence[str], error: InitkitError) -> Correction | None:
    """Return the command that was meant where a word of it is not what it should be.

    With a name that is there in its place, or one that describes a recipe or a scheme.
    """
    written = Typed(tuple(words))
    forms = [
        Typed(form)
        for mend in error.either or error.mends[:1]
        for form in forms_of(written.words, mend)
    ]
    if forms:
        return Correction(written, forms[0], others=tuple(forms[1:]) if error.either else ())
    if not isinstance(error, TargetError):
        return None
    # The target comes first; what names rules behind it is where it should be.
    target = next((word for word in words[1:] if not word.startswith("-")), "")
    name = _near_rules(target)
    return None if name is None else Correction(written, Typed(("describe", name)))


def _meant(typed: Typed, commands: Commands) -> Typed | None:
    """Return a command line with what is misspelt in it as the commands spell it; None if sound."""
    words = list(typed.words)
    command = next((word for word in words if not word.startswith("-")), "")
    if command and command not in commands:
        near = clearly_nearest(command, commands)
        if near is None:
            return None
        words[words.index(command)] = command = near
    if not command:
        return None
    usage = commands[command].format_usage()
    options = re.findall(r"--[\w-]+", usage)
    words = [_option(word, options) for word in words]
    if "--rules" in options and "--rules" not in words:
        valued = re.findall(r"(--[\w-]+) [A-Z]", usage)
        words = list(_with_rules(words, command, valued))
    return Typed(tuple(words)) if tuple(words) != typed.words else None


def _option(word: str, known: Sequence[str]) -> str:
    name, equals, value = word.partition("=")
    if not name.startswith("--") or name in known:
        return word
    return f"{clearly_nearest(name, known) or name}{equals}{value}"


def _with_rules(words: Sequence[str], command: str, valued: Collection[str]) -> Iterator[str]:
    """Yield words, and ``--rules`` before what names rules behind a target.

    ``valued`` are the options that take the word behind them.
    """
    before, targets = "", 0
    for word in words:
        plain = not word.startswith("-") and word != command and before not in valued
        name = _near_rules(word) if plain and targets else None
        targets += plain
        before = word
        yield from ("--rules", name) if name is not None else (word,)


def _near_rules(word: str) -> str | None:
    """Return the recipe or scheme that a word names, or clearly means."""
    name = word.partition("(")[0]
    try:
        known = recipe_named(name) is not None or canonical_name(name) is not None
    except RuleError:  # a name of two meanings, which describing it tells apart
        return word
    if known:
        return word
    return clearly_nearest(name, [*list_recipes(), *list_schemes()])
