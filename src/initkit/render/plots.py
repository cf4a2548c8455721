"""An empty figure of matplotlib, where that is installed."""

from __future__ import annotations

from typing import Any

from ..errors import OptionError

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
