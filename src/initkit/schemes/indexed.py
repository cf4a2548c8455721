"""The schemes of formulas: of the index, and of a share."""

from __future__ import annotations

from typing import Any

from .. import distributions
from ..errors import FormulaError
from ..numbers import IndexFormula, ShareFormula, frozen, read_number
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
        object.__setattr__(self, "value", _read(self.name, self.value, IndexFormula))
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
        made = distributions.ByFormula(site.shape, str(formula), axes, _numbers(formula, site))
        made.check()
        if not {"i", "j"} & set(formula.letters):
            return distributions.Constant(made.ends()[0])
        return made

    @property
    def _two(self) -> bool:
        return bool({"j", "m"} & set(self.value.letters))


@frozen
class Quantile(
    Scheme,
    name="quantile",
    formula="f(u), u of U(0, 1)",
    source="initkit; inverse transform sampling (Devroye 1986)",
    moments="those of f(u)",
    positional=("value",),
    reads="options",
):
    """Draw from the distribution whose quantile function is a formula of ``u``.

    ``u`` is uniform between 0 and 1, and never either; the formula rises with it, or falls. Beside
    it stands what every formula knows. ``quantile(-log(-log(u)))`` is Gumbel's distribution,
    ``quantile(log(u/(1 - u)))`` the logistic one.

    >>> print(round(Quantile("-log(1 - u)").resolve(Site((8,))).std, 2))
    1.0
    """

    value: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "value", _read(self.name, self.value, ShareFormula))

    def resolve(self, site: Site) -> distributions.Distribution:
        formula: ShareFormula = self.value
        made = distributions.Quantile(str(formula), _numbers(formula, site))
        if "u" not in formula.letters:
            low, _ = made.reach
            return distributions.Constant(low)
        return made


def _read(owner: str, value: object, kind: type[IndexFormula]) -> IndexFormula:
    """Return the formula that an option holds."""
    if isinstance(value, kind):
        return value
    text = value if isinstance(value, str) else str(read_number(value, "value"))
    try:
        return kind(text.strip())
    except FormulaError as error:
        raise option_error(owner, "value", f"cannot be read: {error}") from None


def _numbers(formula: IndexFormula, site: Site) -> tuple[tuple[str, float], ...]:
    """Return the values of a formula's names at a site."""
    found: dict[str, float] = {}
    letters = dict.fromkeys(formula.letters, 0.5)

    def look_up(name: str) -> float:
        # Only the names whose values count: of `config.a or 1` there may be none.
        return letters[name] if name in letters else found.setdefault(name, site.lookup(name))

    formula.values(look_up)
    return tuple(sorted(found.items()))
