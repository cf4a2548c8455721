"""Find the groups of parameters that one rule starts as one, and settle what follows from all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TypeAlias

from ..distributions import Joint
from ..errors import Problem, SchemeMismatch
from ..model import Slot
from ..rules import Clause
from ..schemes import Joint as JointScheme
from .matching import RuleTable
from .resolve import member_of
from .step import EMPTY, WRITE, Step, Target

Key: TypeAlias = tuple[int, tuple[str, ...]]
"""The place of a rule, and what its wildcards took."""


@dataclass
class _Group:
    """The steps of one key, by member; several where a name is not alone."""

    clause: Clause
    stars: tuple[str, ...]
    found: dict[int, list[int]] = field(default_factory=dict)

    @property
    def scheme(self) -> JointScheme:
        assert isinstance(self.clause.scheme, JointScheme)
        return self.clause.scheme


def settle_groups(
    steps: Sequence[Step], targets: Sequence[Target], table: RuleTable
) -> tuple[list[Step], list[Problem]]:
    """Return steps whose groups know each other, and what is wrong with others."""
    settled = list(steps)
    if not any(isinstance(step.distribution, Joint) for step in steps):
        return settled, []
    problems: list[Problem] = []
    group_of: dict[int, tuple[int, ...]] = {}
    scheme_of: dict[int, JointScheme] = {}
    for group in _groups(targets, table):
        host = _host(group, steps, group_of)
        members = _members(group, steps, host)
        text = members if isinstance(members, str) else _misfit(members, steps, group_of)
        if host and not text and (why := group.scheme.unjoinable(scheme_of[host[0]])):
            text = f"{steps[host[0]].name} starts by rule {steps[host[0]].rule!r} already; {why}"
        if text:
            wanted = [steps[at] for each in group.found.values() for at in each]
            mine = [step for step in wanted if step.rule == group.clause.label]
            if mine:
                names = [name for step in mine for name in step.names]
                text = f"{mine[0].name}: {text} (rule {group.clause.label!r})"
                problems.append(SchemeMismatch(text, names=names, rule=group.clause.label))
        elif not isinstance(members, str):  # of a group that takes more, all of it anew
            for at, step in zip(members, _settled([steps[at] for at in members]), strict=True):
                settled[at] = step
            group_of |= dict.fromkeys(members, members)
            scheme_of.setdefault(members[0], group.scheme)
    return settled, problems


def _groups(targets: Sequence[Target], table: RuleTable) -> list[_Group]:
    """Return what each rule over several names takes, whoever decides about it."""
    places = [i for i, one in enumerate(table.clauses) if isinstance(one.scheme, JointScheme)]
    found: dict[Key, _Group] = {}
    for place in places:
        clause = table.clauses[place]
        for at, target in enumerate(targets):
            for slot, name, canonical in _names(target):
                if table.takes(place, slot, name, canonical):
                    stars = _in_common(clause, slot, name, canonical)
                    group = found.setdefault((place, stars), _Group(clause, stars))
                    steps = group.found.setdefault(member_of(clause, slot, name), [])
                    if at not in steps:
                        steps.append(at)
    return list(found.values())


def _in_common(clause: Clause, slot: Slot, name: str, canonical: str) -> tuple[str, ...]:
    """Return what a group has in common, without wrappers where the rule takes the name so."""
    taken = clause.matcher.matches(slot, canonical)
    return clause.matcher.group(slot, canonical if taken else name)


def _names(target: Target) -> Iterator[tuple[Slot, str, str]]:
    for slot in target.slots:
        for name, canonical in zip(slot.paths, slot.canonicals, strict=True):
            yield slot, name, canonical


def _host(
    group: _Group, steps: Sequence[Step], group_of: dict[int, tuple[int, ...]]
) -> tuple[int, ...]:
    """Return the group that the first member is in already, where that takes the others, too."""
    host = next((group_of[at] for at in group.found.get(0, ()) if at in group_of), ())
    more = [at for at in group.found.get(1, ()) if at not in group_of]
    # Of one rule that takes a weight twice, for two layers, each would be left what neither wants.
    if not host or not more or steps[host[0]].rule == group.clause.label:
        return ()
    one, other = steps[host[0]].distribution, steps[more[0]].distribution
    alike = type(one) is type(other) and group.scheme.several
    return host if alike and group.found[0] == [host[0]] else ()


def _members(group: _Group, steps: Sequence[Step], host: tuple[int, ...]) -> tuple[int, ...] | str:
    """Return the step of each member, or what keeps them from being one group.

    They come behind all of the group that the first of them is in, if any is.
    """
    count = group.clause.matcher.members
    for member in range(count):
        found = [steps[at].name for at in group.found.get(member, ())]
        if len(found) == 1:
            continue
        which = f"member {member + 1} of the {count} that {group.clause.text!r} lists"
        if not found:
            return f"the model has no {which} beside it"
        return f"{' and '.join(found[:3])} are both {which}; let a '*' tell them apart"
    members = tuple(group.found[member][0] for member in range(count))
    if len(set(members)) < count:
        return "two of its names are one parameter"
    for member, at in enumerate(members):
        if host and not member:
            continue
        step = steps[at]
        mine = isinstance(step.distribution, Joint) and step.distribution.member == member
        if not mine or step.rule != group.clause.label or step.status not in (WRITE, EMPTY):
            by = f" (rule {step.rule!r})" if step.rule not in ("", group.clause.label) else ""
            others = ", ".join(steps[other].name for other in members if other != at)
            return f"{step.name} starts as one with {others}, and here it is: {step.start}{by}"
    return (*host, *members[1:]) if host else members


def _misfit(
    members: Sequence[int], steps: Sequence[Step], group_of: dict[int, tuple[int, ...]]
) -> str:
    shared = next((at for at in members if not {*group_of.get(at, members)} <= {*members}), None)
    if shared is not None:
        others = [steps[at].name for at in group_of[shared] if at != shared]
        return f"{steps[shared].name} starts as one with {', '.join(others)} already"
    first = steps[members[0]].distribution
    assert isinstance(first, Joint)
    return first.misfit_of([steps[at].shape for at in members])


def _settled(members: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps of a group, each with all that its values follow from."""
    planned = [s.distribution for s in members if isinstance(s.distribution, Joint)]
    first = planned[0].beside(planned, members[0].padding_rows)
    shapes, names = [s.shape for s in members], [s.seed_name for s in members]
    for member, step in enumerate(members):
        others = _beside(step.name, [other.name for other in members if other is not step])
        made = first.of_group(member, shapes, names)
        notes = (made.note(), f"as one with {others}", *step.note.split("; "))
        note = "; ".join(dict.fromkeys(filter(None, notes)))
        yield replace(step, distribution=made, note=note)


def _beside(name: str, others: Sequence[str]) -> str:
    """Return the other names of a group, from where they part from one; of many the first.

    >>> _beside("h.0.base.weight", ["h.0.down.weight", "h.0.up.weight"])
    'down.weight, up.weight'
    """
    parts = [one.split(".") for one in (name, *others)]
    # Of each name the last part stays, though all should end alike.
    together = zip(*(one[:-1] for one in parts), strict=False)
    same = sum(1 for _ in takewhile(lambda level: len({*level}) == 1, together))
    ends = [".".join(one[same:]) for one in parts[1:]]
    more = f" and {len(ends) - _NAMED} more" if len(ends) > _NAMED else ""
    return ", ".join(ends[:_NAMED]) + more


_NAMED = 3  # names of a group that each remark has
