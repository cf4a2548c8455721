"""The leading singular vectors, from the matrix alone."""

from __future__ import annotations

import pytest
import torch

from initkit.model.singular_vectors import leading_vectors


@pytest.mark.parametrize("shape", [(3, 3), (40, 7), (7, 40), (1, 5), (5, 1), (200, 150)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_they_attain_the_spectral_norm(shape: tuple[int, int], dtype: torch.dtype) -> None:
    matrix = torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    found = leading_vectors(matrix)
    assert found is not None
    u, v = found
    wide = matrix.to(u.dtype)
    norm = torch.linalg.matrix_norm(wide, 2)
    assert torch.vdot(u, wide @ v).real == pytest.approx(float(norm), rel=1e-4)
    assert float(u.norm()) == pytest.approx(1) and float(v.norm()) == pytest.approx(1)


@pytest.mark.parametrize("matrix", [torch.eye(5), torch.zeros(4, 3), torch.ones(3, 6)])
def test_equal_singular_values_and_none_at_all_are_no_trouble(matrix: torch.Tensor) -> None:
    found = leading_vectors(matrix)
    assert found is not None
    u, v = found
    norm = float(torch.linalg.matrix_norm(matrix.double(), 2))
    assert float(u @ matrix.double() @ v) == pytest.approx(norm, abs=1e-12)
    assert float(v.norm()) == pytest.approx(1)


def test_what_is_not_finite_has_none() -> None:
    assert leading_vectors(torch.tensor([[1.0, torch.nan], [0.0, 1.0]])) is None
