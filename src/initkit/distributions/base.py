"""The base of all distributions, and the random streams that they write from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, overload

import torch
from torch import Tensor

from .. import stream
from ..numbers import Value, frozen

Runs: TypeAlias = stream.Runs

Grid: TypeAlias = tuple[int, int, int]
"""A tensor as equal matrices: how many, rows and columns of each."""


class Source:
    """The random streams of one parameter under one seed.

    >>> Source(0, "fc.weight").values
    Key(k0=2399063857, k1=1648840308)
    """

    __slots__ = ("name", "seed", "values")

    def __init__(self, seed: int, name: str) -> None:
        self.seed, self.name = seed, name
        self.values = stream.key(seed, name, 0)  # stream 0: one word per element

    @property
    def choices(self) -> stream.Key:
        """Stream 1: masks and choices."""
        return stream.key(self.seed, self.name, 1)


if TYPE_CHECKING:
    derived = property
else:

    class derived:  # noqa: N801  it stands where property would
        """A property that a dataclass field of a subclass may replace."""

        def __init__(self, function):
            self.function, self.__doc__ = function, function.__doc__

        def __get__(self, instance, owner):
            if instance is None:  # so that dataclass sees no default here
                raise AttributeError(self.function.__name__)
            return self.function(instance)


_KINDS: dict[str, type[Distribution]] = {}


@frozen
class Distribution(Value):
    """Base of all distributions: moments, bounds, CDF, and the one way to write its values."""

    elementwise: ClassVar[bool] = True
    random: ClassVar[bool] = True
    placed: ClassVar[bool] = False  # whether the place alone decides the value
    complex_as_pairs: ClassVar[bool] = True  # whether a complex number is written as two real ones
    any_shape: ClassVar[bool] = False  # whether it writes contiguous memory that is not flat, too

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _KINDS[cls.__name__] = cls

    @property
    def moments(self) -> tuple[float, float] | None:
        """Mean and standard deviation over all elements; None where nobody can know them."""
        raise NotImplementedError

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return -math.inf, math.inf

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

    def describe(self) -> str:
        """Return the distribution as the plan prints it."""
        raise NotImplementedError

    def note(self) -> str:
        """Return what a reader should know about this distribution, or nothing."""
        return ""

    def scaled(self, factor: float) -> Distribution:
        """Return the distribution of ``factor`` times a value of this one."""
        raise NotImplementedError

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        """Write the elements ``runs`` of the tensor into ``out``, flat and contiguous."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the distribution as plain data; :func:`from_dict` reads it back."""
        data = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return {"kind": type(self).__name__, **data}

    def __str__(self) -> str:
        return self.describe()


def from_dict(data: Mapping[str, Any]) -> Distribution:
    """Return the distribution that :meth:`Distribution.to_dict` wrote."""
    options = {k: _rich(v) for k, v in data.items() if k != "kind"}
    return _KINDS[data["kind"]](**options)


def _plain(value: Any) -> Any:
    if isinstance(value, Distribution):
        return value.to_dict()
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _rich(value: Any) -> Any:
    if isinstance(value, Mapping) and "kind" in value:
        return from_dict(value)
    return tuple(_rich(v) for v in value) if isinstance(value, list) else value


def short(x: float) -> str:
    """Return a number as plans print it: four digits, no needless zeros."""
    return format(x, ".4g") if x else "0"


def spans(runs: Runs, numel: int) -> Sequence[tuple[int, int, int]]:
    """Return (local index, global index, length) of each run."""
    if isinstance(runs, int):
        return [(0, runs, numel)] if numel else []
    pairs = runs.tolist() if isinstance(runs, Tensor) else runs
    spans, local = [], 0
    for start, length in pairs:
        spans.append((local, start, length))
        local += length
    return spans


def _blocks(grid: Grid) -> str:
    return "" if grid[0] == 1 else f", {grid[0]} blocks"
