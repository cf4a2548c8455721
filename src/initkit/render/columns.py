"""One list of columns makes the text table and the HTML table of the same rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from .html import Cell, Table, Tone, bars
from .text import text_table

R = TypeVar("R")
Align = Literal["l", "r"]


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """What a table says of each row under one header.

    ``html_align`` is for HTML alone, as are ``order``, by which a click on the header sorts,
    ``bar``, which draws that number behind the text, and ``tone``, which colours it. ``only`` keeps
    a column to one of the two forms.
    """

    header: str
    text: Callable[[R], object]
    align: Align = "l"
    html_align: Align | None = None
    order: Callable[[R], float | None] | None = None
    bar: bool = False
    tone: Callable[[R], Tone] | None = None
    only: Literal["", "text", "html"] = ""


def column_table(columns: Sequence[Column[R]], rows: Sequence[R], width: int | None = None) -> str:
    """Lay rows out as text, without the columns that say nothing of any row.

    >>> columns = [Column("word", str), Column("none", lambda _: ""), Column("size", len, "r")]
    >>> print(column_table(columns, ["fan", "gain"]))
    word  size
    ----  ----
    fan      3
    gain     4
    """
    kept, cells = _saying([c for c in columns if c.only != "html"], rows)
    align = "".join(column.align for column in kept)
    return text_table([c.header for c in kept], list(zip(*cells, strict=True)), align, width)


def column_html(columns: Sequence[Column[R]], rows: Sequence[R], title: str = "") -> Table:
    """Return the section of a page that shows rows, without the columns that say nothing."""
    kept, cells = _saying([c for c in columns if c.only != "text"], rows)
    drawn = [_drawn(c, rows, texts) for c, texts in zip(kept, cells, strict=True)]
    align = "".join(column.html_align or column.align for column in kept)
    return Table([c.header for c in kept], list(zip(*drawn, strict=True)), align, title)


def _saying(
    columns: Sequence[Column[R]], rows: Sequence[R]
) -> tuple[list[Column[R]], list[list[object]]]:
    """Return the columns that say something, and what; the first names the rows and stays."""
    # Texts are made once, column by column: whether one says anything shows only at the end.
    cells = [[column.text(row) for row in rows] for column in columns]
    kept = [i for i, texts in enumerate(cells) if i == 0 or any(t not in (None, "") for t in texts)]
    return [columns[i] for i in kept], [cells[i] for i in kept]


def _drawn(column: Column[R], rows: Sequence[R], texts: Sequence[object]) -> list[Cell]:
    orders = [column.order(row) if column.order else None for row in rows]
    # A bar is drawn against the largest of its column, so all rows are needed first.
    lengths = bars(orders) if column.bar else [None] * len(rows)
    tones: list[Tone] = [column.tone(row) if column.tone else "" for row in rows]
    return [
        Cell(text, bar, tone, order)
        for text, bar, tone, order in zip(texts, lengths, tones, orders, strict=True)
    ]
