"""What a dtype can hold of a distribution: all that would go wrong in a fill is said before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch

from ..distributions import Blocks, Distribution, Mapped, Rows, Stored, short

_FLOAT16, _BFLOAT16, _FLOAT32 = torch.float16, torch.bfloat16, torch.float32
_COMPLEX = (torch.complex32, torch.complex64, torch.complex128)
_DRAWN = frozenset((_FLOAT16, _BFLOAT16, _FLOAT32, torch.float64, *_COMPLEX))
# torch writes several numbers into these; into its newer unsigned dtypes it writes one for all.
_WHOLE = frozenset((torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64))
# By name, since each release of torch has some more of them.
_SCALED = frozenset(
    getattr(torch, name) for name in dir(torch) if name.startswith(("float8_", "float4_"))
)
_QUANTIZED = frozenset(
    getattr(torch, name) for name in dir(torch) if name.startswith(("qint", "quint"))
)
# What is drawn is computed in float32, and may be rounded up on the way to its largest value.
_SINGLE = torch.finfo(_FLOAT32).max * (1 - 2.0**-23)
_NORMAL = 2.0**-14  # what is as large is 0 in none of these dtypes


def dtype_problem(dtype: torch.dtype, distribution: Distribution) -> str:
    """Return why a tensor of this dtype cannot hold the distribution, or nothing."""
    if isinstance(distribution, Rows):
        return dtype_problem(dtype, distribution.part)
    if distribution.complex_valued and not dtype.is_complex:
        return f"its dtype is {dtype}, and {distribution} needs complex numbers"
    if dtype in _DRAWN:
        if dtype.is_complex and not distribution.allows_complex:
            return f"its dtype is {dtype}, and {distribution} is defined for real numbers here"
        return _too_large(dtype, distribution) if distribution.known else ""
    if distribution.constant is not None:
        return _constant_problem(dtype, distribution.constant)
    if dtype in _SCALED:
        return f"its dtype is {dtype}, which holds scaled values; initialise before quantising"
    if distribution.whole_numbers and dtype in _WHOLE:
        ends = (distribution.low, distribution.high)
        return next(filter(None, (_constant_problem(dtype, x) for x in ends)), "")
    return f"its dtype is {dtype}, and {distribution} needs floating point; write 'keep'"


def _too_large(dtype: torch.dtype, distribution: Distribution) -> str:
    """Return which value of the distribution a floating dtype cannot hold, or nothing."""
    if isinstance(distribution, Blocks):  # each by itself, since one may be an infinite constant
        return next(filter(None, (_too_large(dtype, part) for part in distribution.parts)), "")
    if isinstance(distribution, Stored):
        limit = torch.finfo(dtype).max
        # Its values are read where their dtype holds more than this one.
        beyond = _beyond(distribution.reach, limit) and _beyond(distribution.bounds, limit)
        return f"its dtype is {dtype}, which cannot hold {short(beyond[0])}" if beyond else ""
    if isinstance(distribution, Mapped) and (text := _too_large(_FLOAT32, distribution.part)):
        return text
    if distribution.constant is not None and math.isinf(distribution.constant):
        return ""
    written = distribution.in_pairs if dtype.is_complex else distribution
    if beyond := _beyond(written.reach, torch.finfo(dtype).max):
        return f"its dtype is {dtype}, which cannot hold {short(beyond[0])}"
    if written.random and (beyond := _beyond(written.reckoned, _SINGLE)):
        what = f"and the float32 in which values are drawn cannot hold {short(beyond[0])}"
        return f"its dtype is {dtype}, {what}"
    return ""


def _beyond(numbers: Sequence[float], largest: float) -> list[float]:
    # Not `abs(x) > largest`, which NaN would pass.
    return [x for x in numbers if not abs(x) <= largest]


def _constant_problem(dtype: torch.dtype, value: float) -> str:
    if _stored(dtype, 1.0) is None:
        return f"its dtype is {dtype}, which torch cannot fill with numbers; write 'keep'"
    held = _stored(dtype, value)
    # Integers hold a number or do not; floats round it, but to neither 0, infinity nor NaN.
    exact = math.isinf(value) or not value or not dtype.is_floating_point
    fits = held is not None and (held == value if exact else math.isfinite(held))
    return "" if fits else f"its dtype is {dtype}, which cannot hold {short(value)}"


@lru_cache(maxsize=1024)
def _stored(dtype: torch.dtype, value: float) -> float | None:
    """Return what becomes of a number in a dtype; None where torch does not write it."""
    if dtype in _QUANTIZED:  # such memory comes with a quantizer; torch warns where one makes it
        return None
    try:
        # Two elements: a single one is filled in another way, which does not refuse overflow.
        held = torch.empty(2, dtype=dtype, device="cpu").fill_(value)
        return float((held.real if dtype.is_complex else held).to(torch.float64)[0])
    except (RuntimeError, TypeError, ValueError, OverflowError):
        return None


def dtype_note(dtype: torch.dtype, distribution: Distribution) -> str:
    """Return what rounding to a dtype does that a reader should know, or nothing."""
    if not distribution.known:
        return ""
    if isinstance(distribution, Stored):
        lost = torch.promote_types(distribution.held_in, dtype) != dtype
        return f"{_name(distribution.held_in)} in the file, rounded" if lost else ""
    if _vanishes(dtype, distribution):
        return f"all of it rounds to 0 in {_name(dtype)}"
    if dtype.is_complex:
        return _parts_note(distribution)
    # Of wider dtypes no plan shows the digits that rounding moves.
    return _beyond_bounds(dtype, distribution) if dtype in (_FLOAT16, _BFLOAT16) else ""


def _parts_note(distribution: Distribution) -> str:
    """Say the std of real and imaginary part, where it is not that of the distribution."""
    part = distribution.in_pairs
    if part == distribution or part.std is None:
        return ""
    return f"std {short(part.std)} in each part of a complex number"


def _vanishes(dtype: torch.dtype, distribution: Distribution) -> bool:
    """Whether every value becomes 0, though not every value is."""
    if distribution.constant is not None:
        return bool(distribution.constant) and _stored(dtype, distribution.constant) == 0
    if isinstance(distribution, Stored):  # whose reach says no more than their dtype
        return False
    written = distribution.in_pairs if dtype.is_complex else distribution
    largest = max(map(abs, written.reach))
    if dtype not in _DRAWN or not 0 < largest < _NORMAL:
        return False
    value = torch.tensor(largest, dtype=torch.float64, device="cpu")
    drawn = value.float() if distribution.random else value  # float64 holds what float32 drew
    return not drawn.to(dtype)


def _beyond_bounds(dtype: torch.dtype, distribution: Distribution) -> str:
    """Say the bounds that hold once values are rounded, where they are seen to lie further out."""
    ends = distribution.bounds
    if not distribution.iid or distribution.gaussian or not all(map(math.isfinite, ends)):
        return ""
    rounded = torch.tensor(ends, dtype=torch.float64, device="cpu").to(dtype).tolist()
    outside = [
        short(new)
        for new, old, side in zip(rounded, ends, (-1, 1), strict=True)
        if (new - old) * side > 0 and short(new) != short(old)
    ]
    if not outside:
        return ""
    what = outside[0].removeprefix("-") if len(outside) > 1 and ends[0] == -ends[1] else ""
    return f"{_name(dtype)} rounds up to {'+-' + what if what else ' and '.join(outside)}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
