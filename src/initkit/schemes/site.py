"""What a scheme may know of the tensor that it starts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal, TypeAlias

from ..distributions import Grid
from ..errors import FormulaError, SchemeMismatch
from ..numbers import (
    DefaultDistribution,
    Fans,
    Layout,
    Lookup,
    Value,
    frozen,
    module_fans,
    tensor_fans,
)

FansOf: TypeAlias = Literal["module", "tensor"]
"""Whose fans: the module's true ones, or those that torch.nn.init reads off the shape alone."""


@frozen
class Site(Value):
    """What a scheme may know of the tensor it starts: data, which reading does not change.

    ``shape`` is that of the whole tensor; ``name`` its full name, and ``owner`` the class name of
    its module; ``layout`` says which axes are inputs and outputs, or None; ``default`` what torch's
    own constructor draws, or None; ``sibling`` are, for a bias, the fans of its weight; ``context``
    gives the names of formulas that only the model knows; ``stars`` are what the wildcards of the
    rule's name took of this one; ``shape_only`` is set where there is no module, so that fans are
    torch's shape-only arithmetic.

    >>> Site((16, 8, 3, 3), layout=Layout.parse("out in ...", groups=4)).fans()
    Fans(fan_in=72, fan_out=36)
    """

    shape: tuple[int, ...]
    name: str = ""
    owner: str = ""
    layout: Layout | None = None
    default: DefaultDistribution | None = None
    sibling: Fans | None = None
    context: Lookup | None = None
    stars: tuple[str, ...] = ()
    shape_only: bool = False

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def fans(self, of: FansOf = "module") -> Fans:
        """Return the fans: of the module, or by torch's shape-only arithmetic (``"tensor"``)."""
        layout = self._layout_for("fans", of)
        return tensor_fans(self.shape) if layout is None else module_fans(self.shape, layout)

    def grid(self, of: FansOf = "module") -> Grid:
        """Return the tensor as equal matrices: how many, rows and columns of each."""
        layout = self._layout_for("matrices", of)
        if layout is None:
            # As torch.nn.init.orthogonal_ flattens: dimension 0 in rows, the rest in columns.
            return 1, self.shape[0], math.prod(self.shape[1:])
        return layout.grid(self.shape)

    def need(self, low: int, high: int | None = None) -> None:
        """Raise unless the tensor has between ``low`` and ``high`` dimensions."""
        n = len(self.shape)
        if n < low or (high is not None and n > high):
            wanted = f"{low}" if high == low else f"{low} to {high}" if high else f"at least {low}"
            raise self.mismatch(f"it needs {wanted} dimensions, and the shape is {self._shape}")

    def mismatch(self, message: str) -> SchemeMismatch:
        """Return the error that a scheme does not fit this tensor."""
        return SchemeMismatch(message, names=[self.name])

    def lookup(self, name: str) -> float:
        """Return the value of a formula's name for this tensor."""
        if name in ("fan_in", "fan_out", "fan_avg"):
            # A bias has no fans; what a formula means there are those of the weight beside it.
            if len(self.shape) < 2 and self.sibling is not None:
                return float(self.sibling.of(name))
            return float(self.fans().of(name))
        if name == "numel":
            return float(self.numel)
        if name.startswith("shape["):
            # The formula's reader let only an integer stand between the brackets.
            return self._axis(int(name[6:-1]))
        if self.context is None:
            raise FormulaError(f"{name} has no value without a model", formula=name)
        return self.context(name)

    def part(self, count: int) -> Site:
        """Return the site of one of ``count`` equal blocks of dimension 0."""
        self.need(1)
        rows = self.shape[0]
        if rows % count:
            message = f"dimension 0 has {rows} entries, which are no {count} equal blocks"
            raise self.mismatch(message)
        # Of four gates in four blocks each block is one matrix; fans are per matrix and stay.
        layout = self.layout.part(count) if self.layout is not None else None
        return replace(self, shape=(rows // count, *self.shape[1:]), layout=layout)

    @property
    def _shape(self) -> str:
        return str(list(self.shape))

    def _layout_for(self, what: str, of: FansOf) -> Layout | None:
        """Return the layout that fans follow, None for the shape alone; raise where none is known.

        Two dimensions are torch's (out, in) without a layout; of more, nobody can tell.
        """
        if len(self.shape) < 2:
            raise self.mismatch(
                f"it needs {what}, which a tensor of shape {self._shape} does not have; "
                "start it with a number or with normal(std=...)"
            )
        if of == "tensor":
            return None
        if self.layout is None and not self.shape_only and len(self.shape) > 2:
            whose = f"{self.owner}'s" if self.owner else "this"
            raise self.mismatch(
                f"it needs {what}, and initkit does not know the axes of {whose} tensor of shape "
                f"{self._shape}; say them with layout='E in out' in the rule or with "
                "register_layout, or take torch's shape-only arithmetic with fans='tensor'"
            )
        return self.layout

    def _axis(self, axis: int) -> float:
        try:
            return float(self.shape[axis])
        except IndexError:
            message = f"shape[{axis}] has no value: the shape is {self._shape}"
            raise FormulaError(message, formula=f"shape[{axis}]") from None
