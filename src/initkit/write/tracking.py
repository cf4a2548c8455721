"""Which elements were written, byte by byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..errors import CheckError
from ..model import Slot, is_sharded, local_shard, walk
from ..render import text_table
from .fill import observers

_weak: Any = StorageWeakRef


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of one tensor was written: ``written`` of ``total`` elements.

    ``first`` is the flat index of the first element that was not; None where all were. Of a sharded
    tensor these count what this process holds. ``judged`` is false where nobody can tell.
    """

    name: str
    kind: str
    written: int
    total: int
    first: int | None = None
    judged: bool = True

    @property
    def complete(self) -> bool:
        """Whether every element was written."""
        return self.judged and self.written == self.total

    def __str__(self) -> str:
        if not self.judged:
            dtype = "its dtype has no value to spare for poison"
            why = dtype if self.total else "it is lazy and has no elements yet"
            return f"{self.name} ({self.kind}): {why}"
        text = f"{self.name} ({self.kind}): {self.written:,} of {self.total:,} elements written"
        return text if self.first is None else f"{text}; element {self.first} is the first left out"


class Writes:
    """What was written in a block of :func:`track_writes`; complete when the block has ended.

    Attribute: ``rows``, a :class:`Coverage` for every parameter and buffer.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.rows: list[Coverage] = []

    @property
    def missing(self) -> list[Coverage]:
        """The tensors that were not written, or not wholly."""
        return [row for row in self.rows if not row.complete]

    def assert_complete(self, *, buffers: bool = True) -> None:
        """Raise :class:`CheckError`, with names and counts, unless every element was written.

        ``buffers=False`` looks at parameters alone.
        """
        missing = [row for row in self.missing if buffers or row.kind != "buffer"]
        if missing:
            lines = "\n".join(f"  {row}" for row in missing)
            alone = all(row.kind == "buffer" for row in missing)
            hint = " (buffers=False leaves these out)" if alone else ""
            raise CheckError(f"{len(missing)} tensors were not wholly written{hint}:\n{lines}")

    def __str__(self) -> str:
        rows = [(r.name, r.kind, f"{r.written:,}", f"{r.total:,}") for r in self.rows]
        return text_table(("name", "kind", "written", "elements"), rows)

    def note(self, slots: Sequence[Slot]) -> None:
        """Take it from initkit's own kernel, which torch does not see, that slots were written."""

    def close(self) -> None:
        """Judge every tensor of the model."""
        with torch.no_grad():
            self.rows = [self._judged(slot, tensor) for slot, tensor in _slots(self.model)]

    def _judged(self, slot: Slot, tensor: Tensor | None) -> Coverage:
        if tensor is None:
            return Coverage(slot.name, slot.kind, 0, 0, judged=False)
        if tensor.is_meta:  # it holds no elements to write
            total = tensor.numel()
            return Coverage(slot.name, slot.kind, 0, total, 0 if total else None)
        return self._row(slot, tensor)

    def _row(self, slot: Slot, tensor: Tensor) -> Coverage:
        raise NotImplementedError


@contextmanager
def track_writes(model: nn.Module, *, poison: bool = False) -> Iterator[Writes]:
    r"""Tell which elements of which parameters and buffers this block writes, byte by byte.

    Operations that only change what is there, as ``mul_`` does, write nothing that counts. What
    numpy, a compiled function or another thread writes goes unseen. ``poison=True`` is cheaper and
    sees everything: it fills parameters and buffers with a certain NaN first, and looks for it at
    the end; buffers that still have it get their values back.

    >>> from torch import nn
    >>> model = nn.Linear(2, 2)
    >>> with track_writes(model) as writes:
    ...     _ = nn.init.zeros_(model.weight[0])
    >>> print(*writes.missing, sep="\n")
    weight (parameter): 2 of 4 elements written; element 2 is the first left out
    bias (parameter): 0 of 2 elements written; element 0 is the first left out
    """
    if poison:
        writes: Writes = _Poison(model)
        try:
            yield writes
        finally:
            writes.close()  # after an error, too: it gives buffers their values back
        return
    tracked = _Tracked(model)
    observers.append(tracked.note)
    try:
        with _Mode(tracked):
            yield tracked
    finally:
        observers.remove(tracked.note)
    tracked.close()


def _slots(model: nn.Module) -> Iterator[tuple[Slot, Tensor | None]]:
    """Yield every slot with the tensor that this process holds of it, or None where it is lazy."""
    for slot in walk(model, buffers=True, raw=True):
        if slot.tensor is None:
            continue
        if is_lazy(slot.tensor):
            yield slot, None
        else:
            part = local_shard(slot.tensor)
            yield slot, (slot.tensor if part is None else part.local).detach()


def _own(model: nn.Module) -> Iterator[tuple[Slot, Tensor]]:
    """Yield every slot that has its shape, with the tensor that this process holds of it."""
    return ((slot, tensor) for slot, tensor in _slots(model) if tensor is not None)


# -------------------------------------------------------------------------------- by operation


class _Bytes:
    """Which units of a storage were written; a unit is an element, or a byte where dtypes mix."""

    def __init__(self, storage: torch.UntypedStorage, unit: int) -> None:
        self.alive: Any = _weak(storage)
        self.size, self.unit = storage.nbytes(), max(unit, 1)
        self.device = storage.device
        self.full = False
        self.mask: Tensor | None = None

    def view(self, tensor: Tensor) -> Tensor:
        """Return the mask of a tensor that lies in this storage, a bool for each of its elements.

        Where the units are bytes there is one dimension more.
        """
        size = tensor.element_size()
        if self.mask is None:
            self.mask = torch.zeros(self.size // self.unit, dtype=torch.bool, device=self.device)
        if size != self.unit and self.unit != 1:
            self.mask = self.mask.repeat_interleave(self.unit)
            self.unit = 1
        if size == self.unit:
            return self.mask.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
        strides = [stride * size for stride in tensor.stride()]
        place = tensor.storage_offset() * size
        return self.mask.as_strided((*tensor.shape, size), (*strides, 1), place)

    def write(self, tensor: Tensor) -> None:
        """Mark a whole tensor."""
        if self.full:
            return
        if tensor.numel() * tensor.element_size() == self.size and tensor.is_contiguous():
            self.full, self.mask = True, None
        else:
            self.view(tensor).fill_(True)


class _Tracked(Writes):
    """Masks of all storages of a model, and of those that were made empty since."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.known: dict[int, _Bytes] = {}
        for _, tensor in _own(model):
            self.add(tensor)

    def add(self, tensor: Tensor) -> None:
        if tensor.layout is torch.strided:
            storage = tensor.untyped_storage()
            if self.find(tensor) is None:
                self.known[storage._cdata] = _Bytes(storage, tensor.element_size())

    def find(self, tensor: Tensor) -> _Bytes | None:
        if tensor.layout is not torch.strided:
            return None
        key = tensor.untyped_storage()._cdata
        known = self.known.get(key)
        if known is not None and known.alive.expired():
            del self.known[key]
            return None
        return known

    def note(self, slots: Sequence[Slot]) -> None:
        for slot in slots:
            for raw in slot.computed.raw if slot.computed is not None else (slot.tensor,):
                part = local_shard(raw) if raw is not None else None
                tensor = part.local if part is not None else raw
                if tensor is not None and (found := self.find(tensor)) is not None:
                    found.write(tensor)

    def close(self) -> None:
        super().close()
        self.known.clear()

    def _row(self, slot: Slot, tensor: Tensor) -> Coverage:
        found, total = self.find(tensor), tensor.numel()
        if found is None or found.full or not total:  # unknown: it was computed, not made empty
            return Coverage(slot.name, slot.kind, total, total)
        return _counted(slot, found.view(tensor), tensor)


def _counted(slot: Slot, mask: Tensor, tensor: Tensor) -> Coverage:
    done = mask.all(-1) if mask.dim() > tensor.dim() else mask
    done = done.reshape(-1)
    written = int(done.sum())
    first = None if written == len(done) else int((~done).int().argmax())
    return Coverage(slot.name, slot.kind, written, tensor.numel(), first)


class _Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """See every operation, and mark what it writes."""

    def __init__(self, tracked: _Tracked) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tracked = tracked

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if any(is_sharded(leaf) for leaf in tree_leaves((args, kwargs))):
            return NotImplemented  # seen again as operations on the local tensors
        result = func(*args, **kwargs)
        name = func._schema.name.partition("::")[2]
        if "empty" in name:
            for leaf in tree_leaves(result):
                if isinstance(leaf, Tensor):
                    self.tracked.add(leaf)
        elif func._schema.is_mutable:
            self._mark(func, name, args, kwargs)
        return result

    def _mark(self, func: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        partly = _PARTLY.get(name)
        for i, argument in enumerate(func._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            value = args[i] if i < len(args) else kwargs.get(argument.name)
            out = argument.kwarg_only or argument.is_out
            for tensor in value if isinstance(value, list | tuple) else [value]:
                if not isinstance(tensor, Tensor):
                    continue
                found = self.tracked.find(tensor)
                if found is None or found.full:
                    continue
                if out or name.strip("_").removeprefix("foreach_") in _WHOLLY:
                    found.write(tensor)
                elif partly is not None:
                    _mark_partly(found.view(tensor), tensor, partly, args, kwargs)


def _mark_partly(
    mask: Tensor, tensor: Tensor, partly: Partly, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """Let the operation itself say which elements it writes, on a mask of its own."""
    done = torch.zeros(tensor.shape, dtype=torch.bool, device=mask.device)
    partly(done, *args[1:], **kwargs)
    mask.logical_or_(done.unsqueeze(-1) if mask.dim() > done.dim() else done)


Partly = Callable[..., object]
_WHOLLY = (
    *("zero", "fill", "copy", "normal", "uniform", "random", "bernoulli", "exponential"),
    *("log_normal", "cauchy", "geometric"),
)


def _index_put(done: Tensor, at: Any, _values: Any, accumulate: bool = False, *_: Any) -> None:
    if not accumulate:
        done[tuple(slice(None) if index is None else index for index in at)] = True


def _put(done: Tensor, index: Tensor, _source: Any, accumulate: bool = False) -> None:
    if not accumulate:
        done.put_(index, torch.ones(index.shape, dtype=torch.bool, device=done.device))


def _scatter(done: Tensor, dim: int, index: Tensor, _value: Any, **options: Any) -> None:
    if not options:
        done.scatter_(dim, index, True)


_PARTLY: Mapping[str, Partly] = {
    "index_put_": _index_put,
    "_index_put_impl_": _index_put,
    "masked_fill_": lambda done, mask, _: done.masked_fill_(mask, True),
    "masked_scatter_": lambda done, mask, _: done.masked_fill_(mask, True),
    "index_fill_": lambda done, dim, index, _: done.index_fill_(dim, index, True),
    "index_copy_": lambda done, dim, index, _: done.index_fill_(dim, index, True),
    "scatter_": _scatter,
    "put_": _put,
    "fill_diagonal_": lambda done, _, wrap=False: done.fill_diagonal_(True, wrap),
    "triu_": lambda done, k=0: done.fill_(True).tril_(k - 1),
    "tril_": lambda done, k=0: done.fill_(True).triu_(k + 1),
}
"""Operations that write some elements; each marks in a mask those that it writes."""


# ----------------------------------------------------------------------------------- by poison


class _Poison(Writes):
    """A certain NaN in every float, a rare number in every wide integer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.kept: dict[str, Tensor] = {}
        with torch.no_grad():
            for slot, tensor in _own(model):
                bits = _bits(tensor)
                if slot.kind == "buffer":
                    self.kept[slot.name] = tensor.clone()
                if bits is not None:
                    bits.fill_(_POISON[bits.element_size()])

    def _row(self, slot: Slot, tensor: Tensor) -> Coverage:
        bits, total = _bits(tensor), tensor.numel()
        if bits is None:
            return Coverage(slot.name, slot.kind, 0, total, judged=not total)
        done = bits != _POISON[bits.element_size()]
        row = _counted(slot, done if done.dim() == tensor.dim() else done.all(-1), tensor)
        if slot.kind == "buffer" and not row.written:
            tensor.copy_(self.kept[slot.name])
        return row


_POISON = {8: 0x7FFCE5C3A1E5C3A1, 4: 0x7FE5C3A1, 2: 0x7FE5}
_INTEGERS = {8: torch.int64, 4: torch.int32, 2: torch.int16}


def _bits(tensor: Tensor) -> Tensor | None:
    """Return a tensor's memory as integers; None where no bit pattern is to spare, or no memory."""
    if tensor.is_meta or tensor.layout is not torch.strided:
        return None
    real = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    wide = _INTEGERS.get(real.element_size())
    return None if wide is None else real.view(wide)
