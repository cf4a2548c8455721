"""Where the matrices of a tensor lie: rows and columns by the layout, in any order of axes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initkit.numbers import Layout, matrices_of, module_fans


@pytest.mark.parametrize(
    ("axes", "shape", "grid", "lying"),
    [
        ("out in", (6, 4), (1, 6, 4), (1, 6, 4)),
        ("in out", (6, 4), (1, 4, 6), (1, 6, 4)),
        ("out in ...", (6, 4, 3, 2), (1, 6, 24), (1, 6, 24)),
        ("in out ...", (6, 4, 3, 2), (1, 6, 24), (1, 6, 24)),
        ("out out in", (4, 16, 64), (1, 64, 64), (1, 64, 64)),
        ("in in out", (4, 16, 64), (1, 64, 64), (1, 64, 64)),
        ("in out out", (64, 4, 16), (1, 64, 64), (1, 64, 64)),
        ("out in out", (4, 64, 16), (1, 64, 64), None),
        ("out in in", (6, 4, 3), (1, 6, 12), (1, 6, 12)),
        ("k k in out", (3, 3, 4, 8), (1, 8, 36), (1, 36, 8)),
        ("out k in", (8, 3, 4), (1, 8, 12), (1, 8, 12)),
        ("in k out", (4, 3, 8), (1, 8, 12), (1, 12, 8)),
        ("k out in", (3, 8, 4), (1, 8, 12), None),
        ("E out in", (2, 6, 4), (2, 6, 4), (2, 6, 4)),
        ("out E in", (6, 2, 4), (2, 6, 4), None),
        ("C k", (6, 3), (6, 1, 3), (6, 3, 1)),
    ],
)
def test_rows_are_outputs_and_columns_inputs_with_their_window(
    axes: str, shape: tuple[int, ...], grid: object, lying: object
) -> None:
    found = matrices_of(shape, Layout.parse(axes))
    assert (found.grid, found.lying()) == (grid, lying)


def test_a_transposed_convolution_has_inputs_for_rows() -> None:
    found = matrices_of((6, 4, 3), Layout.parse("in out k"))
    assert found.transposed
    assert (found.inputs, found.outputs) == (6, 4)


def test_upright_means_that_outputs_come_first_in_memory() -> None:
    assert matrices_of((6, 4), Layout.parse("in out")).lying(upright=True) is None
    assert matrices_of((6, 4), Layout.parse("out in")).lying(upright=True) == (1, 6, 4)


def test_blocks_are_matrices_of_their_own() -> None:
    found = matrices_of((2, 12, 5), Layout(("E", "out", "in"), blocks=3))
    assert found.grid == found.lying() == (6, 4, 5)
    assert matrices_of((12, 5, 2), Layout(("out", "in", "out"), blocks=3)).grid == (3, 8, 5)


words = st.lists(st.sampled_from(["out", "in", "k"]), min_size=1, max_size=4)


@given(words, st.lists(st.integers(1, 5), min_size=4, max_size=4))
@settings(deadline=None)
def test_the_sides_of_a_matrix_are_the_fans(axes: list[str], sizes: list[int]) -> None:
    layout, shape = Layout(tuple(axes)), tuple(sizes[: len(axes)])
    found, fans = matrices_of(shape, layout), module_fans(shape, layout)
    copies, rows, columns = found.grid
    assert copies == 1
    assert (rows, columns) == (
        (found.inputs, fans.fan_out) if found.transposed else (found.outputs, fans.fan_in)
    )
