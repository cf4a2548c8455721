"""Rules that decide nothing: which they are, why, and what the user may have meant."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice

from ..errors import Correction, IdleRule, Problem
from ..model import ModelView, Slot, named_unregistered
from ..render import fold_rows
from ..rules import (
    Clause,
    Meant,
    Recipe,
    Scope,
    Words,
    hint_module,
    mended_entries,
    read_rules,
)
from ..schemes import canonical_name
from ..spelling import affordable_hints
from ..wording import Argument, Entry, worth_showing
from .matching import RuleTable
from .options import InitOptions
from .own_lines import IN_FRONT, MOVED, InFront, as_in_file, own_line
from .pasted import starting
from .placing import standing
from .startable import scheme_value


def unused_rules(
    table: RuleTable, used: Collection[int], view: ModelView, settings: InitOptions
) -> list[Problem]:
    """Return a problem for every rule that decided nothing, and every recipe of which none did.

    ``used`` are the places of the clauses that did. What the user may have meant is said where
    idle rules are errors: looking for near names takes long.
    """
    slots, by_type = view.slots, view.root is not None
    # Of a state_dict's rules about types one problem is raised already.
    judged = [
        (place, clause)
        for place, clause in enumerate(table.clauses)
        if by_type or not clause.matcher.typed
    ]
    # Without buffers=True no rule decides about them, so none there can stand above another.
    started = [slot for slot in slots if slot.kind != "buffer" or settings["buffers"]]
    idle = {place: clause for place, clause in judged if place not in used and not clause.optional}
    above = _takers(table, started, idle)
    hinter = _Hinter(view, table, settings["idle"] == "error")
    found: list[Problem] = []
    for place, clause in idle.items():
        others = above.get(place)
        # A rule that stands below its match is moved, and needs no other name.
        found.append(
            _taken(table, clause, others, used, hinter)
            if others
            else _unmatched(place, clause, hinter)
        )
    return found + _idle_recipes(table, used, hinter)


def remark_absent(clauses: Sequence[Clause], absent: Mapping[int, Sequence[str]]) -> list[str]:
    """Return a remark for each rule that decides only about what is registered as None.

    ``absent`` has the names of those by the places of their rules. A recipe's own rules may.
    """
    own = ((clauses[place], names) for place, names in absent.items())
    return [
        f"the rule {clause.label!r} decides only about parameters that are None here: "
        f"{_listed(names)}"
        for clause, names in own
        if clause.entry is not None and own_line(clause) is not None and not clause.optional
    ]


class _Hinter:
    """Ask for hints as long as that takes no more than about a second; mistakes are often alike."""

    def __init__(self, view: ModelView, table: RuleTable, wanted: bool) -> None:
        # What is registered as None is no rule's to start, and nothing to be told of.
        self.slots = [slot for slot in view.slots if slot.tensor is not None]
        self.view, self.table = view, table
        self.left = affordable_hints(len(view.slots)) if wanted else 0

    @cached_property
    def words(self) -> Words:
        """What the model calls its parameters and modules."""
        return Words(self.slots)

    @cached_property
    def lines(self) -> set[tuple[object, ...]]:
        """The keys of all lines; under the same keys a second one would take the first's place."""
        return {clause.entry.keys for clause in self.table.clauses if clause.entry is not None}

    def beside(self, entry: Entry) -> list[Entry]:
        """Return the lines of the table that a line stands in, with its own."""
        lines = (clause.entry for clause in self.table.clauses if clause.entry is not None)
        return [line for line in lines if line.keys and line.keys[:-1] == entry.keys[:-1]]

    def line_of(self, clause: Clause) -> Entry | None:
        """Return a user's own rule as it was written; nothing late in long lists."""
        return own_line(clause) if self.left >= 0 else None

    def ask(self, hint: Callable[[Sequence[Slot]], str]) -> str:
        """Return what a hint says of the slots, or nothing where too many were asked."""
        self.left -= 1
        return hint(self.slots) if self.left >= 0 else ""


def types_in_state_dict(clauses: Sequence[Clause]) -> list[Problem]:
    """Return a problem for every rule that looks at types, where there are none."""
    # Of a recipe one is told for each place that names it, whichever recipes it holds.
    found: dict[object, Problem] = {}
    for clause in clauses:
        if clause.matcher.typed:
            found.setdefault(clause.mention or id(clause.recipe or clause), _typed(clause))
    return list(found.values())


def _typed(clause: Clause) -> Problem:
    why = "matches module types, and a state_dict has none;"
    recipe = clause.mention.recipe if clause.mention is not None else clause.recipe
    if recipe is None:
        ways = "match names instead, or apply to the module"
        return IdleRule(f"the rule {clause.label!r} {why} {ways}", rule=clause.label)
    ways = "apply it to the module"
    if canonical_name(recipe.name.partition("(")[0]) is not None:  # a scheme, for any key
        ways = f"match names instead, as in {{'*.weight': {recipe.label!r}}}, or {ways}"
    elif not recipe.general:  # rules of the user's own
        ways = f"match names instead, or {ways}"
    problem = IdleRule(f"the recipe {recipe.label} {why} {ways}", rule=recipe.label)
    if clause.mention is not None and clause.mention.entry.keys:
        problem.shown = Correction(clause.mention.entry)
    return problem


def _listed(names: Sequence[str]) -> str:
    folds = fold_rows(names, name=str, key=lambda _: None, ragged=True)
    more = f" and {len(folds) - _MOST} more" if len(folds) > _MOST else ""
    return ", ".join(fold.label for fold in folds[:_MOST]) + more


_ABOVE = "put it above"
_MOST = 4  # labels of names that a line of advice shows


def _taken(
    table: RuleTable,
    clause: Clause,
    above: Mapping[int, bool],
    used: Container[int],
    hinter: _Hinter,
) -> IdleRule:
    """Return the problem of a rule all of whose parameters are taken by rules above it."""
    advice = _advice(table, above, used)
    rules = ", ".join(repr(text) for text in dict.fromkeys(table.clauses[i].label for i in above))
    what = f"never decides: what it matches is taken by {rules}; {advice}"
    problem = IdleRule(f"the rule {clause.label!r} {what}", rule=clause.label)
    if (entry := hinter.line_of(clause)) is not None:
        takes = clause.matcher.matches
        shown = Correction(
            entry,
            matches=_listed([s.name for s in hinter.slots if any(takes(s, n) for n in s.paths)]),
        )
        if advice.startswith(_ABOVE):
            shown = replace(shown, mended=InFront(entry), behind=MOVED)
        problem.shown = shown
    return as_in_file(problem, clause)


def _unmatched(place: int, clause: Clause, hinter: _Hinter) -> IdleRule:
    """Return the problem of a rule that matches nothing."""
    problem = IdleRule(f"the rule {clause.label!r} matches no parameter", rule=clause.label)
    matcher = clause.matcher
    # What is not registered is spelt as it should be.
    if beside := named_unregistered(hinter.view.unregistered, clause.label, matcher.matches):
        problem.hint = beside
        return problem
    problem.hint = hinter.ask(matcher.hint)
    if (entry := hinter.line_of(clause)) is None:
        return problem
    held = [slot.name for slot in hinter.slots if _is_buffer_of(clause, slot)]
    if held and clause.recipe is None:
        problem.shown = Correction(entry, Argument("buffers", True), _listed(held), IN_FRONT)
        return problem
    problem.shown = _mended_line(place, entry, hinter) if problem.hint else Correction(entry)
    return as_in_file(problem, clause)


def _is_buffer_of(clause: Clause, slot: Slot) -> bool:
    takes = clause.matcher.matches
    return slot.kind == "buffer" and any(takes(slot, name) for name in slot.paths)


def _mended_line(place: int, entry: Entry, hinter: _Hinter) -> Correction:
    """Return a line that decides nothing as written, and as it would decide something."""
    matches = ""
    for either in islice(mended_entries(entry, hinter.words, hinter.beside(entry)), _TRIED):
        told = "; or ".join(_listed(meant.names) for meant in either)
        matches = matches or told
        forms = list(filter(None, (_placed(place, entry, meant, hinter) for meant in either)))
        if forms:
            first, *others = forms
            kept = [other for other in others if type(other) is type(first)]
            told = told if len(kept) + 1 == len(either) else _listed(either[0].names)
            behind = MOVED * isinstance(first, InFront)
            return Correction(entry, first, told, behind, tuple(kept))
    return Correction(entry, matches=matches)


def _placed(place: int, entry: Entry, meant: Meant, hinter: _Hinter) -> Entry | InFront | None:
    """Return what is meant by a line as it may stand among the others, or None where it may not."""
    line, names = meant
    own = line.keys in hinter.lines - {entry.keys}
    where = "" if own else standing(hinter.table, place, {*names}, hinter.slots)
    if not where:
        return None
    at = place if where == "here" else None
    form = starting(line, hinter.view, hinter.table, at)
    return InFront(form) if form is not None and at is None else form


_TRIED = 4  # forms of a line that match something, of which the first that may stand is pasted


def _takers(
    table: RuleTable, slots: Sequence[Slot], places: Collection[int]
) -> dict[int, dict[int, bool]]:
    """Return for each of these rules those above that take its names, and whether each has more."""
    decided: Counter[int] = Counter()
    shadowed: dict[int, Counter[int]] = defaultdict(Counter)
    for slot in slots if places else ():
        for name, canonical in zip(slot.paths, slot.canonicals, strict=True):
            takers = table.every(slot, name, canonical)
            first = next(takers, None)
            if first is None:
                continue
            decided[first] += 1
            for place in takers:
                if place in places:
                    shadowed[place][first] += 1
    return {
        place: {first: decided[first] > count for first, count in sorted(counts.items())}
        for place, counts in shadowed.items()
    }


def _advice(table: RuleTable, above: Mapping[int, bool], used: Container[int]) -> str:
    """Return what to do about a rule that others shadow: move it, unless it would shadow one."""
    whom = "that" if len({table.clauses[place].label for place in above}) == 1 else "those"
    if all(_left_something(table, place, above, used) for place in above):
        return f"{_ABOVE} {whom}"
    which = "that one" if whom == "that" else "one of those"
    return f"put above, it would leave {which} nothing, so leave one of them out"


def _left_something(
    table: RuleTable, place: int, above: Mapping[int, bool], used: Container[int]
) -> bool:
    """Whether a rule, or the recipe that it is of, decides more than it would lose."""
    mention = table.clauses[place].mention
    if mention is None:
        return above[place]
    own = (other for other, c in enumerate(table.clauses) if c.mention is mention and other in used)
    return any(above.get(other, True) for other in own)


def _idle_recipes(table: RuleTable, used: Collection[int], hinter: _Hinter) -> list[Problem]:
    """Return a problem for every mention of a recipe of which no rule decided anything."""
    # Each mention is an object of its own, kept alive by its clauses, so its id tells it apart.
    mentions: dict[int, list[tuple[int, Clause]]] = {}
    for place, clause in enumerate(table.clauses):
        if clause.mention is not None:
            mentions.setdefault(id(clause.mention), []).append((place, clause))
    typed = hinter.view.root is not None
    return [
        _idle_recipe(*rules[0], hinter)
        for rules in mentions.values()
        if not any(place in used for place, _ in rules)
        and (typed or not any(clause.matcher.typed for _, clause in rules))
    ]


def _idle_recipe(place: int, clause: Clause, hinter: _Hinter) -> Problem:
    assert clause.mention is not None
    recipe, matcher = clause.mention.recipe, clause.matcher
    where, hint = "here", _fits(recipe)
    if isinstance(matcher, Scope):
        path = matcher.path
        where = f"under {path!r}"
        hint = hinter.ask(lambda slots: hint_module(slots, path)) or hint
    text = f"no rule of the recipe {recipe.label} decides anything {where}"
    problem = IdleRule(text, rule=recipe.label)
    problem.hint = hint
    if (entry := clause.mention.entry).keys and hinter.left >= 0 and worth_showing(entry):
        problem.shown = _mended_line(place, entry, hinter)
        if problem.shown.mended is None:
            problem.shown = _of_one(place, entry, recipe, hinter) or problem.shown
    return problem


def _of_one(place: int, entry: Entry, recipe: Recipe, hinter: _Hinter) -> Correction | None:
    """Return the line of a recipe under a parameter's name with the scheme that it has for that."""
    matchers = [clause.matcher for clause in read_rules(Entry(entry.keys, "keep").table)]
    names = hinter.words.names_of(matchers)
    table, taken = RuleTable(read_rules(recipe)), set(names)
    slots = [slot for slot in hinter.slots if taken.intersection(slot.paths)]
    firsts = {table.first(slot, slot.name, slot.canonicals[0]) for slot in slots}
    schemes = {table.clauses[at].scheme for at in firsts if at is not None}
    if len(schemes) != 1 or None in firsts:
        return None
    form = Entry(entry.keys, scheme_value(schemes.pop()))
    placed = _placed(place, entry, Meant(form, names), hinter)
    if placed is None or isinstance(placed, InFront):
        return None
    return Correction(entry, placed, _listed(names))


def _fits(recipe: Recipe) -> str:
    return f"; it fits {', '.join(recipe.fits)}" if recipe.fits else ""
