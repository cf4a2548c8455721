"""What a check found: failures, and the sentence that sums them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..errors import visible
from ..render import (
    Column,
    Fold,
    Line,
    Mark,
    Notes,
    Picture,
    Section,
    Shown,
    Tone,
    brief_names,
    brief_ranges,
    column_html,
    column_lines,
    format_shape,
    html_page,
    lines_of,
    lines_of_each,
    spanned,
)
from .checked import Checked
from .failures import Failure, failed_tests, kind_of, make_failure, told_together
from .judged import Judged, fold_judged, one_each
from .picture import histograms
from .together import TESTS, Group

_FEW = 12  # parameters that are read at a glance: folding them would only hide names
_FEW_FAILURES = 6  # that are told one by one
_MOST_NAMED = 5  # parameters in the verdict
_MOST_DIAGNOSED = 24  # failures whose values are compared with other distributions


class CheckReport(Shown):
    """What :func:`initkit.check_init` found; true where everything is as planned.

    ``ok`` says whether nothing failed, and ``not_compared`` names the parameters of which nothing
    could tell; ``failures`` holds one :class:`Failure` a parameter;
    ``verdict`` is a sentence; ``trained`` says whether the weights have merely left their start.

    >>> from torch import nn
    >>> report = check_init(nn.Linear(300, 300), {"weight": "normal(std=0.02)", "bias": 0})
    >>> report.ok, report.verdict
    (False, '2 of 2 parameters are not as planned')
    """

    def __init__(
        self,
        checked: Sequence[Checked],
        title: str,
        level: float,
        *,
        groups: Sequence[Group] = (),
        planned: bool = True,
    ) -> None:
        self.title, self.level, self.planned = title, level, planned
        self._checked = tuple(checked)
        self._groups = tuple(groups)
        self.tests = sum(len(c.tests) for c in checked) + TESTS * len(groups)
        self.elements = sum(c.measured.n for c in checked if c.measured is not None)
        self.failures: tuple[Failure, ...] = tuple(self._failures())
        self.trained = False

    def _failures(self) -> list[Failure]:
        several = TESTS * len(self._groups)
        found = failed_tests(self._checked, self.level, several)
        failed = {c.name for c in self._checked if id(c) in found}
        # What is wrong with one is no news of the others. A model as planned loses none here but
        # where it fails already, so that the level holds for both rounds together.
        self._together = tuple(group.checked(failed) for group in self._groups)
        untested = several - sum(len(c.tests) for c in self._together)
        every = (*self._checked, *self._together)
        found = failed_tests(every, self.level, untested)  # by id: `self` keeps all of them alive
        return [make_failure(c, found[id(c)]) for c in every if id(c) in found]

    @property
    def failed(self) -> dict[str, str]:
        """The parameters that fail, by themselves or with others, each with the kind."""
        several = {name: f.kind for f in self.failures for name in f.names}
        return several | {f.name: f.kind for f in self.failures if not f.names}

    def explain(self, hint: Callable[[Checked], str], trained: bool) -> None:
        """Add to the first failures what their values look like."""
        self.trained = trained
        by_name = {c.name: c for c in self._checked}
        self.failures = tuple(
            replace(f, hint=hint(by_name[f.name]))
            if place < _MOST_DIAGNOSED and kind_of(f.kind).diagnosed and not (trained or f.names)
            else f
            for place, f in enumerate(self.failures)
        )

    def release_tensors(self) -> CheckReport:
        """Forget the tensors, and return the report."""
        self._groups = ()
        for c in self._checked:
            # A report may be kept for long, and would keep the whole model in memory.
            c.pieces, c.slot = [], None
        return self

    @property
    def p_value(self) -> float:
        """How probable the smallest p-value of all tests is for a model as planned, at most."""
        return min(
            # Bonferroni: the first step of the procedure by which tests fail.
            (
                min(1.0, t.p * self.tests)
                for c in (*self._checked, *self._together)
                for t in c.tests
            ),
            default=1.0,
        )

    @property
    def not_compared(self) -> tuple[str, ...]:
        """The parameters that have no values to compare theirs with; the rows say why.

        What keeps its value, functions of your own, and weights that nothing tells from what their
        parametrization makes of them. They are looked through for NaN.
        """
        failed = self.failed
        return tuple(
            c.name
            for c in self._checked
            if self.planned and not c.compared and c.name not in failed
        )

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def __bool__(self) -> bool:
        return self.ok

    @property
    def verdict(self) -> str:
        """One sentence that sums it up."""
        count, failed = len(self._checked), len(self.failed)
        if self.trained:
            return (
                f"these weights have left initialisation: {failed:,} of {count:,} parameters have "
                "moved away from the plan, as training moves them. That is no sign that they are "
                "broken; check a model before it is trained"
            )
        if not self.planned:
            wrong = f"{failed:,} of {count:,} parameters are wrong by themselves"
            size = f"{count:,} parameters, {self.elements:,} elements"
            return wrong if failed else f"nothing is wrong by itself: {size}"
        if failed:
            return f"{failed:,} of {count:,} parameters are not as planned"
        return self._passed()

    def _passed(self) -> str:
        """Say what was compared and passed, and what could not be compared."""
        proven = [c for c in self._checked if c.compared]
        left = self.not_compared
        names = ", ".join(left[:_MOST_NAMED]) + (
            f" and {len(left) - _MOST_NAMED:,} more" if left[_MOST_NAMED:] else ""
        )
        if not proven and left:
            return f"nothing was compared with the plan: {names}"
        elements = sum(c.measured.n for c in proven if c.measured is not None)
        size = f"{len(proven):,} parameters, {elements:,} elements"
        passed = f"as planned: {size}, {self.tests:,} tests, false alarm rate {self.level:g}"
        return passed + (f"; not compared: {names}" if left else "")

    @property
    def headers(self) -> tuple[str, ...]:
        """The columns of :attr:`rows`."""
        return tuple(column.header for column in COLUMNS)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """One row of text per parameter."""
        return [tuple(str(c.text(row)) for c in COLUMNS) for row in self._judged()]

    def _judged(self) -> list[Judged]:
        several = {name: f for f in self.failures for name in f.names}
        failed = several | {f.name: f for f in self.failures if not f.names}
        return [
            Judged(c, failed.get(c.name), bool(c.tests) and self.planned) for c in self._checked
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "ok": self.ok,
            "verdict": self.verdict,
            "trained": self.trained,
            "level": self.level,
            "tests": self.tests,
            "not_compared": list(self.not_compared),
            "failures": [failure.to_dict() for failure in self.failures],
            "parameters": [
                dict(zip(self.headers, row, strict=True)) | {"remark": c.remark}
                for row, c in zip(self.rows, self._checked, strict=True)
            ],
        }

    @property
    def folds(self) -> list[Fold[Judged]]:
        """The lines of the printed report, each with its ``label``, ``names`` and ``rows``."""
        judged = self._failing_first()
        return one_each(judged) if len(judged) <= _FEW else fold_judged(judged)

    def failure_texts(self) -> list[str]:
        """Return what is printed of the failures: of a line of the table that fails, one text."""
        if len(self.failures) <= _FEW_FAILURES:
            return list(map(str, self.failures))
        return [
            told_together(Fold(fold.texts, fold.grids, failures))
            for fold in fold_judged(self._failing_first())
            if (failures := tuple(row.failure for row in fold.rows if row.failure is not None))
        ]

    def _failing_first(self) -> list[Judged]:
        return sorted(self._judged(), key=lambda row: row.failure is None)

    def lines(self, width: int | None = None, *, fold: bool = True) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        tone: Tone = "good" if self.ok else "warning" if self.trained else "error"
        failures = self.failure_texts() if fold else self.failures
        return [
            *lines_of(f"{visible(self.title)}: {self.verdict}", tone, width),
            *lines_of_each((f"  ! {f}" for f in failures), tone, width),
            Line(""),
            *self._table(width, fold),
        ]

    def text(self, width: int | None = None, *, fold: bool = True) -> str:
        """Return the report as text that fits into ``width`` columns, where one is given.

        With ``fold=False`` there is a text for each failure and a line for each parameter.
        """
        return "\n".join(line.text for line in self.lines(width, fold=fold))

    def table(self, width: int | None = None, *, fold: bool = True) -> str:
        """Return a line for parameters that are alike, or with ``fold=False`` one for each."""
        return "\n".join(line.text for line in self._table(width, fold))

    def _table(self, width: int | None, fold: bool) -> list[Line]:
        if not fold:
            return column_lines(COLUMNS, self._judged(), width)
        return column_lines(_FOLDED, self.folds, width)

    def __repr__(self) -> str:
        state = "ok" if self.ok else f"{len(self.failures)} failures"
        return f"<CheckReport: {len(self._checked)} parameters, {state}>"

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)

    def to_html(self, *, whole: bool = True) -> str:
        """Return the report as one self-contained HTML page, failures first."""
        sections: list[Section] = [
            self.verdict,
            Notes(self.failure_texts(), "Failures", "warning" if self.trained else "error"),
            *self.pictures(),
            column_html(_FOLDED, self.folds, mark=_mark, printed=".table(fold=False)"),
        ]
        return html_page(f"Check of {self.title}", sections, whole=whole)

    def pictures(self) -> list[Picture]:
        """Return the picture of the page, as SVG: planned densities and measured values.

        Of what failed; where nothing did, of the largest parameter of each distribution.
        """
        failed = self.failed
        return histograms(
            [c for c in self._checked if c.name in failed],
            [c for c in self._checked if c.name not in failed],
        )


COLUMNS: tuple[Column[Judged], ...] = (
    Column("name", lambda row: row.checked.name),
    Column("shape", lambda row: format_shape(row.checked.shape), html_align="r"),
    Column("planned", lambda row: row.checked.planned),
    Column("seen", lambda row: row.checked.summary, order=lambda row: row.std, bar=True),
    Column("min", lambda row: row.spread[0], html_align="r"),
    Column("max", lambda row: row.spread[1], html_align="r"),
    Column("verdict", lambda row: row.verdict, tone=lambda row: "error" if row.failure else ""),
)
"""What a report says of each parameter."""


def _all(told: Callable[[Judged], str], digits: int | None = None) -> Callable[[Fold[Judged]], str]:
    """Return what tells of a line what one tells of each row, with the ranges of its numbers."""
    return lambda fold: spanned([told(row) for row in fold.rows], digits)


def _extreme(fold: Fold[Judged], place: int, choose: Callable[..., str]) -> str:
    found = [text for row in fold.rows if (text := row.spread[place])]
    return choose(found, key=float, default="")


def _verdict(fold: Fold[Judged]) -> str:
    return spanned([row.verdict for row in fold.rows])


def _mark(fold: Fold[Judged]) -> Mark:
    name = fold.first.checked.name
    return Mark(name.rpartition(".")[2], ["failed"] if fold.first.failure else [])


_shapes = _all(lambda row: format_shape(row.checked.shape))

_FOLDED: tuple[Column[Fold[Judged]], ...] = (
    Column(
        "name",
        lambda fold: fold.label,
        inside=lambda fold: fold.counted if len(fold) > 1 else (),
        brief=brief_names,
    ),
    Column("", lambda fold: f"x{len(fold)}" if len(fold) > 1 else "", "r"),
    Column("planned", _all(lambda row: row.checked.planned)),
    Column(
        "seen",
        _all(lambda row: row.checked.spread, digits=3),
        order=lambda fold: fold.first.std,
        bar=True,
    ),
    Column("verdict", _verdict, tone=lambda fold: "error" if fold.first.failure else ""),
    Column(
        "shape",
        lambda fold: brief_ranges(_shapes(fold)),
        hover=lambda fold: whole if (whole := _shapes(fold)).count("..") > 1 else "",
        html_align="r",
        only="html",
    ),
    Column("mean", _all(lambda row: row.checked.mean, digits=3), html_align="r", only="html"),
    Column("min", lambda fold: _extreme(fold, 0, min), html_align="r", only="html"),
    Column("max", lambda fold: _extreme(fold, 1, max), html_align="r", only="html"),
)
"""What a report says of each line, the most important first; a text has those that say most."""
