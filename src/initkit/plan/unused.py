"""Rules that decide nothing: which they are, why, and what the user may have meant."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ..errors import IdleRule, Problem, did_you_mean, nearest
from ..model import Slot
from ..rules import (
    All,
    Clause,
    Key,
    Matcher,
    Name,
    Recipe,
    Regex,
    Scope,
    Type,
    compile_glob,
    paths_above,
)
from .options import InitOptions
from .resolve import Chooser


def unused_rules(
    chooser: Chooser, decided: Container[int], slots: Sequence[Slot], settings: InitOptions
) -> list[Problem]:
    """Return a problem for every rule that decided nothing, and every recipe of which none did.

    ``decided`` are the places of the clauses that did. What the user may have meant is said where
    idle rules are errors: looking for near names takes long.
    """
    by_type = chooser.view.root is not None
    judged = [
        (order, clause)
        for order, clause in enumerate(chooser.clauses)
        if by_type or not clause.matcher.typed
    ]
    # Without buffers=True no rule decides about them, so none there can stand above another.
    started = [slot for slot in slots if slot.kind != "buffer" or settings["buffers"]]
    idle = [(o, c) for o, c in judged if o not in decided and not c.optional]
    found: list[Problem] = []
    for order, clause in idle:
        above = _takers(chooser, started, order)
        hint = _hint(slots, clause) if not above and settings["idle"] == "error" else ""
        found.append(_idle(clause, above, hint))
    return found + _idle_recipes(judged, decided, slots)


def types_in_state_dict(clauses: Sequence[Clause]) -> list[Problem]:
    """Return a problem for every rule that looks at types, where there are none."""
    typed = [clause for clause in clauses if clause.matcher.typed]
    whose = [
        (c.shown, f"the rule {c.shown!r}")
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


def _idle(clause: Clause, above: Sequence[str], hint: str) -> Problem:
    """Return the problem of a rule: rules above it take all that it matches, or it matches none."""
    if above:
        rules = ", ".join(repr(text) for text in above)
        return IdleRule(
            f"the rule {clause.shown!r} never decides: what it matches is taken by {rules}; put it "
            f"above {'that' if len(above) == 1 else 'those'}",
            rule=clause.shown,
        )
    return IdleRule(f"the rule {clause.shown!r} matches no parameter{hint}", rule=clause.shown)


def _takers(chooser: Chooser, slots: Sequence[Slot], order: int) -> list[str]:
    """Return the rules that take what this one matches, without repeats."""
    found: dict[str, None] = {}
    for slot in slots:
        for name, canonical in zip(slot.paths, slot.canonicals, strict=True):
            if chooser.takes(order, slot, name, canonical):
                above = chooser.first(slot, name, canonical)
                if above is not None and above != order:
                    found[chooser.clauses[above].shown] = None
    return list(found)


def _hint(slots: Sequence[Slot], clause: Clause) -> str:
    matcher, scope = clause.matcher, ""
    while isinstance(matcher, Scope):
        scope, matcher = f"{scope}{matcher.path}.", matcher.inner
    if scope and not any(compile_glob(scope[:-1])(path) for path in _paths(slots)):
        path = did_you_mean(scope[:-1], _paths(slots))
        return path or f"; there is no module at {scope[:-1]!r}"
    if isinstance(matcher, Name):
        return _name_hint(slots, scope + matcher.glob)
    if clause.matcher.typed:
        return _key_hint(slots, matcher) or _type_hint(slots, matcher)
    return _like(slots) if isinstance(matcher, Regex) else ""


def _key_hint(slots: Sequence[Slot], matcher: Matcher) -> str:
    """Return what the parameters of a type are called, where a rule names one of them wrongly."""
    parts = matcher.parts if isinstance(matcher, All) else ()
    kind = next((part for part in parts if isinstance(part, Type)), None)
    key = next((part for part in parts if isinstance(part, Key)), None)
    if kind is None or key is None:
        return ""
    own = list(dict.fromkeys(s.key for s in slots if kind.matches(s, s.name)))
    if not own:
        return ""
    return did_you_mean(key.glob, own) or f"; a {kind} here has {', '.join(own[:12])}"


def _type_hint(slots: Sequence[Slot], matcher: Matcher) -> str:
    kinds = sorted({type(s.owner).__name__ for s in slots if s.owner is not None})
    near = nearest(str(matcher).split(".")[0].split("|")[0], kinds)
    return f"; module types with parameters here are {', '.join((near or kinds)[:12])}"


def _paths(slots: Sequence[Slot]) -> list[str]:
    """Return the paths of all modules that hold something."""
    return list(dict.fromkeys(path for slot in slots for path in paths_above(slot.name)))


def _name_hint(slots: Sequence[Slot], glob: str) -> str:
    names = [path for slot in slots if slot.kind != "buffer" for path in slot.paths]
    if any(name.startswith(glob + ".") for name in names):
        return f"; {glob!r} is a module: write '{glob}.*', or a dict of its own names under it"
    if any(glob in slot.paths for slot in slots if slot.kind == "buffer"):
        return f"; {glob!r} is a buffer: buffers=True initialises those, too"
    if not names:
        return _like(slots)
    tails = sorted({name.rsplit(".", 1)[-1] for name in names})
    tail = glob.rsplit(".", 1)[-1].strip("*")
    near = did_you_mean(glob, names) or did_you_mean(tail, tails)
    return near or _like(slots)


def _like(slots: Sequence[Slot]) -> str:
    first = next((slot.name for slot in slots if slot.kind != "buffer"), None)
    return f"; names here are like {first!r}" if first else "; the model has no parameters"


def _idle_recipes(
    judged: Sequence[tuple[int, Clause]], decided: Container[int], slots: Sequence[Slot]
) -> list[Problem]:
    """Return a problem for every mention of a recipe of which no rule decided anything."""
    # Each mention is an object of its own, kept alive by its clauses, so its id tells it apart.
    mentions: dict[int, list[tuple[int, Clause]]] = {}
    for order, clause in judged:
        if clause.mention is not None:
            mentions.setdefault(id(clause.mention), []).append((order, clause))
    return [
        _idle_recipe(rules[0][1], slots)
        for rules in mentions.values()
        if not any(order in decided for order, _ in rules)
    ]


def _idle_recipe(clause: Clause, slots: Sequence[Slot]) -> Problem:
    recipe, matcher = clause.mention, clause.matcher
    assert recipe is not None
    where, hint = "here", _fits(recipe)
    if isinstance(matcher, Scope):
        where, paths = f"under {matcher.path!r}", _paths(slots)
        if not any(compile_glob(matcher.path)(path) for path in paths):
            hint = did_you_mean(matcher.path, paths) or f"; there is no module at {matcher.path!r}"
    text = f"no rule of the recipe {recipe.label} decides anything {where}{hint}"
    return IdleRule(text, rule=recipe.label)


def _fits(recipe: Recipe) -> str:
    return f"; it fits {', '.join(recipe.fits)}" if recipe.fits else ""
