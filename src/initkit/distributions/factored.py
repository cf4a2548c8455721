"""A random rotation in triangular factors, as invertible 1x1 convolutions keep it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .. import stream
from ..numbers import frozen
from .evidence import Test, exact_test
from .joint import Joint, Sampled, Shape, gaps
from .orthogonal import Orthogonal
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

    def tests_of(self, values: Sequence[Tensor], slack: float, sampled: Sampled) -> Iterator[Test]:
        p, lower, upper, *diagonal = values
        n = len(p)
        eye = torch.eye(n, dtype=p.dtype, device="cpu")
        # What a forward masks is written as well, and known.
        outside = upper.tril(0 if diagonal else -1)
        for name, held, wanted in (("L", lower.triu(), eye), ("U", outside, 0 * eye)):
            wrong = int((held != wanted).sum())
            seen = f"{wrong} entries of {name} are not the zeros{' and ones' * (name == 'L')}"
            text = f"{seen} that its triangle leaves"
            yield exact_test("structure", wrong > 0, f"{name} triangular", seen, text)
        if diagonal:
            upper = upper.triu(1) + torch.diag(diagonal[0] * diagonal[1].exp())
        below, upper = lower.tril(-1), upper.triu()
        product = p @ (below + eye) @ upper
        yield from gaps(
            slack,
            zeros=("P holds zeros and ones", p * p, p, 1.0),
            permutation=("P is a permutation", p @ p.mT, eye, 1.0),
            pivots=("no entry of L is beyond 1", below.clamp(-1, 1), below, 1.0),
        )
        zeros = n * (n - 1) // 2 - int(below.count_nonzero())
        seen = f"{zeros} entries of L below its diagonal are 0"
        yield exact_test("structure", zeros > 0, "L of a random rotation", seen, seen)
        # A rotation's rows may as well come in any other order, so that every P is as likely; it
        # leaves k rows in place or more in 1/k! of all.
        fixed = int((p.diagonal() != 0).sum())
        seen = f"P leaves {fixed} of {n} rows in place"
        yield Test("distribution", math.exp(-math.lgamma(fixed + 1)), "any P", seen, seen)
        rotation = Orthogonal((n, n), 1.0, (1, n, n))
        size = float(((below + eye).abs() @ upper.abs()).max())
        for test in sampled(rotation, product, size):
            yield test.within("as P L U, a random rotation")
