"""Operations that put values elsewhere and change none: copies, parts, places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

from .expression import COPY, Expression, constant, opaque
from .memory import Held, Memory, repeats
from .operation import Handler, Operation, has_draws
from .tables import table_of

_PLACES = {"index", "indices", "mask", "condition", "dim", "dims", "repeats", "shifts", "pad"}
_OPTIONS = {"dtype", "device", "layout", "pin_memory", "memory_format", "non_blocking", "copy"}
_MOVING = {
    *("cat", "stack", "index", "index_select", "gather", "take", "repeat", "flip", "roll"),
    *("tril", "triu", "constant_pad_nd", "masked_fill", "masked_scatter", "index_put"),
    *("_index_put_impl", "index_fill", "index_copy", "scatter", "put", "fill_diagonal", "where"),
    *("select_scatter", "slice_scatter", "diagonal_scatter", "rot90", "repeat_interleave"),
    *(
        "diagonal_copy",
        "expand_copy",
        "unfold_copy",
        "_unsafe_index",
        "embedding",
        "diag_embed",
        "block_diag",
    ),
}


_WITH_ZEROS = {"tril", "triu", "constant_pad_nd", "diag_embed", "block_diag"}


def _copied(op: Operation) -> Held:
    """Return what a copy holds: an expression of its own, so that copies can be told."""
    source = op.args[1] if op.name == "copy_" else op.args[0]
    held = op.memory.read(source)
    random = has_draws(op.memory, held)
    if random and (repeats(source) or source.numel() != op.result.numel()):
        return opaque("repeated", *op.memory.present(held))
    if isinstance(held, Tensor):
        return held.expand(op.result.shape)
    if held.fixed:
        lost = op.result.is_meta and not source.is_meta  # the values, unless they are kept
        return (lost and table_of([held], source.expand(op.result.shape))) or held
    whole = source.numel() * source.element_size() == op.memory.size(source)
    return copy_of(held, COPY if whole else "part")


def copy_of(held: Expression, op: str = COPY) -> Expression:
    """Return what a copy of an element holds."""
    return Expression(op, (held,), held.law, held.draws)


def _moved(op: Operation) -> Held:
    if isinstance(op.result, Tensor) and any(map(_is_random_place, _places(op))):
        return opaque("put at random places", *op.held())
    if any(tensor.is_meta for _, tensor in _places(op)):
        return opaque("put at places on the meta device", *op.held())
    helds = {id(t): op.memory.read(t) for t in _values(op)}
    present = op.memory.merged(helds.values())
    if all(e.fixed for e in present) and len(present) == 1 and present[0].law is None:
        return present[0]
    if not all(e.fixed for e in present) and _repeating(op):
        return opaque("repeated", *present)
    if len(present) == 1 and op.name not in _WITH_ZEROS:
        return present[0]
    return _numbers_through(op, op.args)


def _moved_in_place(op: Operation) -> Held:
    if any(map(_is_random_place, _places(op))):
        return opaque("put at random places", *op.held())
    if any(tensor.is_meta for _, tensor in _places(op)):
        return opaque("put at places on the meta device", *op.held())
    if op.argument(3, "accumulate", False) is True:
        return opaque("added at places", *op.held())
    target = op.args[0]
    numbers = op.memory.as_numbers(op.memory.read(target), target.shape).clone()
    return _numbers_through(op, (numbers, *op.args[1:]))


def _named(op: Operation) -> Iterator[tuple[str, Any]]:
    names = [a.name for a in op.func._schema.arguments]
    yield from zip(names, op.args, strict=False)
    yield from op.kwargs.items()


def _values(op: Operation) -> Iterator[Tensor]:
    for name, value in _named(op):
        if name not in _PLACES:
            yield from (leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor))


def _places(op: Operation) -> Iterator[tuple[Operation, Tensor]]:
    for name, value in _named(op):
        if name in _PLACES:
            yield from ((op, leaf) for leaf in tree_leaves(value) if isinstance(leaf, Tensor))


def _is_random_place(place: tuple[Operation, Tensor]) -> bool:
    op, tensor = place
    return has_draws(op.memory, op.memory.read(tensor))


def _numbers_through(op: Operation, args: Sequence[Any]) -> Held:
    """Carry out an operation on the numbers of the expressions instead of on the values."""
    memory, names = op.memory, [a.name for a in op.func._schema.arguments]

    def numbers(tensor: Tensor) -> Tensor:
        numbers_already = tensor is args[0] and args[0] is not op.args[0]
        return tensor if numbers_already else memory.as_numbers(memory.read(tensor), tensor.shape)

    def converted(name: str, value: Any) -> Any:
        if name in _PLACES:
            return value
        if name in ("value", "fill_value") and isinstance(value, int | float):
            return memory.number(constant(float(value)))
        return tree_map_only(Tensor, numbers, value)

    new = [converted(name, value) for name, value in zip(names, args, strict=False)]
    options = {n: converted(n, v) for n, v in op.kwargs.items() if n not in _OPTIONS}
    options.pop("out", None)
    moved = op.func(*new, **options)
    return moved if isinstance(moved, Tensor) else opaque("moved", *op.held())


def _repeating(op: Operation) -> bool:
    """Say whether some element of an operand comes more than once in the result."""
    values = [t for t in _values(op) if has_draws(op.memory, op.memory.read(t))]
    if any(map(repeats, values)):
        return True
    name = op.name
    if name in ("cat", "stack"):
        return any(
            a.shape == b.shape and _share(op.memory, a, b) and (a is b or bool(a.equal(b)))
            for i, a in enumerate(values)
            for b in values[:i]
        )
    if name not in ("index", "index_select", "gather", "take", "repeat", "repeat_interleave"):
        return name in ("expand_copy", "unfold_copy", "embedding", "_unsafe_index", "block_diag")
    places = torch.arange(op.args[0].numel(), device="cpu").view(op.args[0].shape)
    taken: Tensor = op.func(places, *op.args[1:], **op.kwargs)
    return len(set(taken.reshape(-1).tolist())) < taken.numel()


def _share(memory: Memory, a: Tensor, b: Tensor) -> bool:
    one, other = (
        frozenset().union(*(e.draws for e in memory.present(memory.read(t)))) for t in (a, b)
    )
    return bool(one & other) and not a.is_meta


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_MOVING, _moved),
    **dict.fromkeys((f"{name}_" for name in _MOVING), _moved_in_place),
    **dict.fromkeys(("copy_", "clone", "_to_copy", "lift_fresh", "lift_fresh_copy"), _copied),
}
