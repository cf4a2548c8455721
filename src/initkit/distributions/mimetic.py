"""Attention that starts as trained attention looks: products of weights near the identity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .. import stream
from ..numbers import frozen
from .digits import short
from .evidence import Test
from .joint import Joint, Shape, gaps, signed
from .source import Source


@frozen
class Mimetic(Joint):
    """Query and key, value and projection of one attention, in four matrices or in two.

    Of each head, query' key is the best approximation of its rank to ``alpha_qk Z + beta_qk``, and
    of all heads projection value is ``alpha_vp Z - beta_vp``; the elements of each Z are drawn from
    N(0, 1/width).
    """

    heads: int
    alpha_qk: float = 0.7
    beta_qk: float = 0.7
    alpha_vp: float = 0.4
    beta_vp: float = 0.4

    @classmethod
    def misfit_of(cls, shapes: Sequence[Shape]) -> str:
        if len(shapes) not in (2, 4):
            return "mimetic is of query, key, value and projection, or of a packed one and that"
        width = shapes[-1][-1] if shapes[-1] else 0
        square = (width, width)
        wanted = [square] * 4 if len(shapes) == 4 else [(3 * width, width), square]
        if list(shapes) == wanted:
            return ""
        return f"its matrices must be {[list(s) for s in wanted]}, not {[list(s) for s in shapes]}"

    def misfit(self, shape: Shape) -> str:
        if text := super().misfit(shape):
            return text
        width = shape[-1] if shape else 0
        divides = self.heads > 0 and width % self.heads == 0
        return "" if divides else f"{self.heads} heads do not divide the width {width}"

    def draw_members(self, source: Source, held: Sequence[Tensor]) -> Sequence[Tensor]:
        width = self.shapes[-1][-1]
        size = width // self.heads
        query, key = [], []
        for head in range(self.heads):
            found = self._near_identity(source, head, self.alpha_qk, self.beta_qk)
            left, right = _halves(found, size)
            query.append(left.mT)
            key.append(right.mT)
        # projection @ value is the transpose of the paper's value @ projection, of row vectors.
        found = self._near_identity(source, self.heads, self.alpha_vp, -self.beta_vp)
        left, right = _halves(found, width)
        parts = torch.cat(query), torch.cat(key), left.mT, right
        return parts if len(self.shapes) == 4 else (torch.cat(parts[:3]), parts[3])

    def _near_identity(self, source: Source, number: int, alpha: float, beta: float) -> Tensor:
        width = self.shapes[-1][-1]
        out = torch.empty(width, width, dtype=torch.float32, device="cpu")
        first = number * width * width
        stream.normal_(out.view(-1), source.values, 0.0, 1 / math.sqrt(width), first)
        return alpha * out.double() + beta * torch.eye(width, dtype=torch.float64, device="cpu")

    def describe(self) -> str:
        packed = ("query, key and value", "projection")
        apart = ("query", "key", "value", "projection")
        what = (packed if len(self.shapes) == 2 else apart)[self.member]
        numbers = (self.alpha_qk, self.beta_qk, self.alpha_vp, self.beta_vp)
        return f"mimetic {what} ({', '.join(map(short, numbers))}), {self.heads} heads"

    def tests_of(self, values: Sequence[Tensor], slack: float) -> Iterator[Test]:
        parts = (*values[0].chunk(3), values[1]) if len(values) == 2 else tuple(values)
        query, key, value, projection = parts
        width = projection.shape[0]
        heads = [
            (q @ q.mT, k @ k.mT)
            for q, k in zip(query.chunk(self.heads), key.chunk(self.heads), strict=True)
        ]
        left, right = torch.stack([q for q, _ in heads]), torch.stack([k for _, k in heads])
        outer, inner = value @ value.mT, projection.mT @ projection
        yield from gaps(
            slack,
            lengths=("query query' = key key' in each head", left, right, left.abs().max()),
            products=("value value' = projection' projection", outer, inner, outer.abs().max()),
        )
        # The trace of alpha Z - beta has the mean -beta width, and the std alpha.
        trace, wanted = float((projection @ value).diagonal().sum()), -self.beta_vp * width
        far = not abs(trace - wanted) <= 8 * self.alpha_vp + slack * width
        seen = f"trace {short(trace)}"
        text = f"projection value has the {seen}, and {short(wanted)} was planned"
        yield Test("structure", 0.0 if far else 1.0, f"trace {short(wanted)}", seen, text)


def _halves(product: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return two factors of equal size whose product is nearest to a matrix."""
    u, s, vh = torch.linalg.svd(product)
    root = s[:rank].sqrt() * signed(u)[:rank]
    return u[:, :rank] * root, vh[:rank].mT * root
