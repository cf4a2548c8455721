"""HTML that is escaped, says what is urgent first, and reads without scripts."""

from __future__ import annotations

import base64
import copy
import json
import math
import pickle
import re
import zlib
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initkit import list_recipes, list_schemes
from initkit.render.html import Cell, Notes, Table, bars, html_page, html_table
from initkit.render.style import STYLE
from initkit.render.text import text_table

PROPERTIES = settings(deadline=None, derandomize=True)


words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12)


grids = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(words, min_size=width, max_size=width), min_size=1, max_size=6)
)


class Reader(HTMLParser):
    """Collect cells and balance tags."""

    VOID = frozenset({"meta", "input", "br", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data

    def with_tag(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.seen if name == tag]


def test_a_row_of_another_length_is_refused() -> None:
    for make in (text_table, html_table):
        with pytest.raises(ValueError, match="row 1 has 1 cells under 2 headers"):
            make(["a", "b"], [["x", "y"], ["z"]])


@PROPERTIES
@given(grids)
def test_html_cells_read_back_as_they_were(rows: list[list[str]]) -> None:
    headers = [f"<{i}>&" for i in range(len(rows[0]))]
    reader = Reader(html_table(headers, rows))
    assert reader.cells == [*headers, *(cell for row in rows for cell in row)]


def test_everything_is_escaped() -> None:
    evil = "</td><script>alert('x')</script>&\""
    page = html_page(
        evil,
        [
            evil,
            Notes([evil], title=evil, tone="warning"),
            Table([evil], [[Cell(evil, order=evil)]], title=evil),
        ],
        whole=True,
    )
    assert evil not in page
    assert len(Reader(page).with_tag("script")) == 1


def test_a_cell_may_carry_a_bar_a_tone_and_a_sort_key() -> None:
    cells = [Cell("4x3", bar=0.5, order=12), Cell("frozen", tone="warning"), 1e-6, "x"]
    attributes = Reader(html_table(list("abcd"), [cells], align="lrr")).with_tag("td")
    assert attributes == [
        {"data-o": "12", "style": "--b:50%"},
        {"class": "r warning"},
        {"class": "r"},
        {},
    ]


def test_a_number_that_is_shown_sorts_by_its_text() -> None:
    cells = [Cell("0.5774", order=3**-0.5), Cell("1,024", order=1024), Cell("a", order="b")]
    attributes = Reader(html_table(list("abc"), [cells])).with_tag("td")
    assert attributes == [{}, {"data-o": "1024"}, {"data-o": "b"}]


def test_bars_stay_within_the_cell() -> None:
    cells = [Cell("", bar=-1.0), Cell("", bar=7.0)]
    styles = [a["style"] for a in Reader(html_table(["a", "b"], [cells])).with_tag("td")]
    assert styles == ["--b:0%", "--b:100%"]


def test_bars_scale_against_the_largest_finite_number() -> None:
    assert bars([1.0, -4.0, None, math.inf, math.nan]) == [0.25, 1.0, None, None, None]
    assert bars([0.0, 0.0]) == [None, None]
    assert bars([]) == []


def test_errors_come_first_then_warnings_and_the_rest_keeps_its_order() -> None:
    page = html_page(
        "T",
        [
            "one",
            Table(["two"], []),
            Notes(["three"], tone="warning"),
            Notes(["four"]),
            Notes(["five"], tone="error"),
        ],
    )
    body = page[page.index("<h2>") : page.index("<script>")]
    assert re.findall("five|three|one|two|four", body) == ["five", "three", "one", "two", "four"]


def test_empty_notes_leave_nothing() -> None:
    assert html_page("", [Notes([], title="Warnings", tone="warning")]) == html_page("", [])


def test_a_page_is_a_piece_or_a_whole_document() -> None:
    piece, whole = html_page("T", ["x"]), html_page("T", ["x"], whole=True)
    assert piece.startswith("<div class=initkit>")
    assert whole.startswith("<!doctype html>")
    assert piece in whole
    assert Reader(whole).with_tag("html") == [{"lang": "en"}]
    assert not Reader(piece).with_tag("html")


def test_a_page_loads_nothing_from_anywhere() -> None:
    page = html_page("T", [Table(["a"], [["b"]])], whole=True)
    assert not re.search(r"https?:|src=|@import|url\(|<link", page)


def test_a_page_reads_without_its_script() -> None:
    """Rows are in the document and visible; only the script hides any."""
    page = html_page("T", [Table(["a"], [["row one"], ["row two"]])])
    bare = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    assert "row one" in bare
    assert "row two" in bare
    assert "hidden" not in bare


def test_a_page_follows_light_and_dark() -> None:
    assert "prefers-color-scheme:dark" in html_page("T", [])


def test_every_rule_of_the_style_outweighs_a_notebooks_own() -> None:
    # JupyterLab's heaviest rule for tables counts two classes and two elements.
    selectors = re.findall(r"[^{}]+(?=\{)", STYLE.replace("@media", "{}@media"))
    ours = [s for s in selectors if "initkit" in s]
    assert len(ours) > 15
    assert all(re.search(r"(\.initkit){3}", selector) for selector in ours)


@pytest.mark.parametrize(
    "mark", ["data-jp-theme-light=false", ".vscode-dark", "theme=dark", ".vscode-high-contrast"]
)
def test_a_notebooks_theme_is_heeded_after_the_systems(mark: str) -> None:
    assert STYLE.index("prefers-color-scheme") < STYLE.index(mark)


def test_names_are_a_list_that_a_notebook_shows_as_a_table() -> None:
    for names in (list_schemes(), list_recipes()):
        assert names == sorted(names) and repr(names) == repr(sorted(names))
        assert copy.deepcopy(names) == pickle.loads(pickle.dumps(names)) == names
        page: str = names._repr_html_()  # type: ignore[attr-defined]
        assert page.count("<tr><t") == len(names) + 1
        assert all(f"<tr><td>{name}</td>" in page for name in names if len(name) < 20)


def test_prose_breaks_its_lines_and_a_rule_behind_its_bars() -> None:
    page = html_page("", [Table(["a", "b"], [["x", "long prose"]], "lp")])
    assert "<th scope=col class=p>b</th>" in page and '<td class="p">long prose</td>' in page
    rule = html_page("", [Table(["rule"], [["gpt2/transformers: *LayerNorm|*RMSNorm"]])])
    assert "gpt2/<wbr>transformers: *LayerNorm|<wbr>*RMSNorm" in rule
    name = html_page("", [Table(["name"], [["layers.{0..3}.{gate,up}_proj.weight"]])])
    assert "layers.<wbr>{0..3}.<wbr>{gate,<wbr>up}_proj.<wbr>weight" in name


def test_a_table_of_many_columns_has_names_in_lines_of_their_own_where_it_is_narrow() -> None:
    page = html_page("T", [Table(list("abcdef"), [range(6)]), Table(["a"], [[1]])])
    assert page.count('<table class=wide style="--n:5">') == 1 and page.count("<table>") == 1
    assert ".wide{display:grid;grid-template-columns:repeat(var(--n),auto)}" in page


def test_in_a_long_table_what_is_equal_and_reads_otherwise_stays_apart() -> None:
    values = [1, True, 1.0, 0.0, -0.0, "1"]
    page = html_page("", [Table(["a"], [[value] for value in values] * 400)])
    (text,) = re.findall("<script type=text/plain>(.*?)</script>", page)
    data = json.loads(zlib.decompress(base64.b64decode(text)))
    (column,) = data["cells"]
    told = [column["texts"][place] for place in column["at"][: len(values)]]
    assert told == [f"<td>{value}</td>" for value in values]
