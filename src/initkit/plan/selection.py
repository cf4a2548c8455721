"""Which parameters are written at all: ``only`` and ``protect``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from torch import Tensor, nn

from ..errors import Correction, IdleSelection, OptionError, Problem, RuleError, shown
from ..model import ModelView, Slot, named_unregistered
from ..python_text import python_text
from ..rules import (
    Alternatives,
    Listing,
    Matcher,
    Name,
    Recipe,
    Rule,
    Words,
    hint_other_kind,
    paths_above,
    read_key,
)
from ..spelling import affordable_hints, did_you_mean
from ..wording import Argument, changed
from .options import Selection
from .step import LEFT_OUT, PROTECTED, Step, Target

Entry: TypeAlias = "str | nn.Module | Matcher"
"""A name, a glob or a module's path; a module of the model; what any other key stands for."""


def read_selection(option: str, value: Selection) -> list[Entry] | None:
    """Return the checked entries of an option; None selects nothing in particular."""
    if value is None:
        return None
    # Texts and Sequentials can be iterated, too.
    if isinstance(value, str | nn.Module | re.Pattern | type | Matcher):
        value = [value]
    if not isinstance(value, Iterable):
        raise _refused(option, value)
    return [_read_entry(option, entry) for entry in value]


def _read_entry(option: str, entry: Any) -> Entry:
    if isinstance(entry, nn.Module):
        return entry
    if not isinstance(entry, str | re.Pattern | type | tuple | Matcher):
        raise _refused(option, entry)
    matcher = read_key(entry)
    return matcher.glob if isinstance(matcher, Name) else matcher


def _refused(option: str, value: object) -> OptionError:
    if isinstance(value, Rule):
        found = _key_of(value)
        way = f"write {option}={found}" if found else "give its .matcher"
        message = f"{option} takes what a rule matches, not the rule ({value}); {way}"
        return OptionError(message, option=option)
    if isinstance(value, Recipe):
        message = f"{option} takes names, globs and module paths, not a recipe ({value.name}); "
        return OptionError(f"{message}give the recipe as the rules", option=option)
    if callable(value) and not isinstance(value, Tensor):
        picked = "[name for name, _ in model.named_parameters() if ...]"
        message = f"{option} takes names, globs and module paths, and no function; write the names "
        return OptionError(f"{message}that it picks: {option}={picked}", option=option)
    what = f"a {type(value).__name__}" if isinstance(value, Tensor) else shown(value)
    return OptionError(f"{option} takes names, globs and module paths, not {what}", option=option)


def _key_of(rule: Rule) -> str:
    """Return the key that matches what a rule does, as code; nothing where no one key does."""
    if rule.where is not None or (rule.name is None) == (rule.type is None):
        return ""
    if rule.name is not None:
        return repr(rule.name)
    kinds = rule.type if isinstance(rule.type, tuple) else (rule.type,)
    names = [kind if isinstance(kind, str) else kind.__name__ for kind in kinds]
    return repr(f"type:{'|'.join(names)}")


def select(
    steps: Sequence[Step],
    targets: Sequence[Target],
    view: ModelView,
    wanted: Sequence[Entry] | None,
    guarded: Sequence[Entry] | None,
) -> tuple[list[Step], list[Problem]]:
    """Leave out what ``only`` does not list wholly, and what ``protect`` touches."""
    if wanted is None and guarded is None:
        return list(steps), []
    known = _known(view.slots)
    inside, outside = _Listed(wanted or (), known), _Listed(guarded or (), known)
    problems = [*inside.idle("only", view), *outside.idle("protect", view)]
    found: list[Step] = []
    asked: list[Step] = []  # what `only` lists
    for step, target in zip(steps, targets, strict=True):
        # One protected name protects the memory; to be written, all of its names must be wanted.
        listed = wanted is not None and all(t for s in target.slots for t in inside.taken(s))
        if guarded and any(taken for slot in target.slots for taken in outside.taken(slot)):
            step = replace(step, status=PROTECTED)
        elif wanted is not None and not listed:
            step = replace(step, status=LEFT_OUT)
        found.append(step)
        asked += [step] if listed else []
    if asked and all(step.status == PROTECTED for step in asked):
        problems.append(_nothing_left(asked))
    return found, problems


def _nothing_left(steps: Sequence[Step]) -> Problem:
    """Return the problem of a selection all of which is protected."""
    more = f" and {len(steps) - 1} more" if len(steps) > 1 else ""
    return IdleSelection(
        f"protect takes all that only lists ({steps[0].name}{more}), which leaves nothing to "
        "write; leave one of the two out",
        rule="protect",
    )


class _Listed:
    """The entries of an option, to be asked about every name of a model that has ``known`` names.

    All names and globs are one test, since a checkpoint may lack thousands of them.
    """

    def __init__(self, entries: Sequence[Entry], known: Collection[str]) -> None:
        self.known = known
        self.entries: list[Entry] = []
        for entry in entries:
            self.entries += _spelt_out(entry, known)
        entries = self.entries
        texts = [entry for entry in entries if isinstance(entry, str)]
        self.listing = Listing(texts, known)
        self.tests = [_by_name(self.listing)] if texts else []
        self.tests += [_by_module(entry) for entry in entries if not isinstance(entry, str)]

    def taken(self, slot: Slot) -> list[bool]:
        """Tell for each of a slot's names whether it is listed, as shown or canonical."""
        return [
            any(
                takes(slot, path) or (canonical is not path and takes(slot, canonical))
                for takes in self.tests
            )
            for path, canonical in zip(slot.paths, slot.canonicals, strict=True)
        ]

    def idle(self, option: str, view: ModelView) -> list[Problem]:
        """Return a problem for each entry that takes nothing."""
        unmatched = frozenset(self.listing.unmatched(self.known))
        idle = [
            entry
            for entry in self.entries
            if (entry in unmatched if isinstance(entry, str) else not _takes_any(entry, view.slots))
        ]
        hints = affordable_hints(len(self.known))
        return [
            self._idle(option, entry, view, known=self.known if place < hints else ())
            for place, entry in enumerate(idle)
        ]

    def _idle(
        self, option: str, entry: Entry, view: ModelView, known: Collection[str]
    ) -> IdleSelection:
        problem = _idle_entry(option, entry, known, view)
        if not isinstance(entry, nn.Module) and known and not _beside(view, entry):
            problem.shown = self._shown(option, entry, view)
        return problem

    def _shown(self, option: str, entry: str | Matcher, view: ModelView) -> Correction:
        """Show an entry that takes nothing, mended where a word of it is spelt in another way."""
        found = next(
            (
                form
                for form in changed(entry, Words(view.slots).forms)
                if _takes_any(_read_entry(option, form), view.slots)
            ),
            None,
        )
        written = self._whole(option, entry, entry)
        return Correction(written, found and self._whole(option, entry, found))

    def _whole(self, option: str, entry: object, form: object) -> Argument | str:
        """Return the option with another form of an entry; of many entries that one alone."""
        if len(self.entries) > _SHORT:
            return python_text(form)
        forms = [form if one is entry else one for one in self.entries]
        return Argument(option, forms if len(forms) > 1 else form)


def _spelt_out(entry: Entry, known: Collection[str]) -> list[Entry]:
    """Return the names that braces stand for, but for a name that has them."""
    if not isinstance(entry, Alternatives) or entry.kind is not None:
        return [entry]
    return [entry.glob] if entry.glob in known else list(entry.globs)


_SHORT = 4  # entries of an option that are shown together


def _takes_any(entry: Entry, slots: Sequence[Slot]) -> bool:
    takes = _by_name(Listing([entry])) if isinstance(entry, str) else _by_module(entry)
    return any(takes(slot, n) for slot in slots for n in (*slot.paths, *slot.canonicals))


def _by_name(listing: Listing) -> Callable[[Slot, str], bool]:
    return lambda _slot, name: listing.matches(name)


def _by_module(entry: nn.Module | Matcher) -> Callable[[Slot, str], bool]:
    if isinstance(entry, Matcher):
        return entry.matches
    own = {id(module) for module in entry.modules()}  # kept alive by the entry
    return lambda slot, _name: id(slot.owner) in own


def _known(slots: Sequence[Slot]) -> dict[str, None]:
    """Return every name of a model, with the paths of its modules, in their order."""
    names = dict.fromkeys(n for slot in slots for n in (*slot.paths, *slot.canonicals))
    return names | dict.fromkeys(path for name in names for path in paths_above(name))


def _idle_entry(
    option: str, entry: Entry, known: Collection[str], view: ModelView
) -> IdleSelection:
    if isinstance(entry, nn.Module):
        kind = type(entry).__name__
        text = f"{option} has a module, {kind}, that holds no parameter of this model"
        return IdleSelection(text, rule=kind)
    if isinstance(entry, str):
        text, hint = entry, _beside(view, entry) if known else ""
        if known and not hint:
            hint = hint_other_kind(view.slots, entry) or did_you_mean(entry, known)
    else:
        text, hint = _key(entry), entry.hint(view.slots)
    what = f"{option} has {text!r}, which matches no parameter, buffer or module"
    problem = IdleSelection(what, rule=text)
    problem.hint = hint
    return problem


def _beside(view: ModelView, entry: str | Matcher) -> str:
    """Return what an entry names that is not registered; empty where nothing."""
    if not isinstance(entry, str):
        return ""
    listing = Listing([entry])
    return named_unregistered(view.unregistered, entry, lambda _, name: listing.matches(name))


def _key(matcher: Matcher) -> str:
    try:
        return matcher.spell()
    except RuleError:  # the flags of a pattern are in no text
        return str(matcher)


def listed_buffers(slots: Sequence[Slot], only: Sequence[Entry] | None) -> list[str]:
    """Return a line on the buffers that ``only`` lists by name, which rules do not start."""
    listed = {entry for entry in only or () if isinstance(entry, str)}
    held = [slot for slot in slots if slot.kind == "buffer"] if listed else []
    names = [slot.name for slot in held if not listed.isdisjoint((*slot.paths, *slot.canonicals))]
    if not names:
        return []
    why = "buffers keep their values (buffers=True lets rules start them)"
    return [f"listed in only, and left: {', '.join(names)}; {why}"]
