"""The same pictures as a figure of matplotlib, for papers and notebooks."""

from __future__ import annotations

from typing import Any

from ..render import figure as new_figure
from .pictures import histogram_rows
from .report import Probe


def plot_probe(probe: Probe) -> Any:
    """Return a figure with the pictures of a probe."""
    figure, axes = new_figure(2, 2)
    _trunk(axes[0][0], probe, "forward")
    _trunk(axes[0][1], probe, "backward")
    _branches(axes[1][0], probe)
    _histograms(axes[1][1], probe)
    figure.suptitle(f"{probe.title}: {probe.verdict}")
    return figure


def plot_lines(panels: list[tuple[str, str, dict[str, tuple[list[float], list[float]]]]]) -> Any:
    """Return a figure with one panel of lines each: title, x label, label -> (xs, ys)."""
    figure, axes = new_figure(1, len(panels))
    for axis, (title, label, lines) in zip(axes[0], panels, strict=True):
        for name, (xs, ys) in lines.items():
            axis.plot(xs, ys, marker="o", markersize=3, label=name)
        axis.set(xscale="log", yscale="log", title=title, xlabel=label)
        axis.legend()
    return figure


def _trunk(axis: Any, probe: Probe, way: str) -> None:
    trunk = probe.trunk
    axis.set(yscale="log", title=f"{way} rms against depth", xlabel="depth")
    if trunk is None:
        return
    forward = way == "forward"
    values = list(trunk.signal if forward else trunk.gradient)
    depth = list(range(1, len(values) + 1))
    axis.plot(depth, [float("nan") if v is None else v for v in values], marker="o", markersize=3)
    law = trunk.forward if forward else trunk.backward
    if law is not None and len(law.fitted) == len(values):
        fitted = law.fitted if forward else law.fitted[::-1]
        axis.plot(depth, fitted, linestyle="--", label=str(law.kind))
        axis.legend()


def _branches(axis: Any, probe: Probe) -> None:
    axis.set(yscale="log", title="residual branches beside the trunk", xlabel="residual sum")
    if probe.sums:
        places = list(range(1, len(probe.sums) + 1))
        axis.plot(places, [s.trunk for s in probe.sums], marker="o", label="trunk")
        axis.plot(places, [s.branch for s in probe.sums], marker="o", label="branch")
        axis.legend()


def _histograms(axis: Any, probe: Probe) -> None:
    rows = histogram_rows(probe)
    axis.set(title="histograms, in units of the rms")
    if rows:
        axis.imshow([shares for _, shares in rows], aspect="auto", extent=(-4, 4, len(rows), 0))
