"""What a scheme may know of the tensor that it starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from ..distributions import Grid
from ..errors import FormulaError, SchemeMismatch
from ..numbers import (
    DefaultDistribution,
    Fans,
    Layout,
    module_fans,
    tensor_fans,
)


class Known(Protocol):
    """What is known of a parameter of a known module."""

    @property
    def layout(self) -> Layout | None:
        """Which axes are inputs and outputs."""

    @property
    def default(self) -> DefaultDistribution | None:
        """What the module's own constructor draws."""

    @property
    def sibling(self) -> Fans | None:
        """The fans of the weight that a bias belongs to."""


class Site:
    """What a scheme may know of the tensor it starts.

    ``shape``; ``layout`` (which axes are inputs and outputs, or None); ``default`` (what torch's
    own constructor draws, or None); ``sibling`` (for a bias, the fans of its weight); ``context``,
    which gives the names of formulas that only the model knows; ``shape_only`` where there is no
    module, so that fans are torch's shape-only arithmetic. ``touched`` tells whether the scheme
    looked at anything here, ``asked`` whether it asked for fans or axes, ``by_shape`` whether it
    wanted those of the shape alone. ``name`` is for messages: distributions are shared among
    tensors that differ in nothing else.
    """

    def __init__(
        self,
        shape: Sequence[int],
        *,
        name: str = "",
        owner: str = "",
        info: Known | None = None,
        layout: Layout | None = None,
        context: Callable[[str], float] | None = None,
        shape_only: bool = False,
    ) -> None:
        self._shape, self.name, self._owner = tuple(shape), name, owner
        self.info, self._layout, self._context = info, layout, context
        self.shape_only, self.touched = shape_only, False
        self.asked = self.by_shape = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole tensor."""
        self.touched = True
        return self._shape

    @property
    def owner(self) -> str:
        """The class name of the tensor's module."""
        self.touched = True
        return self._owner

    @property
    def layout(self) -> Layout | None:
        """Which axes are inputs and outputs: as the rule says, else as the module has them."""
        self.touched = True
        return self._layout or (self.info.layout if self.info is not None else None)

    @property
    def fans_from(self) -> str:
        """Where fans come from: the rule's layout, the module, or the shape alone."""
        if self.by_shape:
            return "shape"
        if self._layout is not None:
            return "layout"
        return "module" if self.info is not None and self.info.layout is not None else "shape"

    @property
    def default(self) -> DefaultDistribution | None:
        """What the module's own constructor draws."""
        self.touched = True
        return self.info.default if self.info is not None else None

    @property
    def sibling(self) -> Fans | None:
        """The fans of the weight that a bias belongs to."""
        self.touched = True
        return self.info.sibling if self.info is not None else None

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def fans(self, mode: str = "module") -> Fans:
        """Return the fans: of the module, or by torch's shape-only arithmetic (``"tensor"``)."""
        self._ask(mode)
        self._need_matrix("fans", mode)
        if mode == "tensor" or self.layout is None:
            return tensor_fans(self.shape)
        return module_fans(self.shape, self.layout)

    def grid(self, mode: str = "module") -> Grid:
        """Return the tensor as equal matrices: how many, rows and columns of each."""
        self._ask(mode)
        self._need_matrix("matrices", mode)
        if mode == "tensor" or self.layout is None:
            return 1, self.shape[0], math.prod(self.shape[1:])
        return self.layout.grid(self.shape)

    def _ask(self, mode: str) -> None:
        self.asked, self.by_shape = True, self.by_shape or mode == "tensor"

    def need(self, low: int, high: int | None = None) -> None:
        """Raise unless the tensor has between ``low`` and ``high`` dimensions."""
        n = len(self.shape)
        if n < low or (high is not None and n > high):
            wanted = f"{low}" if high == low else f"{low} to {high}" if high else f"at least {low}"
            raise SchemeMismatch(
                f"it needs {wanted} dimensions, and the shape is {list(self.shape)}",
                names=[self.name],
            )

    def _need_matrix(self, what: str, mode: str) -> None:
        if len(self.shape) < 2:
            raise SchemeMismatch(
                f"it needs {what}, which a tensor of shape {list(self.shape)} does not have; "
                "start it with a number or with normal(std=...)",
                names=[self.name],
            )
        known = self.layout is not None or self.shape_only or mode == "tensor"
        if not known and len(self.shape) > 2:
            whose = f"{self.owner}'s" if self.owner else "this"
            raise SchemeMismatch(
                f"it needs {what}, and initkit does not know the axes of {whose} tensor of shape "
                f"{list(self.shape)}; say them with layout='E in out' in the rule or with "
                "register_layout, or take torch's shape-only arithmetic with fans='tensor'",
                names=[self.name],
            )

    def lookup(self, name: str) -> float:
        """Return the value of a formula's name for this tensor."""
        if name in ("fan_in", "fan_out", "fan_avg"):
            if len(self.shape) < 2 and self.sibling is not None:
                return float(self.sibling.of(name))
            return float(self.fans().of(name))
        if name == "numel":
            return float(self.numel)
        if name.startswith("shape["):
            return self._axis(int(name[6:-1]))
        if self._context is None:
            raise FormulaError(f"{name} has no value without a model", formula=name)
        return self._context(name)

    def _axis(self, axis: int) -> float:
        try:
            return float(self.shape[axis])
        except IndexError:
            message = f"shape[{axis}] has no value: the shape is {list(self.shape)}"
            raise FormulaError(message, formula=f"shape[{axis}]") from None

    def part(self, count: int) -> Site:
        """Return the site of one of ``count`` equal blocks of dimension 0."""
        self.need(1)
        if self.shape[0] % count:
            raise SchemeMismatch(
                f"dimension 0 has {self.shape[0]} entries, which are no {count} equal blocks",
                names=[self.name],
            )
        layout = self.layout
        return Site(
            (self.shape[0] // count, *self.shape[1:]),
            name=self.name,
            owner=self.owner,
            info=self.info,
            layout=layout.part(count) if layout is not None else None,
            context=self._context,
            shape_only=self.shape_only,
        )
