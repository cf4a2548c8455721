"""Tensors are looked at piece by piece and compared bit by bit, whatever their layout."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from initkit.model import chunks, differing, same_bits

EXAMPLES = settings(max_examples=150, deadline=None, derandomize=True)


@st.composite
def strided(draw: st.DrawFn) -> Tensor:
    """Draw a tensor of any shape and strides, expanded and overlapping ones included."""
    sides = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=4))
    start = draw(st.integers(0, 3))
    reach = start + sum((n - 1) * s for n, s in sides if n)
    base = torch.arange(reach + 1)
    return base.as_strided([n for n, _ in sides], [s for _, s in sides], start)


@EXAMPLES
@given(strided(), st.integers(1, 40))
def test_chunks_cover_every_element_once_in_row_major_order(tensor: Tensor, size: int) -> None:
    pieces = list(chunks(tensor, size))
    assert [piece for part, _ in pieces for piece in part.flatten().tolist()] == (
        tensor.flatten().tolist()
    )
    starts = [start for _, start in pieces]
    counts = [part.numel() for part, _ in pieces]
    assert starts == [sum(counts[:i]) for i in range(len(counts))]
    assert all(count <= size for count in counts)


@EXAMPLES
@given(strided(), st.integers(1, 40))
def test_chunks_are_views_and_never_copies(tensor: Tensor, size: int) -> None:
    storage = tensor.untyped_storage().data_ptr()
    assert all(part.untyped_storage().data_ptr() == storage for part, _ in chunks(tensor, size))


NAN = torch.tensor([torch.nan, 1.0])
PAIRS: dict[str, tuple[Tensor, Tensor, bool]] = {
    "equal numbers": (torch.ones(3), torch.ones(3), True),
    "NaN and the same NaN": (NAN, NAN.clone(), True),
    "NaN and another NaN": (NAN, (NAN.view(torch.int32) ^ 1).view(torch.float32), False),
    "zeros of two signs": (torch.tensor([0.0]), torch.tensor([-0.0]), False),
    "bfloat16": (torch.ones(2).bfloat16(), torch.ones(2).bfloat16(), True),
    "float8": (torch.ones(2).to(torch.float8_e4m3fn), torch.ones(2).to(torch.float8_e4m3fn), True),
    "bool": (torch.tensor([True, False]), torch.tensor([True, True]), False),
    "complex": (torch.tensor([1 + 2j]), torch.tensor([1 + 2j]), True),
    "conjugated": (torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j]), True),
    "conjugated, and not": (torch.tensor([1 + 2j]).conj(), torch.tensor([1 + 2j]), False),
    "two layouts of one matrix": (torch.eye(3)[:2].t().contiguous().t(), torch.eye(3)[:2], True),
    "expanded": (torch.zeros(1, 3).expand(2, 3), torch.zeros(2, 3), True),
    "empty": (torch.zeros(0, 3), torch.zeros(0, 3), True),
    "shapes": (torch.zeros(6), torch.zeros(2, 3), False),
    "dtypes": (torch.zeros(2), torch.zeros(2).int(), False),
    "a number": (torch.tensor(1.0), torch.tensor(1.0), True),
    "meta": (torch.zeros(2, device="meta"), torch.zeros(2, device="meta"), True),
    "meta and real": (torch.zeros(2, device="meta"), torch.zeros(2), False),
}


@pytest.mark.parametrize("name", PAIRS)
def test_tensors_are_the_same_where_shape_dtype_and_all_bits_are(name: str) -> None:
    one, other, expected = PAIRS[name]
    assert same_bits(one, other) is expected
    assert same_bits(other, one) is expected


def test_the_elements_that_differ_are_marked_one_by_one() -> None:
    one = torch.tensor([[0.0, torch.nan], [1.0, 2.0]], dtype=torch.float64)
    other = torch.tensor([[-0.0, torch.nan], [1.0, 2.5]], dtype=torch.float64)
    assert differing(one, other).tolist() == [True, False, False, True]
    assert differing(one.t(), other.t()).tolist() == [True, False, False, True]
