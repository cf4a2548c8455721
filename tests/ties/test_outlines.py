"""What is written down of a view is enough to read other memory in the same way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from initkit.errors import TieError
from initkit.ties.outlines import copied_together, outlines_of, read_as
from initkit.ties.storage import regions

BASE = torch.arange(12.0).view(3, 4)
NAMES = ("whole", "part")
READS: dict[str, Callable[[Tensor], Tensor]] = {
    "the same": lambda base: base,
    "transposed": Tensor.t,
    "flat": lambda base: base.view(-1),
    "a column": lambda base: base[:, 2],
    "every other": lambda base: base[1:, ::2],
    "windows": lambda base: base.view(-1).unfold(0, 4, 3),
}


def outlines(*tensors: Tensor) -> list:
    return list(outlines_of(tensors, [regions(tensor) for tensor in tensors]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("read", READS)
def test_other_memory_is_read_as_the_first_was(read: str, dtype: torch.dtype) -> None:
    here, there = outlines(BASE, READS[read](BASE))
    wide = torch.zeros(5, 4, dtype=dtype)
    wide[1:4] = BASE + 100
    source = wide[1:4]
    assert torch.equal(read_as(source, here, there, NAMES), READS[read](source))


def test_bytes_that_were_read_in_another_dtype_are_read_so_again() -> None:
    here, there = outlines(BASE, BASE.view(torch.int32)[1])
    source = BASE.clone()
    view = read_as(source, here, there, NAMES)
    assert view.dtype == torch.int32 and view.data_ptr() == source[1].data_ptr()
    text = "part read the bytes of whole as torch.int32; whole is now torch.float64"
    with pytest.raises(TieError) as caught:
        read_as(source.double(), here, there, NAMES)
    assert str(caught.value) == text and caught.value.names == NAMES


@pytest.mark.parametrize(
    "source", [torch.zeros(2, 4), BASE.t().contiguous().t(), torch.zeros(3, 5)]
)
def test_memory_of_another_shape_or_stride_is_not_read(source: Tensor) -> None:
    here, there = outlines(BASE, BASE[0])
    with pytest.raises(TieError) as caught:
        read_as(source, here, there, NAMES)
    assert str(caught.value) == (
        "part cannot be laid over whole again: whole had shape (3, 4) and stride (4, 1), and has "
        f"now {tuple(source.shape)} and {source.stride()}"
    )


def test_what_is_not_plainly_strided_has_no_outline() -> None:
    complex_ = torch.zeros(2, dtype=torch.complex64)
    assert outlines(torch.eye(2).to_sparse(), complex_.conj(), BASE[:0]) == [None] * 3
    with pytest.raises(TieError, match="how part lay over whole is not known"):
        read_as(BASE, *outlines(BASE, complex_.conj()), NAMES)


def test_tensors_are_copied_together_as_they_lay_with_the_first_on_top() -> None:
    a, b = BASE[:2], BASE[1:]
    views = copied_together([torch.full((2, 4), 1.0), torch.full((2, 4), 2.0)], outlines(a, b))
    assert [view.mean().item() for view in views] == [1.0, 1.5]
    assert views[0][1].data_ptr() == views[1][0].data_ptr()


@pytest.mark.parametrize(
    "tensors",
    [
        [torch.zeros(2, 4), torch.zeros(3, 4)],
        [torch.zeros(2, 4), torch.zeros(2, 4).double()],
        [torch.zeros(2, 4), torch.zeros(2, 4, device="meta")],
    ],
    ids=["shapes", "dtypes", "devices"],
)
def test_tensors_that_changed_unlike_one_another_are_not_copied_together(
    tensors: list[Tensor],
) -> None:
    assert copied_together(tensors, outlines(BASE[:2], BASE[1:])) is None


def test_expanded_tensors_are_not_copied_together() -> None:
    expanded = BASE[:1].expand(3, 4)
    assert copied_together([expanded, BASE[0, 1:]], outlines(expanded, BASE[0, 1:])) is None
