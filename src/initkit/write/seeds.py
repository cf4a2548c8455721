"""Seeds and prefixes: what the numbers of a model depend on besides its names."""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import torch

from ..errors import OptionError, shown
from ..wording import Argument, show

T = TypeVar("T")

_PRINTED = 1024  # bits of a seed that reports show as it was given


def read_seed(seed: object) -> int | None:
    """Return a checked seed; any int will do."""
    return _read("seed", seed, _seed)


def read_prefix(prefix: object) -> str:
    """Return a checked prefix."""
    return _read("prefix", prefix, _prefix)


def _read(name: str, value: object, read: Callable[[object], T]) -> T:
    """Return an option as it is read; an error shows what to write in place of it."""
    try:
        return read(value)
    except OptionError as error:
        show(error, Argument(name, value), lambda argument: read(argument.value))
        raise


def _seed(seed: object) -> int | None:
    if seed is None:
        return None
    # True and a tensor could be taken for integers, and are surely mistakes here.
    if hasattr(seed, "__index__") and not isinstance(seed, bool | torch.Tensor):
        number = operator.index(seed)  # NumPy's integers, too
        # What Python would not print is said by the number that it stands for.
        return number if number.bit_length() <= _PRINTED else number % 2**64
    hint = "; write seed=generator.initial_seed()" if isinstance(seed, torch.Generator) else ""
    error = OptionError(f"seed must be an int or None, not {shown(seed)}{hint}", option="seed")
    with suppress(Exception):  # it has no int in it, or is of a class that raises anything
        error.mends = ((seed, int(cast(Any, seed))),)
    raise error


def _prefix(prefix: object) -> str:
    if isinstance(prefix, str):
        return prefix
    error = OptionError(f"prefix must be a text, not {shown(prefix)}", option="prefix")
    with suppress(Exception):  # of a user's own object
        error.mends = ((prefix, "" if prefix is None else str(prefix)),)
    raise error


def draw_seed() -> int:
    """Return a seed of 63 bits from torch's global generator."""
    return int(torch.randint(2**63 - 1, (), dtype=torch.int64, device="cpu"))


def with_prefix(prefix: str, name: str) -> str:
    """Return the name that numbers depend on, under a prefix.

    >>> [with_prefix(prefix, "fc.weight") for prefix in ("q1", "q1.", "")]
    ['q1.fc.weight', 'q1.fc.weight', 'fc.weight']
    """
    return f"{prefix.removesuffix('.')}.{name}" if prefix else name
