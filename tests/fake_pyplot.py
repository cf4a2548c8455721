"""A stand-in for matplotlib, which tests do not need: it remembers what was drawn."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest


class Axis:
    """A stand-in for an axis of matplotlib: it remembers what was drawn."""

    def __init__(self) -> None:
        self.drawn: list[tuple[str, Any, Any]] = []
        self.transAxes = object()

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self.drawn.append((name, args, kwargs))


class Figure:
    """A stand-in for a figure, with its axes."""

    def __init__(self, rows: int, columns: int) -> None:
        self.axes = [[Axis() for _ in range(columns)] for _ in range(rows)]
        self.title = ""

    def suptitle(self, text: str) -> None:
        self.title = text


@pytest.fixture
def pyplot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a module in matplotlib's place, with the one function that is used."""

    def subplots(rows: int, columns: int, *, figsize, squeeze: bool, layout: str):
        assert not squeeze and layout == "constrained" and len(figsize) == 2
        figure = Figure(rows, columns)
        return figure, figure.axes

    matplotlib, module = types.ModuleType("matplotlib"), types.ModuleType("matplotlib.pyplot")
    module.subplots, matplotlib.pyplot = subplots, module
    monkeypatch.setitem(sys.modules, "matplotlib", matplotlib)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", module)
