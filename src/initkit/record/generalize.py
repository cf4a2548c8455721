"""Read rules off plans: what parameters have in common, exceptions first and constants last.

A plan is a list of facts: this name, of a module of that type, starts so. Rules are found in the
order in which they will stand: what starts by a rule of its own, such as copies; then exceptions,
each a pattern all of whose names start by one scheme, so that their order is free; then what each
module type's own parameters mostly start as; then the constants that most names of one ending
share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import schemes
from ..errors import RuleError
from ..numbers import no_collecting
from ..plan import Plan, RuleTable
from ..rules import Name, Recipe, Rule, read_rules
from ..schemes import Scheme
from .generalize_apart import is_apart, rules_apart
from .generalize_facts import KEEP, Fact, Kind, Start, facts_of
from .generalize_schemes import candidates, cost, with_formula


@no_collecting()
def recipe_of(name: str, plans: Sequence[Plan]) -> Recipe:
    """Return the recipe that plans the same as the first of ``plans``, and as the others.

    Raises :class:`PlanError` for a plan with problems, :class:`TargetError` for one without memory.
    """
    facts = [fact for number, plan in enumerate(plans) for fact in facts_of(number, plan)]
    drawn = any(fact.row is False for fact in facts)
    padding = not drawn or any(fact.row for fact in facts)
    if not padding:  # the recipe says it, and its rules need not
        for fact in facts:
            fact.row = None
    own = [*rules_apart(facts), *_Rules([f for f in facts if not is_apart(f)]).found()]
    amended, apart = _amended(own, facts)
    numbers = len({id(fact.slot) for fact in facts if fact.plan == 0})
    return Recipe(
        name,
        rules=amended,
        summary=f"{plans[0].title}: {numbers} parameters, read off a plan.",
        notes=f"of this size alone: {', '.join(apart)}" if apart else "",
        padding=padding,
    )


# -------------------------------------------------------------------------- exceptions and types


class _Rules:
    """Find what facts have in common."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.facts = list(facts)
        self._known: dict[tuple[str, bool], tuple[Start | None, list[Fact]]] = {}
        self.by_kind: dict[Kind, list[Fact]] = {}
        for fact in facts:
            if not fact.literal:
                self.by_kind.setdefault(fact.kind, []).append(fact)

    def found(self) -> list[Any]:
        """Return the tables of rules, in order."""
        usual = {kind: _usual(facts) for kind, facts in self.by_kind.items()}
        left = [f for f in self.facts if f.literal or not _covered(usual[f.kind], f)]
        exceptions, taken = self._exceptions(left)
        open_kinds = {f.kind for f in self.facts if id(f) not in taken}
        usual = {kind: start for kind, start in usual.items() if kind in open_kinds}
        constants = _constants(usual)
        for key, start in constants.items():
            usual = {k: s for k, s in usual.items() if k[1] != key or s != start}
        last = {f"*.{key}": _value(start) for key, start in constants.items()}
        return [t for t in (*exceptions, *_by_type(usual, self.by_kind), last) if t]

    def _exceptions(self, left: Sequence[Fact]) -> tuple[list[Any], set[int]]:
        table: dict[str, Start] = {}
        taken: set[int] = set()
        for fact in left:
            if id(fact) in taken:
                continue
            pattern, start, meant = self._exception(fact)
            table[pattern] = start
            taken |= {id(f) for f in meant}
        return _tables(table), taken

    def _sound(self, pattern: str, exactly: bool) -> tuple[Start | None, list[Fact]]:
        """Return how all that a pattern takes start, None where they differ, and what it takes."""
        if (pattern, exactly) not in self._known:
            takes = Name(pattern).matches
            meant = [f for f in self.facts if takes(f.slot, f.name)]
            self._known[pattern, exactly] = _best(meant, 1.0, exactly), meant
        return self._known[pattern, exactly]

    def _exception(self, fact: Fact) -> tuple[str, Start, list[Fact]]:
        """Return the widest pattern around a fact that is sound: all that it takes start alike."""
        for exactly in (True, False):
            for pattern in _patterns(fact):
                start, meant = self._sound(pattern, exactly)
                if start is not None:
                    return pattern, start, meant
        # Other sizes may have other numbers; then those of the first plan stand.
        meant = [f for f in self.facts if f.name == fact.name]
        return fact.name, _all_of(meant) or _alone(fact), meant


def _patterns(fact: Fact) -> list[str]:
    """Return globs that take a name, from its end alone to the whole of it; numbers are stars."""
    if fact.literal:
        return []
    parts = ["*" if part.isdecimal() else part for part in fact.name.split(".")]
    ends = [parts[-count:] for count in range(1, len(parts)) if parts[-count] != "*"]
    whole = [".".join(parts)] if "*" in parts else []
    return [*("*." + ".".join(end) for end in ends), *whole]


def _covered(start: Start | None, fact: Fact) -> bool:
    return start is not None and start.covers(fact)


def _usual(facts: Sequence[Fact]) -> Start | None:
    """Return how most facts of a kind start, if half of them start alike."""
    return _best(facts, 0.5, True) or _best(facts, 0.5, False)


def _best(facts: Sequence[Fact], share: float, exactly: bool) -> Start | None:
    """Return what explains most of the facts, and of equals the plainest; None under a share."""
    ranked: list[tuple[int, bool, float, Start]] = []
    for start in _starts(facts):
        found: list[Fact] = []
        missed = 0
        for fact in facts:
            # Other plans confirm what the first one says, whose numbers are to come again exactly.
            if start.covers(fact, exactly and not fact.plan):
                found.append(fact)
            elif (missed := missed + 1) > (1 - share) * len(facts):
                break
        else:
            drawn = any(f.wanted is not None and f.wanted.random for f in found)
            ranked.append((len(found), drawn, -cost(start.scheme), start))
    return max(ranked, key=lambda one: one[:3])[3] if ranked else None


def _starts(facts: Sequence[Fact]) -> Iterable[Start]:
    """Return ways to start that explain one or more of the facts, each once."""
    rows = {fact.row for fact in facts if fact.row is not None} or {True}
    unlike = {(f.wanted, f.scheme, f.kind, f.plan): f for f in reversed(facts)}
    found: dict[Scheme, None] = {}
    for fact in list(reversed(unlike.values()))[:_MOST]:
        if fact.wanted is None:
            found.setdefault(KEEP)
        else:
            found |= dict.fromkeys(candidates(fact.wanted, fact.site, fact.scheme))
    # One formula for all, where they are alike but for a number, which layers may change, too.
    apart = {(f.wanted, f.kind, f.plan, f.slot.layer): f for f in reversed(facts)}
    drawn = [((f.slot, f.site), f.wanted) for f in apart.values() if f.wanted is not None]
    if len(unlike) > 1 and (formula := with_formula(drawn[: 4 * _MOST])) is not None:
        found.setdefault(formula)
    return [Start(scheme, row) for scheme in found for row in rows]


_MOST = 24  # unlike facts of a group that are asked for candidates


def _all_of(facts: Sequence[Fact]) -> Start | None:
    """Return how all of several facts start, to the last bit if any scheme says it so."""
    return _best(facts, 1.0, True) or _best(facts, 1.0, False)


def _alone(fact: Fact) -> Start:
    """Return how one fact starts; raise where no scheme says it."""
    start = _all_of([fact])
    if start is None:
        raise RuleError(f"no rule can say how {fact.name} starts: {fact.wanted}")
    return start


# -------------------------------------------------------------------------------------- in tables


def _constants(usual: dict[Kind, Start | None]) -> dict[str, Start]:
    """Return for each ending of names the constant that all of several types share."""
    found: dict[str, Start] = {}
    for key in dict.fromkeys(key for _, key in usual):
        starts = [start for kind, start in usual.items() if kind[1] == key]
        first = starts[0]
        alike = len(starts) > 1 and all(start == first for start in starts)
        if alike and first is not None and isinstance(first.scheme, schemes.Constant):
            found[key] = first
    return found


def _by_type(usual: dict[Kind, Start | None], by_kind: dict[Kind, list[Fact]]) -> list[Any]:
    """Return a table from types to what their own parameters start as, derived types first."""
    bases = {kind[0]: facts[0].bases - {kind[0]} for kind, facts in by_kind.items()}
    derived = {owner for owner, above in bases.items() if above & bases.keys()}
    related = derived | {base for owner in derived for base in bases[owner] & bases.keys()}
    own: dict[str, dict[str, Start]] = {}
    for (owner, key), start in usual.items():
        # What no rule takes needs none, unless one for a base of its type would take it.
        ruled = owner in derived or any(fact.ruled for fact in by_kind[owner, key])
        if start is not None and ruled:
            own.setdefault(owner, {})[key] = start
    groups: dict[object, list[str]] = {}

    def order(owner: str) -> tuple[bool, int, bool]:
        # A rule for a base takes all types below it, which therefore come first, each by itself.
        fixed = all(isinstance(s.scheme, schemes.Constant) for s in own[owner].values())
        depth = len(bases[owner])
        return (False, -depth, False) if owner in related else (True, 0, fixed)

    for owner in sorted(own, key=order):
        starts = tuple(sorted(own[owner].items(), key=lambda one: one[0]))
        groups.setdefault(owner if owner in related else starts, []).append(owner)
    return _type_tables(groups.values(), own)


def _type_tables(groups: Iterable[list[str]], own: dict[str, dict[str, Start]]) -> list[Any]:
    table: dict[str, Any] = {}
    rules: list[Any] = []
    for owners in groups:
        kinds = "|".join(owners)
        starts = own[owners[0]]
        if not kinds:  # of a state_dict, whose entries have no types
            table |= {f"*.{key}": _value(start) for key, start in starts.items()}
            continue
        rules += [_rule(s, f"*.{k}", kinds) for k, s in starts.items() if not s.padding]
        plain = {key: _value(start) for key, start in starts.items() if start.padding}
        if plain:
            table[f"type:{kinds}"] = plain
    return [*rules, table]


def _tables(starts: dict[str, Start]) -> list[Any]:
    """Return rules under names: a table, and a rule each for padding rows that are drawn."""
    rules = [_rule(start, name) for name, start in starts.items() if not start.padding]
    return [*rules, {name: _value(start) for name, start in starts.items() if start.padding}]


def _rule(start: Start, name: str, kinds: str | None = None) -> Rule:
    return Rule(start.scheme, name=name, type=kinds, padding=False)


def _value(start: Start) -> Any:
    """Return a scheme as one writes it in a table: a number, a text, or the scheme itself."""
    scheme = start.scheme
    if isinstance(scheme, schemes.Constant) and isinstance(scheme.value, float):
        return int(scheme.value) if scheme.value.is_integer() else scheme.value
    plain = not isinstance(scheme, schemes.Function | schemes.Table)
    return str(scheme) if plain and scheme.spell() == str(scheme) else scheme


# ---------------------------------------------------------------------------------------- at last


def _amended(rules: list[Any], facts: Sequence[Fact]) -> tuple[list[Any], list[str]]:
    """Return the rules with one more, by name, wherever they say something else than the plans.

    Returned as well are the names whose numbers hold for the first plan's size alone.
    """
    clauses = read_rules(rules)
    table = RuleTable(clauses)
    wrong: list[Fact] = []
    for fact in facts:
        place = table.first(fact.slot, fact.name, fact.name)
        if is_apart(fact):
            continue  # found by name, and not by what is common
        clause = clauses[place] if place is not None else None
        start = Start(clause.scheme if clause else KEEP, clause.padding if clause else True)
        if not start.covers(fact):
            wrong.append(fact)
    first = {fact.name: _alone(fact) for fact in wrong if fact.plan == 0}
    apart = dict.fromkeys(_starred(fact.name) for fact in wrong if fact.plan > 0)
    return [*(t for t in _tables(first) if t), *rules], list(apart)


def _starred(name: str) -> str:
    return ".".join("*" if part.isdecimal() else part for part in name.split("."))
