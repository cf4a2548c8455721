"""Schemes made of other schemes."""

from __future__ import annotations

from .. import distributions
from ..errors import OptionError
from ..numbers import frozen
from .base import Scheme
from .basic import Keep
from .copied import CopyOf
from .site import Site


@frozen
class Blocks(
    Scheme,
    name="blocks",
    formula="one scheme per equal block of dimension 0",
    source="Jozefowicz et al. 2015 (forget gates); fused projections",
    reads="shape",
):
    """Start each of several equal blocks of dimension 0 in its own way."""

    parts: tuple[Scheme, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts:
            raise OptionError("blocks: give a scheme or a number for each block", owner="blocks")
        # Refused where it is written, and not once for each tensor that it meets.
        whole = next((part for part in self.parts if isinstance(part, Keep | CopyOf)), None)
        if whole is not None:
            message = f"blocks: {whole.name} stands for a whole tensor, not for one of its blocks"
            raise OptionError(message, owner="blocks")

    def resolve(self, site: Site) -> distributions.Distribution:
        # Equal blocks are alike in all that a scheme may read, so one site serves for each of them.
        part = site.part(len(self.parts))
        resolved = tuple(scheme.resolve(part) for scheme in self.parts)
        first = resolved[0]
        # Blocks of one number are that number: `blocks(0, 0)` agrees with a tied name's `0`.
        if first.constant is not None and all(one == first for one in resolved):
            return first
        return distributions.Blocks(resolved, site.numel)

    def __str__(self) -> str:
        return f"blocks({', '.join(map(str, self.parts))})"
