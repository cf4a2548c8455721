"""Watch a thread's operations, and keep what every element of every storage holds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..distributions import Distribution
from ..errors import InitkitError
from ..model import is_sharded
from ..schemes import Site, read_scheme, resolve
from .callers import find_caller
from .events import Event, merged
from .expression import Expression, constant, draw
from .init_functions import Call, original
from .memory import Held, Memory, Storage
from .operation import Handler, Operation
from .operations import handler_of

# Functions that loop until they accept, decompose or set single elements; on the meta device most
# do nothing. What they draw is known by their names.
_BY_NAME = frozenset(("trunc_normal_", "orthogonal_", "sparse_", "dirac_", "eye_"))
# They reckon with fans, and torch in another order than initkit: the last bit may differ.
_BY_FANS = frozenset(("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"))
_SILENT = frozenset(("clone", "_to_copy", "lift_fresh", "lift_fresh_copy"))
_calls = itertools.count(1)


class Tracker(TorchDispatchMode):
    """See every operation of a thread, and the calls of torch.nn.init around them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.memory = Memory()
        self._handlers: dict[Any, tuple[str, Handler | None]] = {}
        self._muted = False
        self._call: Call | None = None
        self._call_number = 0

    # ------------------------------------------------------------------------------ operations

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else torch loads its compiler, and asks it at every operation.
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if types and not self._muted and any(is_sharded(leaf) for leaf in args):
            return NotImplemented  # seen again as operations on the local tensors
        result = func(*args, **kwargs)
        if self._muted:
            return result
        known = self._handlers.get(func)
        if known is None:
            name = func._schema.name.partition("::")[2]
            known = self._handlers[func] = name, handler_of(func, name)
        name, handler = known
        if handler is not None:
            self._carry(handler, Operation(self.memory, name, func, args, kwargs, result))
        return result

    def _carry(self, handler: Handler, op: Operation) -> None:
        held = handler(op)
        if held is None:
            return
        targets = _targets(op)
        values = held if isinstance(held, list) else [held] * len(targets)
        for target, value in zip(targets, values, strict=False):  # some return numbers besides
            self._write(op, target, self._as_called(value, target))

    def _as_called(self, held: Held, target: Tensor) -> Held:
        """Return what the function that was called draws, where this is it but for rounding."""
        call = self._call
        if call is None or call.name not in _BY_FANS or not isinstance(held, Expression):
            return held
        named = expression_of(call, target.shape)
        return named if _near(named.distribution, held.distribution) else held

    def _write(self, op: Operation, target: Tensor, held: Held) -> None:
        storage = self.memory.write(target, held)
        if storage is None:
            return
        others = [
            s.events
            for t in op.tensors()
            if (s := self.memory.storage(t)) is not None and s is not storage and s.events
        ]
        silent = op.name in _SILENT or op.name.startswith(("empty", "new_empty"))
        # What is computed without randomness starts with its last operation.
        if others and (silent or not (isinstance(held, Expression) and held.fixed)):
            storage.events = merged([storage.events, *others])
        if not silent:
            self._note(storage, op.name, op.args[1:], target, held)

    # ------------------------------------------------------------------------ torch.nn.init

    def begin(self, call: Call) -> None:
        """Note one write for the operations of a call of torch.nn.init."""
        self._call, self._call_number = call, next(_calls)
        self._muted = call.name in _BY_NAME

    def end(self, call: Call, tensor: Tensor | None) -> None:
        """End a call, which has written the tensor; None where it failed."""
        if self._muted and tensor is not None:
            self._write_by_name(call, tensor)
        self._call, self._muted = None, False

    def _write_by_name(self, call: Call, tensor: Tensor) -> None:
        expression = expression_of(call, tensor.shape)
        storage = self.memory.write(tensor, expression)
        if storage is not None:
            self._note(storage, call.name, (), tensor, expression)

    def _note(
        self,
        storage: Storage,
        name: str,
        arguments: Sequence[Any],
        target: Tensor,
        held: Held,
    ) -> None:
        caller, call = find_caller(), self._call
        size = target.numel() * target.element_size()
        place = None
        if size != storage.size:
            place = tuple(target.shape), target.stride(), target.storage_offset()
        key: object
        given: Call | Sequence[Any] = arguments
        if call is not None:
            name, given = call.name, call
        if call is not None and caller.helper in ("", call.name):
            key = self._call_number
        else:
            # The operations of one line, or of an in-place function called there, are one write.
            key = caller.file, caller.line, caller.function, caller.helper
        present = [held] if isinstance(held, Expression) else self.memory.present(held)
        event = Event(name, given, present, caller, key, place)
        events = storage.events
        if events and events[-1].key == key:
            event.follow(events.pop())
        events.append(event)


def _targets(op: Operation) -> list[Tensor]:
    """Return the tensors that an operation has written: its results, or what it changed."""
    if isinstance(op.result, Tensor):
        return [op.result]
    found = [leaf for leaf in tree_leaves(op.result) if isinstance(leaf, Tensor)]
    if found:
        return found
    changed = [
        op.argument(i, a.name)
        for i, a in enumerate(op.func._schema.arguments)
        if a.alias_info is not None and a.alias_info.is_write
    ]
    return [leaf for leaf in tree_leaves(changed) if isinstance(leaf, Tensor)]


@lru_cache(maxsize=1024)
def _law(name: str, options: tuple[tuple[str, Any], ...], shape: tuple[int, ...]) -> Distribution:
    function = original(name)
    return resolve(read_scheme(partial(function, **dict(options))), Site(shape, shape_only=True))


def _near(a: Distribution | None, b: Distribution | None) -> bool:
    """Say whether two distributions are of one kind and differ by the rounding of their numbers."""
    if a is None or b is None or type(a) is not type(b):
        return False
    close = partial(math.isclose, rel_tol=1e-12)
    return all(map(close, (a.mean, a.std, a.low, a.high), (b.mean, b.std, b.low, b.high)))


def expression_of(call: Call, shape: Sequence[int]) -> Expression:
    """Return what a function of torch.nn.init draws that is known by its name."""
    try:
        distribution = _law(call.name, tuple(call.arguments.items()), tuple(shape))
    except (InitkitError, TypeError):  # a number that is a tensor, or out of range
        return draw(None, f"{call.name} values")
    if not distribution.random and distribution.constant is None:
        return Expression(call.name, distribution=distribution, fixed=True)
    return (
        constant(distribution.constant) if distribution.constant is not None else draw(distribution)
    )
