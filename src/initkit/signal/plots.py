"""The same pictures as a figure of matplotlib, for papers and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..render import count_decades, count_whole, say_nothing
from ..render import figure as new_figure
from .pictures import histogram_rows
from .report import Probe

Panel = tuple[str, str, dict[str, tuple[list[float], list[float]]]]


def plot_probe(probe: Probe) -> Any:
    """Return a figure with the pictures of a probe: of what there is to draw."""
    panels = _panels(probe)
    columns = min(len(panels), 2) or 1
    figure, axes = new_figure(max(-(-len(panels) // columns), 1), columns)
    places = [axis for row in axes for axis in row]
    for axis, draw in zip(places, panels, strict=False):
        draw(axis)
    for axis in places[len(panels) :]:
        say_nothing(axis, "" if panels else "nothing to draw")
    figure.suptitle(f"{probe.title}: {probe.verdict}")
    return figure


def plot_lines(panels: list[Panel]) -> Any:
    """Return a figure with one panel of lines each: title, x label, label -> (xs, ys).

    All have the same lines, which one legend names.
    """
    figure, axes = new_figure(1, len(panels))
    for axis, (title, label, lines) in zip(axes[0], panels, strict=True):
        for name, (xs, ys) in lines.items():
            axis.plot(xs, ys, marker="o", markersize=3, label=name)
        places = sorted({x for xs, _ in lines.values() for x in xs})
        axis.set(xscale="log", title=title, xlabel=label)
        count_decades(axis, [y for _, ys in lines.values() for y in ys])
        axis.set_xticks(places, [f"{place:g}" for place in places])
    axes[0][-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _panels(probe: Probe) -> list[Callable[[Any], None]]:
    found: list[Callable[[Any], None]] = []
    trunk = probe.trunk
    if trunk is not None:
        found.append(partial(_trunk, probe=probe, way="forward"))
        if any(value is not None for value in trunk.gradient):
            found.append(partial(_trunk, probe=probe, way="backward"))
    if len(probe.sums) > 1:
        found.append(partial(_branches, probe=probe))
    if rows := histogram_rows(probe):
        found.append(partial(_histograms, rows=rows))
    return found


def _trunk(axis: Any, probe: Probe, way: str) -> None:
    trunk = probe.trunk
    assert trunk is not None
    forward = way == "forward"
    values = list(trunk.signal if forward else trunk.gradient)
    depth = list(range(1, len(values) + 1))
    axis.plot(depth, [float("nan") if v is None else v for v in values], marker="o", markersize=3)
    law = trunk.forward if forward else trunk.backward
    fitted: Sequence[float] = ()
    if law is not None and len(law.fitted) == len(values):
        fitted = law.fitted if forward else law.fitted[::-1]
        axis.plot(depth, fitted, linestyle="--", label=str(law.kind))
        axis.legend()
    axis.set(title=f"{way} rms against depth", xlabel="depth")
    count_decades(axis, [*values, *fitted])
    count_whole(axis)


def _branches(axis: Any, probe: Probe) -> None:
    places = list(range(1, len(probe.sums) + 1))
    lines = {"trunk": [s.trunk for s in probe.sums], "branch": [s.branch for s in probe.sums]}
    for name, heights in lines.items():
        axis.plot(places, heights, marker="o", label=name)
    axis.set(title="residual branches beside the trunk", xlabel="residual sum")
    count_decades(axis, [height for heights in lines.values() for height in heights])
    count_whole(axis)
    axis.legend()


def _histograms(axis: Any, rows: Sequence[tuple[str, Sequence[float]]]) -> None:
    axis.set(title="histograms, in units of the rms", ylabel="layers in order")
    axis.set_yticks([])
    axis.imshow([shares for _, shares in rows], aspect="auto", extent=(-4, 4, len(rows), 0))
