"""Words in braces that match nothing: the others let their rule decide, and would hide them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from ..errors import ReadError
from ..model import Slot
from ..rules import Alternatives, Clause, Rule, Words, affordable_forms, read_key, read_rules
from ..wording import Entry
from .own_lines import own_line


def remark_idle_words(
    clauses: Sequence[Clause], used: Collection[int], slots: Sequence[Slot]
) -> list[str]:
    """Return a remark for each rule that decides, and has words in braces that match no parameter.

    A recipe's own rules may: they are for many models.
    """
    names = {path for slot in slots for path in slot.paths}  # one may have braces itself
    lines = {clauses[place].label: own_line(clauses[place]) for place in sorted({*used})}
    choices = {
        label: list(_choices(entry))
        for label, entry in lines.items()
        if entry is not None and ".".join(map(str, entry.keys)) not in names
    }
    if not any(choices.values()):  # most tables have no braces, and are asked no more
        return []
    words, left = Words(slots), affordable_forms(len(slots))
    remarks = []
    for label, found in choices.items():
        left -= sum(map(len, found))
        idle = [word for lines_of in found for word in _idle(lines_of, words)] if left > 0 else ()
        remarks += [_remark(label, idle, words)] if idle else []
    return remarks


def _choices(entry: Entry) -> Iterator[dict[str, Entry]]:
    """Yield for each pair of braces in a key the line with one of its words in their place."""
    keys, rule = entry
    for depth, key in enumerate(keys):
        # What stands there matters not, only what the keys match.
        for forms in _forms(key):
            yield {w: Entry((*keys[:depth], form, *keys[depth + 1 :]), 0) for w, form in forms}
    if isinstance(rule, Rule):
        for forms in _forms(rule.name):
            yield {word: Entry(keys, replace(rule, name=form)) for word, form in forms}


def _forms(key: object) -> Iterator[list[tuple[str, str]]]:
    """Yield for each pair of braces in a glob its words, each with the glob that has it alone."""
    if isinstance(key, str) and isinstance(read_key(key), Alternatives):
        for start, stop, options in Alternatives.braces(key):
            yield [(word, f"{key[:start]}{word}{key[stop:]}") for word in options]


def _idle(choices: Mapping[str, Entry], words: Words) -> Iterator[str]:
    for word, line in choices.items():
        try:
            matchers = [clause.matcher for clause in read_rules(line.table)]
        except ReadError:  # a form of a key need not be one
            continue
        if not words.names_of(matchers):
            yield word


def _remark(label: str, idle: Sequence[str], words: Words) -> str:
    listed = ", ".join(map(repr, idle[:_MOST])) + ", ..." * (len(idle) > _MOST)
    near = dict.fromkeys(filter(None, map(words.near_name, idle)))
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    match = "matches" if len(idle) == 1 else "match"
    return f"of the rule {label!r} {listed} {match} no parameter{hint}"


_MOST = 4  # words that a remark lists
