"""Rules that decide nothing: which they are, why, and what the user may have meant."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Container, Mapping, Sequence

from ..errors import IdleRule, Problem, RuleError, affordable_hints
from ..model import ModelView, Slot, named_unregistered
from ..render import fold_rows
from ..rules import (
    Alternatives,
    Clause,
    Matcher,
    Name,
    ParameterOf,
    Recipe,
    Scope,
    Type,
    compile_glob,
    hint_module,
    mended_glob,
)
from .matching import RuleTable
from .options import InitOptions


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
    hinter = _Hinter(slots, settings["idle"] == "error")
    found: list[Problem] = []
    for place, clause in idle.items():
        others = above.get(place, {})
        # A rule that stands below its match is moved, and needs no other name.
        hint = "" if others else hinter.ask(_hint_of(clause, view))
        labels = [table.clauses[other].label for other in others]
        advice = _advice(table, others, used)
        found.append(
            _idle(clause, labels, hint, advice, hinter.show(clause, advice if labels else ""))
        )
    return found + _idle_recipes(judged, used, hinter)


class _Hinter:
    """Ask for hints as long as that takes no more than about a second; mistakes are often alike."""

    def __init__(self, slots: Sequence[Slot], wanted: bool) -> None:
        self.slots = slots
        self.left = affordable_hints(len(slots)) if wanted else 0

    def show(self, clause: Clause, advice: str) -> list[str]:
        """Return a user's own rule as it was written, what it would match, and what to paste.

        ``advice`` is what to do about rules above it, if there are any.
        """
        if self.left < 0 or clause.recipe is not None:
            return []
        if not advice:
            return _misspelt(clause, self.slots)
        shown = _shadowed(clause, self.slots)
        return shown if advice.startswith(_ABOVE) else shown[:-1]

    def ask(self, hint: Callable[[Sequence[Slot]], str]) -> str:
        """Return what a hint says of the slots, or nothing where too many were asked."""
        self.left -= 1
        return hint(self.slots) if self.left >= 0 else ""


def types_in_state_dict(clauses: Sequence[Clause]) -> list[Problem]:
    """Return a problem for every rule that looks at types, where there are none."""
    typed = [clause for clause in clauses if clause.matcher.typed]
    whose = [
        (c.label, f"the rule {c.label!r}")
        if c.recipe is None
        else (c.recipe.label, f"the recipe {c.recipe.label}")
        for c in typed
    ]
    return [
        IdleRule(
            f"{what} matches module types, and a state_dict has none; match names instead, or "
            "apply to the module",
            rule=rule,
        )
        for rule, what in dict.fromkeys(whose)
    ]


def _shadowed(clause: Clause, slots: Sequence[Slot]) -> list[str]:
    """Show a rule whose parameters others take."""
    names = [s.name for s in slots if any(clause.matcher.matches(s, path) for path in s.paths)]
    written = _entry(clause.matcher, _value(clause))
    return [
        f"as written:   {written}",
        f"would match:  {_listed(names)}",
        f"to paste:     [{{{written}}}, ...]  in front of your other rules",
    ]


def _misspelt(clause: Clause, slots: Sequence[Slot]) -> list[str]:
    """Show a rule by name that matches nothing, where a part of it is spelt in another way here."""
    if not isinstance(clause.matcher, Name):
        return []
    mended = mended_glob(slots, clause.text)
    if not mended:
        return []
    matches = compile_glob(mended)
    names = [s.name for s in slots if s.kind != "buffer" and any(map(matches, s.paths))]
    return [
        f"as written:   {_entry(clause.matcher, _value(clause))}",
        f"would match:  {_listed(names)}",
        f"to paste:     {mended!r}: {_value(clause)}",
    ]


def _entry(matcher: Matcher, value: str) -> str:
    """Return a line of a rule table as a user writes it: what stands under a class is nested."""
    match matcher:
        case ParameterOf(kind=kind, glob="*weight*"):
            return f"{kind.spell()!r}: {value}"
        case ParameterOf(kind=kind, glob=glob) | Alternatives(kind=Type() as kind, glob=glob):
            return f"{kind.spell()!r}: {{{glob!r}: {value}}}"
        case Scope(path=path, inner=inner):
            return f"{path!r}: {{{_entry(inner, value)}}}"
    try:
        return f"{matcher.spell()!r}: {value}"
    except RuleError:  # no text stands for it
        return f"{matcher}: {value}"


def _value(clause: Clause) -> str:
    text = clause.scheme_text
    return text if re.fullmatch(r"[-+.\de]+", text) else repr(text)


def _listed(names: Sequence[str]) -> str:
    folds = fold_rows(names, name=str, key=lambda _: None, ragged=True)
    more = f" and {len(folds) - _MOST} more" if len(folds) > _MOST else ""
    return ", ".join(fold.label for fold in folds[:_MOST]) + more


_ABOVE = "put it above"
_MOST = 4  # labels of names that a line of advice shows


def _idle(
    clause: Clause, above: Sequence[str], hint: str, advice: str, shown: Sequence[str]
) -> Problem:
    """Return the problem of a rule: rules above it take all that it matches, or it matches none."""
    if above:
        rules = ", ".join(repr(text) for text in dict.fromkeys(above))
        return IdleRule(
            f"the rule {clause.label!r} never decides: what it matches is taken by {rules}; "
            f"{advice}",
            rule=clause.label,
            advice=shown,
        )
    text = f"the rule {clause.label!r} matches no parameter{hint}"
    return IdleRule(text, rule=clause.label, advice=shown)


def _hint_of(clause: Clause, view: ModelView) -> Callable[[Sequence[Slot]], str]:
    """Return what tells of slots what a rule may have meant: what is not registered goes first."""
    matcher = clause.matcher
    return lambda slots: (
        named_unregistered(view.unregistered, clause.label, matcher.matches) or matcher.hint(slots)
    )


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


def _idle_recipes(
    judged: Sequence[tuple[int, Clause]], used: Collection[int], hinter: _Hinter
) -> list[Problem]:
    """Return a problem for every mention of a recipe of which no rule decided anything."""
    # Each mention is an object of its own, kept alive by its clauses, so its id tells it apart.
    mentions: dict[int, list[tuple[int, Clause]]] = {}
    for place, clause in judged:
        if clause.mention is not None:
            mentions.setdefault(id(clause.mention), []).append((place, clause))
    return [
        _idle_recipe(rules[0][1], hinter)
        for rules in mentions.values()
        if not any(place in used for place, _ in rules)
    ]


def _idle_recipe(clause: Clause, hinter: _Hinter) -> Problem:
    assert clause.mention is not None
    recipe, matcher = clause.mention.recipe, clause.matcher
    where, hint = "here", _fits(recipe)
    if isinstance(matcher, Scope):
        path = matcher.path
        where = f"under {path!r}"
        hint = hinter.ask(lambda slots: hint_module(slots, path)) or hint
    text = f"no rule of the recipe {recipe.label} decides anything {where}{hint}"
    return IdleRule(text, rule=recipe.label)


def _fits(recipe: Recipe) -> str:
    return f"; it fits {', '.join(recipe.fits)}" if recipe.fits else ""
