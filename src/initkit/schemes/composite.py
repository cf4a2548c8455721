"""Schemes made of other schemes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from .. import distributions
from ..errors import OptionError
from ..numbers import (
    Formula,
    frozen,
)
from .base import Scaled, Scheme
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


@frozen
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

    def resolve(self, site: Site) -> distributions.Distribution:
        part = site.part(len(self.parts))
        resolved = tuple(scheme.resolve(part) for scheme in self.parts)
        site.asked = part.asked
        return (
            resolved[0] if _same_constant(resolved) else distributions.Blocks(resolved, site.numel)
        )

    def __str__(self) -> str:
        return f"blocks({', '.join(map(str, self.parts))})"


def _same_constant(resolved: Sequence[distributions.Distribution]) -> bool:
    return resolved[0].constant is not None and all(one == resolved[0] for one in resolved)


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
