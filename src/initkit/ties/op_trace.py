"""Following one forward: which operation reads which bytes of which parameter.

A mode over functions sees what the model's code calls, and a mode over basic operations what that
truly reads; a use is an operation of the first kind under which bytes of an argument were read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

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
        where = self.module or "the model itself"
        return f"{self.operation} in {where}, call {self.call}"


@dataclass(frozen=True, slots=True)
class Reuse:
    """How often the bytes of a parameter were used: ``count`` at most, by ``uses`` in order."""

    count: int
    uses: tuple[Use, ...]

    def __str__(self) -> str:
        return f"{self.count} times: " + "; ".join(map(str, self.uses))


_ONCE = ("multi_head_attention_forward", "scaled_dot_product_attention")
_SHAPE_ONLY = ("size", "stride", "dim", "numel", "is_same_size", "result_type", "record_stream")
_COPIES = ("clone", "_to_copy", "lift_fresh_copy", "_to_dense", "contiguous")


class _Calls(TorchFunctionMode):
    """Tell the ledger which operation the model's code calls, with which tensors."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        with self.ledger.operation(func, (args, kwargs)):
            return func(*args, **(kwargs or {}))


class _Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tell the ledger which tensors an operation really reads, and which copies it makes."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ledger = ledger

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
            self.ledger.note(func, given, found)
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
    views = any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns)
    return views or schema.name.rpartition("::")[2] in _COPIES


@dataclass(frozen=True, slots=True)
class _Copy:
    """A storage that holds a copy of parameter bytes: where it begins, and what it was made of."""

    alive: StorageWeakRef
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


class Ledger:
    """Collect which regions of which parameters were used by which operation."""

    def __init__(self, names: Sequence[str], owned: Sequence[tuple[Region, int]]) -> None:
        self.names = names
        self.index = _Index(owned)
        self.copies: dict[int, _Copy] = {}
        self.used: dict[int, list[tuple[Region, Use]]] = defaultdict(list)
        self.under_way: _Operation | None = None
        self.modules: list[tuple[str, int]] = []
        self.calls: Counter[str] = Counter()

    @contextmanager
    def following(self, model: nn.Module) -> Iterator[None]:
        """Follow the modules' calls and all operations."""
        names = {id(module): name for name, module in model.named_modules()}

        def enter(module: nn.Module, _: object) -> None:
            if id(module) in names:
                name = names[id(module)]
                self.calls[name] += 1
                self.modules.append((name, self.calls[name]))

        def leave(module: nn.Module, *_: object) -> None:
            if id(module) in names and self.modules:
                self.modules.pop()

        with ExitStack() as stack:
            stack.callback(register_module_forward_pre_hook(enter).remove)
            stack.callback(register_module_forward_hook(leave, always_call=True).remove)
            stack.enter_context(_Reads(self))
            stack.enter_context(_Calls(self))
            yield

    @contextmanager
    def operation(self, func: Callable[..., object], given: object) -> Iterator[None]:
        """Gather what one operation reads, and enter it when it is over."""
        if self.under_way is not None:
            yield
            return
        self.under_way = _Operation(self._use(_name(func)), self._held(_tensors(given)), [])
        try:
            yield
        finally:
            done, self.under_way = self.under_way, None
            self._enter(done)

    def note(self, func: object, given: Sequence[Tensor], found: object) -> None:
        """Take down what a basic operation has read, or that it made a copy.

        What a backward inside the forward reads was used before, and is not used again.
        """
        if torch._C._current_graph_task_id() != -1:
            return
        held = self._held(given)
        if not held:
            return
        if _copies(func):
            for tensor in _tensors(found):
                self._copied(given[0], tensor, held)
        elif self.under_way is not None:
            self.under_way.read += held
        else:
            self._enter(_Operation(self._use(_basic_name(func)), held, held))

    def _use(self, operation: str) -> Use:
        name, call = self.modules[-1] if self.modules else ("", 1)
        return Use(name, call, operation)

    def _enter(self, done: _Operation) -> None:
        """Enter each argument that was read; what was read otherwise, once a region."""
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

    def _held(self, tensors: Iterable[Tensor]) -> list[tuple[Region, int]]:
        """Return the parameters' regions that tensors, or what they are copies of, lie in."""
        held: list[tuple[Region, int]] = []
        for tensor in tensors:
            copy = self._copy_of(tensor)
            if copy is not None:
                held += _origin(copy, tensor)
            else:
                for region in _quiet_regions(tensor):
                    held += [(region, place) for place in self.index.owners(region)]
        return held

    def _copy_of(self, tensor: Tensor) -> _Copy | None:
        if not self.copies:
            return None
        try:
            copy = self.copies.get(tensor.untyped_storage()._cdata)
        except (RuntimeError, NotImplementedError):
            return None
        return copy if copy is not None and not _gone(copy.alive) else None

    def _copied(self, source: Tensor, made: Tensor, held: Sequence[tuple[Region, int]]) -> None:
        """Remember a copy; what shares memory with its source is a view and needs no memory."""
        theirs, own = _quiet_regions(source), _quiet_regions(made)
        if len(own) != 1 or any(intersect(own[0], region) for region in theirs):
            return
        storage = made.untyped_storage()
        before = self._copy_of(source)
        same = len(held) == 1 and len(theirs) == 1 and source.stride() == made.stride()
        known = same and (before is None or before.source is not None)
        self.copies[storage._cdata] = _Copy(
            StorageWeakRef(storage),  # type: ignore[no-untyped-call]
            own[0].start,
            tuple(held),
            held[0][0] if known else None,
            (before.scale[0] if before else source.element_size(), made.element_size()),
        )

    def reused(self) -> dict[str, Reuse]:
        """Return what was used more than once, in the order of the names."""
        found: dict[str, Reuse] = {}
        for place in sorted(self.used):
            uses = self.used[place]
            count = _most(Counter(region for region, _ in uses))
            if count > 1:
                found[self.names[place]] = Reuse(count, tuple(_shared(uses)))
        return found


class _Index:
    """Find which parameters a region meets."""

    def __init__(self, owned: Sequence[tuple[Region, int]]) -> None:
        self.spaces: dict[Hashable, tuple[list[int], list[int], list[tuple[Region, int]]]] = {}
        spaces: dict[Hashable, list[tuple[Region, int]]] = defaultdict(list)
        for region, place in owned:
            spaces[region.space].append((region, place))
        for space, pairs in spaces.items():
            pairs.sort(key=lambda pair: pair[0].start)
            reach = list(accumulate((region.stop for region, _ in pairs), max))
            self.spaces[space] = [region.start for region, _ in pairs], reach, pairs

    def owners(self, region: Region) -> list[int]:
        if region.space not in self.spaces:
            return []
        starts, reach, pairs = self.spaces[region.space]
        last = bisect_left(starts, region.stop) - 1
        owners: dict[int, None] = {}
        while last >= 0 and reach[last] > region.start:
            if intersect(pairs[last][0], region):
                owners[pairs[last][1]] = None
            last -= 1
        return list(owners)


def _gone(storage: StorageWeakRef) -> bool:
    return bool(storage.expired())  # type: ignore[no-untyped-call]


def _quiet_regions(tensor: Tensor) -> tuple[Region, ...]:
    """Return the bytes of a tensor, unseen by the modes."""
    with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
        return regions(tensor)


def _origin(copy: _Copy, tensor: Tensor) -> tuple[tuple[Region, int], ...]:
    """Return what a part of a copy was made of: the like part of its source, where known."""
    own = _quiet_regions(tensor)
    if copy.source is None or len(own) != 1:
        return copy.sources
    there, here = copy.scale
    start = copy.source.start + (own[0].start - copy.start) // here * there
    dims = tuple(
        (n // here * there, 1) if s == 1 else (n, s // here * there) for n, s in own[0].dims
    )
    return ((region_at(copy.source.space, start, dims), copy.sources[0][1]),)


def _basic_name(func: object) -> str:
    schema = getattr(func, "_schema", None)
    return str(func) if schema is None else str(schema.name).rpartition("::")[2]


def _name(func: Callable[..., object]) -> str:
    name = str(getattr(func, "__name__", "") or resolve_name(func) or func)
    return name.strip("_") or name


def _most(counted: Counter[Region]) -> int:
    """Return how many uses the most used byte has."""
    most = max(counted.values())
    meeting = [
        region
        for region in counted
        if any(other is not region and intersect(region, other) for other in counted)
    ]
    if not meeting:
        return most
    events: list[tuple[int, int]] = []
    for region in meeting:
        for start, stop in intervals(region):
            events += [(start, counted[region]), (stop, -counted[region])]
    return max(most, *accumulate(change for _, change in sorted(events)))


def _shared(uses: Sequence[tuple[Region, Use]]) -> Iterator[Use]:
    """Yield the uses whose bytes another use reads too."""
    for place, (region, use) in enumerate(uses):
        if any(i != place and intersect(region, other) for i, (other, _) in enumerate(uses)):
            yield use
