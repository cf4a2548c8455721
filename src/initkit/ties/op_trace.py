"""Trace one forward: which operation reads which bytes of which parameter.

A mode over functions sees what the model's code calls, and a mode over basic operations what that
truly reads; a use is an operation of the first kind under which bytes of an argument were read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..errors import visible
from ..model import FunctionMode, ModuleCalls, Operation, in_backward, operation_name
from .byte_regions import Region, intersect, intervals, region_at
from .storage import regions


@dataclass(frozen=True, slots=True)
class Use:
    """One use: the ``operation``, in which ``module``, in which of its calls (from 1).

    >>> str(Use("head", 1, "linear"))
    'linear in head, call 1'
    """

    module: str
    call: int
    operation: str

    def __str__(self) -> str:
        where = visible(self.module) or "the model itself"
        return f"{self.operation} in {where}, call {self.call}"


@dataclass(frozen=True, slots=True)
class Reuse:
    """How often the bytes of a parameter were used: ``count`` at most, by ``uses`` in order."""

    count: int
    uses: tuple[Use, ...]

    def __str__(self) -> str:
        return f"{self.count} times: " + "; ".join(map(str, self.uses))


# What takes one tensor for query, key and value reads it in one use.
_ONCE = ("multi_head_attention_forward", "scaled_dot_product_attention")
_SHAPE_ONLY = ("size", "stride", "dim", "numel", "is_same_size", "result_type", "record_stream")
_COPIES = ("clone", "_to_copy", "lift_fresh_copy", "_to_dense", "contiguous")


class _DispatchMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tell a trace which tensors an operation really reads, and which copies it makes."""

    def __init__(self, trace: OpTrace) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.trace = trace

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        given = _read_arguments(func, args, kwargs or {})
        found = func(*args, **(kwargs or {}))
        if given:
            self.trace.record(func, given, found)
        return found


def _read_arguments(
    func: object, args: Sequence[object], kwargs: Mapping[str, object]
) -> list[Tensor]:
    """Return the tensors that an operation is given to read rather than to write."""
    schema = getattr(func, "_schema", None)
    if schema is None:
        return _tensors((args, kwargs))
    name = schema.name.rpartition("::")[2]
    if name.endswith("_like") or name.startswith(("new_", "sym_")) or name in _SHAPE_ONLY:
        return []
    read: list[Tensor] = []
    for place, argument in enumerate(schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            continue
        if place < len(args) and not argument.kwarg_only:
            read += _tensors(args[place])
        elif argument.name in kwargs:
            read += _tensors(kwargs[argument.name])
    return read


def _tensors(tree: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _copies(func: object) -> bool:
    """Say whether an operation only makes a view or a copy of what it reads."""
    schema = getattr(func, "_schema", None)
    if schema is None:
        return False
    # An alias that is returned and not written to is a view, in the schema's words.
    views = any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns)
    return views or schema.name.rpartition("::")[2] in _COPIES


@dataclass(frozen=True, slots=True)
class _Copy:
    """A storage that holds a copy of parameter bytes: where it begins, and what it was made of."""

    storage: StorageWeakRef
    start: int
    sources: tuple[tuple[Region, int], ...]
    source: Region | None  # with the same strides as the copy, byte for byte but for ...
    scale: tuple[int, int]  # ... the size of an element there and here


@dataclass(slots=True)
class _Operation:
    """An operation under way: its name, its arguments over parameters, and what was read so far."""

    use: Use
    given: list[tuple[Region, int]]
    read: list[tuple[Region, int]]


class OpTrace:
    """Collect which regions of which parameters were used by which operation."""

    def __init__(self, names: Sequence[str], owned: Sequence[tuple[Region, int]]) -> None:
        self.names = names
        self.index = _RegionIndex(owned)
        # By the storage's address, which is given out again: whoever looks must ask `_is_freed`.
        self.copies: dict[int, _Copy] = {}
        self.used: dict[int, list[tuple[Region, Use]]] = defaultdict(list)
        self.current: _Operation | None = None
        self.calls = ModuleCalls({})

    @contextmanager
    def following(self, model: nn.Module) -> Iterator[None]:
        """Follow the modules' calls and all operations."""
        self.calls = ModuleCalls({id(module): name for name, module in model.named_modules()})
        # Functions enclose the basic operations that they are made of.
        with self.calls.following(), _DispatchMode(self), FunctionMode(self._call):
            yield

    def _call(self, func: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        with self.operation(func, (args, kwargs)):
            return func(*args, **kwargs)

    @contextmanager
    def operation(self, func: Callable[..., object], given: object) -> Iterator[None]:
        """Gather what one operation reads, and record its uses when it is over."""
        if self.current is not None:  # a function that another calls is part of that one
            yield
            return
        self.current = _Operation(
            self._use(operation_name(func)), self._parameters_in(_tensors(given)), []
        )
        try:
            yield
        finally:
            done, self.current = self.current, None
            self._record_uses(done)

    def record(self, func: object, given: Sequence[Tensor], found: object) -> None:
        """Record what a basic operation has read, or that it made a copy.

        What a backward inside the forward reads was used before, and is not used again.
        """
        if in_backward():
            return
        owned = self._parameters_in(given)
        if not owned:
            return
        if _copies(func):
            for tensor in _tensors(found):
                self._record_copy(given[0], tensor, owned)
        elif self.current is not None:
            self.current.read += owned
        else:
            self._record_uses(_Operation(self._use(_basic_name(func)), owned, owned))

    def _use(self, operation: str) -> Use:
        here = self.calls.stack[-1] if self.calls.stack else None
        return Use(here.name, here.number, operation) if here else Use("", 1, operation)

    def _record_uses(self, done: _Operation) -> None:
        """Record a use of each argument that was read; of what was read otherwise, one a region."""
        if done.use.operation in _ONCE:
            done.given = list(dict.fromkeys(done.given))
        left = dict.fromkeys(done.read)
        for region, place in done.given:
            met = [pair for pair in done.read if pair[1] == place and intersect(pair[0], region)]
            if met:
                self.used[place].append((region, done.use))
                for pair in met:
                    left.pop(pair, None)
        for region, place in left:
            self.used[place].append((region, done.use))

    def _parameters_in(self, tensors: Iterable[Tensor]) -> list[tuple[Region, int]]:
        """Return the parameters' regions that tensors, or what they are copies of, lie in."""
        owned: list[tuple[Region, int]] = []
        for tensor in tensors:
            copy = self._known_copy(tensor)
            if copy is not None:
                owned += _origin(copy, tensor)
            else:
                for region in _untraced_regions(tensor):
                    owned += [(region, place) for place in self.index.owners(region)]
        return owned

    def _known_copy(self, tensor: Tensor) -> _Copy | None:
        if not self.copies:
            return None
        try:
            copy = self.copies.get(tensor.untyped_storage()._cdata)
        except (RuntimeError, NotImplementedError):
            return None
        return copy if copy is not None and not _is_freed(copy.storage) else None

    def _record_copy(
        self, source: Tensor, made: Tensor, owned: Sequence[tuple[Region, int]]
    ) -> None:
        """Remember a copy; what shares memory with its source is a view and needs no memory."""
        theirs, own = _untraced_regions(source), _untraced_regions(made)
        if len(own) != 1 or any(intersect(own[0], region) for region in theirs):
            return
        storage = made.untyped_storage()
        before = self._known_copy(source)
        same = len(owned) == 1 and len(theirs) == 1 and source.stride() == made.stride()
        known = same and (before is None or before.source is not None)
        # A weak reference: holding a storage would keep all activations of the forward alive.
        self.copies[storage._cdata] = _Copy(
            StorageWeakRef(storage),  # type: ignore[no-untyped-call]
            own[0].start,
            tuple(owned),
            owned[0][0] if known else None,
            (before.scale[0] if before else source.element_size(), made.element_size()),
        )

    def reused(self) -> dict[str, Reuse]:
        """Return what was used more than once, in the order of the names."""
        found: dict[str, Reuse] = {}
        for place in sorted(self.used):
            uses = self.used[place]
            count = _highest_count(Counter(region for region, _ in uses))
            if count > 1:
                found[self.names[place]] = Reuse(count, tuple(_shared_uses(uses)))
        return found


class _RegionIndex:
    """Find which parameters a region meets, by bisection over their starts."""

    def __init__(self, owned: Sequence[tuple[Region, int]]) -> None:
        self.spaces: dict[Hashable, tuple[list[int], list[int], list[tuple[Region, int]]]] = {}
        spaces: dict[Hashable, list[tuple[Region, int]]] = defaultdict(list)
        for region, place in owned:
            spaces[region.space].append((region, place))
        for space, pairs in spaces.items():
            pairs.sort(key=lambda pair: pair[0].start)
            # How far any region up to here reaches: behind it, none need be looked at.
            reach = list(accumulate((region.stop for region, _ in pairs), max))
            self.spaces[space] = [region.start for region, _ in pairs], reach, pairs

    def owners(self, region: Region) -> list[int]:
        if region.space not in self.spaces:
            return []
        starts, reach, pairs = self.spaces[region.space]
        last = bisect_left(starts, region.stop) - 1  # the last that starts before this one ends
        owners: dict[int, None] = {}
        while last >= 0 and reach[last] > region.start:
            if intersect(pairs[last][0], region):
                owners[pairs[last][1]] = None
            last -= 1
        return list(owners)


def _is_freed(storage: StorageWeakRef) -> bool:
    return bool(storage.expired())  # type: ignore[no-untyped-call]


def _untraced_regions(tensor: Tensor) -> tuple[Region, ...]:
    """Return the bytes of a tensor, unseen by the modes."""
    with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
        return regions(tensor)


def _origin(copy: _Copy, tensor: Tensor) -> tuple[tuple[Region, int], ...]:
    """Return what a part of a copy was made of: the like part of its source, where known."""
    own = _untraced_regions(tensor)
    if copy.source is None or len(own) != 1:
        return copy.sources
    # Offsets and strides in bytes, from elements of this size to elements of that one.
    there, here = copy.scale
    start = copy.source.start + (own[0].start - copy.start) // here * there
    dims = tuple(
        (n // here * there, 1) if s == 1 else (n, s // here * there) for n, s in own[0].dims
    )
    return ((region_at(copy.source.space, start, dims), copy.sources[0][1]),)


def _basic_name(func: object) -> str:
    schema = getattr(func, "_schema", None)
    return str(func) if schema is None else str(schema.name).rpartition("::")[2]


def _highest_count(counted: Counter[Region]) -> int:
    """Return how many uses the most used byte has."""
    most = max(counted.values())
    meeting = [
        region
        for region in counted
        if any(other is not region and intersect(region, other) for other in counted)
    ]
    if not meeting:  # as nearly always: the bytes need not be walked through
        return most
    # A sweep over all ends: how many uses begin less how many end. At one place ends sort before
    # beginnings, since they are negative, so that neighbours that touch don't add up.
    events: list[tuple[int, int]] = []
    for region in meeting:
        for start, stop in intervals(region):
            events += [(start, counted[region]), (stop, -counted[region])]
    return max(most, *accumulate(change for _, change in sorted(events)))


def _shared_uses(uses: Sequence[tuple[Region, Use]]) -> Iterator[Use]:
    """Yield the uses whose bytes another use reads too."""
    for place, (region, use) in enumerate(uses):
        if any(i != place and intersect(region, other) for i, (other, _) in enumerate(uses)):
            yield use
