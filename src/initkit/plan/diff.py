"""What another plan does differently, as text, and side by side as HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..distributions import short
from ..errors import visible
from ..render import (
    Column,
    Fold,
    Line,
    Shown,
    Tone,
    Traits,
    column_html,
    fold_alike,
    format_shape,
    html_page,
    lines_of,
    spanned,
)
from .display import std_of
from .folding import ranged
from .step import Step, changes, changes_beside

_TONES: Final[Mapping[str, Tone]] = {"-": "error", "+": "good", "~": "warning"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: ``-`` only here, ``+`` only there, ``~`` in both, and not the same."""

    sign: Literal["-", "+", "~"]
    name: str
    text: str
    mine: Step | None
    other: Step | None


class Diff(Shown):
    """The differences of two plans; false where there are none.

    ``changes`` holds one a parameter. Printed, like ones are one line; ``show()`` colours them,
    and a page sets the plans side by side.

    >>> from torch import nn
    >>> from initkit import plan_init
    >>> model = nn.Linear(4, 4)
    >>> diff = plan_init(model, {"*": 0}).diff(plan_init(model, {"weight": 1, "bias": 0}))
    >>> bool(diff), [change.name for change in diff.changes]
    (True, ['weight'])
    """

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = tuple(changes)

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __repr__(self) -> str:
        return f"<Diff: {len(self.changes)} differences>"

    @property
    def folds(self) -> list[Fold[Change]]:
        """The lines of the printed diff, each with its ``label``, ``names`` and ``rows``."""
        return fold_alike(self.changes, name=_name, traits=_traits)

    def lines(self, width: int | None = None, *, fold: bool = True) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        folds = self.folds if fold else [Fold.single(c.name, c) for c in self.changes]
        told = [
            line
            for one in folds
            for line in lines_of(visible(_told(one)), _TONES[one.first.sign], width)
        ]
        return told if len(self) == 1 else [*told, *lines_of(self.total, "", width)]

    @property
    def total(self) -> str:
        """How many differences there are."""
        count = len(self.changes)
        return f"{count:,} difference{'s' * (count != 1)}" if count else "no difference"

    def text(self, width: int | None = None, *, fold: bool = True) -> str:
        """Return a line for like differences, or without ``fold`` one each, and their number."""
        return "\n".join(line.text for line in self.lines(width, fold=fold))

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the differences as plain data."""
        return [{"sign": c.sign, "name": c.name, "change": c.text} for c in self.changes]

    def to_html(self, *, whole: bool = True) -> str:
        """Return the two plans side by side: a self-contained document, or a piece of one."""
        table = column_html(_COLUMNS, self.folds, printed=".text(fold=False)")
        return html_page(f"Two plans: {self.total}", [table] if self else [], whole=whole)

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)


def compared(mine: Sequence[Step], other: Sequence[Step]) -> Diff:
    """Return what differs between the steps of two plans."""
    here, there = {s.name: s for s in mine}, {s.name: s for s in other}
    return Diff([*_gone(here, there), *_new(here, there)])


def _gone(here: Mapping[str, Step], there: Mapping[str, Step]) -> Iterator[Change]:
    for name, step in here.items():
        if name not in there:
            yield Change("-", name, step.start, step, None)


def _new(here: Mapping[str, Step], there: Mapping[str, Step]) -> Iterator[Change]:
    for name, step in there.items():
        if name not in here:
            yield Change("+", name, step.start, None, step)
        elif changed := changes(here[name], step):
            yield Change("~", name, ", ".join(changed), here[name], step)


def _name(change: Change) -> str:
    return change.name


def _traits(change: Change) -> Traits:
    return Traits(change.sign, texts=(change.text,))


def _told(fold: Fold[Change]) -> str:
    count = f"  x{len(fold)}" if len(fold) > 1 else ""
    return f"{fold.first.sign} {fold.label}{count}  {ranged([c.text for c in fold.rows])}"


def _side(steps: Sequence[Step | None]) -> str:
    return ranged([f"{s.start}, {format_shape(s.shape)}" if s is not None else "" for s in steps])


def _why(steps: Sequence[Step | None]) -> str:
    """Return the rule that decides how steps start, where one does."""
    first, *others = dict.fromkeys(step.rule if step is not None else "" for step in steps)
    return "" if others else first


def _beside(change: Change) -> str:
    """Return what the two sides do not show: how the std changes, and another dtype or padding."""
    mine, other = change.mine, change.other
    if mine is None or other is None:
        return ""
    one, another = std_of(mine), std_of(other)
    factor = another / one if one and another else 1.0
    told = [f"std x{short(factor)}"] if short(factor) != "1" else []
    return ", ".join([*told, *changes_beside(mine, other)])


_COLUMNS: tuple[Column[Fold[Change]], ...] = (
    Column(
        "name",
        lambda fold: fold.label,
        inside=lambda fold: fold.counted if len(fold) > 1 else (),
        tone=lambda fold: _TONES[fold.first.sign],
    ),
    Column("count", lambda f: f"x{len(f)}" if len(f) > 1 else "", order=lambda f: float(len(f))),
    Column(
        "this plan",
        lambda fold: _side([change.mine for change in fold.rows]),
        under=lambda fold: _why([change.mine for change in fold.rows]),
    ),
    Column(
        "the other",
        lambda fold: _side([change.other for change in fold.rows]),
        under=lambda fold: _why([change.other for change in fold.rows]),
    ),
    Column("change", lambda fold: spanned([_beside(change) for change in fold.rows])),
)
