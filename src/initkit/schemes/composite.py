"""Schemes made of other schemes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .. import distributions as law
from ..errors import OptionError
from ..numbers import (
    Formula,
    Number,
)
from .base import Scheme, _text
from .basic import (
    Constant,
    Keep,
    Normal,
    Ones,
    PriorBias,
    TorchDefault,
    TruncNormal,
    Uniform,
    ZeroMaskUniform,
    Zeros,
)
from .fan_based import (
    KaimingNormal,
    KaimingUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
    XavierNormal,
    XavierUniform,
)
from .matrices import DeltaOrthogonal, Dirac, Eye, Orthogonal, Sparse
from .site import Site


@dataclass(frozen=True, repr=False, eq=False)
class Blocks(Scheme):
    """Start each of several equal blocks of dimension 0 in its own way."""

    parts: tuple[Scheme, ...]

    name: ClassVar[str] = "blocks"
    formula: ClassVar[str] = "one scheme per equal block of dimension 0"
    source: ClassVar[str] = "Jozefowicz et al. 2015 (forget gates); fused projections"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts:
            raise OptionError("blocks: give a scheme or a number for each block", owner="blocks")
        if any(isinstance(part, Keep) for part in self.parts):
            message = "blocks: keep stands for a whole tensor, not for one of its blocks"
            raise OptionError(message, owner="blocks")

    @property
    def formulas(self) -> tuple[Formula, ...]:
        return tuple(f for part in self.parts for f in part.formulas)

    def resolve(self, site: Site) -> law.Distribution:
        part = site.part(len(self.parts))
        laws = tuple(scheme.resolve(part) for scheme in self.parts)
        site.asked = part.asked
        return laws[0] if _same_constant(laws) else law.Blocks(laws, site.numel)

    def __str__(self) -> str:
        return f"blocks({', '.join(map(str, self.parts))})"


@dataclass(frozen=True, repr=False, eq=False)
class Scaled(Scheme):
    """Multiply every value of another scheme by a factor."""

    scheme: Scheme
    factor: Number

    name: ClassVar[str] = "scaled"
    formula: ClassVar[str] = "factor x"
    source: ClassVar[str] = "initkit"
    positional: ClassVar[tuple[str, ...]] = ("scheme", "factor")

    @property
    def formulas(self) -> tuple[Formula, ...]:
        own = (self.factor,) if isinstance(self.factor, Formula) else ()
        return self.scheme.formulas + own

    def resolve(self, site: Site) -> law.Distribution:
        return self.scheme.resolve(site).scaled(self.number(site, "factor"))

    def __str__(self) -> str:
        return f"scaled({self.scheme}, {_text(self.factor)})"


def _same_constant(laws: Sequence[law.Distribution]) -> bool:
    return isinstance(laws[0], law.Constant) and all(one == laws[0] for one in laws)


CORE: tuple[type[Scheme], ...] = (
    Constant,
    Zeros,
    Ones,
    Normal,
    Uniform,
    TruncNormal,
    ZeroMaskUniform,
    XavierUniform,
    XavierNormal,
    KaimingUniform,
    KaimingNormal,
    LecunUniform,
    LecunNormal,
    VarianceScaling,
    Orthogonal,
    DeltaOrthogonal,
    Eye,
    Dirac,
    Sparse,
    PriorBias,
    Blocks,
    Scaled,
    TorchDefault,
    Keep,
)
