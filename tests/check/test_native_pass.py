"""The passes in C find what the loops in torch find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
import torch
from torch import Tensor

from initkit.check import duplicates, measure, native_pass, norms
from initkit.check.expectation import expectation
from initkit.distributions import Normal

T = TypeVar("T")
SHAPES = [(1,), (7,), (16, 16), (33, 17), (3, 5, 7), (300, 811), (70_001,), (2, 140_000)]
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
needs_c = pytest.mark.skipif(native_pass.native() is None, reason="the extension is not built")


def without_c(monkeypatch: pytest.MonkeyPatch, look: Callable[[], T]) -> T:
    with monkeypatch.context() as patch:
        for module in (measure, norms, duplicates):
            patch.setattr(module, "native", lambda: None)
        return look()


def values(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    made = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 0.02
    made.view(-1)[::5] = 0
    made.view(-1)[::3] *= 1e-31  # smaller than any starting value
    if dtype == torch.float16:
        made.view(-1)[::7] *= 1e-4  # subnormal there
    return made.to(dtype)


@needs_c
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_c_counts_what_torch_counts(shape, dtype, monkeypatch) -> None:
    x = values(shape, dtype)
    expected = expectation(Normal(0.0, 0.02), dtype)

    def look() -> measure.Measured:
        stride = x.shape[-1] if x.dim() > 1 else 0
        mean, edges = expected.moments[0] + 0.001, expected.edges
        return measure.measure([x], centre=mean, edges=edges, middle=expected.middle, stride=stride)

    assert native_pass.memory(x) is not None
    seen, eager = look(), without_c(monkeypatch, look)
    assert seen.mean == pytest.approx(eager.mean, abs=1e-8)
    assert seen.second == pytest.approx(eager.second, rel=1e-5)
    assert seen == replace(eager, mean=seen.mean, second=seen.second)


@needs_c
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [s for s in SHAPES if len(s) > 1], ids=str)
def test_c_sums_the_squares_of_rows_and_columns(shape, dtype, monkeypatch) -> None:
    x = values(shape, dtype)

    def look() -> list[tuple[str, Tensor, int]]:
        return list(norms._mean_squares(x, 0.001, 0.02))

    for (what, seen, each), (_, eager, _) in zip(look(), without_c(monkeypatch, look), strict=True):
        assert each * len(seen) == x.numel(), what
        torch.testing.assert_close(seen, eager, rtol=1e-5, atol=0)


@needs_c
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_c_finds_the_runs_that_torch_finds(shape, dtype, monkeypatch) -> None:
    x = values(shape, dtype)
    seen, eager = (f(lambda: duplicates._run_keys(x)) for f in (_plainly, _eagerly(monkeypatch)))
    assert all(map(torch.equal, seen, eager))
    assert len(seen[0]) > 0 or x.numel() < 70_000


def _plainly(look: Callable[[], T]) -> T:
    return look()


def _eagerly(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], T]], T]:
    return lambda look: without_c(monkeypatch, look)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("place", [0, 5, 39])
def test_what_is_not_finite_is_counted(value: float, dtype: torch.dtype, place: int) -> None:
    x = torch.ones(40, dtype=dtype)
    x[place] = value
    seen = measure.measure([x])
    assert (seen.nans, seen.infinities) == (int(value != value), int(value == value))
    ends = (
        (min(value, 1.0), max(value, 1.0))
        if value == value
        else (pytest.approx(value, nan_ok=True),) * 2
    )
    assert (seen.low, seen.high) == ends


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(4, 4).T[:, 1:],
        torch.zeros(4, dtype=torch.complex64),
        torch.zeros(4, device="meta"),
        torch.zeros(0),
        torch._neg_view(torch.zeros(4)),
        torch.frombuffer(bytearray(9), dtype=torch.uint8)[1:].view(torch.uint8),
    ],
    ids=["gaps", "complex", "meta", "empty", "negative", "integers"],
)
def test_memory_that_is_not_in_a_row_is_left_to_torch(tensor: Tensor) -> None:
    assert native_pass.memory(tensor) is None


@needs_c
def test_memory_that_was_freed_is_refused() -> None:
    x = torch.zeros(8)
    where = native_pass.memory(x)
    module = native_pass.native()
    assert module is not None
    assert where is not None
    with pytest.raises(ValueError, match="the memory is too short"):
        module.runs(*where[:4], 31)
