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
from .elementwise import Constant, Normal, Uniform
from .evidence import Sample, Test, binomial, exact_test, squares_test, uniform_test
from .orthogonal import Orthogonal, sphere_cdf
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
    shows_in_part = True

    def misfit(self, shape: tuple[int, ...]) -> str:
        return super().misfit(shape) or ("" if len(shape) == 2 else f"{list(shape)} is no matrix")

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, abs(self.gain)

    @property
    def bounds(self) -> tuple[float, float]:
        end = abs(self.gain) * math.sqrt(self.shape[1]) if self.fixed else math.inf
        return -end, end

    @property
    def reach(self) -> tuple[float, float]:
        if self.fixed:
            return self.bounds
        return Normal(0.0, abs(self.gain) * math.sqrt(self.shape[1])).reach

    def _cdf(self, x: Tensor) -> Tensor:
        if not self.fixed:
            return Normal(0.0, abs(self.gain)).cdf(x)
        width = self.shape[1]
        return sphere_cdf(x / (abs(self.gain) * math.sqrt(width)), width)

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
        norms = torch.linalg.vector_norm(sample.whole.double(), dim=1, keepdim=True)
        # As exact as the sample: what is orthogonal and random is told as of any such matrix.
        unit = (sample.whole.double() / norms.clamp(min=1e-30)).to(sample.dtype)
        for place, block in enumerate(torch.split(unit, width)):
            part = Orthogonal(tuple(block.shape), 1.0, (1, *block.shape))
            last = place * width + len(block) - 1
            for test in sample.tests_as(part, block):
                yield test.within(f"in rows {place * width} to {last}, each of length 1")
        norms = norms[~norms.isnan()][:, None]  # of rows that are known
        if not len(norms):
            return
        eps = 1e-5 + 2 * float(torch.finfo(sample.dtype).eps)
        if self.fixed:
            low, high = (float(end) / math.sqrt(width) for end in (norms.min(), norms.max()))
            seen = f"rows of the mean square {short(low**2)} to {short(high**2)}"
            text = f"{seen}, and {short(gain * gain)} was planned"
            wrong = not (gain * (1 - eps) <= low and high <= gain * (1 + eps))
            yield exact_test("std", wrong, "norms as planned", seen, text)
            return
        squares = (norms / gain).square()
        yield squares_test("the rows", float(squares.sum()), len(norms) * width, 2 * eps)
        half = torch.full_like(squares, width / 2)
        shares = torch.special.gammainc(half, squares / 2).reshape(-1)
        # No density of a chi-square times its place is above the root of its degrees.
        yield uniform_test("the lengths of rows", shares, eps * math.sqrt(width))


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
        eps = float(torch.finfo(sample.dtype).eps)
        found, low, high = _radius_between(sample.whole.double(), eps)
        room = 1e-4 * self.radius  # of other code, which may compute in float32
        seen = f"spectral radius {short(found)}"
        text = f"its {seen}, and {short(self.radius)} was planned"
        wrong = not low - room <= self.radius <= high + room
        yield exact_test("structure", wrong, f"spectral radius {short(self.radius)}", seen, text)
        flat = sample.whole.reshape(-1)
        drawn = flat[flat != 0]
        count = flat.numel()
        p = 2 * binomial(len(drawn), count, (self.density - 1e-6, self.density))
        seen = f"{short(100 * len(drawn) / count)} % of the elements are not 0"
        text = f"{seen}, where {short(100 * self.density)} % should be"
        yield Test("zeros", min(p, 1.0), f"{short(100 * self.density)} % not 0", seen, text)
        if len(drawn) > 1:
            # Up to the largest the others are uniform, whatever all were multiplied by.
            largest = int(drawn.abs().argmax())
            end = abs(float(drawn[largest]))
            part, rest = Uniform(-end, end), torch.cat([drawn[:largest], drawn[largest + 1 :]])
            for test in part.tests(sample.of(part, [rest])):
                if test.kind != "zeros":  # they are counted above
                    yield test.within("beside the largest element")


def spectral_radius(matrix: Tensor) -> float:
    """Return the size of the largest eigenvalue of a square matrix."""
    return float(torch.linalg.eigvals(matrix.cpu()).abs().max())


def _radius_between(matrix: Tensor, eps: float) -> tuple[float, float, float]:
    """Return the spectral radius, and between which two that of the unrounded matrix lies.

    An eigenvalue moves by l' E r, with its own vectors on either side, and the roundings E, each of
    half an ``eps`` of its element at most, add up by chance (Hoeffding): 8 times their root never.
    """
    values, right = torch.linalg.eig(matrix.cpu())
    sizes = values.abs()
    left, failed = torch.linalg.inv_ex(right)
    if int(failed):  # without a vector for each nothing bounds how far they move
        return float(sizes.max()), 0.0, math.inf
    weighted = left.abs().square() @ matrix.cpu().square() * right.abs().square().mT
    rooms = 4 * eps * weighted.sum(1).sqrt()
    return float(sizes.max()), float((sizes - rooms).max()), float((sizes + rooms).max())
