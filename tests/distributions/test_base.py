"""What every distribution says of itself, so that nothing else need know its class."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initkit.distributions import (
    Arange,
    Arranged,
    Blocks,
    Constant,
    Copy,
    DeltaOrthogonal,
    Dirac,
    Distribution,
    Eye,
    MaskedUniform,
    Normal,
    Orthogonal,
    Rotated,
    Sinusoids,
    Sinusoids2d,
    Sparse,
    Table,
    TruncatedNormal,
    Uniform,
    UserFunction,
    from_dict,
    spans,
)
from initkit.distributions.base import CLASSES, derived
from initkit.errors import OptionError, ReadError
from initkit.numbers import frozen

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


EIGHT = Orthogonal((8, 4), 1.0, (1, 8, 4))


@pytest.mark.parametrize(
    ("distribution", "text"),
    [
        (Orthogonal((4, 8), 1.0, (1, 4, 8)), "it is of the shape [4, 8]"),
        (Orthogonal((8, 4), 1.0, (1, 8, 5)), "1 x 8 x 5 matrices do not fill the shape [8, 4]"),
        (Orthogonal((8, 4), 1.0, (-1, -8, 4)), "-1 x -8 x 4 matrices do not fill the shape [8, 4]"),
        (Eye((8, 4), (2, 8, 4)), "2 x 8 x 4 matrices do not fill the shape [8, 4]"),
        (Sparse((8, 4), 1.0, 2, (1, 8, 3)), "1 x 8 x 3 matrices do not fill the shape [8, 4]"),
        (Sparse((8, 4), 1.0, 9, (1, 8, 4)), "9 zeros are not in 8 rows"),
        (Dirac((8, 4), 3), "[8, 4] is no convolution of 3 groups"),
        (DeltaOrthogonal((8,), 1.0), "it is of the shape [8]"),
        (Blocks((NORMAL, HALF), 31), "2 blocks of 31 elements together do not fill the shape"),
        (Blocks((NORMAL,) * 3, 32), "3 blocks of 32 elements together do not fill the shape"),
        (Blocks((), 32), "0 blocks of 32 elements together do not fill the shape"),
        (Blocks((NORMAL, EIGHT), 32), "it is of the shape [8, 4]"),
        (Copy("other", Arange((4, 8)), "other"), "it is of the shape [4, 8]"),
        (Arange((8, 4), axis=2), "[8, 4] has no axis 2"),
        (Sinusoids2d((8, 4), columns=0), "no grid has 0 columns"),
        (Rotated((8, 4), 10.0), "[8, 4] holds no pairs"),
        (Table((8, 4), "float32", bytes(4)), "4 bytes are not [8, 4] values of float32"),
        (Table((8, 4), "nn", bytes(4)), "'nn' is no dtype"),
        (Arranged((8, 4), MATRIX, ("in", "out")), "its matrices, [9, 9], do not fill the shape"),
        (Arranged((8, 4), NORMAL, ("in", "out", "k")), "names 3 dimensions"),
        (Arranged((8, 4), Orthogonal((4, 8), 1.0, (2, 8, 4)), ("in", "out")), "2 x 8 x 4 matrices"),
    ],
    ids=repr,
)
def test_sizes_that_do_not_agree_are_said(distribution: Distribution, text: str) -> None:
    assert text in distribution.misfit((8, 4))


@pytest.mark.parametrize(
    "distribution",
    [
        NORMAL,
        EIGHT,
        Blocks((NORMAL, HALF), 32),
        Copy("other", EIGHT),
        Copy("other"),
        Arange((8, 4)),
    ],
    ids=repr,
)
def test_sizes_that_agree_are_no_misfit(distribution: Distribution) -> None:
    assert not distribution.misfit((8, 4))


@pytest.mark.parametrize("made", [lambda b: Rotated((2, 4), b), lambda b: Sinusoids((8, 4), b)])
@pytest.mark.parametrize("base", [0.0, -1.0, float("inf"), float("nan")])
def test_a_base_without_a_logarithm_is_refused(
    made: Callable[[float], Distribution], base: float
) -> None:
    with pytest.raises(OptionError, match="the base of frequencies is a positive number, not"):
        made(base)


def test_sizes_are_asked_about_before_anything_is_reckoned_from_them() -> None:
    endless = Eye((2**20, 2**30), (1, 2**20, 2**30))
    with pytest.raises(ReadError, match=r"of the shape \[2\]: it is of the shape"):
        from_dict(endless.to_dict(), (2,))
    assert from_dict(endless.to_dict(), endless.shape) == endless


def test_a_trait_is_asked_for_once_and_a_subclass_still_overrides_it() -> None:
    asked = []

    @frozen
    class Half(Normal):
        @derived
        def random(self) -> bool:
            asked.append("random")
            return True

        @derived
        def shows_in_part(self) -> bool:
            return not super().shows_in_part

    half = Half(0.0, 1.0)
    assert half.iid and half.random and half.iid
    assert asked == ["random"]
    assert [half.shows_in_part, half.shows_in_part] == [False, False]
    assert half == Half(0.0, 1.0)
    assert hash(half) == hash(Half(0.0, 1.0))
    del CLASSES["Half"]  # others are asked of every class
