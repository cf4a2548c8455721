"""Evidence on whether a tensor is drawn from a distribution: the sample, and a test's outcome."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch
from torch import Tensor

from ..numbers import Grid, Layout

if TYPE_CHECKING:
    from .base import Distribution


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of a tensor with its distribution.

    ``p`` is at most how likely so large a deviation is where the plan was followed: 0 for what
    cannot be, 1 for what fits. ``text`` is what to say where it is too small.

    ``kind`` is a word ("std", "bounds", ...); ``expected`` and ``seen`` are short texts.
    """

    __test__ = False  # so that pytest doesn't take it for one of a user's own tests

    kind: str
    p: float
    expected: str = ""
    seen: str = ""
    text: str = ""

    def within(self, where: str) -> Test:
        """Return the same test of a part, which its texts name behind what was found there.

        >>> Test("std", 0.0, "std 1", "std 2", "the std is 2").within("in block 0 of 4").text
        'the std is 2, in block 0 of 4'
        """
        texts = self.expected, self.seen, self.text
        return Test(self.kind, self.p, *(f"{text}, {where}" if text else "" for text in texts))


def exact_test(kind: str, wrong: bool, expected: str, seen: str, text: str) -> Test:
    """Return a test that leaves nothing to chance."""
    return Test(kind, 0.0 if wrong else 1.0, expected, seen, text)


@cache
def passed(kind: str) -> Test:
    """Return a test that no level lets fail; nobody reads what it would say."""
    return Test(kind, 1.0)


_Of: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"


class Sample(Protocol):
    """A tensor that may be drawn from a distribution, and the tests that any of them can use.

    A distribution brings its own tests (:meth:`Distribution.tests`) out of these, so that the
    statistics live in one place and the structure beside what has it.
    """

    @property
    def pieces(self) -> Sequence[Tensor]:
        """The tensor in pieces along dimension 0; more than one where a row is left out."""

    @property
    def whole(self) -> Tensor | None:
        """The tensor, or None where a row is left out, which no structure survives."""

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the values as they are stored."""

    @property
    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest value."""

    @property
    def computed(self) -> bool:
        """Whether the values were computed from others, and so are exact but for rounding."""

    @property
    def room(self) -> float:
        """How far an element may be from what was drawn, beyond its own rounding."""

    @property
    def notes(self) -> list[str]:
        """What to remark of the tensor, whatever its tests say: what they cannot tell."""

    @property
    def holes(self) -> bool:
        """Whether it is NaN here and there, where nothing tells what was drawn."""

    def chunks(self) -> Iterator[Tensor]:
        """Yield all elements in order, some at a time."""

    def matrices(self, grid: Grid) -> Tensor:
        """Return the whole as matrices, (how many, rows, columns), by the layout where it is known.

        So that a writer's error shows, the layout is not read as the writer reads it.
        """

    def arranged(self, layout: Layout) -> Tensor:
        """Return the whole as (how many, rows, columns, window ...) by this layout."""

    def of(self, distribution: Distribution, pieces: Sequence[Tensor]) -> Sample:
        """Return some of the elements as a sample of another distribution."""

    def tests_as(self, distribution: Distribution, tensor: Tensor) -> Iterator[Test]:
        """Yield the tests of a part of the whole as a sample of another distribution.

        Where there are ``holes``, of what is known of it, if that tells anything.
        """

    def tests_as_drawn(self, distribution: Distribution, tensor: Tensor) -> Iterator[Test]:
        """Yield the tests of elements drawn one by one, and of rows and columns as of a whole."""

    def undone(
        self, drawn: Distribution, known: Distribution, undo: _Of, make: _Of, step: float = 0.0
    ) -> tuple[Sample | None, Test]:
        """Return the values of ``drawn`` that made these with what is ``known`` at every place.

        What was made may have been rounded to multiples of ``step``, of what is drawn one by one.
        ``make`` takes values drawn and values known to those made. ``undo`` takes values made and
        values known to those drawn, and to NaN where none tells;
        the test says whether 0 is there. Of what is drawn one by one these are left out. Else there
        may be ``holes`` and ``room``, for what ``shows_in_part``, and no sample where too little
        is told.
        """

    def goodness_of_fit(self) -> Iterator[Test]:
        """Yield tests of elements that are drawn one by one."""

    def equality(self) -> Iterator[Test]:
        """Yield the comparison with what the distribution writes without drawing."""

    def chance_of_zero(self) -> float:
        """Return at most how likely an element is exactly 0, once rounded."""


def binomial(hits: float, n: float, window: tuple[float, float]) -> float:
    """Return at most how likely a share of hits so far outside the window of chances is.

    A Chernoff bound, exp(-n KL(share, chance)): never below the exact tail, for any ``n``.

    >>> binomial(50, 100, (0.5, 0.5)), round(binomial(90, 100, (0.5, 0.5)) * 1e16)
    (1.0, 1)
    """
    if not n:
        return 1.0
    share = hits / n
    if window[0] <= share <= window[1]:
        return 1.0
    chance = window[0] if share < window[0] else window[1]
    return math.exp(-n * _relative_entropy(share, chance))


def _relative_entropy(share: float, chance: float) -> float:
    """Return the relative entropy of two coins."""
    total = 0.0
    for p, q in ((share, chance), (1 - share, 1 - chance)):
        if p > 0:
            if q <= 0:
                return math.inf
            total += p * math.log(p / q)
    return max(total, 0.0)  # not negative but for rounding


def uniform_test(what: str, shares: Tensor, room: float) -> Test:
    """Test that numbers are uniform between 0 and 1 (Massart's bound for Kolmogorov's distance)."""
    count = len(shares)
    ordered = shares.sort().values
    even = torch.arange(count + 1, dtype=torch.float64, device="cpu") / count
    gap = max(float((ordered - even[:-1]).abs().max()), float((even[1:] - ordered).abs().max()))
    gap = gap if math.isfinite(gap) else 1.0
    p = min(1.0, 2 * math.exp(-2 * count * max(gap - room, 0.0) ** 2))
    seen = f"{what} are off by {100 * gap:.3g} % of all"
    return Test("distribution", p, f"{what} as planned", seen, seen)


def squares_test(what: str, total: float, count: int, room: float) -> Test:
    """Test that so many squares of standard normal values add up to ``total``, within a share.

    >>> f"{squares_test('they', 130.0, 100, 0.0).p:.2f}", squares_test("they", 130.0, 100, 0.3).p
    ('0.05', 1.0)
    """
    # As near to what is expected as rounding may have brought them.
    near = max(total * (1 - room), min(total * (1 + room), float(count)))
    half, at = (torch.tensor(x / 2, dtype=torch.float64, device="cpu") for x in (count, near))
    tail = torch.special.gammaincc if near > count else torch.special.gammainc
    p = min(1.0, 2 * float(tail(half, at))) if math.isfinite(near) else 0.0
    seen = f"{what} have {math.sqrt(max(total, 0.0) / count):.4g} times the size planned"
    return Test("std", p, f"{what} as planned", seen, seen)
