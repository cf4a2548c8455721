"""What a probe found, as text, data, HTML and pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..distributions import short
from ..errors import TargetError
from ..plan import plain_data
from ..render import (
    Column,
    Line,
    Picture,
    Shown,
    Tone,
    column_lines,
    column_table,
    format_shape,
    lines_of,
)
from ..rules import Recipe, Rules
from ..spelling import did_you_mean
from .findings import Finding
from .laws import Law
from .points import (
    Activation,
    Attention,
    LossValue,
    ParameterSignal,
    Point,
    ResidualSum,
    Seen,
)
from .trunk import Trunk

_BARS = "▁▂▃▄▅▆▇█"
_MANY = 60  # points, above which text shows those with weights, of the trunk, and of findings


class Probe(Shown):
    """What one forward and one backward showed; true where nothing is a problem.

    ``points`` are in order of execution, ``findings`` problems first; ``parameters``,
    ``activations``, ``attention``, ``sums`` and ``losses`` hold what was measured of each;
    ``trunk`` has the laws that signal and gradient follow with depth, and ``steps`` the gradient by
    time step.

    >>> import torch
    >>> from torch import nn
    >>> from initkit import probe_init
    >>> model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Tanh())
    >>> probe = probe_init(model, torch.ones(2, 4), rules={"*": 0.25})
    >>> [(point.name, point.kind, point.rms) for point in probe.points[:1]]
    [('0', 'Linear', 1.0)]
    """

    def __init__(
        self,
        seen: Seen,
        parameters: Sequence[ParameterSignal],
        trunk: Trunk | None,
        findings: Sequence[Finding],
        *,
        title: str = "",
        mode: str = "",
        rules: Rules | None = None,
    ) -> None:
        self.points: tuple[Point, ...] = tuple(seen.points)
        self.activations: tuple[Activation, ...] = tuple(seen.activations)
        self.attention: tuple[Attention, ...] = tuple(seen.attention)
        self.sums: tuple[ResidualSum, ...] = tuple(seen.sums)
        self.losses: tuple[LossValue, ...] = tuple(seen.losses)
        self.steps: dict[str, tuple[float, ...]] = {k: tuple(v) for k, v in seen.steps.items()}
        self.parameters, self.trunk, self.findings = tuple(parameters), trunk, tuple(findings)
        self.title, self.mode, self._rules = title, mode, rules

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that are problems."""
        return tuple(f for f in self.findings if f.severity == "problem")

    @property
    def ok(self) -> bool:
        """Whether nothing is a problem."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, name: str) -> Point:
        """Return the first point of a name."""
        for point in self.points:
            if point.name == name:
                return point
        hint = did_you_mean(name, {p.name for p in self.points})
        raise TargetError(f"the probe has no point {name!r}{hint}")

    def suggest(self) -> Rules:
        """Return rules that `plan_init` reads: the remedies of all problems, then what was planned.

        >>> import torch
        >>> from torch import nn
        >>> from initkit import plan_init, probe_init
        >>> model = nn.Sequential(nn.Linear(64, 64), nn.Sigmoid())
        >>> probe = probe_init(model, torch.randn(8, 64), rules={"*.bias": 20, "*.weight": 0.01})
        >>> probe.suggest()[0]
        {'0.bias': 0}
        """
        table: dict[Any, Any] = {}
        for finding in self.problems:
            for name, value in finding.rules:
                table.setdefault(name, value)
        if not table:
            return [{"*": "keep"} if self._rules is None else self._rules]
        if all(p.name in table for p in self.parameters):
            return [table]
        if self._rules is None:
            return [table, {"*": "keep"}]
        # As a recipe's, so that those which the remedies shadow may decide nothing.
        return [table, Recipe("before", rules=self._rules)]

    # ---- text and data

    @property
    def verdict(self) -> str:
        """One sentence that sums it up."""
        count = len(self.problems)
        size = f"{len(self.points):,} points, {self.mode} mode"
        if not count:
            return f"no problem: {size}"
        return f"{count} problem{'s' * (count > 1)}: {size}"

    def lines(self, width: int | None = None) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        tone: Tone = "error" if self.problems else "good"
        told: list[tuple[str, Tone]] = [(f"{self.title}: {self.verdict}", tone)]
        for found in self.findings:
            problem = found.severity == "problem"
            told.append((f"  {'!' if problem else '-'} {found}", "error" if problem else ""))
        told += [(line, "") for line in self._trunk_lines()]
        told += [(loss_text(loss), "") for loss in self.losses]
        lines = [line for text, tone in told for line in lines_of(text, tone, width)]
        return [*lines, Line(""), *column_lines(columns(self.points), self._shown(False), width)]

    def table(self, width: int | None = None, *, all_points: bool = False) -> str:
        """Return one line a point; of many, of those with weights, the trunk's and findings'."""
        return column_table(columns(self.points), self._shown(all_points), width)

    def _shown(self, all_points: bool) -> list[Point]:
        if all_points or len(self.points) <= _MANY:
            return list(self.points)
        names = {f.name for f in self.findings} | set(self.trunk.names if self.trunk else ())
        return [p for p in self.points if p.parameters or p.name in names]

    def _trunk_lines(self) -> list[str]:
        if self.trunk is None:
            return []
        lines = [f"trunk, {len(self.trunk.names)} deep: {sparkline(self.trunk.signal)}"]
        if self.trunk.forward is not None:
            lines.append(f"  signal {self.trunk.forward}")
        if self.trunk.backward is not None:
            lines.append(f"  gradient, from the last to the first {self.trunk.backward}")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the probe as plain data."""
        trunk = self.trunk
        data = {
            "title": self.title,
            "ok": self.ok,
            "mode": self.mode,
            "findings": [f.to_dict() for f in self.findings],
            "trunk": None
            if trunk is None
            else {
                "names": list(trunk.names),
                "signal": list(trunk.signal),
                "gradient": list(trunk.gradient),
                "forward": _law(trunk.forward),
                "backward": _law(trunk.backward),
            },
            "points": [_point(p) for p in self.points],
            "parameters": [asdict(p) | {"ratio": p.ratio} for p in self.parameters],
            "steps": {name: list(values) for name, values in self.steps.items()},
        }
        for key in ("activations", "attention", "sums", "losses"):
            data[key] = [asdict(one) for one in getattr(self, key)]
        found: dict[str, Any] = plain_data(data)
        return found

    def to_html(self, *, whole: bool = True) -> str:
        """Return the probe as one self-contained HTML page: findings, pictures, points."""
        from .pictures import probe_page

        return probe_page(self, whole=whole)

    def pictures(self) -> list[Picture]:
        """Return the pictures of the page, as SVG."""
        from .pictures import pictures

        return pictures(self)

    def plot(self) -> Any:
        """Return a figure of matplotlib: signal and gradient against depth, branches, histograms.

        Raises :class:`OptionError` where matplotlib is not installed (the extra ``plots``).
        """
        from .plots import plot_probe

        return plot_probe(self)

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)

    def __repr__(self) -> str:
        state = "ok" if self.ok else f"{len(self.problems)} problems"
        return f"<Probe of {self.title}: {len(self.points)} points, {state}>"


def columns(points: Sequence[Point]) -> tuple[Column[Point], ...]:
    """Return what a table says of each point, in text and on a page."""
    logs = _logs([p.rms for p in points])
    # By id: the points outlive it.
    bars = {id(p): _bar(log, logs) for p, log in zip(points, logs, strict=True)}
    return (
        Column("name", _label),
        Column("kind", lambda p: p.kind),
        Column("shape", lambda p: format_shape(p.shape), html_align="r"),
        Column("rms", lambda p: short(p.rms), "r", order=lambda p: p.rms),
        Column("", lambda p: bars[id(p)], only="text"),
        Column("mean", lambda p: short(p.mean), "r", order=lambda p: p.mean),
        Column("peak", lambda p: short(p.peak), "r", order=lambda p: p.peak, only="html"),
        Column("alike", lambda p: _digits(p.alike), "r", order=lambda p: p.alike),
        Column("gradient", lambda p: _digits(p.gradient), "r", order=lambda p: p.gradient),
        Column("not finite", lambda p: f"{p.nonfinite:.2%}" if p.nonfinite else "", "r"),
    )


def sparkline(values: Sequence[float]) -> str:
    """Draw positive numbers as bars, by their logarithms.

    >>> sparkline([1, 10, 100, 1000])
    '▁▃▆█'
    """
    logs = _logs(values)
    return "".join(_bar(log, logs) for log in logs)


def _logs(values: Sequence[float]) -> list[float | None]:
    return [math.log(v) if 0 < v < math.inf else None for v in values]


def _bar(log: float | None, logs: Sequence[float | None]) -> str:
    held = [one for one in logs if one is not None]
    if log is None or not held:
        return "·"
    low, high = min(held), max(held)
    # Within a factor of two all is level: small differences would look like mountains.
    span = max(high - low, math.log(2))
    return _BARS[round((log - low) / span * (len(_BARS) - 1))]


def _label(p: Point) -> str:
    call = f", call {p.call}" if p.call > 1 else ""
    return f"{p.name or '(model)'}{call}"


def _digits(number: float | None) -> str:
    return "" if number is None else short(number)


def loss_text(loss: LossValue) -> str:
    """Say what a loss is beside the value of knowing nothing."""
    nothing = f"ln {loss.classes}" if loss.classes else "knowing nothing"
    return f"{loss.kind} at {loss.name}: {loss.value:.4g}, and {nothing} is {loss.nothing:.4g}"


def _law(law: Law | None) -> dict[str, Any] | None:
    return None if law is None else {**asdict(law), "ratio": law.ratio}


def _point(p: Point) -> dict[str, Any]:
    data: dict[str, Any] = asdict(p)
    moments: dict[str, Any] = data.pop("moments")
    return data | moments
