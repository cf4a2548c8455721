"""Two probes side by side: before and after."""

from __future__ import annotations

from typing import Any

from ..distributions import short
from ..render import (
    Column,
    Line,
    Notes,
    Picture,
    Section,
    Series,
    Shown,
    Tone,
    column_html,
    column_lines,
    html_page,
    line_chart,
    lines_of,
)
from ..wording import checks_calls
from .findings import Finding
from .points import Point
from .report import Probe

_Pair = tuple[str, Point | None, Point | None]


@checks_calls
def compare(before: Probe, after: Probe) -> Comparison:
    """Put two probes side by side: point by point, and finding by finding.

    >>> import torch
    >>> from torch import nn
    >>> from initkit import probe_init
    >>> model, x = nn.Linear(4, 4, bias=False), torch.ones(2, 4)
    >>> one, two = (probe_init(model, x, rules={"*": value}) for value in (0.25, 0.5))
    >>> print(compare(one, two))
    Linear: no problem -> no problem
    <BLANKLINE>
    name     rms before  rms after  ratio  gradient before  gradient after
    -------  ----------  ---------  -----  ---------------  --------------
    (model)           1          2      2                1               1
    """
    return Comparison(before, after)


class Comparison(Shown):
    """Two probes side by side; true where the second has no problem.

    ``gone`` are the problems that the first has alone, ``new`` those that the second has alone.
    """

    def __init__(self, before: Probe, after: Probe) -> None:
        self.before, self.after = before, after

    @property
    def gone(self) -> tuple[Finding, ...]:
        """The problems that only the first probe has."""
        return _without(self.before, self.after)

    @property
    def new(self) -> tuple[Finding, ...]:
        """The problems that only the second probe has."""
        return _without(self.after, self.before)

    def __bool__(self) -> bool:
        return self.after.ok

    @property
    def verdict(self) -> str:
        """One sentence that sums it up."""
        ends = [p.verdict.partition(":")[0] for p in (self.before, self.after)]
        return f"{self.after.title}: {ends[0]} -> {ends[1]}"

    def _pairs(self) -> list[_Pair]:
        one, two = (
            {(p.name, p.call): p for p in probe.points} for probe in (self.before, self.after)
        )
        return [(name, one.get((name, call)), two.get((name, call))) for name, call in one | two]

    def lines(self, width: int | None = None) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        told: list[tuple[str, Tone]] = [(self.verdict, "good" if self else "error")]
        told += [(f"  - {finding}", "good") for finding in self.gone]
        told += [(f"  + {finding}", "error") for finding in self.new]
        lines = [line for text, tone in told for line in lines_of(text, tone, width)]
        return [*lines, Line(""), *column_lines(_COLUMNS, self._pairs(), width)]

    def to_dict(self) -> dict[str, Any]:
        """Return both probes as plain data."""
        return {"before": self.before.to_dict(), "after": self.after.to_dict()}

    def to_html(self, *, whole: bool = True) -> str:
        """Return the comparison as one self-contained HTML page, with one picture of both."""
        sections: list[Section] = [
            self.verdict,
            Notes([str(f) for f in self.new], "New problems", "error"),
            *self.pictures(),
            Notes([str(f) for f in self.gone], "Problems that are gone"),
            column_html(_COLUMNS, self._pairs()),
        ]
        return html_page(f"Signals of {self.after.title}", sections, whole=whole)

    def pictures(self) -> list[Picture]:
        """Return both trunks in one picture each of signal and gradient, as SVG."""
        one, two = self.before.trunk, self.after.trunk
        if one is None or two is None:
            return []
        signal = [
            Series("before", one.signal, ink="two", names=one.names),
            Series("after", two.signal, names=two.names),
        ]
        gradient = [
            Series("before", one.gradient, ink="two", names=one.names),
            Series("after", two.gradient, names=two.names),
        ]
        return [
            Picture(line_chart(signal, x="depth", y="rms"), "Signal against depth"),
            Picture(line_chart(gradient, x="depth", y="rms"), "Gradient against depth"),
        ]

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)

    def __repr__(self) -> str:
        return f"<Comparison: {self.verdict}>"


def _without(one: Probe, other: Probe) -> tuple[Finding, ...]:
    known = {(f.kind, f.name) for f in other.problems}
    return tuple(f for f in one.problems if (f.kind, f.name) not in known)


def _number(value: float | None) -> str:
    return "" if value is None else short(value)


def _ratio(pair: _Pair) -> float | None:
    _, one, two = pair
    return two.rms / one.rms if one is not None and two is not None and one.rms else None


_COLUMNS: tuple[Column[_Pair], ...] = (
    Column("name", lambda pair: pair[0] or "(model)"),
    Column("rms before", lambda pair: _number(pair[1].rms if pair[1] else None), "r"),
    Column("rms after", lambda pair: _number(pair[2].rms if pair[2] else None), "r"),
    Column("ratio", lambda pair: _number(_ratio(pair)), "r", order=_ratio),
    Column("gradient before", lambda pair: _number(pair[1].gradient if pair[1] else None), "r"),
    Column("gradient after", lambda pair: _number(pair[2].gradient if pair[2] else None), "r"),
)
