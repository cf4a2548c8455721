"""One step of a plan: what happens to one piece of memory, as a value that says so in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

import torch

from ..distributions import Distribution, Rows, from_dict, told_apart
from ..errors import Correction, OptionError, TargetError
from ..model import Slot
from ..numbers import Fans
from ..python_text import Code
from ..spelling import clearly_nearest
from ..ties import TieKind
from .history import Write

Padding: TypeAlias = "int | tuple[int, ...] | None"
"""The row that ends zero, or several: of embeddings over one memory each may have one."""
# A rule writes it, a rule keeps it, no rule matches, a recording does not know what its model's
# code drew, `only` or `protect` leaves it out, or it has no elements. The texts are part of saved
# plans.
Status: TypeAlias = Literal[
    "write", "keep", "uncovered", "unexplained", "not in only", "protected", "empty"
]
WRITE: Final = "write"
KEEP: Final = "keep"
UNCOVERED: Final = "uncovered"
UNEXPLAINED: Final = "unexplained"
LEFT_OUT: Final = "not in only"
PROTECTED: Final = "protected"
EMPTY: Final = "empty"


@dataclass(slots=True)  # made by the thousand: frozen would cost as much as planning
class Step:
    """What happens to one piece of memory.

    ``names`` are all its names, ``seed_name`` the one that its numbers depend on, ``status`` one of
    ``write``, ``keep``, ``uncovered``, ``unexplained``, ``not in only``, ``protected`` and
    ``empty``, ``padding`` the row that ends zero (several where embeddings over one memory have
    their own), ``tie_kind`` that of the group that its names form, if they are several.
    ``history`` are the writes that a recorded model's code made, in order; ``classes`` the names of
    the class of the module that the rule matched, and of those it is made of; no file keeps them.

    >>> from torch import nn
    >>> step = plan_init(nn.Linear(3, 4), {"weight": "xavier_normal", "bias": 0})["weight"]
    >>> step.shape, step.rule, step.start
    ((4, 3), 'weight', 'N(0, 0.5345)')
    """

    names: tuple[str, ...]
    seed_name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    status: Status
    distribution: Distribution | None = None
    scheme: str = ""
    rule: str = ""
    fans: Fans | None = None
    fans_from: str = ""
    padding: Padding = None
    note: str = ""
    frozen: bool = False
    tie_kind: TieKind | Literal[""] = ""
    history: tuple[Write, ...] = ()
    classes: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def name(self) -> str:
        """The first name; of overlaps and views the one that it is written through."""
        return self.names[0]

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def rows(self) -> Rows | None:
        """The rows that are written, where the others keep their values; None for all."""
        return self.distribution if isinstance(self.distribution, Rows) else None

    @property
    def elements(self) -> int:
        """The number of elements that are written, where any are."""
        return self.numel if self.rows is None else self.rows.elements

    @property
    def padding_rows(self) -> tuple[int, ...]:
        """The rows that end zero; in a view, or an overlap, those of the names that have them."""
        if self.padding is None:
            return ()
        return (self.padding,) if isinstance(self.padding, int) else self.padding

    @property
    def padding_text(self) -> str:
        """The rows that end zero, in words; nothing where there is none."""
        rows = ", ".join(map(str, self.padding_rows))
        return f"row{'s' * (len(self.padding_rows) > 1)} {rows}" if rows else ""

    def renamed(self, names: tuple[str, ...], seed_name: str) -> Step:
        """Return the same step of another tensor, which is alike in all but its names."""
        # Spelt out, since most steps are made here: `dataclasses.replace` takes four times as long.
        # In the order of the fields, without ``tie_kind`` and ``history``: only what is tied to
        # nothing is alike, and only what rules decide.
        return Step(
            names,
            seed_name,
            self.shape,
            self.dtype,
            self.status,
            self.distribution,
            self.scheme,
            self.rule,
            self.fans,
            self.fans_from,
            self.padding,
            self.note,
            self.frozen,
            classes=self.classes,
        )

    def scaled(self, name: str, factor: float) -> Step:
        """Return the step with its law multiplied; ``name`` is what errors call it."""
        if self.status not in (WRITE, EMPTY) or self.distribution is None:
            raise TargetError(f"the plan does not write {name!r}, and cannot scale it")
        if not math.isfinite(factor):
            raise OptionError(f"the factor of {name!r} is a number, not {factor!r}")
        if not self.distribution.known:
            raise OptionError(f"{name!r} is started by a function of yours; scale it there")
        return replace(self, distribution=self.distribution.scaled(factor))

    @property
    def misfit(self) -> str:
        """Why no tensor of this shape can be written so, or nothing."""
        if self.distribution is None or self.status not in (WRITE, EMPTY):
            return ""
        if text := self.distribution.misfit(self.shape):
            return f"{self.distribution} cannot start the shape {list(self.shape)}: {text}"
        if not self.distribution.settled:
            return f"{self.distribution}, of which the plan does not know how it starts"
        return ""

    @property
    def start(self) -> str:
        """How the parameter starts, as the plan prints it."""
        if self.status == WRITE and self.distribution is None:
            return "cannot start"
        if self.distribution is None or self.status not in (WRITE, EMPTY):
            kept = {UNCOVERED: "keeps its value (no rule)", UNEXPLAINED: "not explained"}
            return kept.get(self.status, self.status)
        return self.distribution.describe()

    @property
    def remarks(self) -> str:
        """All that a reader should know besides: ties, padding, notes."""
        parts = [f"= {name}" for name in self.names[1:4]]
        if len(self.names) > 4:
            parts.append(f"and {len(self.names) - 4} more names")
        return ", ".join([*parts, *filter(None, [self.own_remarks])])

    @property
    def own_remarks(self) -> str:
        """What a reader should know besides the other names."""
        parts = []
        if self.tie_kind and self.tie_kind not in ("module", "parameter"):
            parts.append(f"tied by {self.tie_kind}")
        if self.padding is not None and self.status == WRITE:
            whose = " of the embedding" if self.tie_kind in ("view", "overlap") else ""
            parts.append(f"{self.padding_text}{whose} zero (padding)")
        parts += [self.note] if self.note else []
        parts += ["frozen"] if self.frozen else []
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the step as plain data."""
        history = {"history": [write.to_dict() for write in self.history]} if self.history else {}
        return {
            "names": list(self.names),
            "seed_name": self.seed_name,
            "shape": list(self.shape),
            "dtype": str(self.dtype).removeprefix("torch."),
            "status": self.status,
            "distribution": self.distribution and self.distribution.sealed().to_dict(),
            "scheme": self.scheme,
            "rule": self.rule,
            "fans": [self.fans.fan_in, self.fans.fan_out] if self.fans else None,
            "fans_from": self.fans_from,
            "padding": list(self.padding) if isinstance(self.padding, tuple) else self.padding,
            "note": self.note,
            "frozen": self.frozen,
            "tie_kind": self.tie_kind,
            **history,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Step:
        """Return the step that :meth:`to_dict` wrote."""
        return cls(
            **{
                **data,
                "names": tuple(data["names"]),
                "shape": tuple(data["shape"]),
                "padding": tuple(rows) if isinstance(rows := data["padding"], list) else rows,
                "dtype": getattr(torch, data["dtype"]),
                "distribution": from_dict(data["distribution"], tuple(data["shape"]))
                if data["distribution"] is not None
                else None,
                "fans": Fans(*data["fans"]) if data["fans"] else None,
                "history": tuple(map(Write.from_dict, data.get("history", ()))),
            }
        )


def _starts_apart(mine: Step, other: Step) -> str:
    """Return how two steps start, in as many digits as make them differ."""
    one, another = told_apart(lambda: [mine.start, other.start])
    if one == another:  # in what no plan prints
        one, another = repr(mine.distribution), repr(other.distribution)
    return f"{one} -> {another}"


def changes(mine: Step, other: Step) -> list[str]:
    """Return what ``other`` does differently to the same parameter; nothing where all is alike."""
    parts = []
    if mine.shape != other.shape:
        parts.append(f"shape {list(mine.shape)} -> {list(other.shape)}")
    if (
        mine.start != other.start
        or mine.distribution != other.distribution
        or mine.status != other.status
    ):
        parts.append(_starts_apart(mine, other))
    return [*parts, *changes_beside(mine, other)]


def changes_beside(mine: Step, other: Step) -> list[str]:
    """Return what ``other`` has otherwise but for its shape and how it starts."""
    parts = []
    if mine.dtype != other.dtype:
        names = (str(step.dtype).removeprefix("torch.") for step in (mine, other))
        parts.append(f"dtype {' -> '.join(names)}")
    if mine.frozen != other.frozen:
        parts.append("frozen" if other.frozen else "no longer frozen")
    if mine.padding != other.padding:
        parts.append(f"padding row {mine.padding} -> {other.padding}")
    if sorted(mine.names) != sorted(other.names):
        parts.append(f"names {', '.join(mine.names)} -> {', '.join(other.names)}")
    return parts


def step_named(name: str, steps: Sequence[Step], of: str = "") -> Step:
    """Return the step of a parameter, by any of its names; raises :class:`TargetError`.

    ``of`` is what the user may have looked it up in, to be shown as written and mended.
    """
    for step in steps:
        if name in step.names:
            return step
    names = [one for step in steps for one in step.names]
    error = TargetError(f"the plan has no parameter {name!r}").or_rather(name, names)
    if of and (meant := clearly_nearest(name, names)) is not None:
        error.shown = Correction(Code(f"{of}[{name!r}]"), Code(f"{of}[{meant!r}]"))
    raise error


def distributions_of(steps: Iterable[Step]) -> list[Distribution]:
    """Return the distributions of steps, each object once: like parameters share one."""
    found = {id(step.distribution): step.distribution for step in steps}
    return [distribution for distribution in found.values() if distribution is not None]


@dataclass(eq=False, slots=True)  # made by the thousand: frozen would cost as much as planning
class Target:
    """The memory of one step: its slots, the one to write through, and those with a padding row."""

    slots: tuple[Slot, ...]
    writer: Slot
    padded: tuple[tuple[Slot, int], ...] = ()
