"""Random matrices drawn as a whole: uniformly distributed rotations and reflections."""

from __future__ import annotations

import torch
from torch import Tensor

from .keys import Key
from .pool import alone
from .values import normal_

BLOCK = 96  # reflections applied at once: enough for fast products, few enough for the cache


def haar(rows: int, cols: int, key: Key, gain: float = 1.0, first: int = 0) -> Tensor:
    """Return a semi-orthogonal float64 matrix, uniformly (Haar) distributed, times ``gain``.

    Its columns are orthonormal, or its rows where there are fewer of them. A product of Householder
    reflections, each made from an independent normal vector (Stewart 1980, doi:10.1137/0717034).
    The scratch of ``rows * cols`` normals has the global indices from ``first`` on, so the n-th
    block of a tensor takes ``first = n * rows * cols``. Computed with one thread, in its own
    memory and little more; :func:`run` several for several threads.

    >>> q = haar(3, 5, key(0, "fc.weight"))
    >>> torch.allclose(q @ q.T, torch.eye(3, dtype=torch.float64))
    True
    """
    done: list[Tensor] = []
    # A BLAS sums in other orders on more threads, and the last bits would depend on their number.
    alone(lambda: done.append(_haar(rows, cols, key, gain, first)))
    return done[0]


@torch.no_grad()
def _haar(rows: int, cols: int, key: Key, gain: float, first: int) -> Tensor:
    v = torch.empty(min(rows, cols), max(rows, cols), dtype=torch.float64, device="cpu")
    normal_(v, key, 0.0, 1.0, first)
    tau, signs = reflectors(v)
    expand(v, tau)
    v *= (signs * gain).unsqueeze(1)
    return v if rows <= cols else v.T


def reflectors(v: Tensor) -> tuple[Tensor, Tensor]:
    """Turn row j of ``v``, from its j-th entry on, into a Householder vector with a leading one.

    Return tau and signs: ``1 - tau v v^T`` takes what was row j to ``sign * length`` times the j-th
    unit vector. With its columns times the signs, the product of the reflections is the Q of a QR
    factorisation with a positive diagonal of R, and that is what makes it Haar.
    """
    v.triu_()
    lead = v.diagonal()
    # Of the two reflections onto the axis the one for which lead - beta does not cancel.
    signs = torch.where(lead > 0, -1.0, 1.0).to(v.dtype)
    beta = signs * torch.linalg.vector_norm(v, dim=1)
    tau = (beta - lead) / beta
    v /= (lead - beta).unsqueeze(1)
    lead.fill_(1.0)
    return tau, signs


def expand(v: Tensor, tau: Tensor) -> None:
    """Turn the rows v into the first columns of the product of all ``1 - tau v v^T``, transposed.

    As ``torch.linalg.householder_product``, but in place and in blocks ``1 - V^T T V`` (compact
    WY) from the last to the first, so that nearly all of it is matrix multiplication.
    """
    for start in reversed(range(0, len(v), BLOCK)):
        end = min(start + BLOCK, len(v))
        head, body = v[start:end, start:end], v[start:end, end:]
        below, rest = v[end:, start:end], v[end:, end:]  # below is zero until now
        # T is the inverse of what V V^T is above its diagonal, with 1 / tau on it (Puglisi 1992;
        # Joffrain et al. 2006): it is solved with, and never formed.
        inverse = (head @ head.T).addmm_(body, body.T).triu_(1)
        inverse.diagonal().copy_(1 / tau[start:end])
        own = torch.linalg.solve_triangular(inverse, head, upper=True).T
        mixed = torch.linalg.solve_triangular(inverse.T, rest @ body.T, upper=False, left=False)
        rest.addmm_(mixed, body, alpha=-1.0)
        below.addmm_(mixed, head, alpha=-1.0)
        # Last, since it overwrites V: the block's own rows.
        body.copy_((own @ body).neg_())
        head.copy_((own @ head).neg_()).diagonal().add_(1.0)
