"""Matrices with a spectrum of their own: random features, and reservoirs of a spectral radius."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from .. import stream
from ..numbers import frozen
from .base import Distribution
from .digits import short
from .elementwise import Constant, Normal
from .evidence import Sample, Test, exact_test
from .source import Source
from .whole import NonElementwise


@frozen
class RandomFeatures(NonElementwise):
    """Rows that are orthogonal in blocks of as many as they are long, with chi-distributed norms.

    Each row by itself is a sample of N(0, gain); ``fixed`` norms are the root of its length.
    """

    gain: float
    fixed: bool = False
    alike = True

    def misfit(self, shape: tuple[int, ...]) -> str:
        return super().misfit(shape) or ("" if len(shape) == 2 else f"{list(shape)} is no matrix")

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, abs(self.gain)

    @property
    def reach(self) -> tuple[float, float]:
        return Normal(0.0, abs(self.gain) * math.sqrt(self.shape[1])).reach

    def _cdf(self, x: Tensor) -> Tensor:
        if not self.fixed:
            return Normal(0.0, abs(self.gain)).cdf(x)
        raise NotImplementedError("the CDF is known where the norms are random")

    def describe(self) -> str:
        gain = "" if self.gain == 1 else f", gain {short(self.gain)}"
        return f"orthogonal random features{', of one norm' * self.fixed}{gain}"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, gain=self.gain * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        rows, width = self.shape
        blocks = [
            stream.haar(min(width, rows - at), width, source.values, 1.0, first=first + at * width)
            for at in range(0, rows, width)
        ]
        out: Tensor = torch.cat([block.reshape(-1, width) for block in blocks])
        if self.fixed:
            return out.mul_(self.gain * math.sqrt(width))
        normals = torch.empty(rows * width, dtype=torch.float32, device="cpu")
        stream.normal_(normals, source.choices, 0.0, 1.0, first)
        norms = torch.linalg.vector_norm(normals.double().view(rows, width), dim=1, keepdim=True)
        return out.mul_(norms * self.gain)

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None:
            return
        width, gain = self.shape[1], abs(self.gain)
        whole = sample.whole.double()
        norms = torch.linalg.vector_norm(whole, dim=1, keepdim=True)
        eps = 1e-5 + 32 * float(torch.finfo(sample.dtype).eps)
        worst = 0.0
        for block in torch.split(whole / norms.clamp(min=1e-30), width):
            gram = block @ block.mT
            worst = max(worst, float((gram - torch.diag(gram.diagonal())).abs().max()))
        seen = f"rows with a cosine of {worst:.2g}"
        text = f"rows of a block are not orthogonal: {seen}"
        yield exact_test("structure", not worst <= eps, "orthogonal rows in blocks", seen, text)
        # The squares of all norms add up to a chi-square of as many degrees as there are elements:
        # beyond 8 of its deviations and the room of so few, nothing ever falls (Laurent & Massart).
        n = 1 if self.fixed else whole.numel()
        found = float((norms / gain).square().mean()) / width
        room = eps if self.fixed else 2 * math.sqrt(32 / n) + 64 / n
        seen = f"rows of the mean square {short(found * gain * gain)}"
        text = f"{seen}, and {short(gain * gain)} was planned"
        yield exact_test("std", not abs(found - 1) <= room, "norms as planned", seen, text)


@frozen
class Reservoir(NonElementwise):
    """Independent values, all but a share ``density`` zero, scaled to a spectral ``radius``."""

    radius: float
    density: float = 1.0
    alike = True

    def misfit(self, shape: tuple[int, ...]) -> str:
        square = len(shape) == 2 and shape[0] == shape[1]
        return super().misfit(shape) or ("" if square else f"{list(shape)} is no square matrix")

    @property
    def moments(self) -> None:
        return None

    @property
    def reach(self) -> tuple[float, float]:
        return 0.0, 0.0  # the matrix that is drawn decides

    def _cdf(self, x: Tensor) -> Tensor:
        raise NotImplementedError("nobody knows the distribution of one element")

    def describe(self) -> str:
        share = "" if self.density == 1 else f", {short(100 * self.density)} % of it not 0"
        return f"spectral radius {short(self.radius)}{share}"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, radius=self.radius * abs(factor)) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        out = torch.empty(math.prod(self.shape), dtype=torch.float32, device="cpu")
        stream.uniform_(out, source.values, -1.0, 1.0, first)
        if self.density < 1:
            chance = torch.empty_like(out)
            stream.uniform_(chance, source.choices, 0.0, 1.0, first)
            out[chance >= self.density] = 0.0
        matrix = out.double().view(self.shape)
        radius = spectral_radius(matrix)
        return matrix * (self.radius / radius) if radius else matrix

    def tests(self, sample: Sample) -> Iterator[Test]:
        if sample.whole is None:
            return
        found = spectral_radius(sample.whole.double())
        room = self.radius * (1e-4 + 64 * float(torch.finfo(sample.dtype).eps))
        seen = f"spectral radius {short(found)}"
        text = f"its {seen}, and {short(self.radius)} was planned"
        wrong = not abs(found - self.radius) <= room
        yield exact_test("structure", wrong, f"spectral radius {short(self.radius)}", seen, text)


def spectral_radius(matrix: Tensor) -> float:
    """Return the size of the largest eigenvalue of a square matrix."""
    return float(torch.linalg.eigvals(matrix.cpu()).abs().max())
