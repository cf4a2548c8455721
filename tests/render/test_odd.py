"""What is odd in a family has a line of its own, and what is merely different has none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from initkit.render.odd import lines_apart


def lines(*rows: tuple[int, ...]) -> list[list[tuple[int, ...]]]:
    """Return the variants of each line that rows of these numbers have."""
    counts = {row: rows.count(row) for row in dict.fromkeys(rows)}
    found: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for variant, line in lines_apart(counts, {row: row for row in counts}).items():
        found.setdefault(line, []).append(variant)
    return list(found.values())


def test_two_variants_have_a_line_each() -> None:
    assert lines((1,), (1,), (2,)) == [[(1,)], [(2,)]]


def test_few_beside_what_most_are_have_a_line_each_and_many_share_one() -> None:
    assert lines(*[(1,)] * 9, (2,), (3,)) == [[(1,)], [(2,)], [(3,)]]
    assert lines(*[(1,)] * 9, (2,), (3,), (4,)) == [[(1,)], [(2,), (3,), (4,)]]


def test_where_no_variant_is_usual_all_share_a_line() -> None:
    assert lines((1,), (2,), (3,)) == [[(1,), (2,), (3,)]]


def test_a_number_that_most_have_makes_those_odd_that_have_another() -> None:
    pyramid = [(width, 3) for width in range(1, 41)]
    assert lines(*pyramid, (41, 7)) == [pyramid, [(41, 7)]]
    assert lines(*pyramid, (41, 7), (42, 5)) == [pyramid, [(41, 7)], [(42, 5)]]
    assert lines(*pyramid, (41, 7), (42, 5), (43, 1)) == [pyramid, [(41, 7), (42, 5), (43, 1)]]


def test_a_number_that_many_have_differently_makes_none_odd() -> None:
    rows = [(width, width if width > 6 else 3) for width in range(1, 11)]
    assert lines(*rows) == [rows]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_every_variant_has_one_line_whatever_the_order(rows: list[tuple[int, int]]) -> None:
    one, other = lines(*rows), lines(*reversed(rows))
    assert sorted(variant for line in one for variant in line) == sorted(set(rows))
    assert {frozenset(line) for line in one} == {frozenset(line) for line in other}
