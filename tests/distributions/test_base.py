"""What every distribution says of itself, so that nothing else need know its class."""

from __future__ import annotations

import pytest

from initkit.distributions import (
    Arange,
    Blocks,
    Constant,
    DeltaOrthogonal,
    Eye,
    MaskedUniform,
    Normal,
    Orthogonal,
    Sinusoids,
    Sparse,
    TruncatedNormal,
    Uniform,
    UserFunction,
    from_dict,
    spans,
)

NORMAL, HALF = Normal(0.0, 1.0), Constant(0.5)
CUT = TruncatedNormal(0.0, 1.0, -2.0, 2.0)
UNCUT = TruncatedNormal(0.0, 0.02, -2.0, 2.0)
GATES = Blocks((NORMAL, HALF), 8)
MATRIX = Orthogonal((9, 9), 1.0, (1, 9, 9))
ROTATION = Orthogonal((2, 2), 1.0, (1, 2, 2))
DELTA = DeltaOrthogonal((9, 9, 3, 3), 1.0)
ZEROS = Sparse((4, 2), 1.0, 1, (1, 4, 2))
IDENTITY = Eye((4, 2), (1, 4, 2))
MASKED = MaskedUniform(-1.0, 1.0, 0.5)
UNKNOWN = UserFunction((2,), print)
EVERY = (NORMAL, HALF, Uniform(0.0, 1.0), CUT, UNCUT, GATES, MATRIX, ROTATION, DELTA, ZEROS,
         IDENTITY, MASKED, UNKNOWN, Arange((3,)), Sinusoids((4, 2)))  # fmt: skip

HAVE = {
    "iid": {NORMAL, Uniform(0.0, 1.0), CUT, UNCUT, MASKED},
    "gaussian": {NORMAL, UNCUT},
    "elementwise": {*EVERY} - {MATRIX, ROTATION, DELTA, ZEROS, UNKNOWN},
    "random": {*EVERY} - {HALF, IDENTITY, Arange((3,)), Sinusoids((4, 2))},
    "placed": {IDENTITY, Arange((3,)), Sinusoids((4, 2))},
    "shape_matters": {GATES, MATRIX, ROTATION, DELTA, ZEROS, IDENTITY, UNKNOWN, Arange((3,)),
                      Sinusoids((4, 2))},
    "distinct_slices": {NORMAL, Uniform(0.0, 1.0), CUT, UNCUT, MATRIX, DELTA, ZEROS, MASKED,
                        UNKNOWN},
    "known": {*EVERY} - {UNKNOWN},
    "serializable": {*EVERY} - {UNKNOWN},
    "allows_complex": {*EVERY} - {MATRIX, ROTATION, DELTA, ZEROS},
}  # fmt: skip


@pytest.mark.parametrize("trait", HAVE)
def test_a_trait_is_had_by_these_and_no_others(trait: str) -> None:
    assert {d for d in EVERY if getattr(d, trait)} == HAVE[trait]


def test_only_a_constant_has_the_value_of_all_elements() -> None:
    assert [d.constant for d in EVERY if d.constant is not None] == [0.5]


def test_only_what_other_code_rounds_is_compared_with_room() -> None:
    assert {d for d in EVERY if d.tolerance} == {Sinusoids((4, 2))}


def test_blocks_with_a_function_in_them_cannot_be_read_back() -> None:
    assert not Blocks((NORMAL, UNKNOWN), 4).serializable


def test_a_distribution_by_element_has_no_whole_to_draw() -> None:
    with pytest.raises(NotImplementedError, match="Normal is written by element"):
        NORMAL.draw(source=None)  # type: ignore[arg-type]


def test_a_class_is_known_to_plain_data_by_being_defined() -> None:
    class Shifted(Normal):
        pass

    data = NORMAL.to_dict() | {"kind": "Shifted"}
    assert type(from_dict(data)) is Shifted


@pytest.mark.parametrize(
    ("runs", "found"),
    [(7, [(0, 7, 5)]), ([(7, 2), (20, 3)], [(0, 7, 2), (2, 20, 3)]), ([], [])],
)
def test_spans_say_where_each_run_lies_here_and_in_the_whole(
    runs: int | list[tuple[int, int]], found: list[tuple[int, int, int]]
) -> None:
    assert spans(runs, 5) == found
