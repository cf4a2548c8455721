"""Blocks of which two are opposite: what is drawn for the one stands in the other, negated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from ..numbers import frozen
from .base import Distribution, of_part
from .blocks import Blocks
from .elementwise import Constant
from .evidence import Sample, Test, exact_test
from .source import Runs, Source, Spot, spans


@frozen
class Opposed(Distribution):
    """Equal blocks of dimension 0, the one numbered ``negated`` minus the one numbered ``drawn``.

    ``part`` says how each is distributed, the negated one too.
    """

    part: Blocks
    drawn: int
    negated: int
    iid = False
    distinct_slices = False  # up to signs two are alike
    shows_in_part = True
    shape_matters = True

    elementwise = of_part("elementwise")
    random = of_part("random")
    complex_as_pairs = of_part("complex_as_pairs")
    moments = of_part("moments")
    bounds = of_part("bounds")
    reach = of_part("reach")
    reckoned = of_part("reckoned")
    atoms = of_part("atoms")

    def misfit(self, shape: tuple[int, ...]) -> str:
        numbered = {self.drawn, self.negated} <= {*range(len(self.part.parts))}
        if self.part.sizes or not numbered or self.drawn == self.negated:
            return "two of its equal blocks are opposite"
        return self.part.misfit(shape)

    def _cdf(self, x: Tensor) -> Tensor:
        return self.part.cdf(x)

    def describe(self) -> str:
        blocks = [part.describe() for part in self.part.parts]
        blocks[self.negated] = f"- block {self.drawn}"
        return " | ".join(blocks)

    def scaled(self, factor: float) -> Distribution:
        return replace(self, part=self.part.scaled(factor)) if factor else Constant(0.0)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        spots = [Spot(at, start, start, length) for at, start, length in spans(runs, out.numel())]
        self.write_block(out, source, spots)

    def write_block(self, out: Tensor, source: Source, spots: Sequence[Spot]) -> None:
        self.part.write_block(out, source, spots)
        size = self.part.size // len(self.part.parts)
        first, ahead = self.negated * size, (self.negated - self.drawn) * size
        for local, place, word, length in spots:
            begin, end = max(place, first), min(place + length, first + size)
            if begin < end:  # the words of the other block, once more
                here = out.narrow(0, local + begin - place, end - begin)
                spot = Spot(0, begin - ahead, word + begin - place - ahead, end - begin)
                self.part.write_block(here, source, [spot])
                here.neg_()

    def tests(self, sample: Sample) -> Iterator[Test]:
        yield from self.part.tests(sample)
        if sample.whole is None:
            return
        blocks = sample.whole.chunk(len(self.part.parts))
        one, other = (blocks[place].detach().cpu().double() for place in (self.drawn, self.negated))
        rest = one + other  # 0 however it was rounded, and NaN where one of both is unknown
        wrong = int(((rest != 0) & ~rest.isnan()).sum())
        seen = f"{wrong:,} elements differ"
        expected = f"block {self.negated} is minus block {self.drawn}"
        text = f"{seen} from minus those of block {self.drawn} in block {self.negated}"
        yield exact_test("structure", wrong > 0, expected, seen, text)
