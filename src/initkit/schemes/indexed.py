"""The scheme of a formula of the index."""

from __future__ import annotations

from typing import Any

from .. import distributions
from ..errors import FormulaError
from ..numbers import IndexFormula, frozen, read_number
from .base import Scheme
from .options import option_error
from .site import Site


@frozen
class Indexed(
    Scheme,
    name="indexed",
    formula="a formula of i, j, the indices along the last axes, of n, m entries",
    source="initkit; RWKV's time_decay, S4D's A_log and RetNet's decays are such",
    moments="those of the values",
    positional=("value",),
    reads="shape",
):
    """Write exact values by a formula of the index, the same to the bit in every shard.

    ``i`` is the index along the last axis and ``n`` its size; ``axis`` names another one. Where the
    formula has ``j`` or ``m`` as well, ``i`` of ``n`` counts rows and ``j`` of ``m`` columns, the
    last two axes. All count from 0, within a block from its start. Beside them stands what every
    formula knows: ``layer``, ``n_layers``, ``config.NAME``, ...

    >>> print(Indexed("2**-(i + 5)").resolve(Site((8,))))
    (0.03125, 0.01562, ..., 0.0002441)
    """

    value: Any
    axis: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        value: object = self.value
        if not isinstance(value, IndexFormula):
            text = value if isinstance(value, str) else str(read_number(value, "value"))
            try:
                value = IndexFormula(text.strip())
            except FormulaError as error:
                raise option_error(self.name, "value", f"cannot be read: {error}") from None
        object.__setattr__(self, "value", value)
        if self.axis is not None and self._two:
            raise option_error(self.name, "axis", "is for i alone; i and j are the last two axes")

    def resolve(self, site: Site) -> distributions.Distribution:
        formula: IndexFormula = self.value
        axes = (-2, -1) if self._two else (-1 if self.axis is None else self.axis,)
        site.need(len(axes))
        dims = len(site.shape)
        if not -dims <= axes[0] < dims:
            message = f"indexed: axis {axes[0]} is not one of the {dims} of {list(site.shape)}"
            raise site.mismatch(message)
        found: dict[str, float] = {}
        letters = dict.fromkeys(formula.letters, 1.0)

        def look_up(name: str) -> float:
            # Only the names whose values count: of `config.a or 1` there may be none.
            return letters[name] if name in letters else found.setdefault(name, site.lookup(name))

        formula.values(look_up)
        numbers = tuple(sorted(found.items()))
        made = distributions.ByFormula(site.shape, str(formula), axes, numbers)
        made.check()
        if not {"i", "j"} & set(formula.letters):
            return distributions.Constant(made.ends()[0])
        return made

    @property
    def _two(self) -> bool:
        return bool({"j", "m"} & set(self.value.letters))
