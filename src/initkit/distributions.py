"""The resolved laws: what a scheme becomes for one concrete tensor.

A distribution is one value that is filled from, printed, tested against and saved. An elementwise
law gives every element from its own word of the stream, so any range of a tensor can be written
alone; the others (``elementwise`` is false) draw the whole tensor at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, overload

import torch
from torch import Tensor

from . import stream
from .values import Value

Runs: TypeAlias = stream.Runs
Grid: TypeAlias = tuple[int, int, int]
"""A tensor as equal matrices: how many, rows and columns of each."""
_ROOT2 = math.sqrt(2.0)


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


@dataclass(frozen=True, repr=False, eq=False)
class Distribution(Value):
    """Base of all laws: moments, bounds, CDF, and the one way to write its values."""

    elementwise: ClassVar[bool] = True
    random: ClassVar[bool] = True
    placed: ClassVar[bool] = False  # whether the place alone decides the value
    paired: ClassVar[bool] = True  # whether a complex number is written as two real ones
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
        """Return the law as the plan prints it."""
        raise NotImplementedError

    def note(self) -> str:
        """Return what a reader should know about this law, or nothing."""
        return ""

    def scaled(self, factor: float) -> Distribution:
        """Return the law of ``factor`` times a value of this one."""
        raise NotImplementedError

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        """Write the elements ``runs`` of the tensor into ``out``, flat and contiguous."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the law as plain data; :func:`from_dict` reads it back."""
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


# ------------------------------------------------------------------------ one word, one value


@dataclass(frozen=True, repr=False, eq=False)
class Constant(Distribution):
    """Every element is ``value``."""

    value: float
    random: ClassVar[bool] = False
    paired: ClassVar[bool] = False

    @property
    def moments(self) -> tuple[float, float]:
        return self.value, 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        return self.value, self.value

    @property
    def atoms(self) -> dict[float, float]:
        return {self.value: 1.0}

    def _cdf(self, x: Tensor) -> Tensor:
        return (x >= self.value).double()

    def describe(self) -> str:
        return f"constant {short(self.value)}"

    def scaled(self, factor: float) -> Constant:
        return Constant(self.value * factor)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        out.fill_(self.value)


@dataclass(frozen=True, repr=False, eq=False)
class Normal(Distribution):
    """The normal law with ``mean`` and ``std``."""

    mean: float
    std: float
    any_shape: ClassVar[bool] = True

    @property
    def moments(self) -> tuple[float, float]:
        return self.mean, self.std

    def _cdf(self, x: Tensor) -> Tensor:
        return _ndtr((x - self.mean) / self.std)

    def describe(self) -> str:
        return f"N({short(self.mean)}, {short(self.std)})"

    def scaled(self, factor: float) -> Distribution:
        if not factor:
            return Constant(0.0)
        return Normal(self.mean * factor, self.std * abs(factor))

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        stream.normal_(out, source.values, self.mean, self.std, runs)


@dataclass(frozen=True, repr=False, eq=False)
class Uniform(Distribution):
    """The uniform law between ``low`` and ``high``."""

    low: float
    high: float
    any_shape: ClassVar[bool] = True

    @property
    def moments(self) -> tuple[float, float]:
        return (self.low + self.high) / 2, (self.high - self.low) / math.sqrt(12)

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    def _cdf(self, x: Tensor) -> Tensor:
        return ((x - self.low) / (self.high - self.low)).clamp(0, 1)

    def describe(self) -> str:
        return f"U({short(self.low)}, {short(self.high)})"

    def scaled(self, factor: float) -> Distribution:
        if not factor:
            return Constant(0.0)
        return Uniform(*sorted((self.low * factor, self.high * factor)))

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        stream.uniform_(out, source.values, self.low, self.high, runs)


@dataclass(frozen=True, repr=False, eq=False)
class TruncatedNormal(Distribution):
    """The normal law of ``loc`` and ``scale``, given that it falls between ``low`` and ``high``."""

    loc: float
    scale: float
    low: float
    high: float
    any_shape: ClassVar[bool] = True

    @property
    def moments(self) -> tuple[float, float]:
        return _truncated_moments(self.loc, self.scale, self.low, self.high)

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    def _cdf(self, x: Tensor) -> Tensor:
        a, b = (self.low - self.loc) / self.scale, (self.high - self.loc) / self.scale
        z = ((x - self.loc) / self.scale).clamp(a, b)
        if a + b > 0:  # reckon in the lighter tail, where nothing cancels
            low, here, high = -b, -z, -a
            share = 1 - (_ndtr(here) - _phi(low)) / (_phi(high) - _phi(low))
        else:
            share = (_ndtr(z) - _phi(a)) / (_phi(b) - _phi(a))
        return share.clamp(0, 1)

    def describe(self) -> str:
        law = f"{short(self.loc)}, {short(self.scale)}"
        return f"TN({law}; {short(self.low)}, {short(self.high)})"

    @property
    def uncut(self) -> bool:
        """Whether the bounds lie beyond all values that the stream has."""
        a, b = (self.low - self.loc) / self.scale, (self.high - self.loc) / self.scale
        return a < -6.2302 and b > 6.2302

    def note(self) -> str:
        return "the bounds cut nothing" if self.uncut else ""

    def scaled(self, factor: float) -> Distribution:
        if not factor:
            return Constant(0.0)
        low, high = sorted((self.low * factor, self.high * factor))
        return TruncatedNormal(self.loc * factor, self.scale * abs(factor), low, high)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        stream.trunc_normal_(out, source.values, self.loc, self.scale, self.low, self.high, runs)


@dataclass(frozen=True, repr=False, eq=False)
class MaskedUniform(Distribution):
    """The uniform law between ``low`` and ``high``, then 0 where ``|x| < threshold``."""

    low: float
    high: float
    threshold: float
    any_shape: ClassVar[bool] = True

    @property
    def _masked(self) -> tuple[float, float]:
        """The interval that becomes zero."""
        low, high = max(self.low, -self.threshold), min(self.high, self.threshold)
        return (low, high) if low < high else (self.low, self.low)

    @property
    def moments(self) -> tuple[float, float]:
        low, high, width = *self._masked, self.high - self.low
        mean = ((self.high**2 - self.low**2) - (high**2 - low**2)) / (2 * width)
        square = ((self.high**3 - self.low**3) - (high**3 - low**3)) / (3 * width)
        return mean, math.sqrt(max(square - mean * mean, 0.0))

    @property
    def bounds(self) -> tuple[float, float]:
        low, high = self._masked
        zero = (0.0,) if high > low else ()
        ends = [self.low if self.low < low or not zero else high]
        ends.append(self.high if self.high > high or not zero else low)
        if self.low >= low and self.high <= high and zero:
            return 0.0, 0.0
        return min(*ends, *zero), max(*ends, *zero)

    @property
    def atoms(self) -> dict[float, float]:
        low, high = self._masked
        return {0.0: (high - low) / (self.high - self.low)} if high > low else {}

    def _cdf(self, x: Tensor) -> Tensor:
        (low, high), width = self._masked, self.high - self.low
        plain = ((x - self.low) / width).clamp(0, 1)
        if high <= low:
            return plain
        inside = (x >= low) & (x <= high)
        step = torch.where(x >= 0, (high - self.low) / width, (low - self.low) / width)
        below = torch.where((x < low) & (x >= 0), step, plain)  # low > 0: the zeros come first
        above = torch.where((x > high) & (x < 0), step, below)
        return torch.where(inside, step, above)

    def describe(self) -> str:
        law = f"U({short(self.low)}, {short(self.high)})"
        return f"{law}, 0 where |x| < {short(self.threshold)}"

    def scaled(self, factor: float) -> Distribution:
        if not factor:
            return Constant(0.0)
        low, high = sorted((self.low * factor, self.high * factor))
        return MaskedUniform(low, high, self.threshold * abs(factor))

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        stream.uniform_(out, source.values, self.low, self.high, runs, threshold=self.threshold)


# ---------------------------------------------------------------------------- parts and places


@dataclass(frozen=True, repr=False, eq=False)
class Blocks(Distribution):
    """Equal blocks of dimension 0, a law for each; ``size`` is the elements of the whole tensor."""

    parts: tuple[Distribution, ...]
    size: int
    paired: ClassVar[bool] = False

    @property
    def elementwise(self) -> bool:  # type: ignore[override]
        return all(part.elementwise for part in self.parts)

    @property
    def random(self) -> bool:  # type: ignore[override]
        return any(part.random for part in self.parts)

    @property
    def moments(self) -> tuple[float, float] | None:
        known = [m for part in self.parts if (m := part.moments) is not None]
        if len(known) < len(self.parts):
            return None
        mean = math.fsum(m for m, _ in known) / len(known)
        square = math.fsum(m * m + s * s for m, s in known) / len(known)
        return mean, math.sqrt(max(square - mean * mean, 0.0))

    @property
    def bounds(self) -> tuple[float, float]:
        return min(p.low for p in self.parts), max(p.high for p in self.parts)

    @property
    def atoms(self) -> dict[float, float]:
        found: dict[float, float] = {}
        for part in self.parts:
            for value, share in part.atoms.items():
                found[value] = found.get(value, 0.0) + share / len(self.parts)
        return found

    def _cdf(self, x: Tensor) -> Tensor:
        return torch.stack([part.cdf(x) for part in self.parts]).mean(0)

    def describe(self) -> str:
        return " | ".join(part.describe() for part in self.parts)

    def scaled(self, factor: float) -> Blocks:
        return Blocks(tuple(part.scaled(factor) for part in self.parts), self.size)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        block = self.size // len(self.parts)
        for local, start, length in spans(runs, out.numel()):
            while length:
                index = start // block
                piece = min(length, (index + 1) * block - start)
                part = self.parts[index]
                self._write_part(part, out.narrow(0, local, piece), source, start, index * block)
                local, start, length = local + piece, start + piece, length - piece

    @staticmethod
    def _write_part(
        part: Distribution, out: Tensor, source: Source, start: int, origin: int
    ) -> None:
        if part.paired and out.is_complex():
            out, start, origin = torch.view_as_real(out).view(-1), 2 * start, 2 * origin
        if part.placed:  # laws by place count from the start of their block
            part.write(out, source, start - origin)
        elif part.elementwise:
            part.write(out, source, start)
        else:
            assert isinstance(part, Whole)
            whole = part.draw(source, origin).reshape(-1)
            out.copy_(whole.narrow(0, start - origin, out.numel()))


@dataclass(frozen=True, repr=False, eq=False)
class Placed(Distribution):
    """Base of laws that are 0 but for ``value`` at fixed places: identity and Dirac."""

    shape: tuple[int, ...]
    value: float = field(default=1.0, kw_only=True)
    random: ClassVar[bool] = False
    placed: ClassVar[bool] = True
    paired: ClassVar[bool] = False

    def places(self) -> Tensor:
        """Return the sorted global indices that hold ``value``."""
        raise NotImplementedError

    @cached_property
    def _share(self) -> float:
        return self.places().numel() / max(math.prod(self.shape), 1)

    @property
    def moments(self) -> tuple[float, float]:
        p = self._share
        return p * self.value, abs(self.value) * math.sqrt(p * (1 - p))

    @property
    def bounds(self) -> tuple[float, float]:
        return min(0.0, self.value), max(0.0, self.value)

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: 1 - self._share, self.value: self._share}

    def _cdf(self, x: Tensor) -> Tensor:
        zero, value = (x >= 0).double(), (x >= self.value).double()
        return zero * (1 - self._share) + value * self._share

    def scaled(self, factor: float) -> Self:
        return replace(self, value=self.value * factor)

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        out.zero_()
        places = self.places()
        for local, start, length in spans(runs, out.numel()):
            low, high = torch.searchsorted(
                places, torch.tensor([start, start + length], device="cpu")
            )
            here = places[int(low) : int(high)] - start + local
            out[here.to(out.device)] = self.value


@dataclass(frozen=True, repr=False, eq=False)
class Eye(Placed):
    """Ones on the diagonal of every matrix of the ``grid``."""

    grid: Grid

    def places(self) -> Tensor:
        parts, rows, columns = self.grid
        diagonal = _count(min(rows, columns)) * (columns + 1)
        return (_count(parts)[:, None] * (rows * columns) + diagonal).reshape(-1)

    def describe(self) -> str:
        size = "identity" if self.value == 1 else f"{short(self.value)} x identity"
        return size + _blocks(self.grid)


@dataclass(frozen=True, repr=False, eq=False)
class Dirac(Placed):
    """The identity of a convolution: ones in the middle of the window, per group."""

    groups: int = 1

    def places(self) -> Tensor:
        out, inner, *window = self.shape
        area = math.prod(window)
        middle = 0
        for size in window:
            middle = middle * size + size // 2
        per_group = out // self.groups
        channel = _count(min(per_group, inner))
        row = _count(self.groups)[:, None] * per_group + channel
        return (row * (inner * area) + channel * area + middle).reshape(-1)

    def describe(self) -> str:
        text = "Dirac" if self.value == 1 else f"{short(self.value)} x Dirac"
        return text if self.groups == 1 else f"{text}, {self.groups} groups"


# ------------------------------------------------------------------------------- whole tensors


@dataclass(frozen=True, repr=False, eq=False)
class Whole(Distribution):
    """Base of laws that need the whole tensor: drawn in a keyed scratch, then sliced."""

    shape: tuple[int, ...]
    elementwise: ClassVar[bool] = False

    def draw(self, source: Source, first: int = 0) -> Tensor:
        """Return the whole tensor; ``first`` is the global index of its first element."""
        raise NotImplementedError

    def write(self, out: Tensor, source: Source, runs: Runs = 0) -> None:
        whole = self.draw(source).reshape(-1)
        for local, start, length in spans(runs, out.numel()):
            out.narrow(0, local, length).copy_(whole.narrow(0, start, length))


@dataclass(frozen=True, repr=False, eq=False)
class Orthogonal(Whole):
    """Haar-distributed (semi-)orthogonal matrices of the ``grid``, times ``gain``."""

    gain: float
    grid: Grid

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, abs(self.gain) / math.sqrt(max(self.grid[1:]))

    @property
    def bounds(self) -> tuple[float, float]:
        return -abs(self.gain), abs(self.gain)

    def _cdf(self, x: Tensor) -> Tensor:
        return _sphere_cdf(x / abs(self.gain), max(self.grid[1:]))

    def describe(self) -> str:
        gain = "" if self.gain == 1 else f", gain {short(self.gain)}"
        return f"orthogonal{gain}" + _blocks(self.grid)

    def scaled(self, factor: float) -> Distribution:
        return replace(self, gain=self.gain * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        parts, rows, columns = self.grid
        blocks = [
            stream.haar(rows, columns, source.values, self.gain, first=first + i * rows * columns)
            for i in range(parts)
        ]
        return torch.stack(blocks).reshape(self.shape)


@dataclass(frozen=True, repr=False, eq=False)
class DeltaOrthogonal(Whole):
    """A convolution that is 0 but for an orthogonal matrix in the middle of its window."""

    gain: float

    @property
    def _area(self) -> int:
        return math.prod(self.shape[2:])

    @property
    def _middle(self) -> Orthogonal:
        rows, columns = self.shape[:2]
        return Orthogonal((rows, columns), self.gain, (1, rows, columns))

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, self._middle.moments[1] / math.sqrt(self._area)

    @property
    def bounds(self) -> tuple[float, float]:
        return self._middle.bounds

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: 1 - 1 / self._area} if self._area > 1 else {}

    def _cdf(self, x: Tensor) -> Tensor:
        share = 1 / self._area
        return share * self._middle.cdf(x) + (1 - share) * (x >= 0).double()

    def describe(self) -> str:
        return "delta orthogonal" + ("" if self.gain == 1 else f", gain {short(self.gain)}")

    def scaled(self, factor: float) -> Distribution:
        return replace(self, gain=self.gain * factor) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        out = torch.zeros(self.shape, dtype=torch.float64, device="cpu")
        middle = out
        for size in self.shape[2:]:
            middle = middle.select(2, size // 2)
        middle.copy_(self._middle.draw(source, first))
        return out


@dataclass(frozen=True, repr=False, eq=False)
class Sparse(Whole):
    """A normal law of ``scale`` with ``zeros`` zeros in each column of each matrix of the grid."""

    scale: float
    zeros: int
    grid: Grid

    @property
    def _share(self) -> float:
        return self.zeros / self.grid[1]

    @property
    def moments(self) -> tuple[float, float]:
        return 0.0, self.scale * math.sqrt(1 - self._share)

    @property
    def atoms(self) -> dict[float, float]:
        return {0.0: self._share} if self._share else {}

    def _cdf(self, x: Tensor) -> Tensor:
        zero = self._share * (x >= 0).double()
        return zero + (1 - self._share) * _ndtr(x / self.scale)

    def describe(self) -> str:
        return f"N(0, {short(self.scale)}), {self.zeros} zeros per column"

    def scaled(self, factor: float) -> Distribution:
        return replace(self, scale=self.scale * abs(factor)) if factor else Constant(0.0)

    def draw(self, source: Source, first: int = 0) -> Tensor:
        out = torch.empty(math.prod(self.shape), dtype=torch.float32, device="cpu")
        stream.normal_(out, source.values, 0.0, self.scale, first)
        blocks = out.view(self.grid)
        words = stream.words(source.choices, first, out.numel()).view(self.grid)
        order = words.argsort(dim=1, stable=True)[:, : self.zeros]
        blocks.scatter_(1, order, 0.0)
        return out.view(self.shape)


@dataclass(frozen=True, repr=False, eq=False)
class Written(Whole):
    """What a user's own function writes; nobody knows its law."""

    function: Callable[..., object]
    options: tuple[tuple[str, Any], ...] = ()
    factor: float = 1.0
    label: str = ""
    paired: ClassVar[bool] = False

    @property
    def moments(self) -> None:
        return None

    def _cdf(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"nobody knows the law of {self.describe()}")

    def describe(self) -> str:
        name = self.label or function_name(self.function)
        given = getattr(self.function, "keywords", {})  # of a partial
        options = ", ".join(f"{k}={v!r}" for k, v in (*given.items(), *self.options))
        text = f"{name}({options})"
        return text if self.factor == 1 else f"{short(self.factor)} x {text}"

    def scaled(self, factor: float) -> Written:
        return replace(self, factor=self.factor * factor)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "Written", "function": self.describe()}


def function_name(function: Callable[..., object]) -> str:
    """Return what a user's function is called; of a partial, the function in it."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", None) or type(function).__name__


# ------------------------------------------------------------------------------------- numbers


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


def _count(n: int) -> Tensor:
    return torch.arange(n, device="cpu")


def _blocks(grid: Grid) -> str:
    return "" if grid[0] == 1 else f", {grid[0]} blocks"


def _ndtr(x: Tensor) -> Tensor:
    """Return the standard normal CDF."""
    value: Tensor = torch.special.ndtr(x)
    return value


def _phi(x: float) -> float:
    """Return the standard normal CDF, exact in the lower tail."""
    return 0.5 * math.erfc(-x / _ROOT2)


def _density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi) if abs(x) < 38 else 0.0


@lru_cache(maxsize=1024)
def _truncated_moments(loc: float, scale: float, low: float, high: float) -> tuple[float, float]:
    a, b = (low - loc) / scale, (high - loc) / scale
    sign = -1.0 if a + b > 0 else 1.0
    if sign < 0:
        a, b = -b, -a
    mass = _phi(b) - _phi(a)
    if not mass:  # so far out that all of it lies at the nearer bound
        return (low if sign > 0 else high), 0.0
    end_a = a * _density(a) if math.isfinite(a) else 0.0
    end_b = b * _density(b) if math.isfinite(b) else 0.0
    shift = (_density(a) - _density(b)) / mass
    variance = 1 + (end_a - end_b) / mass - shift * shift
    return loc + sign * scale * shift, scale * math.sqrt(max(variance, 0.0))


def _sphere_cdf(x: Tensor, n: int) -> Tensor:
    """Return the CDF of one coordinate of a uniform point on the unit sphere in ``n`` dimensions.

    With x = sin t its density is proportional to cos(t)^(n - 2).
    """
    if n == 1:
        return 0.5 * (x >= -1).double() + 0.5 * (x >= 1).double()
    width = min(math.pi / 2, 9 / math.sqrt(max(n - 2, 1)))
    t = torch.linspace(-width, width, 20001, dtype=torch.float64, device="cpu")
    total = torch.cumulative_trapezoid(t.cos().clamp(min=0).pow(n - 2), t)
    total = torch.cat([total.new_zeros(1), total]) / total[-1]
    place = ((x.clamp(-1, 1).asin() + width) / (t[1] - t[0])).clamp(0, 20000)
    left = place.floor().clamp(max=19999).long()
    return total[left] + (place - left) * (total[left + 1] - total[left])
