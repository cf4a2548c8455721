"""Text tables: every name whole, columns aligned, and rows that fit the page."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initkit.render.text import text_table

PROPERTIES = settings(deadline=None, derandomize=True)


words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12)


grids = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(words, min_size=width, max_size=width), min_size=1, max_size=6)
)


def test_columns_align_and_lines_end_in_no_space() -> None:
    rows = [("a", 1, ""), ("long.name", 22.5, "x"), ("b", None, "yy")]
    assert text_table(["name", "n", "note"], rows, align="lr") == (
        "name          n  note\n"
        "---------  ----  ----\n"
        "a             1\n"
        "long.name  22.5  x\n"
        "b                yy"
    )


def test_no_rows_leave_the_headers() -> None:
    assert text_table(["name", "n"], []) == "name  n\n----  -"


@PROPERTIES
@given(grids)
def test_every_cell_stands_whole_in_its_line(rows: list[list[str]]) -> None:
    lines = text_table(["h"] * len(rows[0]), rows).split("\n")
    assert len(lines) == len(rows) + 2
    for line, row in zip(lines[2:], rows, strict=True):
        assert line.split() == [cell for cell in row if cell]


@PROPERTIES
@given(grids)
def test_a_column_starts_at_one_place(rows: list[list[str]]) -> None:
    lines = text_table(["h"] * len(rows[0]), rows).split("\n")
    starts = [m.start() for m in re.finditer(r"-+", lines[1])]
    for line, row in zip(lines[2:], rows, strict=True):
        assert all(line.startswith(cell, at) for cell, at in zip(row, starts, strict=True) if cell)


def test_a_very_long_name_is_not_cut() -> None:
    name = ".".join(["layers"] * 100)
    assert name in text_table(["name"], [[name]])


def test_rows_that_are_wider_than_the_page_break_or_hang() -> None:
    headers, row = ["name", "shape", "seen", ""], ["h.0.weight", "3x4", "mean 0, std 1", "a remark"]
    assert text_table(headers, [row], width=80) == text_table(headers, [row])
    assert text_table(headers, [row, row], width=30).splitlines() == [
        "name        shape  seen",
        "----------  -----  -----------",
        *["h.0.weight  3x4    mean 0, std", "                   1", "    a remark"] * 2,
    ]
    assert text_table(headers, [row], width=40).splitlines()[2:] == [
        "h.0.weight  3x4    mean 0, std  a remark",
        "                   1",
    ]
    long = ["name", "one two three four five"]
    assert text_table(["name", "text"], [long], width=20).splitlines()[2:] == [
        "name  one two three",
        "      four five",
    ]


def test_a_name_breaks_behind_a_dot_and_a_number_never() -> None:
    rows = [["layer1.0.conv1.weight", "N(0, 0.5)"], ["fc", "1,000,000.5"]]
    assert text_table(["name", "start"], rows, width=30).splitlines()[2:] == [
        "layer1.0.conv1.    N(0, 0.5)",
        "  weight",
        "fc                 1,000,000.5",
    ]


@PROPERTIES
@given(grids, st.integers(10, 60))
def test_nothing_is_lost_whatever_the_width(rows: list[list[str]], width: int) -> None:
    text = text_table(["h"] * len(rows[0]), rows, width=width)
    said = sorted("".join(cell for row in rows for cell in row))
    found = sorted(re.sub(r"[\s-]", "", text))
    assert all(found.count(letter) >= said.count(letter) for letter in set(said) - {"-"})


def test_line_breaks_do_not_break_the_table() -> None:
    assert text_table(["a", "b"], [["x\ny", "z"]]).splitlines()[-1] == r"x\ny  z"


def test_a_table_whose_columns_all_hang_keeps_the_header_of_its_names() -> None:
    text = text_table(["name in a.very.long.module", "start"], [["w" * 30, "N(0, 1)"]], width=34)
    assert text.splitlines()[0] == "name in a.very.long.module"
    assert "start N(0, 1)" in text


def test_what_breaks_or_hangs_below_an_indented_name_is_deeper_than_the_name() -> None:
    rows = [["model", "N(0, 1)", ""], ["    attention.{q,k,v}_proj", "N(0, 0.02)", "Linear"]]
    assert text_table(["module", "starts as", "type"], rows, width=30).splitlines()[2:] == [
        "model               N(0, 1)",
        "    attention.      N(0, 0.02)",
        "      {q,k,v}_proj",
        "        type Linear",
    ]


@pytest.mark.parametrize("width", range(40, 100, 5))
def test_a_broken_name_stays_inside_its_column(width: int) -> None:
    rows = [[f"{' ' * i}model.layers.{{0..31}}.attention.output", "N(0, 1)"] for i in range(9)]
    _, rule, *lines = text_table(["name", "start"], rows, width=width).splitlines()
    column = len(rule.split()[0])
    assert all(not line[column : column + 2].strip() for line in lines)
    assert max(map(len, lines)) <= width


def test_a_cell_that_stays_whole_uses_the_room_of_its_line_and_then_the_line_below() -> None:
    rows = [["a.name.of.a.layer", "4096x4096", "*rule"], ["head", "8", "*a_very_long_rule"]]
    rows.append(["b.name.of.a.layer", "4096x4096", "*a_very_long_rule"])
    assert text_table(["name", "shape", "rule"], rows, "llb", 44).splitlines() == [
        "name               shape      rule",
        "-----------------  ---------  --------------",
        "a.name.of.a.layer  4096x4096  *rule",
        "head               8       *a_very_long_rule",
        "b.name.of.a.layer  4096x4096",
        "                           *a_very_long_rule",
    ]


@PROPERTIES
@given(st.lists(st.tuples(words, words, st.text("ab.*", max_size=50)), min_size=1), st.data())
def test_what_stays_whole_is_in_one_line_wherever_a_line_has_room(rows, data) -> None:
    width = data.draw(st.integers(60, 90))
    text = text_table(["name", "shape", "rule"], rows, "llb", width)
    assert all(rule in text for *_, rule in rows)
    assert max(map(len, text.splitlines())) <= width
