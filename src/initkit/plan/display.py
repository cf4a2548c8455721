"""Steps of a plan -> a table, totals, and a page of HTML that shows problems first."""

from __future__ import annotations

from collections.abc import Sequence

from ..distributions import short
from ..errors import visible
from ..render import Column, Notes, Table, column_html, column_table, format_shape, html_page
from .step import EMPTY, KEEP, LEFT_OUT, PROTECTED, UNCOVERED, UNEXPLAINED, WRITE, Step

_TOTALS = (
    (WRITE, "to write"),
    (KEEP, "kept by rule"),
    (UNCOVERED, "kept, no rule"),
    (UNEXPLAINED, "kept, not explained"),
    (PROTECTED, "protected"),
    (LEFT_OUT, "not in only"),
    (EMPTY, "without elements"),
)


def _fans(step: Step) -> str:
    return f"{step.fans.fan_in}/{step.fans.fan_out}" if step.fans else ""


def _std(step: Step) -> float | None:
    written = step.distribution is not None and step.status == WRITE
    return step.distribution.std if written and step.distribution is not None else None


def _std_text(step: Step) -> str:
    std = _std(step)
    return "" if std is None else short(std)


def _history(step: Step) -> str:
    return "; ".join(f"{number}. {write}" for number, write in enumerate(step.history, 1))


COLUMNS: tuple[Column[Step], ...] = (
    Column("name", lambda step: step.name),
    Column(
        "shape",
        lambda step: format_shape(step.shape),
        html_align="r",
        order=lambda step: float(step.numel),
    ),
    Column("fan_in/out", _fans, html_align="r"),
    Column("rule", lambda step: step.rule),
    Column(
        "start",
        lambda step: step.start,
        tone=lambda step: "warning" if step.status in (UNCOVERED, UNEXPLAINED) else "",
    ),
    Column("std", _std_text, "r", order=_std, bar=True, only="html"),
    Column("remarks", lambda step: step.remarks, tone=lambda _: "muted"),
    Column("history", _history, tone=lambda _: "muted", only="html"),
)
"""What a plan says of each parameter; a new column of its text and its page is a row here."""


def plan_table(steps: Sequence[Step], width: int | None = None) -> str:
    """Return one aligned line per step; where they need more than ``width``, several."""
    return column_table(COLUMNS, steps, width)


def totals(steps: Sequence[Step], *, done: bool = False) -> list[str]:
    """Return a line for each status that steps have; ``done`` says that they are carried out."""
    lines = []
    for status, what in _TOTALS:
        found = [step for step in steps if step.status == status]
        if found:
            count = sum(step.numel for step in found)
            tensors = "tensor" if len(found) == 1 else "tensors"
            verb = "written" if done and status == WRITE else what
            lines.append(f"{verb}: {len(found):,} {tensors}, {count:,} elements")
    return lines


def plan_page(
    title: str,
    steps: Sequence[Step],
    problems: Sequence[object],
    lines: Sequence[str],
    *,
    whole: bool = False,
) -> str:
    """Return a page of steps: a piece for a notebook, or with ``whole`` a document of its own."""
    uncovered = [
        f"{visible(step.name)} {list(step.shape)}" for step in steps if step.status == UNCOVERED
    ]
    tied = [" = ".join(map(visible, step.names)) for step in steps if len(step.names) > 1]
    sections: list[Notes | Table | str] = [
        Notes([str(problem) for problem in problems], "Problems", "error"),
        Notes(uncovered, "No rule covers", "warning"),
        *lines,
        column_html(COLUMNS, steps, "Parameters"),
        Notes(tied, "Tied: one memory under several names"),  # notes without lines leave no trace
    ]
    return html_page(title, sections, whole=whole)
