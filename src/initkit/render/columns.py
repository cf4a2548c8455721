"""One list of columns makes the text table and the HTML table of the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, TypeAlias, TypeVar

from .headings import headed
from .html import Cell, Mark, Table, bars
from .terminal import Line, Tone, lines_of_each
from .text import BELOW, Sheet, lines_of_texts, str_of

R = TypeVar("R")
Align = Literal["l", "r", "p", "t"]
_LEAST_CUT = 8  # letters that a cut cell keeps


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """What a table says of each row under one header.

    ``tone`` colours what is said. ``html_align`` is for HTML alone, as are ``order``, by which a
    click on the header sorts, ``bar``, which draws that number below the text, ``hover``, the
    whole of what ``text`` shortens, ``under``, what stands below it in small letters, and
    ``inside``, the lines that a click on the cell opens.
    ``only`` keeps a column to one of the two forms.

    Where text is too wide, ``brief`` says all cells in fewer letters, under a header; the cells of
    ``"note"`` columns become numbers of notes below the table; those that may be ``"cut"`` are, and
    those of ``"whole"`` columns lose what stands before a last ``": "``, and stand below their rows
    where they are too long beside them.
    """

    header: str
    text: Callable[[R], object]
    align: Align = "l"
    html_align: Align | None = None
    order: Callable[[R], float | None] | None = None
    bar: bool = False
    tone: Callable[[R], Tone] | None = None
    only: Literal["", "text", "html"] = ""
    hover: Callable[[R], str] | None = None
    under: Callable[[R], str] | None = None
    inside: Callable[[R], Sequence[str]] | None = None
    brief: Callable[[Sequence[R]], tuple[str, Sequence[str]]] | None = None
    loose: Literal["", "note", "cut", "whole"] = ""


def column_table(columns: Sequence[Column[R]], rows: Sequence[R], width: int | None = None) -> str:
    """Lay rows out as text, without the columns that say nothing of any row.

    >>> columns = [Column("word", str), Column("none", lambda _: ""), Column("size", len, "r")]
    >>> print(column_table(columns, ["fan", "gain"]))
    word  size
    ----  ----
    fan      3
    gain     4
    """
    return "\n".join(line.text for line in column_lines(columns, rows, width))


def column_lines(
    columns: Sequence[Column[R]], rows: Sequence[R], width: int | None = None
) -> list[Line]:
    """Return the lines of that table; each has the first warning or error of its row's cells."""
    kept, cells = _saying([c for c in columns if c.only != "html"], rows)
    sheet = Sheet(
        [c.header for c in kept],
        [list(map(str_of, texts)) for texts in cells],
        [BELOW if c.loose == "whole" else c.align for c in kept],
    )
    (head, *body), notes = _tightened(sheet, width, kept, rows)
    lines = [Line(text, "muted") for text in head]
    for row, told in zip(rows, body, strict=True):
        lines += [Line(text, _urgent(columns, row)) for text in told]
    numbered = (f"[{i}] {note}" for i, note in enumerate(notes, 1))
    return [*lines, *lines_of_each(numbered, "muted", width)]


_MANY = 400  # rows for which several ways to say them are compared
_Measure: TypeAlias = Callable[[Sheet, int], None]


def _tightened(
    sheet: Sheet, width: int | None, columns: Sequence[Column[R]], rows: Sequence[R]
) -> tuple[list[list[str]], list[str]]:
    """Return the lines of the head and of each row, and notes; no more is done than is needed."""
    for tighten in _measures(columns, rows):
        if width is None or sheet.width <= width:
            return _laid_out(sheet, width)
        tighten(sheet, width)
    if width is None or sheet.width <= width:
        return _laid_out(sheet, width)
    ways = _ways(columns) if len(rows) <= _MANY else [[]]
    found = [_laid_out(_after(way, sheet.copy(), width), width) for way in ways]
    return min(found, key=lambda one: sum(map(len, one[0])))


def _after(way: Iterable[_Measure], sheet: Sheet, width: int) -> Sheet:
    for tighten in way:
        tighten(sheet, width)
    return sheet


def _laid_out(sheet: Sheet, width: int | None) -> tuple[list[list[str]], list[str]]:
    texts = list(zip(*sheet.cells, strict=True))
    lines = lines_of_texts(sheet.headers, texts, "".join(sheet.sides), width)
    for place, module in sheet.above.items():
        lines[place + 1].insert(0, module)
    return lines, sheet.notes


def _measures(columns: Sequence[Column[R]], rows: Sequence[R]) -> Iterator[_Measure]:
    """Yield what is done about a table that is too wide, the mildest first."""
    places = range(len(columns))
    yield from (partial(_to_notes, place=i) for i in places if columns[i].loose == "note")
    for i in reversed(places):
        if (brief := columns[i].brief) is not None:
            yield partial(_replaced, place=i, brief=partial(brief, rows))
        if columns[i].loose == "cut":
            yield partial(_cut, place=i)
    yield from (partial(_without_whose, place=i) for i in places if columns[i].loose == "whole")


def _ways(columns: Sequence[Column[R]]) -> Iterator[list[_Measure]]:
    """Yield what may be done about a table that is too wide still; the way of fewest lines will.

    Numbers of notes go beside names, and names below their modules, so far that cells which may
    stand below their rows don't, or as far as is needed with these at their narrowest.
    """
    places = range(len(columns))
    beside = [partial(_beside_names, place=i) for i in places if columns[i].loose == "note"]
    for first in ([], beside) if beside else ([],):
        yield [*first]
        yield [*first, partial(_below_modules, narrow=False)]
        yield [*first, partial(_below_modules, narrow=True)]


def _without_whose(sheet: Sheet, _: int, place: int) -> None:
    sheet.cells[place] = [cell.rpartition(": ")[2] for cell in sheet.cells[place]]


def _below_modules(sheet: Sheet, width: int, *, narrow: bool) -> None:
    room = width - sheet.beside_names(narrow=narrow)
    sheet.cells[0], sheet.above = headed(sheet.cells[0], width, room)


def _beside_names(sheet: Sheet, _: int, place: int) -> None:
    names = zip(sheet.cells[0], sheet.cells[place], strict=True)
    sheet.cells[0] = [f"{name} {note}".rstrip() for name, note in names]
    for texts in (sheet.headers, sheet.cells, sheet.sides):
        del texts[place]


def _to_notes(sheet: Sheet, _: int, place: int) -> None:
    sheet.notes = list(dict.fromkeys(filter(None, sheet.cells[place])))
    numbers = {note: f"[{i}]" for i, note in enumerate(sheet.notes, 1)}
    sheet.headers[place] = "note"
    sheet.cells[place] = [numbers.get(cell, "") for cell in sheet.cells[place]]


def _replaced(
    sheet: Sheet, _: int, place: int, brief: Callable[[], tuple[str, Sequence[str]]]
) -> None:
    header, cells = brief()
    sheet.headers[place], sheet.cells[place] = str_of(header), list(map(str_of, cells))


def _cut(sheet: Sheet, width: int, place: int) -> None:
    longest = max(map(len, sheet.cells[place]))
    room = longest - (sheet.width - width)
    if room < _LEAST_CUT:
        return  # it would be cut, and hang below all the same
    sheet.cells[place] = [
        cell if len(cell) <= room else f"{cell[: room - 1]}\u2026" for cell in sheet.cells[place]
    ]


def column_html(
    columns: Sequence[Column[R]],
    rows: Sequence[R],
    title: str = "",
    mark: Callable[[R], Mark] | None = None,
    printed: str = ".text()",
) -> Table:
    """Return the section of a page that shows rows, without the columns that say nothing.

    ``mark`` says of a row by which filters it is found, and which rule it copies as; ``printed`` is
    what prints all rows.
    """
    kept, said = _saying([c for c in columns if c.only != "text"], rows)
    drawn = [_drawn(c, rows, texts) for c, texts in zip(kept, said, strict=True)]
    align = "".join(column.html_align or column.align for column in kept)
    marks = [mark(row) for row in rows] if mark is not None else ()
    headers, cells = [c.header for c in kept], list(zip(*drawn, strict=True))
    return Table(headers, cells, align, title, marks, printed)


def _urgent(columns: Sequence[Column[R]], row: R) -> Tone:
    tones = (column.tone(row) for column in columns if column.tone is not None)
    return next((tone for tone in tones if tone in ("warning", "error")), "")


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
    return [
        Cell(
            text,
            bar,
            column.tone(row) if column.tone else "",
            order,
            column.hover(row) if column.hover else "",
            column.under(row) if column.under else "",
            tuple(column.inside(row)) if column.inside else (),
        )
        for text, bar, order, row in zip(texts, lengths, orders, rows, strict=True)
    ]
