"""What each operation of torch makes of what its operands hold: draws, algebra, movement.

Operations that nobody has described mix: where any operand is random the result is, and no more is
known of it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from . import draws, elementwise, matrices, movement
from .expression import UNWRITTEN, opaque
from .memory import Held
from .operation import Handler, Operation

_HANDLERS: dict[str, Handler] = {
    **draws.HANDLERS,
    **elementwise.HANDLERS,
    **movement.HANDLERS,
    **matrices.HANDLERS,
    "set_": lambda _: None,  # it shows another memory from then on, and writes none
}


def handler_of(func: Any, name: str) -> Handler | None:
    """Return the handler of an operation; None for views, which share what they show."""
    if name in _HANDLERS:
        return _HANDLERS[name]
    if name.startswith(("empty", "new_empty")):
        return lambda _: UNWRITTEN
    returns = func._schema.returns
    if not func._schema.is_mutable and returns and all(r.alias_info is not None for r in returns):
        return None  # a view
    return _mixed


def _mixed(op: Operation) -> Held | list[Held]:
    """Return what is known after an operation that nobody described."""
    name = op.name
    mixed = opaque(name.removesuffix("_").lstrip("_"), *op.held())
    return mixed if isinstance(op.result, Tensor) else [mixed] * len(tree_leaves(op.result))
