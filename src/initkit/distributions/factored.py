"""A random rotation in triangular factors, as invertible 1x1 convolutions keep it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .. import stream
from ..numbers import frozen
from .evidence import Test
from .joint import Joint, Shape, gaps
from .source import Source


@frozen
class GlowLU(Joint):
    """P, L and U of a random rotation: of three, U has its diagonal; of five it stands apart.

    The fourth is then its sign and the fifth the logarithm of its size, and U is 0 there.
    """

    @property
    def random(self) -> bool:
        return self.member in (1, 2, 4)  # permutations and signs may well be those of others

    @classmethod
    def misfit_of(cls, shapes: Sequence[Shape]) -> str:
        if len(shapes) not in (3, 5):
            return "glow_lu is of P, L and U, or of these, the sign and the log of the diagonal"
        n = shapes[0][-1] if shapes[0] else 0
        wanted = [(n, n)] * 3 + [(n,)] * (len(shapes) - 3)
        if list(shapes) == wanted:
            return ""
        return f"they must be {[list(s) for s in wanted]}, not {[list(s) for s in shapes]}"

    def draw_members(self, source: Source, held: Sequence[Tensor]) -> Sequence[Tensor]:
        n = self.shapes[0][0]
        rotation = stream.haar(n, n, source.values, 1.0)
        p, lower, upper = torch.linalg.lu(rotation.double().view(n, n))
        if len(self.shapes) == 3:
            return p, lower, upper
        diagonal = upper.diagonal()
        return p, lower, upper.triu(1), diagonal.sign(), diagonal.abs().log()

    def describe(self) -> str:
        what = ("P", "L", "U", "sign of U's diagonal", "log of U's diagonal")[self.member]
        return f"{what} of a random rotation P L U"

    def tests_of(self, values: Sequence[Tensor], slack: float) -> Iterator[Test]:
        p, lower, upper, *diagonal = values
        eye = torch.eye(p.shape[0], dtype=p.dtype, device="cpu")
        if diagonal:
            upper = upper.triu(1) + torch.diag(diagonal[0] * diagonal[1].exp())
        whole = p @ (lower.tril(-1) + eye) @ upper.triu()
        yield from gaps(
            slack,
            zeros=("P holds zeros and ones", p * p, p, 1.0),
            permutation=("P is a permutation", p @ p.mT, eye, 1.0),
            rotation=("P L U is a rotation", whole @ whole.mT, eye, 1.0),
        )
