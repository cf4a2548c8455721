"""The base class of all distributions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Self, overload

import torch
from torch import Tensor

from ..numbers import Grid, Value, frozen
from .evidence import Sample, Test
from .source import Runs, Source, Spot

if TYPE_CHECKING:
    from .. import stream
    from .blocks import Blocks
    from .copied import Copy

    derived = property
else:

    class derived:  # noqa: N801  it stands where property would
        """A property that a field or a class attribute of a subclass may replace."""

        def __init__(self, function):
            self.function, self.__doc__ = function, function.__doc__

        # Without __set__, so that the field of an instance comes first; property would hide it.
        def __get__(self, instance, owner):
            name = self.function.__name__
            if instance is None:  # so that dataclass sees no default here
                raise AttributeError(name)
            value = self.function(instance)
            # A trait follows from fields, which are frozen: what needs no memory is asked for once.
            # Of what a subclass overrides nothing is kept, which would hide its own.
            if type(value) in (bool, float, type(None)):
                first = next(kind for kind in owner.__mro__ if name in vars(kind))
                if vars(first)[name] is self:
                    vars(instance)[name] = value
            return value


WRITTEN = "Written"
"""The kind in plain data of what they cannot carry, and so in the digest of its plan."""

CLASSES: dict[str, type[Distribution]] = {}
"""By the name that ``to_dict`` writes: the name of a class is part of every saved plan."""


@frozen
class Distribution(Value):
    """Base of all distributions: moments, bounds, CDF, and the one way to write its values.

    A subclass is a frozen dataclass. Its traits (``elementwise``, ``random``, ...) are class
    attributes, fields or properties, whichever it likes; being defined makes it known to
    :func:`from_dict`. What the rest of the library does with it follows from its traits and from
    :meth:`tests`, so that a new one needs no other place.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # `frozen` returns the class that it is given, so this is the one that will be used.
        CLASSES[cls.__name__] = cls

    # ------------------------------------------------------------------------------- traits

    @derived
    def elementwise(self) -> bool:
        """Whether any part can be written by itself, without drawing the rest."""
        return True

    @derived
    def random(self) -> bool:
        """Whether the seed matters."""
        return True

    @derived
    def iid(self) -> bool:
        """Whether all elements are drawn independently from one distribution."""
        return self.elementwise and self.random

    @derived
    def alike(self) -> bool:
        """Whether an element by itself has one distribution, whatever its place."""
        return self.iid

    @derived
    def shows_in_part(self) -> bool:
        """Whether its tests can tell it by a part of a tensor, known within some room."""
        return self.iid or not self.random

    @derived
    def in_blocks(self) -> Blocks | None:
        """The same with a distribution for each block, where blocks differ; to be tested so."""
        return None

    @derived
    def placed(self) -> bool:
        """Whether the place alone decides the value."""
        return False

    @derived
    def shape_matters(self) -> bool:
        """Whether the same memory in another shape would hold other values."""
        return self.placed or not self.elementwise

    @derived
    def known(self) -> bool:
        """Whether anything is known of the values; nothing is of those of a user's function."""
        return True

    @derived
    def gaussian(self) -> bool:
        """Whether the elements are normal; where they are cut, beyond all values of the stream."""
        return False

    @derived
    def constant(self) -> float | None:
        """The value of all elements; None where they may differ."""
        return None

    @derived
    def distinct_slices(self) -> bool:
        """Whether no two slices of a tensor should hold the same values up to signs."""
        return self.random

    @derived
    def tolerance(self) -> float:
        """How far, relative to the largest value, other code's values may be from these."""
        return 0.0

    @derived
    def complex_as_pairs(self) -> bool:
        """Whether a complex number is written as two real ones."""
        return True

    @derived
    def allows_complex(self) -> bool:
        """Whether it can be written into complex memory."""
        return self.elementwise

    @derived
    def spec(self) -> stream.Spec | None:
        """What the stream makes of each element's word, where that is all there is to it."""
        return None

    @derived
    def whole_numbers(self) -> bool:
        """Whether every value is a whole number, which integer memory can hold."""
        return self.constant is not None and float(self.constant).is_integer()

    @derived
    def complex_valued(self) -> bool:
        """Whether values are complex numbers, which real memory cannot hold."""
        return False

    @derived
    def uncarried(self) -> str:
        """What of it plain data cannot carry, or nothing."""
        return next((part.uncarried for part in self.inner() if part.uncarried), "")

    @derived
    def serializable(self) -> bool:
        """Whether :func:`from_dict` can read it back."""
        return not self.uncarried

    @derived
    def repeatable(self) -> bool:
        """Whether seed and plan alone give its values, and nothing that the model holds."""
        return all(part.repeatable for part in self.inner())

    @derived
    def settled(self) -> bool:
        """Whether all that its values follow from is filled in."""
        return all(part.settled for part in self.inner())

    @derived
    def copy(self) -> Copy | None:
        """The copy of another parameter that it is, or is made of."""
        return None

    # ------------------------------------------------------------------------------- shapes

    def inner(self) -> Iterator[Distribution]:
        """Yield the distributions that this one is made of."""
        for f in fields(self):
            value = getattr(self, f.name)  # one alone, or several as those of blocks
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, Distribution):
                    yield one

    def of_parts(self, made: Callable[[Distribution], Distribution]) -> Self:
        """Return the same of what is made of each of the distributions that this one is made of."""
        changed: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Distribution) and (one := made(value)) is not value:
                changed[f.name] = one
            elif isinstance(value, tuple) and any(isinstance(x, Distribution) for x in value):
                changed[f.name] = tuple(map(made, value))
        return replace(self, **changed) if changed else self

    def remade(self) -> Distribution:
        """Return the same, made anew of parts of which more is known than was."""
        return self

    def misfit(self, shape: tuple[int, ...]) -> str:
        """Return why no tensor of this shape can hold the distribution, or nothing.

        Whoever made it, a scheme or a file, is asked this before anything counts on its sizes.

        >>> from initkit.distributions import Orthogonal
        >>> Orthogonal((4, 4), 1.0, (1, 4, 3)).misfit((4, 4))
        '1 x 4 x 3 matrices do not fill the shape [4, 4]'
        """
        return next(filter(None, (part.misfit(shape) for part in self.inner())), "")

    # ------------------------------------------------------------------------------ moments

    @property
    def moments(self) -> tuple[float, float] | None:
        """Mean and standard deviation over all elements; None where nobody can know them."""
        raise NotImplementedError

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return -math.inf, math.inf

    @property
    def reach(self) -> tuple[float, float]:
        """Smallest and largest value that is ever written: the stream's normals end, too."""
        return self.bounds

    @property
    def reckoned(self) -> tuple[float, ...]:
        """The numbers that drawing reckons with, in float32; by default the ends of the reach."""
        return self.reach

    @property
    def in_pairs(self) -> Distribution:
        """The distribution of the two parts of a complex number, written as two real ones."""
        return self

    @property
    def atoms(self) -> dict[float, float]:
        """Values of positive probability, and that probability."""
        return {}

    def _cdf(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    @overload
    def cdf(self, x: float) -> float: ...
    @overload
    def cdf(self, x: Tensor) -> Tensor: ...
    def cdf(self, x: float | Tensor) -> float | Tensor:
        """Return P(X <= x) of one element picked at random, in float64."""
        if isinstance(x, Tensor):
            return self._cdf(x.double())
        # On the CPU, whatever torch's default device is.
        return float(self._cdf(torch.tensor(float(x), dtype=torch.float64, device="cpu")))

    @derived
    def mean(self) -> float | None:
        """The mean over all elements."""
        return None if self.moments is None else self.moments[0]

    @derived
    def std(self) -> float | None:
        """The standard deviation over all elements."""
        return None if self.moments is None else self.moments[1]

    @derived
    def low(self) -> float:
        """The smallest possible value."""
        return self.bounds[0]

    @derived
    def high(self) -> float:
        """The largest possible value."""
        return self.bounds[1]

    # ------------------------------------------------------------------------ text and values

    def describe(self) -> str:
        """Return the distribution as the plan prints it."""
        raise NotImplementedError

    def note(self) -> str:
        """Return what a reader should know about this distribution, or nothing."""
        return ""

    def scaled(self, factor: float) -> Distribution:
        """Return the distribution of ``factor`` times a value of this one."""
        raise NotImplementedError

    def shifted(self, by: float) -> Distribution:
        """Return the distribution of a value of this one and ``by``."""
        return self.mapped("plus", by) if by else self

    def mapped(self, name: str, number: float = 0.0) -> Distribution:
        """Return the distribution of an increasing function of a value of this one.

        ``name`` and ``number`` are a map's, see ``initkit.distributions.maps``.

        >>> from initkit.distributions import Uniform
        >>> print(Uniform(1.0, 16.0).mapped("log"))
        log of U(1, 16)
        """
        from .mapped import Mapped  # here, since a Mapped is a Distribution itself

        return Mapped(self, ((name, number),))

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        """Write the elements ``runs`` of the tensor into ``out``, flat and contiguous."""
        raise NotImplementedError

    def write_block(self, out: Tensor, source: Source, spots: Sequence[Spot]) -> None:
        """Write the elements of a block of a larger tensor into ``out``, flat and contiguous.

        What is drawn one by one takes the words of the whole tensor, what goes by the place counts
        from the block's start.
        """
        if not self.elementwise:
            first = spots[0].word - spots[0].place
            whole = self.draw(source, first).reshape(-1)
            for spot in spots:
                here = out.narrow(0, spot.local, spot.length)
                here.copy_(whole.narrow(0, spot.place, spot.length))
            return
        runs = [(spot.place if self.placed else spot.word, spot.length) for spot in spots]
        self.write(out, source, runs if len(runs) > 1 else runs[0][0])

    def draw(self, source: Source, first: int = 0) -> Tensor:
        """Return the whole tensor, of what is not elementwise.

        ``first`` is the global index of its first element, where it is a block of a larger one.
        """
        raise NotImplementedError(f"{type(self).__name__} is written by element")

    def draw_all(self, source: Source, like: Tensor) -> Tensor:
        """Return all values of a tensor like ``like``; they may be of a wider dtype."""
        out = torch.empty(like.numel(), dtype=like.dtype, device="cpu")
        self.write(out, source)
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return the distribution as plain data; :func:`from_dict` reads it back."""
        data = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return {"kind": type(self).__name__, **data}

    def sealed(self) -> Self:
        """Return the distribution with digests of the files that it reads, to be saved."""
        return self.of_parts(lambda part: part.sealed())

    # ------------------------------------------------------------------------------ checking

    def tests(self, sample: Sample) -> Iterator[Test]:
        """Yield the tests of a tensor that may be drawn from this distribution.

        By default what is drawn element by element is tested as a sample, and what is not random
        is compared; a distribution with a structure of its own says here what it is.
        """
        if not self.random:
            yield from sample.equality()
        elif self.in_blocks is not None and sample.whole is not None:
            yield from self.in_blocks.tests(sample)
        elif self.elementwise and self.moments is not None:
            yield from sample.goodness_of_fit()

    def random_part(self, tensor: Tensor) -> tuple[Distribution, Tensor]:
        """Return the part of a tensor that is drawn, and its distribution."""
        return self, tensor

    def known_flaw(self, low: float, high: float) -> str:
        """Return the flaw of other code that values from ``low`` to ``high`` betray, or nothing."""
        return ""

    def __str__(self) -> str:
        return self.describe()


@frozen
class Shaped(Distribution):
    """Base of distributions of the tensors of one ``shape`` alone."""

    shape: tuple[int, ...]
    shape_matters = True

    def misfit(self, shape: tuple[int, ...]) -> str:
        return "" if self.shape == shape else f"it is of the shape {list(self.shape)}"


def of_part(trait: str, otherwise: Distribution | None = None) -> Any:
    """Return a property that is that trait of ``part``, or of another where there is none."""
    return property(lambda self: getattr(self.part or otherwise, trait))


def _plain(value: Any) -> Any:
    if isinstance(value, Distribution):
        return value.to_dict()
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def grid_misfit(grid: Grid, shape: tuple[int, ...]) -> str:
    """Return why a tensor of this shape does not hold the matrices of a grid, or nothing."""
    if min(grid) >= 0 and math.prod(grid) == math.prod(shape):
        return ""
    return f"{' x '.join(map(str, grid))} matrices do not fill the shape {list(shape)}"


def describe_blocks(grid: Grid) -> str:
    """Return how many matrices a grid has, where there are several."""
    return "" if grid[0] == 1 else f", {grid[0]} blocks"
