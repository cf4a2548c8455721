"""What a calibration found: factors, and the plan that they make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..distributions import short
from ..files import write_text
from ..numbers import Value, frozen
from ..plan import Plan, plain_data
from ..render import (
    Column,
    Line,
    Section,
    Shown,
    column_html,
    column_lines,
    html_page,
    lines_of,
)


@frozen(kw_only=True)
class Calibration(Shown, Value):
    """Factors of weights, and what they do.

    ``factors`` by the weights' first names; ``before`` and ``after`` are the stds of their outputs,
    over all uses; ``skipped`` says why others were left alone. ``plan`` has its laws multiplied by
    the factors, and gives the calibrated values with ``seed``, here, elsewhere or sharded, without
    the data; it is None where there were no rules. ``converged`` says whether all stds are on
    target after ``passes`` forwards.

    >>> import torch
    >>> from torch import nn
    >>> from initkit import calibrate_init
    >>> found = calibrate_init(nn.Linear(9, 9, bias=False), None, torch.randn(99, 9))
    >>> list(found.factors), found.plan, found.passes
    (['weight'], None, 2)
    """

    factors: Mapping[str, float]
    before: Mapping[str, float]
    after: Mapping[str, float]
    skipped: Mapping[str, str]
    passes: int
    converged: bool
    seed: int | None
    plan: Plan | None

    @property
    def verdict(self) -> str:
        """One sentence that sums it up."""
        state = "on target" if self.converged else "NOT all on target"
        layers = f"{len(self.factors)} layer{'s' * (len(self.factors) != 1)}"
        return f"{layers} {state} after {self.passes} passes, {len(self.skipped)} left alone"

    def __bool__(self) -> bool:
        return self.converged

    def lines(self, width: int | None = None) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        head = lines_of(self.verdict, "good" if self.converged else "warning", width)
        return [*head, Line(""), *column_lines(_COLUMNS, self._rows(), width)]

    def _rows(self) -> list[_Row]:
        scaled = [
            (n, short(f), short(self.before[n]), short(self.after[n]), "")
            for n, f in self.factors.items()
        ]
        return scaled + [(n, "", "", "", reason) for n, reason in self.skipped.items()]

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as plain data."""
        names = ("factors", "before", "after", "skipped")
        data: dict[str, Any] = {name: dict(getattr(self, name)) for name in names}
        data |= {"passes": self.passes, "converged": self.converged, "seed": self.seed}
        found: dict[str, Any] = plain_data(data)
        return found

    def to_html(self, *, whole: bool = True) -> str:
        """Return the calibration as one self-contained HTML page."""
        sections: list[Section] = [self.verdict, column_html(_COLUMNS, self._rows())]
        return html_page("Calibration", sections, whole=whole)

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON, which ``Plan.from_json`` reads; without rules, the factors."""
        text = (
            self.plan.to_json() if self.plan is not None else json.dumps(self.to_dict(), indent=1)
        )
        write_text(path, text)


_Row = tuple[str, str, str, str, str]
_COLUMNS: tuple[Column[_Row], ...] = (
    Column("name", lambda row: row[0]),
    Column("factor", lambda row: row[1], "r"),
    Column("std before", lambda row: row[2], "r"),
    Column("std after", lambda row: row[3], "r"),
    Column("left alone", lambda row: row[4]),
)
