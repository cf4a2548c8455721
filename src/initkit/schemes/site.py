"""What a scheme may know of the tensor that it starts."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal, TypeAlias

from ..errors import FormulaError, SchemeMismatch
from ..numbers import (
    DefaultDistribution,
    Fans,
    Grid,
    Layout,
    Lookup,
    Matrices,
    Value,
    frozen,
    matrices_of,
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
    own constructor draws, or None; ``sibling`` are, for a bias, the fans of its weight; ``stacked``
    is how many equal blocks of dimension 0 the weight of a bias has; ``gates`` name those of a
    recurrent layer, in their order; ``context`` gives the names of formulas that only the model
    knows; ``stars`` are what the wildcards of the rule's name took of this one, and ``scopes`` the
    paths to which that is relative, innermost first, with theirs; ``shape_only`` is
    set where there is no module, so that fans are torch's shape-only arithmetic; ``aliases`` are
    all names of a tied parameter, its own included; ``member`` is the place among the names in
    braces of the rule's key; ``within`` says of rows that start by themselves which they are: the
    first, the one behind the last, and of how many; ``others`` are the names of all parameters, for
    a scheme that is led to another one.

    >>> Site((16, 8, 3, 3), layout=Layout.parse("out in ...", groups=4)).fans()
    Fans(fan_in=72, fan_out=36)
    """

    shape: tuple[int, ...]
    name: str = ""
    owner: str = ""
    layout: Layout | None = None
    default: DefaultDistribution | None = None
    sibling: Fans | None = None
    stacked: int = 1
    gates: tuple[str, ...] = ()
    context: Lookup | None = None
    stars: tuple[str, ...] = ()
    scopes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    shape_only: bool = False
    aliases: tuple[str, ...] = ()
    member: int | None = None
    within: tuple[int, int, int] | None = None
    others: Collection[str] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every name of the parameter, in the order of the model."""
        return self.aliases or (self.name,)

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def fans(self, of: FansOf = "module") -> Fans:
        """Return the fans: of the module, or by torch's shape-only arithmetic (``"tensor"``)."""
        layout = self._layout_for("fans", of)
        return tensor_fans(self.shape) if layout is None else module_fans(self.shape, layout)

    def grid(self, of: FansOf = "module") -> Grid:
        """Return the tensor as equal matrices: how many, rows and columns of each.

        Raises :class:`SchemeMismatch` where they do not lie one after the other, row by row.
        """
        found = self.matrices(of)
        if found is None:
            # As torch.nn.init.orthogonal_ flattens: dimension 0 in rows, the rest in columns.
            return 1, self.shape[0], math.prod(self.shape[1:])
        grid = found.lying()
        if grid is None:
            raise self.mismatch(f"no matrix of layout {self.layout} lies in one piece")
        return grid

    def matrices(self, of: FansOf = "module") -> Matrices | None:
        """Return where the tensor's matrices lie; None where its shape alone tells."""
        layout = self._layout_for("matrices", of)
        return None if layout is None else matrices_of(self.shape, layout)

    def need(
        self, low: int, high: int | None = None, *, instead: Mapping[str, str] | None = None
    ) -> None:
        """Raise unless the tensor has between ``low`` and ``high`` dimensions.

        ``instead`` leads from a scheme to the one that is the same for tensors of others.
        """
        n = len(self.shape)
        if n < low or (high is not None and n > high):
            wanted = f"{low}" if high == low else f"{low} to {high}" if high else f"at least {low}"
            error = self.mismatch(f"it needs {wanted} dimensions, and the shape is {self._shape}")
            error.mends = () if instead is None else (instead,)
            raise error

    def mismatch(self, message: str) -> SchemeMismatch:
        """Return the error that a scheme does not fit this tensor."""
        return SchemeMismatch(message, names=[self.name])

    def lookup(self, name: str) -> float:
        """Return the value of a formula's name for this tensor."""
        if name in ("fan_in", "fan_out", "fan_avg"):
            # A bias has no fans; what a formula means there are those of the weight beside it.
            if self.sibling is not None:
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

    def check_blocks(self, count: int) -> None:
        """Raise unless so many equal blocks of dimension 0 are the module's own, or parts of them.

        Four gates are cut into four or eight blocks, and no two or three of them would be any.
        """
        stacked = len(self.gates) or self._stacked
        if count % stacked:
            equal = "matrices" if self.sibling is None and len(self.shape) > 1 else "parts"
            named = f"gates ({', '.join(self.gates)})" if self.gates else f"equal {equal}"
            what = f"the {stacked} {named}"
            whose = f" of {self.owner}" if self.owner else ""
            ways = f"blocks(s0, s1, ...) of {stacked} schemes"
            ways += f", or gates({self.gates[1]}=...)" if self.gates else ", or their sizes=(...)"
            raise self.mismatch(f"{count} blocks are not {what}{whose}; write {ways}")

    def part(self, dim: int, size: int) -> Site:
        """Return the site of a block: ``size`` entries of dimension ``dim``, and all of others."""
        # Of four gates in four blocks each block is one matrix; fans are per matrix and stay.
        whole = self.shape[dim]
        layout = self.layout.part(dim, size, whole) if self.layout is not None else None
        shape = (*self.shape[:dim], size, *self.shape[dim + 1 :])
        if dim:
            return replace(self, shape=shape, layout=layout)
        rows = max(whole // self._stacked, 1)
        sibling, stacked = self.sibling, 1 if size % rows else size // rows
        if sibling is not None and size % rows:  # no whole number of its weight's matrices
            sibling = Fans(sibling.fan_in, max(sibling.fan_out * size // rows, 1))
        return replace(self, shape=shape, layout=layout, sibling=sibling, stacked=stacked, gates=())

    def rows(self, start: int, stop: int) -> Site:
        """Return the site of some rows of dimension 0, as a tensor of their own."""
        # Rows of several gates are no whole number of them: they are one matrix.
        layout = replace(self.layout, blocks=1) if self.layout is not None else None
        within = (start, stop, self.shape[0])
        return replace(self, shape=(stop - start, *self.shape[1:]), layout=layout, within=within)

    @property
    def _stacked(self) -> int:
        """How many equal blocks of dimension 0 the module stacks."""
        if self.layout is None or self.sibling is not None:
            return self.stacked
        return 1 if self.layout.copies else self.layout.blocks

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
        if self.sibling is not None:
            raise self.mismatch(
                f"it needs {what}, which a bias does not have, be it of shape {self._shape}; start "
                "it with a number, with normal(std=...), or by the fans of its weight, as in "
                "uniform(low=-1/sqrt(fan_in), high=1/sqrt(fan_in)); fans='tensor' takes its shape"
            )
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
