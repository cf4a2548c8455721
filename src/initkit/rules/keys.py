"""What a key of a rule table stands for."""

from __future__ import annotations

import re
from contextlib import suppress
from enum import Enum
from os import PathLike, fspath
from typing import Any

from torch import nn

from ..errors import Mend, RuleError, shown
from . import roles  # noqa: F401  defined, so that their prefixes are known
from .alternatives import Alternatives
from .base import BY_PREFIX, Matcher
from .matchers import Name, Regex, Type


def read_key(key: object) -> Matcher:
    """Return the matcher that a key of a rule table stands for.

    >>> read_key("type:Conv2d|Linear"), read_key("head.*")
    (Type(kinds=('Conv2d', 'Linear')), Name(glob='head.*'))
    """
    if isinstance(key, Matcher):
        return key
    if isinstance(key, str | re.Pattern):
        return read_name(key)
    if isinstance(key, type | tuple):
        return Type.of(key)
    error = RuleError(
        f"{shown(key)} is no key of a rule table; keys are names or globs, compiled regular "
        "expressions, and module classes or tuples of them"
    )
    error.hint = _way_out(key)
    with suppress(ValueError):  # bytes that are no text
        error.mends = _meant(key)
    raise error


def _meant(key: object) -> tuple[Mend, ...]:
    """Return the text that stands for what holds one."""
    match key:
        case Enum():
            return ((key, key.value),)
        case PathLike():
            return ((key, fspath(key)),)
        case bytes():
            return ((key, key.decode()),)
    return ()


def _way_out(key: object) -> str:
    """Return how what is no key is said."""
    if isinstance(key, nn.Module):
        return f"; write the class, {type(key).__name__}, for all modules of it"
    return "; a predicate stands in a rule: Rule(scheme, where=...)" if callable(key) else ""


def read_name(name: object) -> Matcher:
    """Return the matcher that a glob, a compiled regex or a text with a prefix stands for."""
    if isinstance(name, re.Pattern):
        pattern: Any = name.pattern
        if isinstance(pattern, bytes):
            raise RuleError(f"{name!r} matches bytes, and names are text: compile a str")
        return Regex(name)
    if not isinstance(name, str):
        error = RuleError(
            f"{name!r} is no name: write a glob such as '*.weight', or a compiled regex"
        )
        if isinstance(name, tuple | list) and all(isinstance(one, str) for one in name):
            error.mends = ((name, f"{{{','.join(name)}}}"),)
        raise error
    # Every prefix ends in a colon; what has a colon behind another word is a name all the same.
    head, colon, text = name.partition(":")
    kind = BY_PREFIX.get(head + colon)
    if kind is None:
        return Alternatives(name) if Alternatives.in_glob(name) else Name(name)
    return kind.parse(text)
