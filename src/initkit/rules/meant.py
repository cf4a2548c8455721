"""The key that the author of a rule may have meant, who misspelt a word of the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from torch import nn

from ..errors import ReadError, clearly_nearest
from ..model import Slot
from .base import Matcher
from .globs import paths_above
from .hints import REGEX_SIGNS, classes_around, owners
from .read import read_rules
from .rule import Rule
from .written import Entry, changed


class Words:
    """What a model calls its parameters and modules, to read a key as its author meant it."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        started = [slot for slot in slots if slot.kind != "buffer"]
        self.slots = started
        self._names = _parts(started)
        self._kinds = list(dict.fromkeys([*owners(slots), *classes_around(slots)]))
        self._known = {*_parts(slots), *self._kinds}
        self._modules = {path for slot in started for n in slot.paths for path in paths_above(n)}

    def forms(self, key: str) -> Iterator[str]:
        """Yield what a key may have been meant to be, the likeliest first."""
        kind = re.sub(r"^(torch\.)?nn\.", "", key)
        if kind in self._kinds:
            yield f"type:{kind}"
        if key in self._modules:
            yield f"{key}.*"
        if REGEX_SIGNS.search(key) and ":" not in key:
            yield f"re:{key}"
        if key.startswith("re:"):  # which must match the whole name
            yield from (f"{key}.*", f"re:.*{key[3:]}", f"re:.*{key[3:]}.*")
        for words in (self._names, self._kinds):
            meant = {word: near for word in self._misspelt(key) if (near := _near(word, words))}
            for one in meant.items():
                yield _spelt(key, dict([one]))
            if len(meant) > 1:
                yield _spelt(key, meant)

    def _misspelt(self, key: str) -> list[str]:
        words = re.findall(r"[^\W\d][\w-]*", key.partition(":")[2] or key)
        # A class that torch has is meant, whether the model has one or not.
        return [w for w in dict.fromkeys(words) if w not in self._known and not hasattr(nn, w)]

    def names_of(self, matchers: Sequence[Matcher]) -> list[str]:
        """Return the parameters that any of some matchers takes."""
        return [
            slot.name
            for slot in self.slots
            if any(matcher.matches(slot, path) for matcher in matchers for path in slot.paths)
        ]


def mended_entry(entry: Entry, words: Words) -> tuple[Entry, list[str]] | None:
    """Return a line whose keys match parameters, in place of one that matches none, and which.

    It is as its author wrote it but for the words of a key that the model spells in another way.
    """
    for form in _forms(entry, words.forms):
        try:
            names = words.names_of([clause.matcher for clause in read_rules(form.table)])
        except ReadError:  # a form of it need not be a key
            continue
        if names:
            return form, names
    return None


def _forms(entry: Entry, changes: Callable[[str], Iterator[str]]) -> Iterator[Entry]:
    """Yield a line with a key changed, or the name or type of a rule that stands in it."""
    for keys in changed(entry.keys, changes):
        yield Entry(keys, entry.value)
    if isinstance(rule := entry.value, Rule):
        for argument in rule.written.arguments:
            if argument.name in ("name", "type"):
                for value in changed(argument.value, changes):
                    with suppress(ReadError):  # a changed pattern need not be one
                        yield Entry(entry.keys, replace(rule, **{argument.name: value}))


def _parts(slots: Sequence[Slot]) -> list[str]:
    names = (path for slot in slots for path in (*slot.paths, *slot.canonicals))
    return list(dict.fromkeys(part for name in names for part in name.split(".")))


def _near(word: str, words: Sequence[str]) -> str | None:
    return clearly_nearest(word, (other for other in words if not other.isdecimal()))


def _spelt(key: str, meant: dict[str, str]) -> str:
    return re.sub(r"[^\W\d][\w-]*", lambda found: meant.get(found[0], found[0]), key)
