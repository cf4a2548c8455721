"""One list of columns makes the text table and the page, and neither has an empty column."""

from __future__ import annotations

import re

import pytest

from initkit.render import Column, column_html, column_table, format_shape, html_page

WORDS = ["fan", "gain"]
WORD: Column[str] = Column("word", str)
EMPTY: Column[str] = Column("empty", lambda _: "")
SIZE: Column[str] = Column("size", len, "r", order=len, bar=True)


def test_text_and_page_say_the_same_of_each_row() -> None:
    columns = [WORD, SIZE]
    assert column_table(columns, WORDS).split() == [
        *("word", "size", "----", "----"),
        *("fan", "3", "gain", "4"),
    ]
    table = column_html(columns, WORDS)
    assert list(table.headers) == ["word", "size"]
    assert [[str(cell) for cell in row] for row in table.rows] == [["fan", "3"], ["gain", "4"]]


def test_a_column_that_says_nothing_is_left_out_of_both() -> None:
    assert column_table([WORD, EMPTY], WORDS) == column_table([WORD], WORDS)
    assert column_html([WORD, EMPTY], WORDS) == column_html([WORD], WORDS)


def test_zero_says_something_and_the_first_column_always_stays() -> None:
    zero: Column[str] = Column("zero", lambda _: 0)
    assert column_table([EMPTY, zero], WORDS).splitlines()[0] == "empty  zero"
    assert column_table([WORD, SIZE], []) == "word\n----"


@pytest.mark.parametrize(("only", "text", "page"), [("text", True, False), ("html", False, True)])
def test_a_column_may_keep_to_one_form(only, text: bool, page: bool) -> None:
    columns = [WORD, Column("own", len, only=only)]
    assert ("own" in column_table(columns, WORDS)) is text
    assert ("own" in column_html(columns, WORDS).headers) is page


def test_the_page_sorts_colours_and_draws_bars_by_column() -> None:
    loud: Column[str] = Column("loud", str.upper, tone=lambda word: "error" if "g" in word else "")
    page = html_page("", [column_html([WORD, SIZE, loud], WORDS)])
    cells = re.findall(r"<td.*?</td>", page)[3:]
    assert cells[0] == "<td>gain</td>"
    assert cells[1] == '<td class="r" style="--b:100%">4</td>'
    assert cells[2] == '<td class="error">GAIN</td>'


def test_a_page_may_align_a_column_otherwise_than_text() -> None:
    assert column_html([WORD, Column("n", len, html_align="r")], WORDS).align == "lr"
    assert column_table([WORD, Column("long header", len, html_align="r")], WORDS).endswith("4")


def test_a_shape_is_written_with_crosses_and_a_scalar_by_name() -> None:
    assert [format_shape(shape) for shape in [(), (3,), (4, 3, 1)]] == ["scalar", "3", "4x3x1"]
