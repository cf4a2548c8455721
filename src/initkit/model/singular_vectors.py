"""The singular vectors that spectral norms keep of their weight, found from the weight alone."""

from __future__ import annotations

import torch
from torch import Tensor

_STEPS = 64  # the norm of a random matrix of 4,096 columns is then off by some 1e-4


def leading_vectors(matrix: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return the left and right singular vectors of a matrix's largest singular value.

    In double precision and on the CPU; their signs follow from the matrix, too. None where elements
    are not finite. Lanczos' method, from a fixed start, so that nothing is drawn.

    >>> u, v = leading_vectors(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    >>> [abs(round(x, 6)) for x in (*u.tolist(), *v.tolist())]
    [0.0, 1.0, 0.0, 1.0]
    """
    wide = torch.complex128 if matrix.is_complex() else torch.float64
    a = matrix.detach().to("cpu", wide)
    if not bool(a.isfinite().all()):
        return None
    if a.shape[0] < a.shape[1]:  # the shorter side makes the cheaper basis
        right, left = _leading(a.mH)
        return left, right
    return _leading(a)


def _leading(a: Tensor) -> tuple[Tensor, Tensor]:
    basis = _krylov_basis(a)
    left, _, right = torch.linalg.svd(a @ basis, full_matrices=False)
    u, v = left[:, 0], basis @ right[0].conj()
    # A pair of singular vectors has a sign of its own, which LAPACK's versions choose differently.
    turned = torch.vdot(_start(v), v)
    sign: Tensor = turned / turned.abs() if turned.abs() else torch.ones_like(turned)
    return u * sign.conj(), v * sign.conj()


def _krylov_basis(a: Tensor) -> Tensor:
    """Return an orthonormal basis, as columns, of what ``a``'s Gram matrix makes of a start."""
    vector = _start(a[0])
    vector = vector / vector.norm()
    basis: Tensor = vector[:, None]
    largest = 0.0
    for _ in range(min(_STEPS, *a.shape)):
        vector = a.mH @ (a @ vector)
        largest = max(largest, float(vector.norm()))
        for _ in range(2):  # once leaves what rounding brought back in
            vector = vector - basis @ (basis.mH @ vector)
        length = float(vector.norm())
        if length <= 1e-12 * largest:  # the basis spans all that the start leads to
            break
        vector = vector / length
        basis = torch.cat((basis, vector[:, None]), 1)
    return basis


def _start(like: Tensor) -> Tensor:
    """Return numbers without a pattern, to which no singular vector is orthogonal but by chance."""
    places = torch.arange(1, len(like) + 1, dtype=torch.float64, device="cpu")
    start: Tensor = torch.frac(places * 0.6180339887498949) - 0.5  # of the golden ratio
    return start.to(like.dtype)
