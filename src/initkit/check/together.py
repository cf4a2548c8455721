"""Tensors that are planned alike, tested as one sample: what all are off by shows in none."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from ..render import Traits, fold_alike, template
from .checked import Checked
from .expectation import Expectation, expectation
from .independence import is_drawn
from .measure import Measured
from .sample_tests import tests_together

TESTS = 2  # of each group, of the mean and of the std: counted whether or not any is left to test


@dataclass(frozen=True)
class Group:
    """Tensors of one rule, planned alike, under one name for all."""

    label: str
    members: tuple[Checked, ...]

    def checked(self, failed: Container[str]) -> Checked:
        """Return the group as one tensor, with the tests of the members that don't fail alone."""
        left = [c for c in self.members if c.name not in failed]
        first = self.members[0]
        found = Checked(self.label, first.shape, first.step, names=tuple(c.name for c in left))
        if len(left) > 1:
            found.tests += tests_together([sample for c in left for sample in _samples(c)])
        return found


def alike(checked: Sequence[Checked]) -> list[Group]:
    """Return the groups of tensors that are drawn element by element, by one rule, and alike."""
    drawn = [c for c in checked if any(_samples(c))]
    folds = fold_alike(drawn, name=lambda c: c.name, traits=lambda c: Traits(_kin(c)))
    return [Group(fold.label, fold.rows) for fold in folds if len(fold) > 1]


def _samples(c: Checked) -> Iterator[tuple[Expectation, Measured]]:
    """Yield what is expected and what was measured of a sample; nothing of what is none."""
    distribution = c.distribution
    if (
        is_drawn(c)
        and distribution is not None
        and distribution.iid
        and distribution.std
        and c.dtype is not None
        and c.measured is not None
    ):
        yield expectation(distribution, c.dtype), c.measured


def _kin(c: Checked) -> tuple[object, ...]:
    rule = c.step.rule if c.step is not None else ""
    return rule, template(c.planned), len(c.shape)
