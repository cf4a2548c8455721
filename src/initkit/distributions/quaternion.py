"""Quaternions in four tensors: a length, an angle, and a direction of the imaginary part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .. import stream
from ..numbers import exact_math, frozen
from .digits import short
from .evidence import Test, binomial, uniform_test
from .joint import Joint, Shape
from .source import Source

_AWAY = 1e-4  # added to the length of a direction, as published


@frozen
class Quaternion(Joint):
    """The real part and the three imaginary parts of random quaternions.

    Their lengths are chi-distributed with four degrees and the scale ``size``, angles uniform.
    """

    size: float

    @classmethod
    def misfit_of(cls, shapes: Sequence[Shape]) -> str:
        if len(shapes) != 4:
            return "quaternion is of four tensors: the real part and three imaginary ones"
        return "" if len(set(shapes)) == 1 else f"they differ in shape: {[*map(list, shapes)]}"

    def draw_members(self, source: Source, held: Sequence[Tensor]) -> Sequence[Tensor]:
        def drawn(number: int, low: float | None = None, high: float = 1.0) -> Tensor:
            out = torch.empty(math.prod(self.shape), dtype=torch.float32, device="cpu")
            key = source.block(number).values
            if low is None:
                stream.normal_(out, key, 0.0, self.size)
            else:
                stream.uniform_(out, key, low, high)
            return out.double().view(self.shape)

        length = sum((drawn(place).square() for place in range(4)), torch.zeros(())).sqrt()
        angle = drawn(4, -math.pi, math.pi)
        sides = [drawn(place, -1.0) for place in (5, 6, 7)]
        away = sum((side.square() for side in sides), torch.zeros(())).sqrt() + _AWAY
        turned = length * exact_math.sin(angle) / away
        return length * exact_math.cos(angle), *(turned * side for side in sides)

    def describe(self) -> str:
        part = ("real part", "i", "j", "k")[self.member]
        return f"{part} of quaternions, lengths chi(4) x {short(self.size)}"

    def tests_of(self, values: Sequence[Tensor], slack: float) -> Iterator[Test]:
        real, *sides = (value.reshape(-1) for value in values)
        imaginary = torch.stack(sides).square().sum(0)
        squares = (real.square() + imaginary) / (2 * self.size**2)
        # A published direction is a little short: by less than 1e-3 for nearly all of them.
        room = 2e-3 + slack
        yield uniform_test("their lengths", 1 - (1 + squares) * (-squares).exp(), room)
        yield uniform_test("their angles", torch.atan2(imaginary.sqrt(), real) / math.pi, room)
        count = len(real)
        for name, side in zip("ijk", sides, strict=True):
            above = int((side > 0).sum())
            seen = f"{above} of {count} in {name} are positive"
            p = 6 * binomial(above, count, (0.5 - room, 0.5 + room))
            yield Test("distribution", min(p, 1.0), "half of them", seen, seen)
            # Means of numbers between 0 and 1, by Hoeffding's inequality.
            share = float((side.square() / imaginary.clamp(min=1e-30)).mean())
            p = 6 * math.exp(-2 * count * max(abs(share - 1 / 3) - room, 0.0) ** 2)
            seen = f"{name} has {short(share)} of the squares"
            yield Test("distribution", min(p, 1.0), "a third of the squares", seen, seen)
