"""Rows and columns of a sample: none stands out, and they are not all alike."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from initkit import apply_init, check_init
from initkit.check.check import CheckReport
from initkit.check.norms import norm_tests
from initkit.distributions.base import Distribution
from initkit.distributions.elementwise import Normal, TruncatedNormal, Uniform

NORMAL = Normal(0.0, 0.5)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.5


def chances(tensor: torch.Tensor, distribution: Distribution = NORMAL) -> dict[str, float]:
    """Return what each test says, and its p-value."""
    return {test.text: test.p for test in norm_tests(tensor, distribution, tensor.dtype)}


def the_odd_one(tensor: torch.Tensor, distribution: Distribution = NORMAL) -> str:
    text, p = min(chances(tensor, distribution).items(), key=lambda found: found[1])
    assert p < 1e-9
    return text


@pytest.mark.parametrize("place", [0, 5])
@pytest.mark.parametrize("factor", [0.25, 2.0])
def test_a_row_or_column_of_another_std_is_named(place: int, factor: float) -> None:
    for axis, what in enumerate(("row", "column")):
        w = normal(64, 96)
        w.select(axis, place).mul_(factor)
        assert the_odd_one(w).startswith(f"{what} {place} has a std of")


def test_one_output_of_a_convolution_counts_as_a_row() -> None:
    conv = normal(16, 8, 3, 3).contiguous(memory_format=torch.channels_last)
    conv[3] *= 2
    assert the_odd_one(conv).startswith("row 3 has a std of ")


@pytest.mark.parametrize("shape", [(64, 64), (32, 128), (128, 32), (16, 8, 3, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_an_orthogonal_matrix_is_no_normal_one_of_its_std(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    w = nn.init.orthogonal_(torch.empty(shape))
    std = 1 / math.sqrt(max(w.flatten(1).shape))
    text = the_odd_one(w.to(dtype), Normal(0.0, std))
    assert "have one length, as in an orthogonal matrix; those of independent values" in text
    uncut = TruncatedNormal(0.0, std, -100 * std, 100 * std)
    assert the_odd_one(w.to(dtype), uncut) == text


@pytest.mark.parametrize("distribution", [NORMAL, Uniform(-1.0, 1.0)], ids=str)
def test_a_correct_sample_of_any_shape_raises_no_alarm(distribution: Distribution) -> None:
    shapes = [(2, 2), (2, 500), (500, 2), (3, 3), (40, 60), (1, 9), (9, 1), (4, 3, 2, 2)]
    for seed in range(50):
        generator = torch.Generator().manual_seed(seed)
        for shape in shapes:
            w = torch.rand(shape, generator=generator) * 2 - 1
            w = normal(*shape, seed=seed) if distribution is NORMAL else w
            for dtype in (torch.float32, torch.bfloat16, torch.float16):
                assert min(chances(w.to(dtype), distribution).values(), default=1.0) > 1e-6, (
                    seed,
                    shape,
                )


def test_vectors_have_no_rows() -> None:
    assert not chances(normal(50))


def _checked(rules: object, spoil: Callable[[torch.Tensor], object]) -> CheckReport:
    model = nn.Linear(64, 64)
    apply_init(model, rules, seed=0)
    with torch.no_grad():
        spoil(model.weight)
    return check_init(model, rules)


def test_a_check_names_the_parameter_and_what_is_odd() -> None:
    def orthogonal(weight: torch.Tensor) -> None:
        nn.init.orthogonal_(weight)

    report = _checked({"weight": "lecun_normal", "bias": 0}, orthogonal)
    (failure,) = report.failures
    assert (failure.name, failure.kind) == ("weight", "lengths")
    assert "as in an orthogonal matrix" in failure.text
    assert "differ by about 8.8 %" in failure.text


def test_a_wrong_std_of_all_rows_is_told_as_that_alone() -> None:
    report = _checked({"weight": "lecun_normal", "bias": 0}, lambda weight: weight.mul_(2))
    (failure,) = report.failures
    assert failure.kind == "std"
    assert not any("unlike the others" in text for text in failure.also)
