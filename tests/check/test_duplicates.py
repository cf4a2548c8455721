"""Tensors with the same values, and runs of values in two places, are found and related."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from initkit.check.duplicates import duplicates, shared_runs
from initkit.distributions import Normal


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (torch.clone, "holds the same values as"),
        (lambda x: x * -2, "holds -2 times the values of"),
        (lambda x: x * 3 + 1, "holds 3 times, shifted by 1, the values of"),
        (lambda x: x.T, "holds the same values, transposed, as"),
        (lambda x: x[:20], "begins with the same values as"),
    ],
    ids=["copy", "multiple", "shifted", "transposed", "beginning"],
)
def test_a_copy_is_found_and_related(change: Callable[[Tensor], Tensor], text: str) -> None:
    x = normal(300, 300)
    (found,) = duplicates([x, change(x)])
    assert (found.first, found.second, found.text) == (0, 1, text)
    assert found.p < 1e-12


def test_a_symmetric_matrix_is_its_own_transpose() -> None:
    x = normal(30, 30)
    (found,) = duplicates([x + x.T])
    assert (found.first, found.second) == (0, 0)


@pytest.mark.parametrize("shape", [(1,), (7,), (5, 4), (40, 30)])
def test_samples_of_their_own_are_none(shape: tuple[int, ...]) -> None:
    assert not duplicates([normal(*shape, seed=seed) for seed in range(20)])


def runs(*tensors: Tensor) -> list[tuple[int, int, int]]:
    found = shared_runs(tensors, [Normal(0.0, 1.0)] * len(tensors))
    return [(run.first, run.second, run.gap) for run in found]


def test_a_part_that_stands_elsewhere_is_found_in_the_copy_and_in_the_tensor_itself() -> None:
    x, y = normal(100_000), normal(100_000, seed=1)
    y[50_000:90_000] = x[:40_000]
    assert runs(x, y) == [(0, 1, 50_000)]
    assert runs(torch.cat([x, x])) == [(0, 0, 100_000)]
    assert runs(x, -x) == [(0, 1, 0)]


def test_samples_share_no_runs() -> None:
    assert not runs(normal(300_000), normal(300_000, seed=1))
    assert not runs()
