"""Rules that decide nothing: which they are, why, and what the user may have meant."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ..errors import IdleRule, Problem
from ..model import Slot
from ..rules import Clause, Recipe, Scope, hint_module
from .resolve import Chooser


def idle_rules(chooser: Chooser, slots: Sequence[Slot], hints: bool) -> list[Problem]:
    """Return a problem for every rule that won nothing, and every recipe of which none did.

    ``hints`` say what the user may have meant; looking for near names takes long.
    """
    by_type = isinstance(chooser.model, nn.Module)
    found: list[Problem] = [
        _idle(chooser, slots, order, clause, hints)
        for order, clause in enumerate(chooser.clauses)
        if order not in chooser.used
        and not clause.optional
        and (by_type or not clause.matcher.typed)
    ]
    return found + _idle_recipes(chooser, slots, by_type)


def types_in_state_dict(chooser: Chooser) -> list[Problem]:
    """Return a problem for every rule that looks at types, where there are none."""
    typed = [clause for clause in chooser.clauses if clause.matcher.typed]
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


def _idle(
    chooser: Chooser, slots: Sequence[Slot], order: int, clause: Clause, hints: bool
) -> Problem:
    above = _takers(chooser, slots, order)
    if above:
        rules = ", ".join(repr(text) for text in above)
        return IdleRule(
            f"the rule {clause.label!r} never decides: what it matches is taken by {rules}; put it "
            f"above {'that' if len(above) == 1 else 'those'}",
            rule=clause.label,
        )
    hint = clause.matcher.hint(slots) if hints else ""
    return IdleRule(f"the rule {clause.label!r} matches no parameter{hint}", rule=clause.label)


def _takers(chooser: Chooser, slots: Sequence[Slot], order: int) -> list[str]:
    """Return the rules that take what this one matches, without repeats."""
    found: dict[str, None] = {}
    for slot in slots:
        for name, canonical in zip(slot.paths, slot.canonicals, strict=True):
            if chooser.takes(order, slot, name, canonical):
                above = chooser.first(slot, name, canonical)
                if above is not None and above != order:
                    found[chooser.clauses[above].label] = None
    return list(found)


def _idle_recipes(chooser: Chooser, slots: Sequence[Slot], by_type: bool) -> list[Problem]:
    """Return a problem for every mention of a recipe of which no rule won anything."""
    mentions: dict[int, list[int]] = {}
    for order, clause in enumerate(chooser.clauses):
        if clause.mention is not None and (by_type or not clause.matcher.typed):
            mentions.setdefault(id(clause.mention), []).append(order)
    return [
        _idle_recipe(chooser.clauses[orders[0]], slots)
        for orders in mentions.values()
        if chooser.used.isdisjoint(orders)
    ]


def _idle_recipe(clause: Clause, slots: Sequence[Slot]) -> Problem:
    recipe, matcher = clause.mention, clause.matcher
    assert recipe is not None
    where, hint = "here", _fits(recipe)
    if isinstance(matcher, Scope):
        where, hint = f"under {matcher.path!r}", hint_module(slots, matcher.path) or hint
    text = f"no rule of the recipe {recipe.label} decides anything {where}{hint}"
    return IdleRule(text, rule=recipe.label)


def _fits(recipe: Recipe) -> str:
    return f"; it fits {', '.join(recipe.fits)}" if recipe.fits else ""
