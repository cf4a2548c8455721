"""What is odd in a family has a line of its own, and what is merely different has none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from initkit.render.odd import lines_apart, out_of_step


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


def stages(*counts: int) -> dict[tuple[int, int], object]:
    """Return blocks in stages of these lengths, each stage with a width of its own."""
    return {(stage, i): 64 << stage for stage, count in enumerate(counts) for i in range(count)}


def test_a_block_unlike_its_own_stage_is_odd_whatever_the_others_are() -> None:
    resnet = stages(3, 4, 6, 3)
    assert out_of_step(resnet) == set()
    for place in resnet:
        assert out_of_step(resnet | {place: "grouped"}) == {place}


def test_what_every_stage_begins_or_ends_with_is_not_odd() -> None:
    resnet = stages(3, 4, 6, 3)
    first = {(stage, i): (width, i == 0) for (stage, i), width in resnet.items()}
    assert out_of_step(first) == set()
    assert out_of_step(first | {(2, 3): "grouped"}) == {(2, 3)}
    last = {(s, i): (w, i == (3, 4, 6, 3)[s] - 1) for (s, i), w in resnet.items()}
    assert out_of_step(last) == set()


def test_stages_without_a_usual_row_and_many_odd_ones_have_none_that_is_odd() -> None:
    assert out_of_step({(s, i): (s, i) for s, i in stages(3, 4, 6)}) == set()
    assert out_of_step(stages(2, 2, 2, 2) | {(1, 1): "other"}) == set()
    assert out_of_step(stages(3, 3, 3) | {(0, 1): "one", (2, 2): "other"}) == set()


def test_stages_that_are_too_short_to_tell_leave_what_a_long_one_begins_with() -> None:
    first = {(stage, i): (stage, i == 0) for stage, i in stages(2, 2, 5, 2)}
    assert out_of_step(first) == set()
    assert out_of_step(first | {(2, 3): "grouped"}) == {(2, 3)}
