"""Which elements a block of code writes, byte by byte, seen operation by operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import NoneType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..model import Slot, is_sharded, local_shard
from ..wording import checks_calls
from .coverage import Coverage, Writes, count_written, tensors_of
from .fill import observers
from .poison import PoisonedWrites

_weak: Any = StorageWeakRef


@checks_calls
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
        writes: Writes = PoisonedWrites(model)
        try:
            yield writes
        finally:
            writes.close()  # after an error, too: it gives buffers their values back
        return
    tracked = _OperationWrites(model)
    # The kernel writes memory without an operation of torch, and says so itself.
    observers.append(tracked.mark_slots)
    try:
        with _WriteMode(tracked):
            yield tracked
    finally:
        observers.remove(tracked.mark_slots)
    tracked.close()


class _StorageMask:
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
        # Elements are counted until a dtype of another size looks at them, then bytes for good.
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
        # Wholly written once is written for good, so the mask can go.
        if tensor.numel() * tensor.element_size() == self.size and tensor.is_contiguous():
            self.full, self.mask = True, None
        else:
            self.view(tensor).fill_(True)


class _OperationWrites(Writes):
    """Masks of all storages of a model, and of those that were made empty since."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.known: dict[int, _StorageMask] = {}
        for tensor in tensors_of(model):
            self.add(tensor)

    def add(self, tensor: Tensor) -> None:
        if tensor.layout is torch.strided and self.find(tensor) is None:
            storage = tensor.untyped_storage()
            self.known[storage._cdata] = _StorageMask(storage, tensor.element_size())

    def find(self, tensor: Tensor) -> _StorageMask | None:
        if tensor.layout is not torch.strided:
            return None
        # The key is an address, which a new storage may take over: a weak reference tells that.
        key = tensor.untyped_storage()._cdata
        known = self.known.get(key)
        if known is not None and known.alive.expired():
            del self.known[key]
            return None
        return known

    def mark_slots(self, slots: Sequence[Slot]) -> None:
        """Take it from initkit's own kernel, which torch does not see, that slots were written."""
        for slot in slots:
            for raw in slot.raw:
                part = local_shard(raw)
                tensor = part.local if part is not None else raw
                if (found := self.find(tensor)) is not None:
                    found.write(tensor)

    def close(self) -> None:
        super().close()
        self.known.clear()

    def _row(self, slot: Slot, tensor: Tensor) -> Coverage:
        found, total = self.find(tensor), tensor.numel()
        if found is None or found.full or not total:  # unknown: it was computed, not made empty
            return Coverage(slot.name, slot.kind, total, total)
        return count_written(slot, found.view(tensor), tensor)


class _WriteMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """See every operation, and mark what it writes."""

    def __init__(self, tracked: _OperationWrites) -> None:
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
        if not _all_plain(args, kwargs) and any(map(is_sharded, tree_leaves((args, kwargs)))):
            return NotImplemented  # seen again as operations on the local tensors
        result = func(*args, **kwargs)
        does = _effects(func)
        # empty, empty_like, new_empty, ...: unwritten memory that a parameter may get next.
        if does.makes_empty:
            for leaf in tree_leaves(result):
                if isinstance(leaf, Tensor):
                    self.tracked.add(leaf)
        elif does.written:
            self._mark(does, args, kwargs)
        return result

    def _mark(self, does: _Effects, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        for place, name, wholly in does.written:
            value = args[place] if place < len(args) else kwargs.get(name)
            for tensor in value if isinstance(value, list | tuple) else [value]:
                if not isinstance(tensor, Tensor):
                    continue
                found = self.tracked.find(tensor)
                if found is None or found.full:
                    continue
                # All else, such as `mul_`, only changes what is there, and marks nothing.
                if wholly:
                    found.write(tensor)
                elif does.partly is not None:
                    _mark_partly(found.view(tensor), tensor, does.partly, args, kwargs)


class _Effects(NamedTuple):
    """What an operation does to memory: by place and name what it writes, and whether wholly."""

    makes_empty: bool
    written: tuple[tuple[int, str, bool], ...]
    partly: Partly | None


@cache  # there are few operations, and reading a schema takes longer than a small one runs
def _effects(func: Any) -> _Effects:
    schema = func._schema
    name = schema.name.partition("::")[2]
    fills = name.strip("_").removeprefix("foreach_") in _WHOLLY
    written = tuple(
        # An out= argument is overwritten, whatever was there.
        (place, argument.name, fills or argument.kwarg_only or argument.is_out)
        for place, argument in enumerate(schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    return _Effects("empty" in name, written if schema.is_mutable else (), _PARTLY.get(name))


# By identity: a subclass may be sharded, and a list may hold one.
_PLAIN = frozenset(
    {Tensor, nn.Parameter, int, float, bool, str, NoneType, torch.dtype, torch.device}
    | {torch.layout, torch.memory_format, torch.Generator}
)


def _all_plain(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether no argument can be or hold a sharded tensor, told by the types at a glance."""
    return _PLAIN.issuperset(map(type, args)) and _PLAIN.issuperset(map(type, kwargs.values()))


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
    # Adding to what was never written writes nothing that counts.
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
