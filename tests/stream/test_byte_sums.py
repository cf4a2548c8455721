"""The sums that stand for values: one answer by every path, of every part, in any order."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from initkit import stream

DTYPES = (torch.float32, torch.bfloat16, torch.float64, torch.uint8)


def values(dtype: torch.dtype, size: int) -> Tensor:
    data = stream.words(stream.key(0, "values"), 0, size).to(torch.uint8)
    return data[: size // dtype.itemsize * dtype.itemsize].view(dtype)


@pytest.mark.parametrize("path", stream.paths())
def test_the_sums_are_those_of_the_contract(path: str) -> None:
    """Reckoned once in plain Python integers, from the words of docs/stream.md alone."""
    x, mask = values(torch.float32, 8200), 2**64 - 1

    def scattered(n: int) -> int:
        n = (n ^ n >> 30) * 0xBF58476D1CE4E5B9 & mask
        n = (n ^ n >> 27) * 0x94D049BB133111EB & mask
        return n ^ n >> 31

    words = [w & 0xFFFFFFFF for w in x.view(torch.int32).tolist()]
    expected = tuple(
        sum(
            w * (scattered(512 * j + i % 512 + 1) >> 32) * (scattered((i // 512 + 1) * 4 + j) | 1)
            for i, w in enumerate(words)
        )
        & mask
        for j in range(4)
    )
    assert stream.sums(x, path=path) == expected


@pytest.mark.parametrize("path", stream.paths())
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_parts_add_up_to_the_whole_wherever_they_are_cut(dtype: torch.dtype, path: str) -> None:
    x = values(dtype, 5003)
    cuts = [0, 1, 3, 300, 513, len(x)]
    parts = [stream.sums(x[a:b], a, path=path) for a, b in pairwise(cuts)]
    runs = [(a, b - a) for a, b in pairwise(cuts)]
    total = tuple(sum(each) % 2**64 for each in zip(*parts, strict=True))
    assert total == stream.sums(x) == stream.sums(x, runs, path=path)


@pytest.mark.parametrize("path", stream.paths())
def test_every_path_agrees_far_out_and_in_scattered_runs(path: str) -> None:
    x = values(torch.bfloat16, 4000)
    for runs in ((1 << 61) + 5, [(7, 100), (1 << 40, len(x) - 100)]):
        assert stream.sums(x, runs, path=path) == stream.sums(x, runs, path="eager")


def test_each_sum_sees_a_sign_a_swap_and_a_shift() -> None:
    x = values(torch.float32, 4096)
    x.view(torch.int32).bitwise_and_(0x7F7FFFFF)  # no NaN
    flipped, swapped = x.clone(), x.clone()
    flipped[[5, 700]] *= -1
    swapped[[5, 700]] = x[[700, 5]]
    before = stream.sums(x)
    for other in (flipped, swapped, x.roll(512), x.roll(1)):
        assert all(a != b for a, b in zip(before, stream.sums(other), strict=True))
