"""What fails: the kinds of findings in the order they are named, and one failure a parameter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..distributions import Test
from ..errors import visible
from ..render import Fold, spanned
from .checked import Checked

FailureKind: TypeAlias = Literal[
    "missing",
    "unplanned",
    "unregistered",
    "shape",
    "garbage",
    "padding",
    "repeated",
    "copy",
    "structure",
    "constant",
    "zeros",
    "std",
    "mean",
    "bounds",
    "distribution",
    "extremes",
    "order",
    "lengths",
    "clone",
    "tie",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """What follows from a finding of one kind.

    A ``consequence`` goes unsaid beside what it follows from; what is ``diagnosed`` is compared
    with other distributions, to say what the values look like instead.
    """

    consequence: bool = False
    diagnosed: bool = False


KINDS: Mapping[str, Kind] = {
    "missing": Kind(),
    "unplanned": Kind(),
    "unregistered": Kind(),
    "shape": Kind(),
    "garbage": Kind(),
    "padding": Kind(),
    "repeated": Kind(),
    "copy": Kind(),
    "structure": Kind(diagnosed=True),
    "constant": Kind(diagnosed=True),
    "zeros": Kind(diagnosed=True),
    "std": Kind(diagnosed=True),
    "mean": Kind(diagnosed=True),
    "bounds": Kind(diagnosed=True, consequence=True),
    "distribution": Kind(diagnosed=True),
    "extremes": Kind(diagnosed=True, consequence=True),
    "order": Kind(consequence=True),
    "lengths": Kind(consequence=True),
    "clone": Kind(),
    "tie": Kind(),
}
"""Of several findings of one parameter the first in this order names its failure."""

_OWN = Kind()  # of a kind that a user's distribution brings; it is named last
_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}


def kind_of(name: str) -> Kind:
    """Return what follows from findings of this name."""
    return KINDS.get(name, _OWN)


@dataclass(frozen=True, slots=True)
class Failure:
    """One parameter that is not as it should be.

    ``kind`` is one of ``FailureKind``, or what a user's distribution calls it. ``expected``
    and ``seen`` are short texts, ``text`` a sentence, ``hint`` what it looks like instead.
    ``p_value`` is how probable this is for a parameter as planned (0: impossible), and ``also``
    says what else is wrong with it. What only shows in several that are planned alike is one
    failure of all, whose ``names`` it has; ``name`` then folds them.

    >>> from torch import nn
    >>> failure = check_init(nn.Linear(300, 2), {"weight": "orthogonal", "bias": 0}).failures[0]
    >>> failure.name, failure.kind, failure.planned
    ('weight', 'structure', 'orthogonal')
    """

    name: str
    kind: FailureKind | str
    expected: str
    seen: str
    p_value: float
    text: str
    shape: tuple[int, ...] = ()
    planned: str = ""
    rule: str = ""
    hint: str = ""
    also: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return told_together(Fold.single(self.name, self))

    def to_dict(self) -> dict[str, Any]:
        """Return the failure as plain data."""
        names = ("name", "kind", "expected", "seen", "p_value", "text", "planned", "rule", "hint")
        shape = {"shape": list(self.shape), "also": list(self.also)}
        several = {"names": list(self.names)} if self.names else {}
        return {name: getattr(self, name) for name in names} | shape | several


def told_together(fold: Fold[Failure]) -> str:
    """Return what failures have in common, with the range of each number in which they differ."""
    first, count = fold.first, len(fold)
    # What is not registered may be a module, which has no shape.
    several = first.names or first.kind == "unregistered"
    where = "" if several else f" {_all(fold, lambda f: [*f.shape])}:"
    times = f"  x{count}" if count > 1 else ""
    worst = max(failure.p_value for failure in fold.rows)
    sure = "certain" if worst <= 1e-300 else f"p {'<=' if count > 1 else '='} {worst:.1g}"
    lines = [f"{visible(fold.label)}{times}{where} {_all(fold, lambda f: f.text)} ({sure})"]
    if first.planned:
        by = f", by rule {first.rule!r}" if first.rule else ""
        lines.append(f"planned: {_all(fold, lambda f: f.planned)}{by}")
    # Of many the values of some alone are compared with other distributions.
    hints = [failure.hint for failure in fold.rows if failure.hint]
    lines += [spanned(hints, digits=3)] if hints else []
    alike = len({failure.also for failure in fold.rows}) == 1
    whose = "also" if alike else f"also, of {visible(first.name)}"
    lines += [f"{whose}: {'; '.join(first.also)}"] if first.also else []
    return "\n    ".join(lines)


def _all(fold: Fold[Failure], told: Callable[[Failure], object]) -> str:
    return spanned([str(told(failure)) for failure in fold.rows], digits=4)


def failed_tests(
    checked: Sequence[Checked], level: float, others: int = 0
) -> dict[int, list[Test]]:
    """Return the tests that fail by Holm's procedure, by tensor, beside so many ``others``."""
    count = sum(len(c.tests) for c in checked) + others
    # None above the level fails, whatever its rank: most need no place in the order. One that is
    # no number is above nothing, and passes nowhere.
    odd = sorted(
        ((test.p, id(c), test) for c in checked for test in c.tests if not test.p > level),
        key=lambda entry: -1.0 if math.isnan(entry[0]) else entry[0],
    )
    found: dict[int, list[Test]] = {}
    # Holm: the smallest of m p-values is compared with level / m, the next with level / (m - 1);
    # the first that passes ends it. The tests need not be independent.
    for rank, (p, which, test) in enumerate(odd):
        if p > level / (count - rank):
            break
        found.setdefault(which, []).append(test)
    return found


def make_failure(c: Checked, tests: Sequence[Test]) -> Failure:
    """Return one failure for all tests of a tensor that failed."""
    first, *rest = sorted(tests, key=lambda test: _RANKS.get(test.kind, len(_RANKS)))
    step = c.step
    return Failure(
        c.name,
        first.kind,
        first.expected,
        first.seen,
        first.p,
        first.text,
        c.shape,
        planned=c.planned,
        rule=step.rule if step is not None else "",
        names=c.names,
        also=tuple(dict.fromkeys(test.text for test in rest if not kind_of(test.kind).consequence)),
    )
