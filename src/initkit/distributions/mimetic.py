"""Attention that starts as trained attention looks: products of weights near the identity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .. import stream
from ..numbers import frozen
from .digits import short
from .elementwise import Normal
from .evidence import Test
from .joint import Joint, Sampled, Shape, gaps, signed
from .orthogonal import Orthogonal
from .source import Source

_OTHERS = 4  # matrices that are drawn to compare those of the heads with


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

    def tests_of(self, values: Sequence[Tensor], slack: float, sampled: Sampled) -> Iterator[Test]:
        parts = (*values[0].chunk(3), values[1]) if len(values) == 2 else tuple(values)
        query, key, value, projection = parts
        heads = list(zip(query.chunk(self.heads), key.chunk(self.heads), strict=True))
        left = torch.stack([q @ q.mT for q, _ in heads])
        right = torch.stack([k @ k.mT for _, k in heads])
        outer, inner = value @ value.mT, projection.mT @ projection
        yield from gaps(
            slack,
            lengths=("query query' = key key' in each head", left, right, left.abs().max()),
            products=("value value' = projection' projection", outer, inner, outer.abs().max()),
        )
        yield from self._tests_of_value(projection, value, slack, sampled)
        yield from self._tests_of_heads(heads, slack)
        if self.alpha_qk:
            for number, (q, _) in enumerate(heads):
                yield from self._tests_of_directions(number, q, sampled)

    def _tests_of_value(
        self, projection: Tensor, value: Tensor, slack: float, sampled: Sampled
    ) -> Iterator[Test]:
        """Test that projection value, less its multiple of the identity, is normal."""
        width = len(projection)
        eye = torch.eye(width, dtype=value.dtype, device="cpu")
        drawn = projection @ value + self.beta_vp * eye
        size = float((projection.abs() @ value.abs()).max())
        what = f"projection value + {short(self.beta_vp)}"
        if not self.alpha_vp:
            yield from gaps(slack, zero=(f"{what} = 0", drawn, torch.zeros_like(drawn), size))
            return
        normal = Normal(0.0, self.alpha_vp / math.sqrt(width))
        for test in sampled(normal, drawn, size):
            yield test.within(f"of {what}, {normal.describe()}")

    def _tests_of_heads(
        self, heads: Sequence[tuple[Tensor, Tensor]], slack: float
    ) -> Iterator[Test]:
        """Test the singular values of query' key, and how near it is to the identity.

        That is the best approximation of rank d to alpha Z + beta. The sum K(beta) of d singular
        values moves by the root of d at most where that matrix moves by 1 (Frobenius), so that it
        is known as well as one number of a normal distribution (Borell, Tsirelson, Ibragimov &
        Sudakov), and so is its distance from that of other matrices, drawn here. The trace T of
        the product's directions U' V is the derivative of K, which is convex: for any step t it
        lies between (K(beta) - K(beta - t)) / t and (K(beta + t) - K(beta)) / t.
        """
        width, size, count = self.shapes[-1][-1], len(heads[0][0]), len(heads)
        others, source = min(count, _OTHERS), Source(0, "beside")
        step = (self.alpha_qk + abs(self.beta_qk)) / 2

        def largest(shift: float) -> float:
            beta = self.beta_qk + shift
            drawn = (self._near_identity(source, i, self.alpha_qk, beta) for i in range(others))
            return sum(float(torch.linalg.svdvals(m)[:size].sum()) for m in drawn) / others

        below, here, above = largest(-step), largest(0.0), largest(step)
        spread = self.alpha_qk * math.sqrt(size / width) * math.sqrt(1 / others + 1 / count)
        found = math.fsum(float(q.square().sum()) for q, _ in heads) / count
        seen = f"singular values of query' key that add up to {short(found)} in a head"
        p = _far(found - here, slack / 4 * here, spread)  # a square is off by an eps
        text = f"{seen}, where about {short(here)} was planned"
        yield Test("structure", p, f"about {short(here)} in a head", seen, text)
        low, high = (here - below) / step, (above - here) / step
        trace = math.fsum(map(_nearness, *zip(*heads, strict=True))) / count
        off = max(low - trace, trace - high, 0.0)
        p = _far(off, slack * size, 2 * spread / step)
        seen = f"directions of query' key with the trace {short(trace)} in a head"
        text = f"{seen}, where {short(low)} to {short(high)} was planned"
        yield Test("structure", p, f"{short(low)} to {short(high)} in a head", seen, text)

    def _tests_of_directions(self, number: int, query: Tensor, sampled: Sampled) -> Iterator[Test]:
        """Test that the directions of a head are as random as those of Z."""
        values, vectors = torch.linalg.eigh(query @ query.mT)
        found = query.mT @ (vectors / values.clamp(min=1e-30).sqrt())
        # A factorisation has one of two signs for each, by which some entry is positive.
        coins = torch.empty(found.shape[1], dtype=torch.float32, device="cpu")
        stream.uniform_(coins, Source(0, "signs").block(number).values, -1.0, 1.0, 0)
        found = found * coins.sign()
        part = Orthogonal(tuple(found.shape), 1.0, (1, *found.shape))
        for test in sampled(part, found, float(found.abs().max())):
            yield test.within(f"of the directions of query in head {number}")


def _far(off: float, room: float, spread: float) -> float:
    """Return at most how likely a normal value is so far out, beyond its room, on both sides."""
    beyond = max(abs(off) - room, 0.0)
    if not beyond or not math.isfinite(beyond):
        return 0.0 if beyond else 1.0
    return min(1.0, 2 * math.exp(-((beyond / spread) ** 2) / 2)) if spread else 0.0


def _nearness(query: Tensor, key: Tensor) -> float:
    """Return the trace of U' V, where query' key is U S V' and query query' = key key' has S."""
    return float(torch.linalg.pinv(query @ query.mT).mul((query @ key.mT).mT).sum())


def _halves(product: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return two factors of equal size whose product is nearest to a matrix."""
    u, s, vh = torch.linalg.svd(product)
    root = s[:rank].sqrt() * signed(u)[:rank]
    return u[:, :rank] * root, vh[:rank].mT * root
