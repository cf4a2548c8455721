"""A probe as a page: findings, pictures against depth, and a table of points."""

from __future__ import annotations

from collections.abc import Sequence

from ..render import Notes, Picture, Series, Table, column_html, html_page, line_chart, strips
from .histogram import LIMIT
from .laws import Law
from .points import ResidualSum
from .report import Probe, columns, loss_text
from .trunk import Trunk


def probe_page(probe: Probe, *, whole: bool) -> str:
    """Return the page of a probe."""
    notes = [str(f) for f in probe.findings if f.severity != "problem"]
    sections: list[Table | Notes | Picture | str] = [
        probe.verdict,
        Notes([str(f) for f in probe.problems], "Problems", "error"),
        *(loss_text(loss) for loss in probe.losses),
        *pictures(probe),
        Notes(notes, "Notes"),
        column_html(columns(probe.points), probe.points, "Points, in order of execution"),
    ]
    return html_page(f"Signals of {probe.title}", sections, whole=whole)


def pictures(probe: Probe) -> list[Picture]:
    """Return the pictures of a probe: what there is to draw."""
    found = []
    if probe.trunk is not None:
        signal = _along(probe.trunk, probe.trunk.signal, probe.trunk.forward, "signal")
        found.append(Picture(signal, "Signal against depth"))
        if any(g is not None for g in probe.trunk.gradient):
            found.append(Picture(_gradient(probe.trunk), "Gradient against depth"))
    if len(probe.sums) > 1:
        found.append(Picture(_branches(probe.sums), "Residual branches beside the trunk"))
    rows = histogram_rows(probe)
    if rows:
        ends = (f"-{LIMIT:g} rms", f"{LIMIT:g} rms")
        found.append(Picture(strips(rows, x="value", ends=ends), "Histograms"))
    return found


def histogram_rows(probe: Probe) -> list[tuple[str, tuple[float, ...]]]:
    """Return name and histogram of the trunk's points; without a trunk, of those with weights."""
    names = set(probe.trunk.names) if probe.trunk is not None else set()
    chosen = [p for p in probe.points if (p.name in names if names else p.parameters)]
    return [(p.name, p.histogram) for p in chosen if p.histogram]


def _along(trunk: Trunk, values: Sequence[float | None], law: Law | None, what: str) -> str:
    series = [Series(f"rms of the {what}", values, names=trunk.names)]
    if law is not None and len(law.fitted) == len(values):
        series.append(Series(law.kind, law.fitted, ink="two", dashed=True, dots=False))
    return line_chart(series, x="depth", y=f"rms of the {what}")


def _gradient(trunk: Trunk) -> str:
    law = trunk.backward
    series = [Series("rms of the gradient", trunk.gradient, names=trunk.names)]
    if law is not None and len(law.fitted) == len(trunk.gradient):
        # The law counts from the last layer, the picture from the first.
        fitted = law.fitted[::-1]
        series.append(Series(law.kind, fitted, ink="two", dashed=True, dots=False))
    return line_chart(series, x="depth", y="rms of the gradient")


def _branches(sums: Sequence[ResidualSum]) -> str:
    names = [s.name for s in sums]
    return line_chart(
        [
            Series("trunk", [s.trunk for s in sums], names=names),
            Series("branch", [s.branch for s in sums], ink="three", names=names),
        ],
        x="residual sum",
        y="rms",
    )
