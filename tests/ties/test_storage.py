"""A tensor's bytes are found without reading a value, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from initkit.ties.storage import (
    components,
    is_fake,
    regions,
    regions_of,
    self_overlapping,
    spanning,
    unique_bytes,
)

BASE = torch.zeros(6, 4)


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (lambda: BASE, 1),
        (lambda: torch.eye(3).to_sparse(), 2),
        (lambda: torch.eye(3).to_sparse_csr(), 3),
        (lambda: torch.eye(4).to_sparse_bsc((2, 2)), 3),
        (lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]), 1),
        (lambda: nn.LazyLinear(3).weight, 0),
        (lambda: torch.zeros(3).to_mkldnn(), 0),
    ],
    ids=["strided", "coo", "csr", "bsc", "nested", "lazy", "opaque"],
)
@pytest.mark.filterwarnings("ignore")
def test_a_tensor_consists_of_strided_components(build: Callable[[], Tensor], count: int) -> None:
    tensor = build()
    found = components(tensor)
    assert len(found) == len(regions(tensor)) == count
    assert all(component.layout is torch.strided for component in found)


def test_a_region_is_where_the_elements_lie() -> None:
    [whole], [column] = regions(BASE), regions(BASE[:, 1])
    assert whole.is_interval and whole.stop - whole.start == BASE.nbytes
    assert column.start - whole.start == 4 and column.dims == ((4, 1), (6, 16))
    assert regions_of([BASE, BASE[:, 1]]) == (whole, column)


def test_what_is_empty_or_freed_has_no_bytes() -> None:
    freed = torch.zeros(4)
    freed.untyped_storage().resize_(0)
    assert regions(BASE[:0]) == regions(freed) == ()
    assert unique_bytes([BASE[:0], freed]) == 0


def test_tensors_without_memory_are_told_apart_by_their_storages() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        fake = torch.zeros(4)
    for one in (torch.zeros(4, device="meta"), fake):
        other = one.detach().clone()
        assert regions(one) == regions(one.detach())
        assert regions(one)[0].space != regions(other)[0].space
        assert unique_bytes([one, other, one[2:]]) == 32
    assert is_fake(fake) and not is_fake(BASE)


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (BASE, False),
        (BASE.t(), False),
        (BASE[::2, ::3], False),
        (BASE[:, :1].expand(6, 4), True),
        (BASE.view(-1).unfold(0, 3, 1), True),
        (BASE.view(-1).unfold(0, 3, 3), False),
        (BASE[:1, :1].expand(1, 1), False),
    ],
    ids=["whole", "transposed", "strided", "expanded", "windows", "tiles", "single"],
)
def test_a_tensor_overlaps_itself_where_two_elements_share_a_byte(
    tensor: Tensor, expected: bool
) -> None:
    assert self_overlapping(tensor) == expected


FLAT = torch.arange(10)


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ([FLAT[2:6], FLAT[4:8]], [2, 3, 4, 5, 6, 7]),
        ([FLAT[4:8], FLAT[2:6]], [2, 3, 4, 5, 6, 7]),
        ([FLAT[::2], FLAT[1::2]], [*range(10)]),
        ([FLAT[:4], FLAT[6:]], None),
        ([FLAT[:6], FLAT[4:].view(torch.int32)], None),
        ([FLAT[:6], torch.arange(3)], None),
        ([FLAT[:0]], None),
    ],
    ids=["overlap", "in any order", "comb", "a gap", "dtypes", "storages", "empty"],
)
def test_spanning_gives_exactly_the_bytes_of_several(
    tensors: list[Tensor], expected: list[int] | None
) -> None:
    flat = spanning(tensors)
    assert (None if flat is None else flat.tolist()) == expected
