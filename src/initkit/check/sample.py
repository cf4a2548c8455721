"""A tensor under test: measured once, and compared in the ways that distributions ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from ..distributions import Distribution, Source, Test, exact_test, shorts
from ..model import chunks
from ..numbers import Grid, Layout
from .expectation import expectation
from .matrices import stacked
from .measure import Measured, measure
from .norms import norm_tests
from .sample_tests import goodness_of_fit
from .slices import slice_tests
from .undone import Undo, values_behind

_COMPUTED = 4e-6  # of a value, which code may be off by that computes in float32


@dataclass(eq=False)  # not frozen: there is one a tensor, and a guard costs as much as a test
class TensorSample:
    """Pieces of a tensor along dimension 0 that may be drawn from a distribution.

    ``rounded`` is the dtype that the values went through, if not their own; ``computed`` says that
    they were computed from others, ``incomplete`` that a row is left out. ``layout`` is the
    module's, where the plan goes by it. What was found beside known values may have ``holes``, and
    ``room`` for each value. Tests add to ``notes`` what they cannot tell.

    >>> from initkit.distributions import Constant
    >>> [test.text for test in TensorSample(Constant(0.0), [torch.ones(3)]).tests()]
    ['every element is 1 where constant 0 was planned']
    """

    distribution: Distribution
    pieces: Sequence[Tensor]
    rounded: torch.dtype | None = None
    computed: bool = False
    incomplete: bool = False
    layout: Layout | None = None
    holes: bool = False
    room: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> Tensor | None:
        """The tensor, or None where a row is left out, which no structure survives."""
        return None if self.incomplete else self.pieces[0]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the values as they are stored."""
        return self.pieces[0].dtype

    @cached_property
    def chances(self) -> tuple[tuple[float, float], ...]:
        """The thresholds of ``measured``, and the probability of a value up to each."""
        if not self.distribution.iid:
            return ()
        return expectation(self.distribution, self.rounded or self.dtype).chances

    @cached_property
    def measured(self) -> Measured:
        """What one pass over the elements saw, at the thresholds of the distribution."""
        if not self.distribution.iid:
            moments = self.distribution.moments
            return measure(self.pieces, centre=None if moments is None else moments[0])
        # The tests read counts at the thresholds of this very expectation, in its order.
        expected = expectation(self.distribution, self.rounded or self.dtype)
        return measure(
            self.pieces,
            centre=expected.moments[0],
            edges=expected.edges,
            middle=expected.middle,
            stride=self.pieces[0].shape[-1] if self.pieces[0].dim() > 1 else 0,
        )

    @property
    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.measured.low, self.measured.high

    def tests(self) -> Iterator[Test]:
        """Yield the tests of the tensor against its distribution."""
        return self.distribution.tests(self)

    def chunks(self) -> Iterator[Tensor]:
        """Yield all elements in order, some at a time, flat."""
        for piece in self.pieces:
            for chunk, _ in chunks(piece):
                yield chunk.reshape(-1)

    def matrices(self, grid: Grid) -> Tensor:
        """Return the whole as matrices, by the layout where it is known."""
        assert self.whole is not None
        return (
            self.whole.reshape(grid)
            if self.layout is None
            else self.arranged(self.layout).flatten(2)
        )

    def arranged(self, layout: Layout) -> Tensor:
        """Return the whole as (how many, rows, columns, window ...) by this layout."""
        assert self.whole is not None
        return stacked(self.whole, layout)

    def of(self, distribution: Distribution, pieces: Sequence[Tensor]) -> TensorSample:
        """Return some of the elements as a sample of another distribution."""
        # Measured anew, at the thresholds of that distribution.
        return TensorSample(
            distribution, pieces, computed=self.computed, room=self.room, notes=self.notes
        )

    def tests_as(self, distribution: Distribution, tensor: Tensor) -> Iterator[Test]:
        """Yield the tests of a part of the whole as a sample of another distribution."""
        found: TensorSample | None = self.of(distribution, [tensor])
        if self.holes and found is not None:
            found = replace(found, holes=True).partly()
        if found is not None:
            yield from distribution.tests(found)

    def tests_as_drawn(self, distribution: Distribution, tensor: Tensor) -> Iterator[Test]:
        """Yield the tests of elements drawn one by one, and of rows and columns as of a whole."""
        yield from self.of(distribution, [tensor]).tests()
        yield from norm_tests(tensor, distribution, tensor.dtype)
        yield from slice_tests(tensor, distribution)

    def partly(self) -> TensorSample | None:
        """Return what tells of the distribution of a tensor with holes; None where nothing does."""
        (whole,), distribution = self.pieces, self.distribution
        unknown = whole.isnan()
        if bool(unknown.all()):
            return None
        if not bool(unknown.any()):
            return replace(self, holes=False)
        if distribution.iid or distribution.constant is not None:
            return replace(self, pieces=[whole[~unknown]], incomplete=True, holes=False)
        if distribution.shows_in_part or distribution.in_blocks is not None:
            return self
        rows = unknown.reshape(len(unknown), -1).any(1)
        # What is drawn one by one, each by its place, is no mixture of those that are left.
        if distribution.elementwise or bool((whole[rows].isfinite()).any()) or bool(rows.all()):
            return None
        return replace(self, pieces=[whole[~rows]], incomplete=True, holes=False)

    def undone(
        self, drawn: Distribution, known: Distribution, undo: Undo, make: Undo, step: float = 0.0
    ) -> tuple[TensorSample | None, Test]:
        """Return the values of ``drawn`` that made these with what is ``known`` at every place."""
        assert self.whole is not None
        behind = values_behind(self.whole, self.rounded, drawn, known, undo, make, step)
        seen = f"{behind.left:,} elements are not 0 where {known.describe()} is"
        zeros = exact_test("structure", behind.left > 0, "0 there", seen, seen)
        if behind.values is None:
            return None, zeros
        found = self.of(drawn, [behind.values])
        return replace(found, holes=behind.holes, room=behind.room), zeros

    def goodness_of_fit(self) -> Iterator[Test]:
        """Yield tests of elements that are drawn one by one."""
        if self.measured.n:
            yield from goodness_of_fit(self.distribution, self.rounded or self.dtype, self.measured)

    def chance_of_zero(self) -> float:
        """Return at most how likely an element is exactly 0, once rounded."""
        return expectation(self.distribution, self.dtype).zero[1]

    def equality(self) -> Iterator[Test]:
        """Yield the comparison with what the distribution writes without drawing."""
        if self.whole is not None:
            yield _equality(self.distribution, self.whole, self.computed)


def _equality(distribution: Distribution, whole: Tensor, computed: bool) -> Test:
    # What steps behind a weight computed may be off by roundings of its own dtype.
    off = 4 * float(torch.finfo(whole.dtype).eps) if computed else 0.0  # no integers are
    count, first = _differences(distribution, whole, max(off, _COMPUTED))
    expected = distribution.describe()
    if not count:
        return exact_test("constant", False, expected, expected, "")
    place = [int(i) for i in torch.unravel_index(torch.tensor(first), whole.shape)]
    value = whole[tuple(place)].item()
    planned = _written(distribution, first, 1, _wide(distribution, whole.dtype)).item()
    if isinstance(value, complex) or isinstance(planned, complex):
        found, wanted = str(value), str(planned)
    else:
        found, wanted = shorts(float(value), float(planned))
    seen = f"{count:,} elements differ"
    text = f"{seen}, the first at {place}: {found} for {wanted}"
    return exact_test(
        "structure" if distribution.placed else "constant", True, expected, seen, text
    )


def _differences(distribution: Distribution, whole: Tensor, off: float) -> tuple[int, int]:
    """Count the elements that are not what the distribution writes; return the first's index."""
    wide = _wide(distribution, whole.dtype)
    # Beside the relative room an absolute one: near a zero of a sine no value is relatively exact.
    room = distribution.tolerance * max(abs(distribution.low), abs(distribution.high))
    count, first = 0, -1
    for chunk, start in chunks(whole):
        expected = _written(distribution, start, chunk.numel(), wide)
        values = chunk.reshape(-1).cpu()
        far = _far(values, expected, off * expected.abs() + room)
        far &= ~values.isnan()  # a hole, since of garbage nothing is compared
        if bool(far.any()):
            count += int(far.sum())
            first = first if first >= 0 else start + int(far.nonzero()[0])
    return count, first


def _far(values: Tensor, expected: Tensor, off: Tensor) -> Tensor:
    """Say which values are none that numbers ``off`` by so much at most round to."""
    if not (values.is_floating_point() or values.is_complex()):
        return values.to(expected.dtype) != expected
    if values.is_complex() or values.dtype.itemsize > 2:
        return (values.to(expected.dtype) - expected).abs() > off
    low, high = ((expected + end).float().to(values.dtype).double() for end in (-off, off))
    held = values.double()
    return (held < low) | (held > high)


def _wide(distribution: Distribution, dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which nothing of what is planned or held gets lost."""
    if dtype.is_complex or distribution.complex_valued:
        return torch.complex128
    # float64 does not hold every integer; and only integers are whole in integer memory.
    integers = not dtype.is_floating_point and distribution.whole_numbers
    return torch.int64 if integers else torch.float64


def _written(distribution: Distribution, start: int, count: int, wide: torch.dtype) -> Tensor:
    """Return elements of a distribution that draws none, in a wide dtype."""
    out = torch.empty(count, dtype=wide, device="cpu")
    # Nothing is drawn, so that any source will do.
    distribution.write(out, Source(0, ""), start)
    return out
