"""One list of columns makes the text table and the HTML table of the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, TypeVar

from .headings import headed
from .html import Cell, Mark, Table, bars
from .terminal import Line, Tone, lines_of_each
from .text import Sheet, str_of, table_lines

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
    those that hold a ``"path"`` keep its end.
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
    loose: Literal["", "note", "cut", "path"] = ""


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
        [c.align for c in kept],
    )
    if width is None or sheet.width <= width:
        (head, *body), notes = _tightened(sheet, width, [])
    else:
        # Names stand below their modules where that takes fewer lines.
        ways = [False, True] if len(rows) <= _MANY else [False]
        measures = (_measures(kept, rows, headings=headings) for headings in ways)
        found = [_tightened(sheet.copy(), width, each) for each in measures]
        (head, *body), notes = min(found, key=lambda one: sum(map(len, one[0])))
    lines = [Line(text, "muted") for text in head]
    for row, told in zip(rows, body, strict=True):
        lines += [Line(text, _urgent(columns, row)) for text in told]
    numbered = (f"[{i}] {note}" for i, note in enumerate(notes, 1))
    return [*lines, *lines_of_each(numbered, "muted", width)]


_MANY = 400  # rows for which two ways to say them are compared


def _tightened(
    sheet: Sheet, width: int | None, measures: Iterable[Callable[[Sheet, int], None]]
) -> tuple[list[list[str]], list[str]]:
    """Return the lines of the head and of each row, and notes; no more is done than is needed."""
    for tighten in measures:
        if width is None or sheet.width <= width:
            break
        tighten(sheet, width)
    texts = list(zip(*sheet.cells, strict=True))
    lines = table_lines(sheet.headers, texts, "".join(sheet.sides), width)
    for place, module in sheet.above.items():
        lines[place + 1].insert(0, module)
    return lines, sheet.notes


def _measures(
    columns: Sequence[Column[R]], rows: Sequence[R], *, headings: bool
) -> Iterator[Callable[[Sheet, int], None]]:
    """Yield what is done about a table that is too wide, the mildest first."""
    places = range(len(columns))
    yield from (partial(_to_notes, place=i) for i in places if columns[i].loose == "note")
    for i in reversed(places):
        if (brief := columns[i].brief) is not None:
            yield partial(_replaced, place=i, brief=partial(brief, rows))
        if columns[i].loose in _CUT:
            yield partial(_cut, place=i, shorten=_CUT[columns[i].loose], least=2 * _LEAST_CUT)
    if headings:
        yield _below_modules
    yield from (
        partial(_cut, place=i, shorten=_CUT[column.loose])
        for i, column in enumerate(columns)
        if column.loose in _CUT
    )
    yield from (partial(_beside_names, place=i) for i in places if columns[i].loose == "note")


def _below_modules(sheet: Sheet, width: int) -> None:
    sheet.cells[0], sheet.above = headed(sheet.cells[0], width)


def _beside_names(sheet: Sheet, _: int, place: int) -> None:
    names = zip(sheet.cells[0], sheet.cells[place], strict=True)
    sheet.cells[0] = [f"{name} {note}".rstrip() for name, note in names]
    for texts in (sheet.headers, sheet.cells, sheet.sides):
        del texts[place]


def _to_notes(sheet: Sheet, _: int, place: int) -> None:
    sheet.notes = list(dict.fromkeys(filter(None, sheet.cells[place])))
    sheet.headers[place] = "note"
    sheet.cells[place] = [
        f"[{sheet.notes.index(cell) + 1}]" if cell else "" for cell in sheet.cells[place]
    ]


def _replaced(
    sheet: Sheet, _: int, place: int, brief: Callable[[], tuple[str, Sequence[str]]]
) -> None:
    sheet.headers[place], sheet.cells[place] = brief()


def _cut(
    sheet: Sheet,
    width: int,
    place: int,
    shorten: Callable[[str, int], str],
    least: int = _LEAST_CUT,
) -> None:
    longest = max(map(len, sheet.cells[place]))
    room = max(longest - (sheet.width - width), least)
    if shorten is _without_end and room > longest - (sheet.width - width):
        return  # it would be cut, and hang below all the same
    sheet.cells[place] = [
        cell if len(cell) <= room else shorten(cell, room) for cell in sheet.cells[place]
    ]


def _without_end(cell: str, room: int) -> str:
    return f"{cell[: room - 1]}\u2026"


def _last_of_path(cell: str, room: int) -> str:
    """Return what says most of a path: its end, and not whose it is."""
    word = cell.rpartition(": ")[2]
    if len(word) <= room:
        return word
    return f"\u2026{word[1 - room :]}" if "." in word else _without_end(word, room)


_CUT: Mapping[str, Callable[[str, int], str]] = {"cut": _without_end, "path": _last_of_path}


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
