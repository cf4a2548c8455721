"""Sections of tables and notes -> one self-contained HTML page that sorts and searches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, TypeAlias

from .svg import Picture
from .text import Row, check_widths

Tone: TypeAlias = Literal["", "warning", "error", "muted"]


@dataclass(frozen=True, slots=True)
class Cell:
    """Show ``text``; in HTML with a bar (0 to 1), a tone, and sorted by ``order``.

    >>> str(Cell("0.059", bar=0.5))
    '0.059'
    """

    text: object
    bar: float | None = None
    tone: Tone = ""
    order: float | str | None = None

    def __str__(self) -> str:
        return "" if self.text is None else str(self.text)


@dataclass(frozen=True, slots=True)
class Table:
    """A section of a page: a table under its title.

    ``align`` has one letter a column, ``l`` or ``r``.
    """

    headers: Sequence[str]
    rows: Sequence[Row]
    align: str = ""
    title: str = ""


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


def html_table(headers: Sequence[str], rows: Iterable[Row], align: str = "") -> str:
    """Write rows as one HTML table, everything escaped.

    Alone it is plain; within :func:`html_page` a click on a header sorts it and a box searches it.

    >>> html_table(["name"], [["a<b"]])[-40:]
    '<tr><td>a&lt;b</td></tr></tbody></table>'
    """
    body = [list(row) for row in rows]
    check_widths(len(headers), body)
    right = [i < len(align) and align[i] == "r" for i in range(len(headers))]
    head = "".join(
        f"<th scope=col{' class=r' * r}>{escape(str(h))}</th>"
        for h, r in zip(headers, right, strict=True)
    )
    trs = (
        "<tr>" + "".join(_td(cell, r) for cell, r in zip(row, right, strict=True)) + "</tr>"
        for row in body
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(trs)}</tbody></table>"


def html_page(title: str, sections: Iterable[Section], *, whole: bool = False) -> str:
    """Write sections as one self-contained piece of HTML, warnings and errors first.

    A string is a paragraph. The piece fits into a notebook (``_repr_html_``) or, with
    ``whole=True``, is a document of its own. Tables sort and search by a small inline script and
    read well without it; colours follow light and dark. Nothing is loaded from anywhere.

    >>> page = html_page("Plan", ["2 parameters", Table(["name"], [["fc.weight"]])])
    >>> "fc.weight" in page, page.startswith("<!doctype")
    (True, False)
    """
    listed = sorted(sections, key=_urgency)  # stable, so sections of one urgency keep their order
    inner = "".join(map(_section, listed))
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    style, script = f"<style>{_STYLE}</style>", f"<script>{_SCRIPT}</script>"
    piece = f"<div class=initkit>{style}{heading}{inner}{script}</div>"
    if not whole:
        return piece
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_PAGE}</style></head><body>{piece}</body></html>\n"
    )


def _td(value: object, right: bool) -> str:
    cell = value if isinstance(value, Cell) else Cell(value)
    kinds = " ".join(filter(None, ("r" * right, cell.tone)))
    marks = f' class="{kinds}"' if kinds else ""
    # A number sorts as itself; a text that shows one brings it along as its order.
    order = value if isinstance(value, (int, float)) else cell.order
    if order is not None:
        marks += f' data-o="{escape(str(order))}"'
    if cell.bar is not None:
        marks += f' style="--b:{100 * min(max(cell.bar, 0.0), 1.0):.4g}%"'
    return f"<td{marks}>{escape(str(cell))}</td>"


def _urgency(section: Section) -> int:
    tone = section.tone if isinstance(section, Notes) else ""
    # Tables and paragraphs come after what somebody must act on.
    return {"error": 0, "warning": 1}.get(tone, 2)


def _section(section: Section) -> str:
    if isinstance(section, str):
        return f"<p>{escape(section)}</p>"
    title = f"<h3>{escape(section.title)}</h3>" if section.title else ""
    if isinstance(section, Picture):
        return f"<figure>{title}{section.svg}</figure>"
    if isinstance(section, Table):
        table = html_table(section.headers, section.rows, section.align)
        return f"<section>{title}<div class=scroll>{table}</div></section>"
    if not section.lines:
        return ""
    lines = "".join(f"<li>{escape(line)}</li>" for line in section.lines)
    listed = f"<ul>{lines}</ul>"
    # Folded away rather than cut: the page is often the only thing that is kept.
    if len(section.lines) > _MANY:
        listed = f"<details><summary>{len(section.lines)} of them</summary>{listed}</details>"
    return f'<section class="{section.tone or "notes"}">{title}{listed}</section>'


_MANY = 12  # lines that may push the table down


_PAGE = (
    "html{background:#fff}body{margin:0}@media(prefers-color-scheme:dark){html{background:#14171b}}"
)


_STYLE = """
.initkit{--ink:#1c2024;--dim:#667;--line:#dde;--bar:#bcd3f5;--warn:#9a6700;--bad:#b42318;--page:#fff;
--one:#2563c9;--two:#c2410c;--three:#0f8a5f;
color:var(--ink);background:var(--page);color-scheme:light;font:14px/1.45 system-ui,sans-serif;
padding:.5em}
@media(prefers-color-scheme:dark){.initkit{--ink:#e6e8ec;--dim:#99a;--line:#334;--bar:#2d4a78;
--warn:#e3b341;--bad:#ff8a80;--page:#14171b;
--one:#7cb0ff;--two:#ff9e64;--three:#5fd3a3;color-scheme:dark}}
.initkit h2{font-size:1.3em;margin:.2em 0}.initkit h3{font-size:1.05em;margin:.8em 0 .2em}
.initkit .scroll{overflow:auto;max-height:85vh}
@media print{.initkit .scroll{overflow:visible;max-height:none}}
.initkit td:first-child{white-space:normal;overflow-wrap:anywhere;min-width:14em}
.initkit table{border-collapse:collapse;margin:.3em 0}
.initkit th,.initkit td{text-align:left;padding:.2em .7em;border-bottom:1px solid var(--line);
white-space:nowrap;font-variant-numeric:tabular-nums;background-color:transparent}
.initkit th{position:sticky;top:0;background:var(--page)}.initkit th[aria-sort]{cursor:pointer}
.initkit th[aria-sort=ascending]:after{content:" \\2191"}
.initkit th[aria-sort=descending]:after{content:" \\2193"}
.initkit .r{text-align:right}
.initkit td[style]{background:linear-gradient(90deg,var(--bar) var(--b),transparent var(--b))}
.initkit .muted{color:var(--dim)}.initkit .warning{color:var(--warn)}
.initkit .error{color:var(--bad)}
.initkit section.warning,.initkit section.error{border-left:4px solid;padding-left:.8em}
.initkit figure{display:inline-block;vertical-align:top;margin:.3em 1.4em .6em 0}
.initkit svg{max-width:100%;height:auto;display:block;font-size:11px;fill:var(--dim)}
.initkit .grid{stroke:var(--line);fill:none}.initkit .line{fill:none;stroke-width:1.6}
.initkit .ink-one{--c:var(--one)}.initkit .ink-two{--c:var(--two)}
.initkit .ink-three{--c:var(--three)}.initkit .ink-dim{--c:var(--dim)}
.initkit path.line{stroke:var(--c)}.initkit circle,.initkit rect{fill:var(--c)}
.initkit ul{margin:.2em 0;padding-left:1.3em}.initkit li{white-space:pre-wrap}
.initkit input{font:inherit;padding:.2em .5em;margin:.2em 0;min-width:16em}
""".replace("\n", "")


# A notebook may run it from elsewhere, so it looks for pieces that are not alive yet.
_SCRIPT = """
document.querySelectorAll(".initkit:not([data-live]) table").forEach(function (table) {
  var body = table.tBodies[0], heads = Array.from(table.tHead.rows[0].cells);
  var box = document.createElement("input");
  box.type = "search";
  box.placeholder = "search " + body.rows.length + " rows";
  box.setAttribute("aria-label", "search this table");
  box.oninput = function () {
    var wanted = box.value.toLowerCase();
    Array.from(body.rows).forEach(function (row) {
      row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0;
    });
  };
  table.parentNode.parentNode.insertBefore(box, table.parentNode);
  heads.forEach(function (head, i) {
    function key(row) {
      var cell = row.cells[i];
      return cell.dataset.o === undefined ? cell.textContent : cell.dataset.o;
    }
    function order(one, two) {
      var a = key(one), b = key(two), difference = a - b;
      var numbers = a !== "" && b !== "" && difference === difference;
      return numbers ? difference : a.localeCompare(b, "en", {numeric: true});
    }
    function sort() {
      var sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach(function (other) { other.setAttribute("aria-sort", "none"); });
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      Array.from(body.rows).sort(function (one, two) { return sign * order(one, two); })
        .forEach(function (row) { body.appendChild(row); });
    }
    head.tabIndex = 0;
    head.setAttribute("aria-sort", "none");
    head.onclick = sort;
    head.onkeydown = function (event) { if (event.key === "Enter") sort(); };
  });
});
document.querySelectorAll(".initkit").forEach(function (piece) { piece.dataset.live = ""; });
"""
