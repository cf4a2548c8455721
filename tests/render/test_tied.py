"""Ties that count in step are one line, and from that line every tie is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initkit.render import Fold, fold_rows, fold_ties, one_place_a_name

Tie = tuple[str, ...]


def places(tie: Tie) -> list[Fold[str]]:
    if len(tie) <= 2:
        return one_place_a_name(tie)
    return fold_rows(tie, name=str, key=lambda _: None, ragged=True)


def lines(ties: list[Tie]) -> list[str]:
    folds = fold_ties(ties, places=places, key=lambda _: None)
    return [f"{len(fold.rows)}: {' = '.join(fold.labels)}" for fold in folds]


@pytest.mark.parametrize(
    ("ties", "label"),
    [
        ([(f"e.{i}.w", f"d.{i}.w") for i in range(9)], "9: e.{0..8}.w = d.{0..8}.w"),
        ([(f"h.{i}.w", f"h.{i + 1}.w") for i in (0, 2, 4)], "3: h.{0,2,4}.w = h.{1,3,5}.w"),
        ([(f"h.{i}.w", f"m.3.h.{i}.w") for i in (0, 1)], "2: h.{0,1}.w = m.3.h.{0,1}.w"),
        ([(f"m.3.h.{i}.w", f"h.{i}.w") for i in (0, 1)], "2: m.3.h.{0,1}.w = h.{0,1}.w"),
        ([("wte.w", "head.w")], "1: wte.w = head.w"),
        ([tuple(f"h.{i}.w" for i in range(6))], "1: h.{0..5}.w"),
        ([tuple(f"h.{i}.{j}.w" for i in range(6)) for j in (0, 2)], "2: h.{0..5}.{0,2}.w"),
    ],
)
def test_ties_that_count_in_step_are_one_line(ties: list[Tie], label: str) -> None:
    assert lines(ties) == [label]


def test_ties_that_cross_stay_apart() -> None:
    assert lines([("e.0.w", "d.1.w"), ("e.1.w", "d.0.w")]) == [
        "1: e.0.w = d.1.w",
        "1: e.1.w = d.0.w",
    ]


def test_ties_of_different_many_names_stay_apart() -> None:
    ties = [tuple(f"h.{i}.{j}.w" for i in range(5 + j)) for j in range(2)]
    assert lines(ties) == ["1: h.{0..4}.0.w", "1: h.{0..5}.1.w"]


NAMES = st.builds("{}.{}.{}".format, *[st.integers(0, 3)] * 2, st.sampled_from("ab"))


@given(st.lists(st.tuples(NAMES, NAMES), max_size=12, unique_by=lambda tie: tie[0]))
def test_every_tie_is_rebuilt_from_its_line(ties: list[Tie]) -> None:
    folds = fold_ties(ties, places=places, key=lambda _: None)
    rebuilt = [tie for fold in folds for tie in zip(*fold.names, strict=True)]
    assert sorted(rebuilt) == sorted(ties)
    assert rebuilt == [tie for fold in folds for tie in fold.rows]
