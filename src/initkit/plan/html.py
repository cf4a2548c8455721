"""Steps of a plan -> one page of HTML: problems first, then a table that sorts and searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..distributions import Distribution, short
from ..numbers import Fans
from ..render import Cell, Notes, Table, bars, html_page


class Shown(Protocol):
    """What a page shows of a step."""

    names: tuple[str, ...]
    shape: tuple[int, ...]
    distribution: Distribution | None
    rule: str
    fans: Fans | None
    status: str

    @property
    def numel(self) -> int:
        """The number of elements."""

    @property
    def start(self) -> str:
        """How the parameter starts."""

    @property
    def remarks(self) -> str:
        """What a reader should know besides."""


def plan_page(
    title: str,
    steps: Sequence[Shown],
    problems: Sequence[object],
    notes: Sequence[str],
    *,
    whole: bool = False,
) -> str:
    """Return a page of steps: a piece for a notebook, or with ``whole`` a document of its own."""
    sections: list[Notes | Table | str] = []
    if problems:
        sections.append(Notes([str(p) for p in problems], "Problems", "error"))
    uncovered = [f"{s.names[0]} {list(s.shape)}" for s in steps if s.status == "uncovered"]
    if uncovered:
        sections.append(Notes(uncovered, "No rule covers", "warning"))
    sections += [*notes, _table(steps)]
    tied = [" = ".join(s.names) for s in steps if len(s.names) > 1]
    if tied:
        sections.append(Notes(tied, "Tied: one memory under several names"))
    return html_page(title, sections, whole=whole)


def _table(steps: Sequence[Shown]) -> Table:
    stds = [
        s.distribution.std if s.distribution is not None and s.status == "write" else None
        for s in steps
    ]
    rows = [
        (
            Cell(step.names[0]),
            Cell("x".join(map(str, step.shape)) or "scalar", order=float(step.numel)),
            f"{step.fans.fan_in}/{step.fans.fan_out}" if step.fans else "",
            step.rule,
            Cell(step.start, tone="warning" if step.status == "uncovered" else ""),
            Cell("" if std is None else short(std), bar=bar, order=std),
            Cell(step.remarks, tone="muted"),
        )
        for step, std, bar in zip(steps, stds, bars(stds), strict=True)
    ]
    headers = ("name", "shape", "fan_in/out", "rule", "start", "std", "remarks")
    width = len(headers) if any(step.remarks for step in steps) else len(headers) - 1
    return Table(headers[:width], [row[:width] for row in rows], "lrrllrl"[:width], "Parameters")
