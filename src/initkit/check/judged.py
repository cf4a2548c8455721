"""What a check says of each parameter, and which parameters it says it of in one line."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ..distributions import short
from ..render import Fold, Traits, fold_alike, template
from .checked import Checked
from .failures import Failure

_FAR = 0.05  # of the larger of two sizes: what fails otherwise than its likes stands apart
_CHANCE = 4  # standard errors of a std, within which small tensors differ


@dataclass(frozen=True, slots=True)
class Judged:
    """One row of the report: a tensor, its failure, whether its tests say ``ok``."""

    checked: Checked
    failure: Failure | None
    tested: bool

    @property
    def verdict(self) -> str:
        if self.failure:
            return f"FAILS: {self.failure.kind}"
        return self.checked.remark or ("ok" if self.tested else "")

    @property
    def std(self) -> float | None:
        return self.checked.measured.std if self.checked.measured is not None else None

    @property
    def size(self) -> float:
        """The root of the mean square of the values, below zero where nearly all are."""
        measured = self.checked.measured
        if measured is None or not measured.n:
            return 0.0
        size = math.hypot(measured.mean, measured.std)
        return math.copysign(size, measured.mean) if abs(measured.mean) > measured.std else size

    @property
    def miss(self) -> float:
        """How large the values are, in stds of what was planned where that has one."""
        planned = self.checked.distribution
        std = planned.std if planned is not None else None
        return self.size / std if std else self.size

    @property
    def chance(self) -> float:
        """By which part the sizes of tensors that are drawn alike may differ."""
        measured = self.checked.measured
        n = measured.n if measured is not None else 0
        return max(_FAR, _CHANCE / math.sqrt(2 * n)) if n else _FAR

    @property
    def spread(self) -> tuple[str, str]:
        """The smallest and the largest value; nothing where all are one."""
        measured = self.checked.measured
        if measured is None or not measured.n or measured.low == measured.high:
            return "", ""
        return short(measured.low), short(measured.high)


def one_each(rows: Sequence[Judged]) -> list[Fold[Judged]]:
    """Return one line a row."""
    return [Fold.single(row.checked.name, row) for row in rows]


def fold_judged(rows: Sequence[Judged]) -> list[Fold[Judged]]:
    """Fold rows that are planned by one rule, and that pass, or fail in one way.

    What fails by more or less than its likes do stands apart.
    """
    strata = _strata(rows)

    def traits(row: Judged) -> Traits:
        shared = *_shared(row), strata.get(row.checked.name)
        return Traits(shared, row.checked.shape, (row.verdict, row.checked.planned))

    return fold_alike(rows, name=lambda row: row.checked.name, traits=traits)


def _shared(row: Judged) -> tuple[Hashable, ...]:
    step, failure = row.checked.step, row.failure
    planned = (step.rule, step.scheme) if step is not None else None
    if failure is None:
        return (planned,)
    # Of what else is wrong that it is there, and not how it is put.
    also = tuple(text.partition(" is ")[0] for text in failure.also)
    return planned, template(failure.text), also


def _strata(rows: Sequence[Judged]) -> dict[str, int]:
    """Return a number for each parameter that fails, by how much its values miss the plan.

    Of parameters that are planned alike, neighbours have one number unless more lies between them
    than chance does.
    """
    families: dict[Hashable, list[Judged]] = {}
    for row in rows:
        if row.failure is not None:
            alike = template(row.checked.planned), len(row.checked.shape), _shared(row)
            families.setdefault(alike, []).append(row)
    strata: dict[str, int] = {}
    for family in families.values():
        before, number = -math.inf, 0
        for row in sorted(family, key=lambda row: row.miss):
            number += row.miss - before > row.chance * abs(row.miss)
            before, strata[row.checked.name] = row.miss, number
    return strata
