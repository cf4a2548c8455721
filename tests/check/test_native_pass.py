"""The passes in C find what the loops in torch find."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from torch import Tensor

from initkit.check import duplicates, followers, measure, native_pass, norms, slices
from initkit.check.expectation import expectation
from initkit.distributions import Constant, Distribution, Normal

T = TypeVar("T")
SHAPES = [(1,), (7,), (16, 16), (33, 17), (3, 5, 7), (300, 811), (70_001,), (2, 140_000)]
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
needs_c = pytest.mark.skipif(native_pass.native() is None, reason="the extension is not built")


def without_c(monkeypatch: pytest.MonkeyPatch, look: Callable[[], T]) -> T:
    with monkeypatch.context() as patch:
        for module in (measure, norms, slices, duplicates, followers):
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
    assert seen == eager._replace(mean=seen.mean, second=seen.second)


MATRICES = [shape for shape in SHAPES if len(shape) > 1]


@needs_c
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", MATRICES, ids=str)
def test_c_finds_the_longest_and_the_shortest_rows_and_columns(shape, dtype, monkeypatch) -> None:
    x = values(shape, dtype)

    def look() -> tuple[norms.Ends, norms.Ends]:
        return norms._lengths(x, 0.001, 0.02)

    for seen, eager in zip(look(), without_c(monkeypatch, look), strict=True):
        assert seen == pytest.approx(eager, rel=1e-5)


@needs_c
def test_c_reports_the_row_that_holds_nan_as_both_ends() -> None:
    x = values((5, 9), torch.float32)
    x[3, 4] = torch.nan
    by_row, by_column = norms._lengths(x, 0.0, 0.02)
    assert (by_row.shortest, by_row.longest) == (3, 3)
    assert (by_column.shortest, by_column.longest) == (4, 4)


@needs_c
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(7,), (1, 9), (16, 16), (33, 17), (3, 5, 7)], ids=str)
def test_c_tells_equal_slices_along_every_dimension(shape, dtype) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    module, where = native_pass.native(), native_pass.memory(x)
    assert module is not None
    assert where is not None
    for dim, count in enumerate(shape):
        outer = math.prod(shape[:dim])
        assert module.distinct(*where, outer, count)
        if count > 2:
            moved, kept = x.movedim(dim, 0), x.clone()
            moved[count - 1] = -moved[1]  # up to signs
            assert not module.distinct(*where, outer, count)
            x.copy_(kept)


@needs_c
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(300,), (8, 8), (33, 17), (3, 5, 7), (2, 4000)], ids=str)
def test_c_finds_the_followers_that_torch_finds(shape, dtype, monkeypatch) -> None:
    def draw(seed: int) -> Tensor:
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

    made = [draw(0), draw(1), draw(0) + 0.1 * draw(2), 2 - draw(1) + 0.1 * draw(3), draw(4)]
    made += [made[0].flatten().flip(0).view(shape) + 0.1 * draw(5)]
    made += [made[1].mT.contiguous() + 0.1 * draw(6).mT] if len(shape) == 2 else []
    made += [draw(4).mT + 0.1 * draw(7).mT] if len(shape) == 2 else []  # not in a row
    tensors = [tensor.to(dtype) for tensor in made]
    # Any of two may be drawn otherwise than one by one: then its own median is all there is.
    laws: list[Distribution] = [Normal(0.0, 1.0)] * len(tensors)
    laws[2] = Constant(0.0)

    def look() -> list[followers.Follower]:
        return followers.followers(tensors, laws)

    seen = look()
    assert seen == without_c(monkeypatch, look)
    assert len(seen) >= (3 if math.prod(shape) >= 100 else 0)


@needs_c
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(7,), (65,), (16, 16), (12, 400), (400, 12), (3, 5, 7)], ids=str)
def test_c_finds_the_duplicates_that_torch_finds(shape, dtype, monkeypatch) -> None:
    x, y, z = values(shape, dtype), values(shape, dtype).flip(0), values(shape, dtype) * 3
    fresh = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    flat = torch.ones(shape, dtype=dtype)
    tensors = [fresh, x, y, z, flat, -fresh, *((fresh.mT,) if len(shape) == 2 else ())]

    def look() -> list[duplicates.Duplicate]:
        return duplicates.duplicates(tensors)

    seen = look()
    assert seen == without_c(monkeypatch, look)
    assert (5 in [found.second for found in seen]) == (fresh.numel() > 7)


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


def _calls(module, where) -> list[tuple[str, Callable[[], object]]]:
    return [
        ("the rows do not fit the values", lambda: module.lengths(*where, 0.0, 1.0, 3)),
        ("the rows do not fit the values", lambda: module.lengths(*where, 0.0, 0.0, 2)),
        ("the slices do not fit the values", lambda: module.distinct(*where, 2, 3)),
        ("the columns do not fit the values", lambda: module.rises(*where, 3, False)),
        ("the columns do not fit the values", lambda: module.sides(*where, 0, 0.0)),
        (
            "the samples do not fit each other",
            lambda: module.following(
                bytes(64), bytes(8), bytes(64), bytes(8), 0, bytearray(1), True
            ),
        ),
        (
            "the samples do not fit each other",
            lambda: module.following(
                bytes(64), bytes(8), bytes(60), bytes(8), 0, bytearray(1), True
            ),
        ),
    ]


@needs_c
def test_what_does_not_fit_the_memory_is_refused() -> None:
    where, module = native_pass.memory(torch.zeros(8)), native_pass.native()
    for text, call in _calls(module, where):
        with pytest.raises(ValueError, match=text):
            call()
