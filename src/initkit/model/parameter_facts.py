"""What is known about one parameter of a known module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..numbers import DefaultDistribution, Fans, Layout

Role: TypeAlias = Literal["weight", "bias", "norm weight", "norm bias", "slope", "buffer"]


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """Hold what is known about one parameter of a known module.

    ``default`` is what the module's own constructor draws, None where that is unknown; ``padding``
    is the embedding's padding row, counted from 0; ``sibling`` are a bias's fans: its weight's;
    ``stacked`` is how many equal blocks it has, of a bias as many as its weight; ``gates`` name
    them, in their order.
    """

    role: Role
    layout: Layout | None
    default: DefaultDistribution | None
    padding: int | None
    sibling: Fans | None
    stacked: int = 1
    gates: tuple[str, ...] = ()
