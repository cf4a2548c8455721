"""Formulas of an element's index, reckoned for many elements at once, alike on every machine."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from . import exact_math
from .formula import ARGUMENTS, ARITHMETIC, Formula, Language, value_of

Values = Callable[[str], "Tensor | float"]
"""From a letter or a name to its values: one for each element, or one for all."""


def _number(value: Any) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64, device="cpu")


def _log(x: Tensor, base: Tensor | None = None) -> Tensor:
    # Of a negative number there is none, which `exact_math` does not look at.
    value = torch.where(x < 0, torch.nan, exact_math.log(x))
    return value if base is None else value / _log(base)


def _fold(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def all_of(first: Tensor, *rest: Tensor) -> Tensor:
        for each in rest:
            first = function(first, each)
        return first

    return all_of


# Only operations that IEEE 754 rounds in one way, and functions made of these.
_OF_INDEX = Language(
    number=_number,
    functions={
        "sqrt": torch.sqrt,
        "log": _log,
        "exp": exact_math.exp,
        "min": _fold(torch.minimum),
        "max": _fold(torch.maximum),
        "sin": exact_math.sin,
        "cos": exact_math.cos,
        "abs": torch.abs,
        "floor": torch.floor,
        "where": lambda condition, a, b: torch.where(condition != 0, a, b),
    },
    operators={
        **ARITHMETIC,
        ast.Pow: exact_math.power,
        ast.FloorDiv: torch.floor_divide,
        ast.Mod: torch.remainder,
        ast.Lt: lambda a, b: _number(a < b),
        ast.LtE: lambda a, b: _number(a <= b),
        ast.Gt: lambda a, b: _number(a > b),
        ast.GtE: lambda a, b: _number(a >= b),
        ast.Eq: lambda a, b: _number(a == b),
        ast.NotEq: lambda a, b: _number(a != b),
    },
    arguments=ARGUMENTS,
    letters=("i", "j", "n", "m"),
)


_ROUGHLY = replace(
    _OF_INDEX,
    number=lambda value: torch.as_tensor(value, dtype=torch.float32, device="cpu"),
    functions={
        **_OF_INDEX.functions,
        "log": lambda x, base=None: x.log() if base is None else x.log() / base.log(),
        "exp": torch.exp,
        "sin": torch.sin,
        "cos": torch.cos,
    },
    operators={
        **_OF_INDEX.operators,
        ast.Pow: torch.pow,
    },
)


@dataclass(frozen=True, slots=True)
class IndexFormula(Formula):
    """Hold an element's value as a formula of its indices ``i``, ``j`` among ``n``, ``m``.

    ``names`` are those that depend on the parameter.

    >>> formula = IndexFormula("2**-(i + 1)")
    >>> formula.letters, formula.values({"i": torch.arange(3)}.__getitem__)
    (('i',), tensor([0.5000, 0.2500, 0.1250], dtype=torch.float64))
    """

    letters: tuple[str, ...] = field(init=False, compare=False, repr=False)
    language: ClassVar[Language] = _OF_INDEX

    def __post_init__(self) -> None:
        Formula.__post_init__(self)
        known = self.language.letters
        object.__setattr__(self, "letters", tuple(x for x in known if x in self.names))
        object.__setattr__(self, "names", tuple(x for x in self.names if x not in known))

    def with_names(self, values: Mapping[str, float]) -> IndexFormula:
        """Return the formula with numbers in place of some names; it stays one of the index.

        >>> IndexFormula("config.base**-(i + 1)").with_names({"config.base": 2})
        IndexFormula(text='2.0 ** (-(i + 1))')
        """
        return type(self)(self._filled(values))

    def values(self, lookup: Values) -> Tensor:
        """Return the values, in float64; NaN or infinite where there is none."""
        value: Tensor = self.reckon(lookup)
        return value

    def roughly(self, lookup: Values) -> Tensor:
        """Return the values as code in float32 would have them, with torch's own functions."""
        value: Tensor = value_of(self._tree, lookup, _ROUGHLY)
        return value


@dataclass(frozen=True, slots=True)
class ShareFormula(IndexFormula):
    """Hold an element's value as a formula of ``u``, a number between 0 and 1.

    >>> ShareFormula("-log(1 - u)").letters
    ('u',)
    """

    language: ClassVar[Language] = replace(_OF_INDEX, letters=("u",))
