"""A command line as it was typed, and the one that was meant, ready to paste."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, NoReturn

from ..errors import Correction, InitkitError, RuleError, TargetError, visible
from ..rules import list_recipes, recipe_named
from ..schemes import canonical_name, list_schemes, meant_by
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
    lines: tuple[str, ...] = ()
    if forms := list(_meant(written, commands, read)):
        first, *others = forms
        lines = Correction(written, first, others=tuple(others)).lines
    # Who types the name alone asks what there is.
    head = parser.format_usage() if words else f"{parser.format_help()}\n"
    return "\n  ".join([f"{head}{parser.prog}: error: {misuse}", *map(visible, lines)])


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
    if (exchanged := _exchanged(words)) is not None:
        return Correction(written, Typed(exchanged))
    # The target comes first; what names rules behind it is where it should be.
    target = next((word for word in words[1:] if not word.startswith("-")), "")
    name = None if target.endswith(_FILES) else _near_rules(target)
    return None if name is None else Correction(written, Typed(("describe", name)))


def _exchanged(words: Sequence[str]) -> tuple[str, ...] | None:
    """Return words with what stands behind ``--rules`` as the target, and the other way round."""
    place = words.index("--rules") + 1 if "--rules" in words[:-1] else 0
    if not place or not _is_target(words[place]):
        return None
    found = list(words)
    for other, word in enumerate(words[1:], 1):
        if other != place and not word.startswith("-") and _near_rules(word) is not None:
            found[other], found[place] = words[place], word
            return tuple(found)
    return None


def _meant(typed: Typed, commands: Commands, read: Callable[..., object]) -> Iterator[Typed]:
    """Yield what a command line was meant to be, one for each command that may be meant."""
    for words in _with_command(typed.words, commands):
        forms = (tuple(form) for form in _forms(words, commands))
        yield from islice((Typed(f) for f in forms if f != typed.words and _reads(f, read)), 1)


def _reads(words: Sequence[str], read: Callable[..., object]) -> bool:
    if not {"--help", "--version"}.isdisjoint(words):  # which end the program when they are read
        return True
    try:
        read(words)
    except Misuse:
        return False
    return True


def _with_command(words: Sequence[str], commands: Commands) -> Iterator[list[str]]:
    """Yield words with each command that the one in them may mean."""
    command = next((word for word in words if not word.startswith("-")), "")
    near = clearly_nearest(command, commands)
    found = _ELSEWHERE.get(command, [near] if near is not None else [])
    for other in [command] if command in commands else found:
        yield [other if word == command else word for word in words]


_ELSEWHERE = {
    **dict.fromkeys(("list", "ls"), ("recipes", "schemes")),
    **dict.fromkeys(("init", "initialize", "write"), ("apply",)),
    **dict.fromkeys(("summary", "inspect"), ("show",)),
    **dict.fromkeys(("verify", "test"), ("check",)),
    **dict.fromkeys(("info", "explain"), ("describe",)),
    "compare": ("diff",),
    "help": ("--help",),
    "version": ("--version",),
}
"""What other programs call a command."""


def _forms(words: Sequence[str], commands: Commands) -> Iterator[Sequence[str]]:
    """Yield what the words of a command may have been meant to be, the likeliest first."""
    command = next((word for word in words if not word.startswith("-")), "")
    if command not in commands:  # an option of the program itself
        yield words
        return
    usage = commands[command].format_usage()
    options = re.findall(r"--[\w-]+", usage)
    words = [_option(word, options) for word in words]
    if "--rules" in options and "--rules" not in words:
        valued = re.findall(r"(--[\w-]+) [A-Z]", usage)
        words = list(_with_rules(words, command, valued))
    yield words
    needed = re.findall(r"(?<!\[)(--[\w-]+) [A-Z]", usage)
    lacking = [option for option in needed if option not in words and option in _FOR_EXAMPLE]
    yield [*words, *(word for option in lacking for word in (option, _FOR_EXAMPLE[option]))]
    yield [re.sub(r"^(-?\d+)\.\d+$", r"\1", word) for word in words]
    every = " ".join(one.format_usage() for one in commands.values())
    yield list(_without_strange(words, options, re.findall(r"(--[\w-]+) [A-Z]", every)))
    yield list(_without_strange(words, options, ()))
    names = [word for word in words if not word.startswith("-") and word != command]
    if command in ("recipes", "schemes") and len(names) == 1:
        known = names if meant_by(names[0]) else filter(None, map(_near_rules, names))
        yield from (["describe", name] for name in known)


_FOR_EXAMPLE = {"--seed": "0", "--out": "weights.pt"}


def _without_strange(
    words: Sequence[str], options: Collection[str], valued: Collection[str]
) -> Iterator[str]:
    """Yield words without the options that their command has not, and without their values."""
    before = ""
    for word in words:
        if before not in valued or before in options:
            name = word.partition("=")[0]
            if not name.startswith("--") or name in options:
                yield word
        before = word


def _option(word: str, known: Sequence[str]) -> str:
    name, equals, value = word.partition("=")
    if not name.startswith("--") or name in known:
        return word
    return f"{clearly_nearest(name, known) or name}{equals}{value}"


def _with_rules(words: Sequence[str], command: str, valued: Collection[str]) -> Iterator[str]:
    """Yield words, and ``--rules`` before what names rules beside a target.

    ``valued`` are the options that take the word behind them.
    """
    plain = [
        place
        for place, word in enumerate(words)
        if not word.startswith("-") and word != command and words[place - 1] not in valued
    ]
    target = next((p for p in plain if _is_target(words[p])), plain[0] if plain else -1)
    for place, word in enumerate(words):
        name = _near_rules(word) if place in plain and place != target else None
        if name is not None and place < target:
            continue  # a target stands first
        yield from ("--rules", name) if name is not None else (word,)
        if place == target:
            ahead = (_near_rules(words[other]) for other in plain if other < place)
            yield from (one for name in ahead if name is not None for one in ("--rules", name))


def _is_target(word: str) -> bool:
    return ":" in word or word.endswith((".py", ".safetensors", ".pt", ".pth", ".bin"))


_FILES = (".toml", ".json")


def _near_rules(word: str) -> str | None:
    """Return the recipe or scheme that a word names, or clearly means."""
    if word.endswith(_FILES):
        return word
    name = word.partition("(")[0]
    try:
        known = recipe_named(name) is not None or canonical_name(name) is not None
    except RuleError:  # a name of two meanings, which describing it tells apart
        return word
    if known:
        return word
    return clearly_nearest(name, [*list_recipes(), *list_schemes()])
