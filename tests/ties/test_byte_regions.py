"""Arithmetic on regions is arithmetic on sets of bytes, and needs none of their size."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from bags import EXAMPLES, windows
from hypothesis import given
from torch import Tensor

from initkit.ties.byte_regions import (
    Region,
    bounding_intervals,
    contains,
    count_bytes,
    indices_collide,
    intersect,
    intervals,
    region_at,
    same_bytes,
    simplest,
    size,
)
from initkit.ties.storage import regions, self_overlapping, unique_bytes

MILLION = 10**6


def at(start: int, *dims: tuple[int, int], space: str = "") -> Region:
    return region_at(space, start, simplest(dims))


@pytest.mark.parametrize(
    ("dims", "expected"),
    [
        ([], ((1, 1),)),
        ([(1, 7), (5, 0)], ((1, 1),)),
        ([(3, 8), (2, 4), (4, 1)], ((24, 1),)),
        ([(5, 8), (4, 1)], ((4, 1), (5, 8))),
        ([(3, 4), (5, 4), (4, 1)], ((28, 1),)),
    ],
    ids=str,
)
def test_dimensions_that_continue_one_another_are_merged(
    dims: list[tuple[int, int]], expected: tuple[tuple[int, int], ...]
) -> None:
    assert simplest(dims) == expected


def test_regions_of_different_spaces_have_nothing_in_common() -> None:
    here, there = at(0, (8, 1)), at(0, (8, 1), space="elsewhere")
    assert not intersect(here, there) and not contains(here, there)
    assert not same_bytes([here], [there])
    assert count_bytes([here, there]) == 16
    assert bounding_intervals([here, at(20, (4, 1)), there]) == {("", 0, 24), ("elsewhere", 0, 8)}


def test_copies_that_reach_into_one_another_are_read_off_in_order() -> None:
    odd = at(0, (2, 1), (3, 10), (3, 7))
    bytes_ = sorted({i + 10 * j + 7 * k for i in range(2) for j in range(3) for k in range(3)})
    assert [byte for start, stop in intervals(odd) for byte in range(start, stop)] == bytes_
    assert size(odd) == len(bytes_)


def test_sets_of_a_trillion_bytes_are_compared_by_their_strides() -> None:
    even = at(0, (4, 1), (MILLION, 8), (MILLION, 8 * MILLION))
    odd = at(4, (4, 1), (MILLION, 8), (MILLION, 8 * MILLION))
    assert not intersect(even, odd) and intersect(even, at(8, (1, 1)))
    assert size(even) == 4 * MILLION**2
    threes, fours = at(0, (4, 1), (MILLION, 12)), at(4, (4, 1), (MILLION, 16))
    assert intersect(threes, fours)
    assert not intersect(at(0, (4, 1), (MILLION, 12)), at(4, (4, 1), (MILLION, 24)))


def test_indices_collide_where_a_stride_steps_too_short() -> None:
    assert indices_collide([(2, 0)]) and not indices_collide([(1, 0), (3, 1)])
    assert indices_collide([(3, 2), (3, 3), (2, 4)]) and not indices_collide([(2, 2), (2, 3)])


@EXAMPLES
@given(st.data())
def test_arithmetic_on_regions_is_arithmetic_on_sets_of_bytes(data: st.DataObject) -> None:
    base = torch.zeros(64, dtype=torch.uint8)
    a, b = data.draw(windows([base])), data.draw(windows([base]))
    left, right = set(places(a)), set(places(b))
    assert unique_bytes([a, b]) == len(left | right)
    assert self_overlapping(a) == (len(left) < len(list(places(a))))
    for x in regions(a):
        assert size(x) == len(left)
        for y in regions(b):
            assert intersect(x, y) == bool(left & right)
            assert same_bytes([x], [y]) == (left == right)
            assert contains(x, y) == (left >= right)


@EXAMPLES
@given(st.data())
def test_several_regions_are_compared_as_one_set_of_bytes(data: st.DataObject) -> None:
    base = torch.zeros(24, dtype=torch.uint8)
    left = [base, *(data.draw(windows([base])) for _ in range(2))][data.draw(st.integers(0, 1)) :]
    right = [data.draw(windows([base])) for _ in range(2)]
    a, b = ([region for t in side for region in regions(t)] for side in (left, right))
    if a and b:
        same = {p for t in left for p in places(t)} == {p for t in right for p in places(t)}
        assert same_bytes(a, b) == same
        assert same_bytes(a, a[::-1])


def places(tensor: Tensor) -> list[int]:
    """Return the address of every byte of every element."""
    count = tensor.untyped_storage().nbytes()
    size = tensor.element_size()
    shape, strides = (*tensor.shape, size), (*(s * size for s in tensor.stride()), 1)
    return (
        torch.arange(count)
        .as_strided(shape, strides, tensor.storage_offset() * size)
        .flatten()
        .tolist()
    )
