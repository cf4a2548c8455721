"""What every element of every storage holds, as expressions, through the same views as the values.

A storage that holds one expression throughout costs one reference. Where its parts differ, an array
of numbers stands beside it, one for each element, and goes through the very operations that move
the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from .events import Event
from .expression import OUTSIDE, Expression, apply, constant, opaque
from .outside import Outside

Held: TypeAlias = "Expression | Tensor"
"""One expression for all elements, or for each the number of its expression."""

_weak: Any = StorageWeakRef
_SWEEP = 4096  # storages between two looks for those that are gone


class Storage:
    """What one storage holds, and the writes that led there."""

    __slots__ = ("alive", "events", "held", "size", "unit")

    def __init__(self, storage: torch.UntypedStorage, unit: int) -> None:
        self.alive: Any = _weak(storage)
        self.size, self.unit = storage.nbytes(), max(unit, 1)
        self.held: Held | None = None  # nothing that an operation was seen to write
        self.events: list[Event] = []


class Memory:
    """What all storages hold that any operation has met."""

    def __init__(self) -> None:
        # Number 0 is the constant 0, so that what fills with zeros fills with that.
        self.expressions: list[Expression] = [constant(0.0)]
        self._numbers = {id(self.expressions[0]): 0}
        self._known: dict[int, Storage] = {}
        self._next_sweep = _SWEEP
        self._outside = Outside()

    # ------------------------------------------------------------------------------ storages

    def storage(self, tensor: Tensor) -> Storage | None:
        """Return what is known of the storage of a tensor; None where it has none to speak of."""
        if tensor.layout is not torch.strided:
            return None
        try:
            real = tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):  # a subclass that wraps others has none
            return None
        # The key is an address, which is free for another once the weak reference is dropped.
        known = self._known.get(real._cdata)
        if known is None:
            if len(self._known) >= self._next_sweep:
                self._sweep()
            known = self._known[real._cdata] = Storage(real, tensor.element_size())
        elif known.size != real.nbytes():  # resized: what it holds now, nobody wrote
            known.size, known.held = real.nbytes(), None
        return known

    def knows(self, tensor: Tensor) -> bool:
        """Say whether an operation was seen to write the memory of a tensor."""
        storage = self.storage(tensor)
        return storage is not None and storage.held is not None

    def size(self, tensor: Tensor) -> int:
        """Return how many bytes the storage of a tensor has."""
        storage = self.storage(tensor)
        return 0 if storage is None else storage.size

    def move(self, old: torch.UntypedStorage, new: torch.UntypedStorage) -> None:
        """Let a new storage hold what an old one does."""
        known = self._known.get(old._cdata)
        if known is not None:
            moved = self._known[new._cdata] = Storage(new, known.unit)
            moved.held, moved.events = known.held, list(known.events)

    def _sweep(self) -> None:
        self._known = {k: s for k, s in self._known.items() if not s.alive.expired()}
        self._next_sweep = 2 * len(self._known) + _SWEEP

    # ---------------------------------------------------------------------------- expressions

    def number(self, expression: Expression) -> int:
        """Return the number of an expression, which is kept for good."""
        found = self._numbers.get(id(expression))
        if found is None:
            found = self._numbers[id(expression)] = len(self.expressions)
            self.expressions.append(expression)
        return found

    def present(self, held: Held) -> list[Expression]:
        """Return the expressions among elements."""
        if isinstance(held, Expression):
            return [held]
        counts = torch.bincount(held.reshape(-1), minlength=len(self.expressions))
        return [self.expressions[i] for i in counts.nonzero().flatten().tolist()]

    def merged(self, helds: Iterable[Held]) -> list[Expression]:
        """Return all expressions among several tensors, each once."""
        found = {id(e): e for held in helds for e in self.present(held)}
        return list(found.values())

    # ------------------------------------------------------------------------- read and write

    def read(self, tensor: Tensor) -> Held:
        """Return what the elements of a tensor hold."""
        storage = self.storage(tensor)
        if storage is None:
            return self._outside.value()
        if storage.held is None:
            # A single integer is a count, such as a norm's of its batches, and spares the look.
            count = tensor.dim() == 0 and not tensor.is_floating_point()
            storage.held = OUTSIDE if count else self._outside.value()
        if isinstance(storage.held, Expression):
            return storage.held
        if tensor.element_size() != storage.unit:  # looked at as another dtype
            return opaque("parts read as another dtype", *self.present(storage.held))
        return self._numbers_of(storage, tensor)

    def write(self, tensor: Tensor, held: Held) -> Storage | None:
        """Let the elements of a tensor hold what is given."""
        storage = self.storage(tensor)
        if storage is None:
            return None
        whole = tensor.numel() * tensor.element_size() == storage.size and dense(tensor)
        if whole and isinstance(held, Expression):
            storage.held = held
        elif storage.held is not held:
            self._write_part(storage, tensor, held)
        return storage

    def _write_part(self, storage: Storage, tensor: Tensor, held: Held) -> None:
        if storage.held is None:
            storage.held = self._outside.value()
        if tensor.element_size() != storage.unit:
            present = self.merged([storage.held, held])
            storage.held = opaque("parts written as another dtype", *present)
            return
        if isinstance(storage.held, Expression):
            count = storage.size // storage.unit
            storage.held = torch.full(
                (count,), self.number(storage.held), dtype=torch.int32, device="cpu"
            )
        view = self._numbers_of(storage, tensor)
        if isinstance(held, Expression):
            view.fill_(self.number(held))
        else:
            view.copy_(held)

    @staticmethod
    def _numbers_of(storage: Storage, tensor: Tensor) -> Tensor:
        assert isinstance(storage.held, Tensor)
        place = tensor.shape, tensor.stride(), tensor.storage_offset()
        return storage.held.as_strided(*place)

    def as_numbers(self, held: Held, shape: Sequence[int]) -> Tensor:
        """Return a number for each element."""
        if isinstance(held, Tensor):
            return held
        number = torch.tensor(self.number(held), dtype=torch.int32, device="cpu")
        return number.expand(tuple(shape))

    # ---------------------------------------------------------------------------- elementwise

    def combine(self, op: str, *operands: Held) -> Held:
        """Return what an elementwise operation makes of its operands, element by element."""
        if all(isinstance(held, Expression) for held in operands):
            return apply(op, *operands)  # type: ignore[arg-type]
        arrays = [o for o in operands if isinstance(o, Tensor)]
        if len(arrays) == 1:
            return self._each(op, operands, arrays[0])
        # Several arrays: a row for each combination that there is.
        full: list[Tensor] = torch.broadcast_tensors(*(self.as_numbers(o, ()) for o in operands))  # type: ignore[no-untyped-call]
        shape = full[0].shape
        rows = torch.stack([one.reshape(-1) for one in full])
        unique, inverse = torch.unique(rows, dim=1, return_inverse=True)
        made = [
            self.number(apply(op, *(self.expressions[i] for i in column)))
            for column in unique.t().tolist()
        ]
        return torch.tensor(made, dtype=torch.int32, device="cpu")[inverse].reshape(shape)

    def _each(self, op: str, operands: Sequence[Held], array: Tensor) -> Tensor:
        table = torch.zeros(len(self.expressions), dtype=torch.int32, device="cpu")
        counts = torch.bincount(array.reshape(-1), minlength=len(self.expressions))
        for i in counts.nonzero().flatten().tolist():
            args = [o if isinstance(o, Expression) else self.expressions[i] for o in operands]
            table[i] = self.number(apply(op, *args))
        return table[array.long()]


def dense(tensor: Tensor) -> bool:
    """Say whether a tensor's elements lie side by side, in whatever order, each once."""
    if tensor.is_contiguous():
        return True
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def repeats(tensor: Tensor) -> bool:
    """Say whether a tensor shows an element of its memory more than once, as after expand."""
    return any(s == 0 and n > 1 for s, n in zip(tensor.stride(), tensor.shape, strict=True))
