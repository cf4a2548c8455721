"""``coordinate_check``: whether activations keep their size as the width grows, step by step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..distributions import short
from ..errors import OptionError
from ..model import Call, ModuleCalls, module_names
from ..numbers import Value, frozen
from ..render import (
    Column,
    Line,
    Picture,
    Section,
    Series,
    Shown,
    column_html,
    column_lines,
    html_page,
    line_chart,
    lines_of,
)
from ..wording import checks_calls
from .tracer import first_tensor

LIMIT = 0.1
"""How far from 0 a slope may be; a convention."""


@frozen
class Slope(Value):
    """How one layer's output depends on width after some steps.

    ``size`` is the slope of log mean ``|x|`` against log width, ``change`` that of log mean
    ``|x - x_0|``, None before the first step. ``verdict`` is "" where both are close enough to 0.
    """

    name: str
    step: int
    size: float
    change: float | None
    verdict: str


@checks_calls
def coordinate_check(
    build: Callable[[int], nn.Module],
    widths: Iterable[int],
    batch: Any,
    *,
    loss: Callable[[Any], Tensor],
    optimizer: Callable[[nn.Module], torch.optim.Optimizer],
    steps: int = 3,
    seeds: int = 1,
) -> Coordinates:
    """Train models of several widths for some steps, and see whether activations depend on width.

    ``build`` makes a model of a width, ``batch`` is what it is called with (a tuple of arguments, a
    dict of keyword arguments, or the one argument), ``loss`` a function of its output and
    ``optimizer`` one of the model. Each width is built and trained under ``seeds`` seeds of torch's
    global generator, which is put back. Outputs of the first step are kept for comparison.

    Raises :class:`OptionError` for fewer than two widths, and where models have other layers.

    The check is that of Yang et al., "Tensor Programs V" (2022), with slopes and a verdict in
    place of plots to be judged by eye.

    >>> x = torch.randn(16, 8)
    >>> def build(width):
    ...     return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 1))
    >>> found = coordinate_check(
    ...     build, [64, 128, 256], x,
    ...     loss=lambda y: y.square().mean(),
    ...     optimizer=lambda model: torch.optim.Adam(model.parameters(), lr=0.01),
    ... )
    >>> found.ok, found.worst.name
    (False, '2')
    """
    sizes = sorted(set(widths))
    if len(sizes) < 2:
        raise OptionError(f"widths needs at least two, not {sizes!r}", option="widths")
    if steps < 0 or seeds < 1:
        raise OptionError("steps is at least 0 and seeds at least 1", option="steps")
    logs: dict[tuple[str, int, str], dict[int, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for seed in range(seeds):
        for width in sizes:
            with torch.random.fork_rng(), torch.enable_grad():
                torch.manual_seed(seed)
                model = build(width)
                run = _Run(model, batch, loss, optimizer(model))
                for key, value in run.measured(steps):
                    logs[key][width].append(math.log(value) if value > 0 else -math.inf)
    for (name, step, _), by_width in logs.items():
        if len(by_width) < len(sizes):
            raise OptionError(
                f"{name!r} is not in every model at step {step}; build must make the same layers "
                "at every width",
                option="build",
            )
    return Coordinates(_slopes(logs), tuple(sizes), _means(logs))


_Logs = Mapping[tuple[str, int, str], Mapping[int, list[float]]]


def _means(logs: _Logs) -> dict[tuple[str, int, str], tuple[float, ...]]:
    return {
        key: tuple(math.exp(sum(v) / len(v)) for _, v in sorted(by_width.items()))
        for key, by_width in logs.items()
    }


def _slopes(logs: _Logs) -> tuple[Slope, ...]:
    slopes = {key: _slope(by_width) for key, by_width in logs.items()}
    return tuple(
        Slope(name, step, size, change, _verdict(size, change))
        for (name, step, what), size in slopes.items()
        if what == "size"
        for change in [slopes.get((name, step, "change"))]
    )


def _slope(by_width: Mapping[int, list[float]]) -> float:
    xs = [math.log(w) for w, values in by_width.items() for _ in values]
    ys = [y for values in by_width.values() for y in values]
    if not all(map(math.isfinite, ys)):  # zero at the start: nothing to depend on width
        return 0.0 if not any(map(math.isfinite, ys)) else math.nan
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((a - x) ** 2 for a in xs)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / spread


def _verdict(size: float, change: float | None) -> str:
    if change is None:
        if size < -LIMIT:
            return "shrinks at the start, as an output may"
        return "grows with width" if size > LIMIT or math.isnan(size) else ""
    if change > LIMIT or math.isnan(change):
        return "its change grows with width"
    if change < -LIMIT:
        return "its change shrinks with width"
    return ""


class _Run:
    """One model of one width, trained for some steps."""

    def __init__(
        self,
        model: nn.Module,
        batch: Any,
        loss: Callable[[Any], Tensor],
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.args = (
            batch if isinstance(batch, tuple) else () if isinstance(batch, dict) else (batch,)
        )
        self.kwargs = batch if isinstance(batch, dict) else {}
        self.calls = ModuleCalls(module_names(model))
        self.start: dict[tuple[str, int], Tensor] = {}
        self.found: dict[str, list[tuple[float, float | None]]] = {}

    def measured(self, steps: int) -> Iterable[tuple[tuple[str, int, str], float]]:
        """Yield (name, step, what) and its value, for the start and after every step."""
        for step in range(steps + 1):
            self.found = defaultdict(list)
            self.calls.counts.clear()
            with self.calls.following(leave=self._leave):
                output = self.model(*self.args, **self.kwargs)
            for name, values in self.found.items():
                yield (name, step, "size"), sum(size for size, _ in values) / len(values)
                changes = [change for _, change in values if change is not None]
                if step and changes:
                    yield (name, step, "change"), sum(changes) / len(changes)
            if step < steps:
                self.optimizer.zero_grad()
                self.loss(output).backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()

    def _leave(self, call: Call, output: object) -> None:
        x = first_tensor(output)
        if x is None or not x.numel():
            return
        x = x.detach()
        key = (call.name, call.number)
        # A copy: what follows may change it in place.
        before = self.start.setdefault(key, x.clone())
        change = None
        if before.shape == x.shape:
            change = float((x.double() - before.double()).abs().mean())
        self.found[call.name].append((float(x.double().abs().mean()), change))


class Coordinates(Shown):
    """The slopes of every layer after every step; true where none depends on width.

    ``rows`` are :class:`initkit.signal.Slope` values, ``widths`` the widths, ``worst`` the row that
    is furthest from 0. ``ok`` is true where no change and no growth is beyond 0.1.

    >>> found = coordinate_check(
    ...     lambda width: nn.Linear(4, width), [8, 16], torch.ones(2, 4), steps=0,
    ...     loss=torch.sum, optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=1.0),
    ... )
    >>> [(row.name, row.step) for row in found.rows], found.widths
    ([('', 0)], (8, 16))
    """

    def __init__(
        self,
        rows: Sequence[Slope],
        widths: Sequence[int],
        means: Mapping[tuple[str, int, str], tuple[float, ...]],
    ) -> None:
        self.rows, self.widths, self._means = tuple(rows), tuple(widths), dict(means)

    @property
    def wrong(self) -> tuple[Slope, ...]:
        """The rows that depend on width, but for what shrinks at the start."""
        return tuple(r for r in self.rows if r.verdict and not r.verdict.startswith("shrinks at"))

    @property
    def ok(self) -> bool:
        """Whether no layer depends on width."""
        return not self.wrong

    @property
    def worst(self) -> Slope:
        """The row furthest from the expected slope of 0."""
        return max(self.wrong or self.rows, key=lambda r: abs(_either(r)))

    def __bool__(self) -> bool:
        return self.ok

    def slope(self, name: str, step: int) -> Slope:
        """Return the row of a layer (by its path; "" is the model) after a step.

        Raises :class:`OptionError` where there is none.
        """
        for row in self.rows:
            if (row.name, row.step) == (name, step):
                return row
        raise OptionError(f"there is no layer {name!r} at step {step}", option="name")

    @property
    def verdict(self) -> str:
        """One sentence that sums it up."""
        widths = f"widths {self.widths[0]} to {self.widths[-1]}"
        if self.ok:
            return f"no layer depends on width: {widths}"
        names = len({r.name for r in self.wrong})
        return f"{names} layer{'s' * (names > 1)} depend on width: {widths}"

    def lines(self, width: int | None = None) -> list[Line]:
        """Return the lines of ``text()``, each with what it is to the reader."""
        head = lines_of(self.verdict, "good" if self.ok else "error", width)
        return [*head, Line(""), *column_lines(_COLUMNS, self.rows, width)]

    def to_dict(self) -> dict[str, Any]:
        """Return the slopes as plain data."""
        keys = ("name", "step", "size", "change", "verdict")
        rows = [{key: getattr(row, key) for key in keys} for row in self.rows]
        return {"ok": self.ok, "verdict": self.verdict, "widths": list(self.widths), "rows": rows}

    def to_html(self, *, whole: bool = True) -> str:
        """Return the slopes as one self-contained HTML page, with a picture a step."""
        table = column_html(_COLUMNS, self.rows)
        sections: list[Section] = [self.verdict, *self.pictures(), table]
        return html_page("Coordinate check", sections, whole=whole)

    def pictures(self) -> list[Picture]:
        """Return a picture of every step: its size at the start, then how much it has changed."""
        return [Picture(self._chart(step, what), title) for step, what, title in self._drawn()]

    def _drawn(self) -> Iterator[tuple[int, str, str]]:
        """Yield each step, what is drawn of it, and what that is called."""
        for step in sorted({row.step for row in self.rows}):
            what, text = ("change", "|x - x0|") if step else ("size", "|x|")
            yield step, what, f"mean {text} after {step} step{'s' * (step != 1)}"

    def _chart(self, step: int, what: str) -> str:
        names = list(dict.fromkeys(row.name for row in self.rows))
        series = [
            Series(name or "(model)", self._means[name, step, what], ink=_INKS[i % len(_INKS)])
            for i, name in enumerate(names)
            if (name, step, what) in self._means
        ]
        marks = [str(width) for width in self.widths]
        return line_chart(series, x="width", y="mean", marks=marks)

    def plot(self) -> Any:
        """Return a figure of matplotlib: mean change against width, a panel a step."""
        from .plots import plot_lines

        panels = []
        for step, what, title in self._drawn():
            lines = {
                name or "(model)": (list(map(float, self.widths)), list(values))
                for (name, at, which), values in self._means.items()
                if at == step and which == what
            }
            panels.append((title, "width", lines))
        return plot_lines(panels)

    def _repr_html_(self) -> str:
        return self.to_html(whole=False)

    def __repr__(self) -> str:
        return f"<Coordinates: {self.verdict}>"


_INKS: tuple[Any, ...] = ("one", "two", "three", "dim")


def _either(row: Slope) -> float:
    return row.change if row.change is not None else row.size


_COLUMNS: tuple[Column[Slope], ...] = (
    Column("name", lambda r: r.name or "(model)"),
    Column("step", lambda r: r.step, "r"),
    Column("size", lambda r: short(round(r.size, 4)), "r", order=lambda r: r.size),
    Column(
        "change",
        lambda r: "" if r.change is None else short(round(r.change, 4)),
        "r",
        order=lambda r: r.change,
    ),
    Column("verdict", lambda r: r.verdict),
)
