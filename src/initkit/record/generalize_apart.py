"""Rules for what starts by one of its own: copies, some rows of a tensor, groups drawn as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..distributions import Copy, Distribution, Joint, Rows
from ..errors import RuleError
from ..plan import with_copy
from ..rules import Rule
from ..schemes import Scheme, Site
from .generalize_facts import Fact
from .generalize_literals import literal
from .generalize_schemes import candidates, cost, resolved, same


def is_apart(fact: Fact) -> bool:
    """Whether no rule that others share starts this."""
    return isinstance(fact.wanted, Rows | Joint) or _copy(fact) is not None


def rules_apart(facts: Sequence[Fact]) -> list[Any]:
    """Return the rules of what starts by a rule of its own, by name."""
    return [*_copies(facts), *_rows(facts), *_groups(facts)]


def _plainest(wanted: Distribution, site: Site, fact: Fact) -> Scheme:
    found = candidates(wanted, site, fact.scheme)
    fitting = [scheme for scheme in found if same(resolved(scheme, site), wanted)]
    if not fitting:
        raise RuleError(f"no rule can say how {fact.name} starts: {fact.wanted}")
    return min(fitting, key=cost)


# ------------------------------------------------------------------------------------------ rows


def _rows(facts: Sequence[Fact]) -> list[Any]:
    found: dict[str, Rule] = {}
    for fact in facts:
        if isinstance(fact.wanted, Rows) and fact.name not in found:
            start, stop = fact.wanted.start, fact.wanted.stop
            scheme = _plainest(fact.wanted.part, fact.site.rows(start, stop), fact)
            last = "" if stop == fact.wanted.shape[0] else stop
            found[fact.name] = Rule(scheme, name=fact.name, rows=f"{start}:{last}")
    return list(found.values())


# ---------------------------------------------------------------------------------------- groups


def _groups(facts: Sequence[Fact]) -> list[Any]:
    """Return a table from the names of each group, in braces, to what starts it."""
    members: dict[tuple[int, tuple[str, ...]], dict[int, Fact]] = {}
    for fact in facts:
        if isinstance(fact.wanted, Joint):
            group = members.setdefault((fact.plan, fact.wanted.names), {})
            group.setdefault(fact.wanted.member, fact)
    table: dict[str, Any] = {}
    for group in members.values():
        first = group[0]
        assert isinstance(first.wanted, Joint)
        for members_of_rule, alone in first.wanted.apart():
            scheme = _plainest(alone, replace(first.site, member=0), first)
            table.setdefault(_braced([group[member].name for member in members_of_rule]), scheme)
    return [table] if table else []


def _braced(names: Sequence[str]) -> str:
    """Return a key that lists these names, with what all begin and end with outside its braces."""
    paths = [name.split(".") for name in names]
    head = _shared(paths)
    tail = _shared([path[head:][::-1] for path in paths])
    middles = [".".join(path[head : len(path) - tail]) for path in paths]
    first = paths[0]
    return ".".join([*first[:head], f"{{{','.join(middles)}}}", *first[len(first) - tail :]])


def _shared(paths: Sequence[Sequence[str]]) -> int:
    """Return how many parts all of several paths begin with, but for the last of any."""
    shortest = min(map(len, paths)) - 1
    alike = (len({path[at] for path in paths}) == 1 for at in range(shortest))
    return next((at for at, one in enumerate(alike) if not one), max(shortest, 0))


# ---------------------------------------------------------------------------------------- copies


def _copies(facts: Sequence[Fact]) -> list[Any]:
    """Return the rules of the copies, each whole subtree by one."""
    copies = [(fact, copy) for fact in facts if (copy := _copy(fact)) is not None]
    table: dict[str, Any] = {}
    names = {(fact.plan, name): fact for fact in facts for name in fact.slot.paths}
    for fact, copy in copies:
        source = names.get((fact.plan, copy.parameter))
        paths = source.slot.paths if source is not None else (copy.parameter,)
        shared, path = max((_shared_end(fact.name, path), path) for path in paths)
        here, there = fact.name[: len(fact.name) - shared], path[: len(path) - shared]
        alike = [f for f in facts if f.name.startswith(here)]
        whole = shared and here and all(_is_copy(f, here, there, names) for f in alike)
        if whole and all(_said(f, "*") == _said(fact, "*") for f in alike):
            table[f"{here}*"] = _said(fact, f"{there}*")
        else:
            table[fact.name] = _said(fact, path)
    return [table] if table else []


def _copy(fact: Fact) -> Copy | None:
    return fact.wanted.copy if fact.wanted is not None else None


def _said(fact: Fact, path: str) -> str:
    """Return the scheme of a copy, or of what is made of one, where it is of this path."""
    assert fact.wanted is not None
    scheme = literal(with_copy(fact.wanted, Copy(path)))
    if scheme is None:
        raise RuleError(f"no rule can say how {fact.name} starts: {fact.wanted}")
    return scheme.spell()


def _is_copy(fact: Fact, here: str, there: str, names: dict[tuple[int, str], Fact]) -> bool:
    source, copy = names.get((fact.plan, there + fact.name[len(here) :])), _copy(fact)
    return source is not None and copy is not None and copy.parameter in source.slot.paths


def _shared_end(a: str, b: str) -> int:
    """Return how many characters two names share at their end, in whole parts."""
    count, parts = 0, zip(reversed(a.split(".")), reversed(b.split(".")), strict=False)
    for one, other in parts:
        if one != other:
            break
        count += len(one) + 1
    return max(count - 1, 0)
