"""Lead every copy to its source: which parameter it is, and how that one starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..distributions import Copy, Distribution
from ..errors import Problem, SchemeMismatch
from ..model import Slot
from ..spelling import nearest
from ..ties import memories
from .dtypes import dtype_problem
from .step import EMPTY, WRITE, Step, Target, distributions_of


def tied_names(slots: Sequence[Slot]) -> dict[str, tuple[str, ...]]:
    """Return for each name of what has several all of them, so that schemes agree about it."""
    found: dict[str, tuple[str, ...]] = {}
    for members, group in memories(slots):
        if group is None or group.kind in ("view", "overlap"):  # whose elements lie otherwise
            continue
        names = tuple(dict.fromkeys(n for s in members for n in (*s.paths, *s.canonicals)))
        found |= dict.fromkeys(names, names)
    return found


def with_copy(distribution: Distribution, copy: Distribution) -> Distribution:
    """Return a distribution with its copy, of which it is or is made, replaced."""
    if isinstance(distribution, Copy):
        return copy
    if distribution.copy is None:
        return distribution
    return distribution.of_parts(lambda part: with_copy(part, copy)).remade()


def copied(step: Step, source: Step) -> Step:
    """Return the step of a copy, or of what is made of one, with all that its values rest on."""
    assert step.distribution is not None
    assert step.distribution.copy is not None
    assert source.distribution is not None
    origin, copy = source.distribution, step.distribution.copy
    if isinstance(origin, Copy):  # both have their values from one source
        copy = replace(origin, parameter=copy.parameter)
    else:
        copy = replace(copy, part=origin, name=source.seed_name)
    plain = isinstance(step.distribution, Copy)
    if plain:
        distribution: Distribution = copy
    else:  # of values that nobody draws nothing is drawn again
        copy = replace(copy, dtype=str(source.dtype).removeprefix("torch."))
        distribution = with_copy(step.distribution, copy if origin.random else origin)
    notes = dict.fromkeys(filter(None, (copy.note(), *step.note.split("; "))))
    return replace(
        step,
        distribution=distribution,
        fans=source.fans if plain else step.fans,
        fans_from=source.fans_from if plain else step.fans_from,
        padding=source.padding,
        note="; ".join(notes),
    )


def settle_copies(
    steps: Sequence[Step], targets: Sequence[Target]
) -> tuple[list[Step], list[Target], list[Problem]]:
    """Return steps and targets whose copies know their source, and what is wrong with others."""
    if not any(distribution.copy for distribution in distributions_of(steps)):
        return list(steps), list(targets), []
    settler = _Settler(steps, targets)
    found = [settler.settle(place) for place in range(len(steps))]
    placed = [
        replace(target, padded=tuple((target.writer, row) for row in step.padding_rows))
        if _copy_of(before)  # whose own padding row is a copy, too
        else target
        for before, step, target in zip(steps, found, targets, strict=True)
    ]
    return found, placed, settler.problems


class _Settler:
    """Settle copies, each after its source, and gather what is wrong."""

    def __init__(self, steps: Sequence[Step], targets: Sequence[Target]) -> None:
        self.steps = list(steps)
        self.problems: list[Problem] = []
        self.place_of: dict[str, int] = {}
        for place, target in enumerate(targets):
            for slot in target.slots:
                for name in (*slot.paths, *slot.canonicals):
                    self.place_of.setdefault(name, place)
        self._done: set[int] = set()
        self._chain: list[int] = []  # the copies that wait for their source, each for the next

    def settle(self, place: int) -> Step:
        """Return the step at this place, its source settled first where it is a copy."""
        step = self.steps[place]
        copy = _copy_of(step) if step.status in (WRITE, EMPTY) else None
        if place not in self._done and copy is not None:
            self._chain.append(place)
            self._settle(place, step, copy.parameter)
            self._chain.pop()
        self._done.add(place)
        return self.steps[place]

    def _settle(self, place: int, step: Step, name: str) -> None:
        at = self.place_of.get(name)
        if at is None:
            problem = self._refuse(step, f"there is no parameter {name!r} to copy")
            near = nearest(name, self.place_of, n=1)
            if near and near[0] in step.names:
                problem.hint = f"; {near[0]!r} is the copy itself"
            else:
                problem.or_rather(name, self.place_of)
        elif at in self._chain:
            names = [self.steps[p].name for p in self._chain[self._chain.index(at) :]]
            loop = " -> ".join([*names, self.steps[at].name])
            self._refuse(step, f"it would be a copy of itself ({loop}); give one of them a scheme")
        else:
            source = self.settle(at)
            if text := _misfit(step, source, name):
                self._refuse(step, text)
            elif source.distribution is not None and source.distribution.settled:
                self._fill_in(place, copied(step, source))

    def _fill_in(self, place: int, step: Step) -> None:
        """Take a settled step, unless what it is made of does not go together after all."""
        assert step.distribution is not None
        misfit = step.distribution.misfit(step.shape)
        if text := misfit or dtype_problem(step.dtype, step.distribution):
            self._refuse(step, f"it gives {step.distribution}, and {text}")
        else:
            self.steps[place] = step

    def _refuse(self, step: Step, text: str) -> Problem:
        text = f"{step.name}: {text} (rule {step.rule!r})"
        problem = SchemeMismatch(text, names=step.names, rule=step.rule)
        self.problems.append(problem)
        return problem


def _copy_of(step: Step) -> Copy | None:
    """Return the copy that a step is, or is made of."""
    return step.distribution.copy if step.distribution is not None else None


def _misfit(step: Step, source: Step, name: str) -> str:
    """Return why a step cannot be a copy of another, or nothing."""
    if source.status not in (WRITE, EMPTY):
        return (
            f"no rule starts {name!r} here ({source.start}), so that what it holds is not the "
            "plan's to copy; give it a rule, or copy the values by load_state_dict"
        )
    if source.rows is not None:
        return f"only some rows of {name!r} are written, and the others are not the plan's to copy"
    viewed = source.tie_kind in ("view", "overlap")
    if viewed and (name != source.name or source.padding is not None):
        what = "with a padding row " if source.padding is not None else ""
        return f"{name!r} is a view {what}of memory that is written through {source.name!r}"
    made_of = not isinstance(step.distribution, Copy)
    if made_of and (origin := source.distribution) and not (origin.known and origin.repeatable):
        return (
            f"{name!r} starts as {source.start}, which cannot be drawn again to make other values "
            f"of; copy it as it is, or give one of them another scheme"
        )
    if step.shape != source.shape:
        return f"its shape is {list(step.shape)}, and that of {name!r} is {list(source.shape)}"
    if step.dtype != source.dtype:
        return f"its dtype is {step.dtype}, and that of {name!r} is {source.dtype}"
    return ""
