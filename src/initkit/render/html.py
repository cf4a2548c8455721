"""Sections of tables and notes -> one self-contained HTML page that sorts and searches."""

from __future__ import annotations

import html
import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import visible_lines
from .packed import pack
from .script import SCRIPT
from .style import PAGE, STYLE
from .svg import Picture
from .terminal import Tone
from .text import Row, check_widths


@dataclass(frozen=True, slots=True)
class Cell:
    """Show ``text``; in HTML with a bar (0 to 1), a tone, and sorted by ``order``.

    ``hover`` is the whole of a text that is shortened, ``under`` stands below it in small letters,
    ``inside`` are lines that a click opens.

    >>> str(Cell("0.059", bar=0.5))
    '0.059'
    """

    text: object
    bar: float | None = None
    tone: Tone = ""
    order: float | str | None = None
    hover: str = ""
    under: str = ""
    inside: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "" if self.text is None else str(self.text)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a row is found by: its kind, its states (such as ``tied``), and the rule it copies as.

    A page offers a filter for each kind and state that some row has, and a button that copies the
    rules of the rows that were clicked, or of those in sight. ``rule`` is the value of a rule as it
    is written, ``key`` its key, where that is another than the row's name in quotes.
    """

    kind: str = ""
    states: Sequence[str] = ()
    rule: str = ""
    key: str = ""

    def told(self) -> dict[str, str]:
        """Return it as the page's script reads it, from attributes or from what is packed."""
        return {"k": self.kind, "s": " ".join(self.states), "r": self.rule, "q": self.key}


@dataclass(frozen=True, slots=True)
class Table:
    """A section of a page: a table under its title.

    ``align`` has one letter a column, ``l`` or ``r``, ``p`` for prose, which breaks its lines, or
    ``t`` for a tree, whose indents are kept; ``marks`` are none, or one a row. Of very many rows
    the page holds the first as HTML and all as data; ``printed`` is what prints them all, which a
    page without its script names.
    """

    headers: Sequence[str]
    rows: Sequence[Row]
    align: str = ""
    title: str = ""
    marks: Sequence[Mark] = ()
    printed: str = ".text()"


@dataclass(frozen=True, slots=True)
class Notes:
    """A section of a page: a list of lines under a title; warnings and errors move to the top."""

    lines: Sequence[str]
    title: str = ""
    tone: Tone = ""


Section: TypeAlias = Table | Notes | Picture | str


def bars(values: Iterable[float | None]) -> list[float | None]:
    """Scale numbers to bars against the largest; None and what is not finite get none.

    >>> bars([1.0, 4.0, None])
    [0.25, 1.0, None]
    """
    found = [v if v is not None and math.isfinite(v) else None for v in values]
    # Infinities would shrink all other bars to nothing.
    largest = max((abs(v) for v in found if v is not None), default=0.0)
    return [None if v is None or not largest else abs(v) / largest for v in found]


def html_table(
    headers: Sequence[str], rows: Iterable[Row], align: str = "", marks: Sequence[Mark] = ()
) -> str:
    """Write rows as one HTML table, everything escaped.

    Alone it is plain; within :func:`html_page` a click on a header sorts it and a box searches it.

    >>> html_table(["name"], [["a<b"]])[-40:]
    '<tr><td>a&lt;b</td></tr></tbody></table>'
    """
    body = [list(row) for row in rows]
    check_widths(len(headers), body)
    sides = _sides(headers, align)
    head = "".join(
        f"<th scope=col{f' class={side}' if side else ''}>{_escaped(str(header))}</th>"
        for header, side in zip(headers, sides, strict=False)
    )
    opened = (_tr(mark) for mark in marks) if marks else itertools.repeat("<tr>")
    trs = (
        tr + "".join(_td(cell, side) for cell, side in zip(row, sides, strict=False)) + "</tr>"
        for tr, row in zip(opened, body, strict=False)
    )
    columns = len(headers)
    wide = f' class=wide style="--n:{columns - 1}"' if columns > _FEW else ""
    return f"<table{wide}><thead><tr>{head}</tr></thead><tbody>{''.join(trs)}</tbody></table>"


def _sides(headers: Sequence[str], align: str) -> list[str]:
    """Return a class of the style sheet's for each column; what is left-aligned needs none."""
    return ["" if side == "l" else side for side in align.ljust(len(headers), "l")]


def html_page(title: str, sections: Iterable[Section], *, whole: bool = False) -> str:
    """Write sections as one self-contained piece of HTML, warnings and errors first.

    A string is a paragraph. The piece fits into a notebook (``_repr_html_``) or, with
    ``whole=True``, is a document of its own. Tables sort and search by a small inline script and
    read well without it; of more than 2,000 rows it draws those that one scrolls to. Colours follow
    light and dark. Nothing is loaded from anywhere.

    >>> page = html_page("Plan", ["2 parameters", Table(["name"], [["fc.weight"]])])
    >>> "fc.weight" in page, page.startswith("<!doctype")
    (True, False)
    """
    listed = sorted(sections, key=_urgency)  # stable, so sections of one urgency keep their order
    inner = "".join(map(_section, listed))
    heading = f"<h2>{_escaped(title)}</h2>" if title else ""
    style, script = f"<style>{STYLE}</style>", f"<script>{SCRIPT}</script>"
    piece = f"<div class=initkit>{style}{heading}{inner}{script}</div>"
    if not whole:
        return piece
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        f"<title>{_escaped(title)}</title><style>{PAGE}</style></head><body>{piece}</body></html>\n"
    )


class Names(list[str]):
    """A list of names, which a notebook shows as a table that says what each stands for.

    ``page`` makes that table of the names.
    """

    def __init__(self, names: Iterable[str], page: Callable[[Sequence[str]], str]) -> None:
        super().__init__(names)
        self._page = page

    def _repr_html_(self) -> str:
        return self._page(self)


def _escaped(text: str) -> str:
    return html.escape(visible_lines(text))


def _tr(mark: Mark) -> str:
    marks = (f' data-{key}="{_escaped(text)}"' for key, text in mark.told().items() if text)
    return f"<tr{''.join(marks)}>"


def _tds(column: Sequence[object], side: str) -> list[str]:
    """Return the cells of a column, each of those that are equal made once."""
    made: dict[object, str] = {}
    found = []
    for cell in column:
        key = cell, str(cell)  # 1 equals True, and does not read like it
        if (html_of := made.get(key)) is None:
            html_of = made[key] = _td(cell, side)
        found.append(html_of)
    return found


def _td(value: object, side: str) -> str:
    cell = value if isinstance(value, Cell) else Cell(value)
    kinds = " ".join(filter(None, (side, cell.tone)))
    marks = f' class="{kinds}"' if kinds else ""
    shown = str(cell)
    if order := _order(cell.order, shown):
        marks += f' data-o="{_escaped(order)}"'
    if cell.bar is not None:
        marks += f' style="--b:{100 * min(max(cell.bar, 0.0), 1.0):.0f}%"'
    if cell.hover:
        marks += f' title="{_escaped(cell.hover)}"'
    if not cell.inside:
        below = f"<small>{_escaped(cell.under)}</small>" if cell.under else ""
        return f"<td{marks}>{_breakable(shown)}{below}</td>"
    lines = _escaped("\n".join(cell.inside))
    return f"<td{marks}><details><summary>{_breakable(shown)}</summary>{lines}</details></td>"


def _order(order: float | str | None, shown: str) -> str:
    """Return what a cell is sorted by; nothing where its text shows that number, or is it."""
    if order is None or isinstance(order, str):
        return order or ""
    try:
        told = math.isclose(float(shown), order, rel_tol=1e-3)
    except ValueError:
        told = False
    return "" if told else f"{order:.7g}"


def _breakable(text: str) -> str:
    """Return a text that may break behind the dots of a name, not of a number, and in a rule."""
    return _BREAK.sub(r"\g<0><wbr>", _escaped(text)) if len(text) > _LONG else _escaped(text)


_FEW = 5  # columns that fit side by side in a narrow place
_LONG = 24  # letters of a name that may take several lines


# A dot between what are no digits, or the one that a number of a module's path ends with; what
# stands between a library's name and a recipe's, between classes, and between braces.
_BREAK = re.compile(r"\.(?=[A-Za-z_{*])|[/|](?=[\w*])|,(?=\w)")


def _urgency(section: Section) -> int:
    tone = section.tone if isinstance(section, Notes) else ""
    # Tables and paragraphs come after what somebody must act on.
    return {"error": 0, "warning": 1}.get(tone, 2)


def _section(section: Section) -> str:
    if isinstance(section, str):
        return f"<p>{_escaped(section)}</p>"
    title = f"<h3>{_escaped(section.title)}</h3>" if section.title else ""
    if isinstance(section, Picture):
        # Our style sheet shows it: a notebook that is not trusted drops styles, SVG and attributes
        # without a value, and would leave the picture's words as a heap of text.
        return f"<figure hidden=hidden>{title}{section.svg}</figure>"
    if isinstance(section, Table):
        return f"<section>{title}{_long_table(section)}</section>"
    if not section.lines:
        return ""
    if len(section.lines) > _MOST_ROWS:
        listed = _section(Table([section.title], [[line] for line in section.lines], "p"))
    else:
        lines = "".join(f"<li>{_escaped(line)}</li>" for line in section.lines)
        listed = f"<ul>{lines}</ul>"
    # Folded away rather than cut: the page is often the only thing that is kept.
    if len(section.lines) > _MANY:
        listed = f"<details><summary>{len(section.lines):,} of them</summary>{listed}</details>"
    return f'<section class="{section.tone or "notes"}">{title}{listed}</section>'


_MANY = 12  # lines that may push the table down
_MOST_ROWS = 2_000  # that a page opens with at once
_FIRST_ROWS = 500  # of more, that are HTML; the page's script draws as many at a time


def _long_table(table: Table) -> str:
    """Return a table; of one that is too long for a page its begin, and the whole as data."""
    count = len(table.rows)
    first = slice(count if count <= _MOST_ROWS else _FIRST_ROWS)
    shown = html_table(table.headers, table.rows[first], table.align, table.marks[first])
    shown = f"<div class=scroll>{shown}</div>"
    if count <= _MOST_ROWS:
        return shown
    sides = _sides(table.headers, table.align)
    columns = zip(zip(*table.rows, strict=True), sides, strict=True)
    cells = [_tds(column, side) for column, side in columns]
    told = [mark.told() for mark in table.marks] or [Mark().told()] * count
    data = pack(cells, {key: [one[key] for one in told] for key in told[0]})
    rest = (
        f"{count - _FIRST_ROWS:,} of {count:,} rows are drawn by this page's script, which did not "
        f"run here; {table.printed}, printed, has all of them"
    )
    return f"{shown}<p class=rest>{_escaped(rest)}</p><script type=text/plain>{data}</script>"
