"""Slices of one tensor that hold the same values are named; what may repeat is left alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from initkit import apply_init, check_init
from initkit.check.slices import slice_tests
from initkit.distributions import (
    Blocks,
    Constant,
    DeltaOrthogonal,
    Distribution,
    Normal,
    Orthogonal,
)

NORMAL = Normal(0.0, 1.0)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def with_equal_rows(tensor: Tensor, sign: float = 1.0) -> Tensor:
    tensor[3] = sign * tensor[1]
    return tensor


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (with_equal_rows(normal(6, 20)), "slices 1 and 3 along dimension 0"),
        (with_equal_rows(normal(6, 20), -1.0), "slices 1 and 3 along dimension 0"),
        (with_equal_rows(normal(6, 20)).T, "slices 1 and 3 along dimension 1"),
        (with_equal_rows(normal(6, 20)).bfloat16(), "slices 1 and 3 along dimension 0"),
        (normal(20).repeat(3), "slices 0 and 1 of 20 elements"),
    ],
    ids=["rows", "up to sign", "columns", "bfloat16", "shards of a vector"],
)
def test_equal_slices_are_named(tensor: Tensor, text: str) -> None:
    (test,) = slice_tests(tensor, NORMAL)
    assert (test.kind, test.seen) == ("repeated", f"{text} alike")
    assert test.text.startswith(f"{text} hold the same values (")
    assert test.p < 1e-12


@pytest.mark.parametrize("shape", [(6, 20), (2, 2), (40,), (4, 3, 5, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sample_has_none(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    assert not list(slice_tests(normal(*shape).to(dtype), NORMAL))


def test_equal_slices_of_the_middle_of_a_convolution_are_named() -> None:
    kernel = torch.zeros(20, 20, 3, 3)
    kernel[:, :, 1, 1] = with_equal_rows(normal(20, 20))
    (test,) = slice_tests(kernel, DeltaOrthogonal((20, 20, 3, 3), 1.0))
    assert test.seen == "slices 1 and 3 along dimension 0 alike"


@pytest.mark.parametrize(
    "distribution",
    [Constant(1.0), Blocks((Constant(1.0), NORMAL), 120), Orthogonal((2, 2), 1.0, (1, 2, 2))],
    ids=str,
)
def test_what_may_repeat_by_design_is_not_compared(distribution: Distribution) -> None:
    assert not list(slice_tests(with_equal_rows(normal(6, 20)), distribution))


def test_few_elements_that_agree_prove_nothing() -> None:
    assert not list(slice_tests(with_equal_rows(normal(6, 1)), NORMAL))


def test_signs_drawn_at_random_are_no_copies_of_each_other() -> None:
    signs = "shifted(scaled(rounded(uniform(0, 1)), 2), -1)"
    model = nn.Linear(64, 64, bias=False)
    for seed in range(3):
        apply_init(model, {"weight": signs}, seed=seed)
        assert set(model.weight.unique().tolist()) == {-1.0, 1.0}
        assert check_init(model, {"weight": signs}).ok
