"""Fans from shape and layout: how many inputs feed one output, how many outputs one input feeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

from ..errors import LayoutError, UnknownNameError

_COUNTED = ("in", "out", "k", "...")
FanMode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
MODES: tuple[FanMode, ...] = get_args(FanMode)
# A word that somebody wrote for one of the three that count; as a copy it would give a wrong fan.
_AXIS_SYNONYMS = {
    **dict.fromkeys(("input", "inputs", "in_features", "in_channels", "fan_in", "i", "in"), "in"),
    **dict.fromkeys(
        ("output", "outputs", "out_features", "out_channels", "fan_out", "o", "out"), "out"
    ),
    **dict.fromkeys(
        ("kernel", "window", "spatial", "height", "width", "w", "kh", "kw", "kd", "k"), "k"
    ),
}


@dataclass(frozen=True, slots=True)
class Fans:
    """Hold the two fans of a weight.

    >>> Fans(64, 256).fan_avg
    160.0
    """

    fan_in: int
    fan_out: int

    @property
    def fan_avg(self) -> float:
        """Arithmetic mean of the two (Xavier)."""
        return (self.fan_in + self.fan_out) / 2

    @property
    def fan_geo_avg(self) -> float:
        """Geometric mean of the two."""
        return math.sqrt(self.fan_in * self.fan_out)

    def of(self, mode: str) -> float:
        """Return the fan that ``mode`` names: fan_in, fan_out, fan_avg or fan_geo_avg.

        Raises :class:`~initkit.errors.UnknownNameError` for any other mode.

        >>> Fans(64, 256).of("fan_geo_avg")
        128.0
        """
        if mode not in MODES:
            raise UnknownNameError("fan mode", mode, MODES, f"Modes are {', '.join(MODES)}.")
        fan: float = getattr(self, mode)
        return fan


@dataclass(frozen=True, slots=True)
class Layout:
    """Say what each dimension of a weight is.

    ``axes`` has one word a dimension: ``"out"``, ``"in"``, ``"k"`` (a window: it multiplies both
    fans); any other word counts independent copies, such as the experts of ``"E in out"``. A last
    ``"..."`` stands for any number of window dimensions. ``in`` and ``out`` may span several
    dimensions. The first dimension behind the leading copies stacks ``groups`` channel groups and
    ``blocks`` equal matrices (gates, packed projections); fans are those of one of them.

    >>> Layout.parse("E in out")
    Layout(axes=('E', 'in', 'out'), groups=1, blocks=1)
    """

    axes: tuple[str, ...]
    groups: int = 1
    blocks: int = 1

    def __post_init__(self) -> None:
        _check_axes(self.axes)
        for what, n in (("groups", self.groups), ("blocks", self.blocks)):
            if not is_count(n):
                words = " ".join(self.axes)
                raise LayoutError(f"layout {words!r}: {what} must be a positive int, not {n!r}")

    @classmethod
    def parse(cls, text: object, *, groups: int = 1, blocks: int = 1) -> Layout:
        """Read a layout from words between spaces or commas.

        Raises :class:`~initkit.errors.LayoutError` for a word that cannot be an axis.

        >>> str(Layout.parse("out in ...", groups=8))
        "'out in ...' (8 groups)"
        """
        if not isinstance(text, str):
            raise LayoutError(f"a layout is written like 'E in out', not {text!r}")
        return cls(tuple(text.replace(",", " ").split()), groups, blocks)

    def __str__(self) -> str:
        counts = [
            f"{n} {what}"
            for n, what in ((self.groups, "groups"), (self.blocks, "blocks"))
            if n != 1
        ]
        return repr(" ".join(self.axes)) + (f" ({', '.join(counts)})" if counts else "")

    def fits(self, shape: Sequence[int]) -> bool:
        """Tell whether a tensor of this shape can have this layout."""
        return self.misfit(shape) is None

    def misfit(self, shape: Sequence[int]) -> str | None:
        """Return what keeps a tensor of this shape from having this layout, or None."""
        named, size = len(self.axes), tuple(shape)
        if self.axes[-1] == "...":
            if len(size) < named - 1:
                return f"names at least {named - 1} dimensions, but the shape is {size}"
        elif len(size) != named:
            return f"names {named} dimension{'s' * (named != 1)}, but the shape is {size}"
        first, parts = self._first, self.groups * self.blocks
        if parts > 1 and (first >= len(size) or size[first] % parts):
            return f"cuts dimension {first} into {parts} equal parts, but the shape is {size}"
        return None

    def words(self, dims: int) -> tuple[str, ...]:
        """Return one word for each of ``dims`` dimensions, ``...`` spelt out as windows.

        >>> Layout.parse("out in ...").words(4)
        ('out', 'in', 'k', 'k')
        """
        if self.axes[-1] != "...":
            return self.axes
        return self.axes[:-1] + ("k",) * (dims - len(self.axes) + 1)

    def part(self, dim: int, size: int, of: int) -> Layout:
        """Return the layout of a block: ``size`` of the ``of`` entries of a dimension."""
        # Elsewhere nothing is stacked: dimensions before count copies, each of which stays whole.
        if dim != self._first or self.blocks == 1:
            return self
        rows = of // self.blocks
        return Layout(self.axes, self.groups, 1 if size % rows else size // rows)

    @property
    def copies(self) -> int:
        """How many leading dimensions count independent copies."""
        return self._first

    @property
    def _first(self) -> int:
        # There is one: `_check_axes` refuses a layout without 'in', 'out' and 'k'.
        return next(i for i, word in enumerate(self.axes) if word in _COUNTED)


@dataclass(frozen=True, slots=True)
class DefaultDistribution:
    """What torch's constructor draws for a parameter, as a kind and its one number.

    ``uniform`` is U(-value, value), ``normal`` is N(0, value), ``constant`` is value everywhere.
    """

    kind: Literal["uniform", "normal", "constant"]
    value: float


def module_fans(shape: Sequence[int], layout: Layout) -> Fans:
    """Return the true fans of one matrix of a weight: per channel group, block and copy.

    ``shape`` is that of the whole tensor. Raises :class:`~initkit.errors.LayoutError` where it does
    not fit the layout.

    >>> module_fans((128, 16, 3, 3), Layout.parse("out in ...", groups=4))   # a grouped Conv2d
    Fans(fan_in=144, fan_out=288)
    >>> module_fans((400, 50), Layout.parse("out in", blocks=4))             # the gates of an LSTM
    Fans(fan_in=50, fan_out=100)
    """
    return _module_fans(tuple(shape), layout)


# Of values alone, so no entry grows old; models ask for few shapes, many times.
@lru_cache(maxsize=4096)
def _module_fans(shape: tuple[int, ...], layout: Layout) -> Fans:
    problem = layout.misfit(shape)
    if problem:
        raise LayoutError(f"layout {layout} {problem}")
    product = {"in": 1, "out": 1, "k": 1}
    for i, (word, size) in enumerate(zip(layout.words(len(shape)), shape, strict=True)):
        if word in product:  # copies count for neither fan
            parts = layout.groups * layout.blocks if i == layout.copies else 1
            product[word] *= size // parts
    return Fans(product["in"] * product["k"], product["out"] * product["k"])


def tensor_fans(shape: Sequence[int]) -> Fans:
    """Return the fans that ``torch.nn.init`` reads off a shape alone.

    Raises :class:`~initkit.errors.LayoutError` (a ValueError, as in torch) below two dimensions.

    >>> tensor_fans((128, 16, 3, 3))
    Fans(fan_in=144, fan_out=1152)
    """
    if len(shape) < 2:
        raise LayoutError(f"fans need at least two dimensions, but the shape is {tuple(shape)}")
    window = math.prod(shape[2:])
    return Fans(shape[1] * window, shape[0] * window)


def is_count(n: object) -> bool:
    """Tell whether ``n`` is a positive int."""
    return isinstance(n, int) and not isinstance(n, bool) and n > 0


def _check_axes(axes: tuple[str, ...]) -> None:
    text = " ".join(map(str, axes))
    for word in axes:
        problem = _axis_problem(word, axes)
        if problem:
            error = LayoutError(f"layout {text!r}: {problem}")
            meant = _AXIS_SYNONYMS.get(word.lower(), word)
            if meant != word:
                error.hint, error.mends = f"; did you mean {meant!r}?", ({word: meant},)
            raise error
    if "..." in axes[:-1]:
        raise LayoutError(f"layout {text!r}: '...' must stand last")
    if not {"in", "out", "k"} & set(axes):
        raise LayoutError(f"layout {text!r} names neither 'in' nor 'out'")


def _axis_problem(word: str, axes: tuple[str, ...]) -> str | None:
    meant = _AXIS_SYNONYMS.get(word.lower(), word)
    if meant != word:
        return f"{word!r} is no axis word"
    if word != "..." and not word.isidentifier():
        return f"{word!r} is no axis word: use in, out, k or a name for independent copies"
    if word not in ("in", "out", "k") and axes.count(word) > 1:
        return f"{word!r} stands twice: only in, out and k may repeat"
    return None
