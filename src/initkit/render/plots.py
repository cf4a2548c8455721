"""An empty figure of matplotlib, where that is installed, and axes as pages have them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..errors import OptionError
from .svg import decades, heights_of

_MISSING = "plot() needs matplotlib: pip install 'torch-initkit[plots]'; to_html() needs nothing"


def figure(rows: int, columns: int, width: float = 5.6, height: float = 3.4) -> Any:
    """Return a figure and its axes, rows of columns; ``width`` and ``height`` of each in inches.

    Raises :class:`OptionError` where matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        raise OptionError(_MISSING) from None
    size = (width * columns, height * rows)
    return plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")


def count_decades(axis: Any, values: Iterable[float | None]) -> None:
    """Give the heights of an axis the round numbers that pages have beside theirs.

    What is no number above zero has no height.
    """
    found = [math.log10(v) for v in values if v is not None and 0 < v < math.inf]
    low, high = heights_of(found, True)
    ticks = [10**tick for tick in decades(low, high)]
    axis.set(yscale="log", ylim=(10**low, 10**high))
    axis.set_yticks(ticks, [f"{tick:.4g}" for tick in ticks])
    axis.minorticks_off()


def count_whole(axis: Any) -> None:
    """Give an axis whole numbers from left to right: it counts."""
    axis.locator_params(axis="x", integer=True)


def say_nothing(axis: Any, why: str) -> None:
    """Leave an axis empty, but for the reason."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, why, ha="center", va="center", transform=axis.transAxes)
