"""Where the independent matrices of a tensor lie in it, whatever the order of its axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import TypeAlias

from ..errors import LayoutError
from .fans import Layout
from .value import Value, frozen

Grid: TypeAlias = tuple[int, int, int]
"""A tensor as equal matrices: how many, rows and columns of each."""


@frozen
class Matrices(Value):
    """Say which dimensions of a tensor count matrices, and which are rows, columns and window.

    ``cut`` is the tensor's shape with stacked blocks as a dimension of their own, and the four are
    places in it. Rows are outputs, and the window belongs to the columns, the inputs, as in a
    convolution; of ``in out k`` rows are inputs, since there the window belongs to the outputs.
    """

    cut: tuple[int, ...]
    copies: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    window: tuple[int, ...]
    transposed: bool = False

    @property
    def order(self) -> tuple[int, ...]:
        """The dimensions of ``cut`` as they stand where matrices lie one after the other."""
        return self.copies + self.rows + self.columns + self.window

    @property
    def kernel(self) -> tuple[int, ...]:
        """How many matrices, rows and columns of each, and the sizes of the window."""
        counts = [self._count(places) for places in (self.copies, self.rows, self.columns)]
        return (*counts, *(self.cut[i] for i in self.window))

    @property
    def grid(self) -> Grid:
        """How many matrices, rows and columns of each; the window stands in the columns."""
        copies, rows, columns, *window = self.kernel
        return copies, rows, columns * math.prod(window)

    @property
    def outputs(self) -> int:
        """How many outputs there are, without a window."""
        return self._count(self.columns if self.transposed else self.rows)

    @property
    def inputs(self) -> int:
        """How many inputs there are, without a window."""
        return self._count(self.rows if self.transposed else self.columns)

    def lying(self, *, upright: bool = False) -> Grid | None:
        """Return the grid where each matrix lies in one piece, row by row; None where none does.

        What comes first in memory is taken for the rows, be it inputs; not so if ``upright``.
        """
        places = range(len(self.copies), len(self.cut))
        if self.copies != tuple(range(len(self.copies))):
            return None
        # Two runs of dimensions, one of each side; a side may be without any.
        runs = [list(run) for _, run in groupby(places, key=lambda i: i in self.rows)]
        if len(runs) > 2 or (upright and runs[0][0] not in self.rows):
            return None
        first, second = (*runs, ())[:2]
        return self._count(self.copies), self._count(first), self._count(second)

    def _count(self, places: Sequence[int]) -> int:
        return math.prod(self.cut[i] for i in places)


def matrices_of(shape: Sequence[int], layout: Layout) -> Matrices:
    """Return where the matrices of a tensor with this layout lie.

    Raises :class:`~initkit.errors.LayoutError` where the shape does not fit the layout.

    >>> matrices_of((4, 16, 64), Layout.parse("out out in")).grid
    (1, 64, 64)
    >>> matrices_of((400, 50), Layout(("out", "in"), blocks=4)).grid
    (4, 100, 50)
    """
    return _matrices_of(tuple(shape), layout)


@lru_cache(maxsize=1024)
def _matrices_of(shape: tuple[int, ...], layout: Layout) -> Matrices:
    if problem := layout.misfit(shape):
        raise LayoutError(f"layout {layout} {problem}")
    words, cut = list(layout.words(len(shape))), list(shape)
    if layout.blocks > 1:  # stacked in the first dimension behind the copies, and copies themselves
        words.insert(layout.copies, "block")
        cut[layout.copies : layout.copies + 1] = [
            layout.blocks,
            shape[layout.copies] // layout.blocks,
        ]
    outputs, inputs, window = (_places(words, word) for word in ("out", "in", "k"))
    copies = tuple(i for i in range(len(cut)) if i not in (*outputs, *inputs, *window))
    # As in torch's transposed convolutions, whose window spreads an input over outputs.
    counted = [word for i, word in enumerate(words) if i not in copies]
    transposed = [word for word, _ in groupby(counted)] == ["in", "out", "k"]
    rows, columns = (inputs, outputs) if transposed else (outputs, inputs)
    return Matrices(tuple(cut), copies, rows, columns, window, transposed)


def _places(words: Sequence[str], wanted: str) -> tuple[int, ...]:
    return tuple(i for i, word in enumerate(words) if word == wanted)
