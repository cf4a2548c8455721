"""One tensor of a model with what was planned for it, measured of it and tested."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..distributions import Distribution, Rows, Test, short
from ..model import Slot
from ..plan import Step
from .measure import Measured


@dataclass(eq=False, slots=True)
class Checked:
    """One tensor, what was measured of it, and all tests of it.

    ``compared`` says that its values were compared with its distribution, and not merely looked at.
    ``chances`` are the thresholds below which ``measured`` counts, each with what was planned;
    ``dtype`` is the one that a sample was rounded to. Of several tensors as one it has the
    ``names``.
    """

    name: str
    shape: tuple[int, ...]
    step: Step | None = None
    slot: Slot | None = None
    measured: Measured | None = None
    tests: list[Test] = field(default_factory=list)
    # The values along dimension 0, held until the report is made.
    pieces: list[Tensor] = field(default_factory=list)
    remark: str = ""
    compared: bool = False
    chances: tuple[tuple[float, float], ...] = ()
    dtype: torch.dtype | None = None
    names: tuple[str, ...] = ()
    distribution: Distribution | None = field(init=False)
    """What the plan draws its numbers from; None where it writes nothing.

    Of complex numbers it is that of each part, since both are measured as real numbers.
    """

    def __post_init__(self) -> None:
        planned = self.step.distribution if self.step is not None else None
        if isinstance(planned, Rows):  # nothing is known of the others
            planned = planned.part
        self.distribution = planned
        if planned is not None and self._is_complex:
            self.distribution = planned.in_pairs

    @property
    def most(self) -> Tensor:
        """The longest piece: nearly all there is, where a padding row or two are left out."""
        return self.pieces[0] if len(self.pieces) == 1 else max(self.pieces, key=Tensor.numel)

    @property
    def planned(self) -> str:
        """The distribution, as the plan prints it."""
        return self.step.start if self.step is not None else ""

    @property
    def _is_complex(self) -> bool:
        tensor = self.slot.raw[0] if self.slot is not None and self.slot.raw else None
        return tensor is not None and tensor.is_complex()

    @property
    def mean(self) -> str:
        """The mean; nothing where all values are one, or none is known."""
        measured = self.measured
        if measured is None or not measured.n or measured.low == measured.high:
            return ""
        return short(measured.mean)

    @property
    def spread(self) -> str:
        """How far values spread, or the one that all are."""
        measured = self.measured
        if measured is None or not measured.n:
            return ""
        if measured.low == measured.high:
            return f"all {short(measured.low)}"
        return f"std {short(measured.std)}"

    @property
    def summary(self) -> str:
        """What was measured, in a few words."""
        return f"mean {self.mean}, {self.spread}" if self.mean else self.spread
