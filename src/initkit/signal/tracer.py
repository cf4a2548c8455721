"""Follow a forward: the calls of modules, and the operations on parameters inside them."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from ..errors import TargetError
from ..model import (
    Call,
    FunctionMode,
    ModelView,
    ModuleCalls,
    Operation,
    Slot,
    in_backward,
    is_sharded,
    module_names,
    operation_name,
    untraced,
)
from ..ties import tie_slots
from .operations import COMPOSITES, LINEAR, LOOKS, LOOKUPS, argument

Arguments: TypeAlias = "tuple[Any, ...]"
Options: TypeAlias = "dict[str, Any]"


@dataclass(slots=True)
class Memory:
    """A parameter: its slots, that of its first name first, and all its names."""

    slots: tuple[Slot, ...]
    names: tuple[str, ...]

    @property
    def slot(self) -> Slot:
        """The slot of the first name."""
        return self.slots[0]

    @property
    def name(self) -> str:
        """The first name."""
        return self.names[0]


@dataclass(slots=True)
class LinearUse:
    """An operation that is linear in a parameter: which one, on what, with which bias."""

    memory: Memory
    operation: str
    given: Tensor | None
    bias: Tensor | None


class Tracer:
    """Follow the calls of modules and the operations of one forward.

    Subclasses say what they do where a module is entered and left, at an operation that is linear
    in a parameter, and, by name, at any other function.
    """

    def __init__(self, view: ModelView) -> None:
        assert view.root is not None
        self.model = view.root
        self.calls = ModuleCalls(module_names(view.root))
        self.memories = _memories(view)
        # By id, of tensors that the model or this object keeps.
        self.owners: dict[int, Memory] = {}
        for memory in self.memories.values():
            assert memory.slot.tensor is not None
            self.owners.update((id(raw), memory) for raw in memory.slot.raw)
        for slot in view.raw_slots:
            for name in slot.paths:
                if slot.tensor is not None and name in self.memories:
                    self.owners[id(slot.tensor)] = self.memories[name]
        self.computed: dict[int, tuple[weakref.ref[Tensor], Memory]] = {}
        self.uses: Counter[str] = Counter()
        self.actions: dict[str, Callable[[Operation, Arguments, Options], object]] = {}
        self.mode = FunctionMode(self.handle)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow what is called inside the block."""
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # one kernel, inside which nothing is seen
        try:
            with self.calls.following(self._enter, self._leave), self.mode:
                yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)

    # ---- what subclasses say

    def enter(self, call: Call, args: Arguments) -> Arguments | None:
        """Return other arguments for a call that begins, or None."""

    def leave(self, call: Call, output: object) -> object:
        """Return another output of a call that ends, or None."""

    def linear(self, use: LinearUse, run: Callable[[], object]) -> object:
        """Run an operation that is linear in a parameter, and return its result."""
        return run()

    # ---- what they need for it

    @property
    def here(self) -> Call | None:
        """The innermost call."""
        return self.calls.stack[-1] if self.calls.stack else None

    def owner(self, tensor: object) -> Memory | None:
        """Return the parameter that a tensor is, is a view of, or is computed from."""
        if not isinstance(tensor, Tensor):
            return None
        found = self.owners.get(id(tensor))
        if found is None and tensor._base is not None:
            found = self.owners.get(id(tensor._base))
        if found is None and id(tensor) in self.computed:
            known, memory = self.computed[id(tensor)]
            found = memory if known() is tensor else None
        return found

    def handle(self, func: Operation, args: Arguments, kwargs: Options) -> object:
        """Run a function of torch as what it is to this tracer."""
        name = operation_name(func)
        if name in LOOKS or in_backward():
            return func(*args, **kwargs)
        if name in COMPOSITES:
            with self.mode:
                return COMPOSITES[name](*args, **kwargs)
        self._count(args, kwargs)
        seen = name in LINEAR and (self.here is None or not _computes(self.here))
        if seen and (use := self._linear_use(name, args, kwargs)) is not None:
            return self.linear(use, lambda: func(*args, **kwargs))
        action = self.actions.get(name)
        return action(func, args, kwargs) if action else func(*args, **kwargs)

    @untraced
    def _count(self, args: Arguments, kwargs: Options) -> None:
        for value in (*args, *kwargs.values()):
            for item in value if isinstance(value, list | tuple) else (value,):
                if isinstance(item, Tensor) and (memory := self.owner(item)) is not None:
                    self.uses[memory.name] += 1

    @untraced
    def _linear_use(self, name: str, args: Arguments, kwargs: Options) -> LinearUse | None:
        flat = [
            item
            for value in (*args, *kwargs.values())
            for item in (value if isinstance(value, list | tuple) else (value,))
            if isinstance(item, Tensor)
        ]
        found = [(t, self.owner(t) or self._legacy(t)) for t in flat]
        weights = [(t, memory) for t, memory in found if memory is not None and t.dim() > 1]
        if not weights:
            return None
        memory = weights[0][1]
        first = 1 if name in ("addmm", "baddbmm") else 0  # what the product is added to
        given = next((t for t, m in found[first:] if m is None and t.is_floating_point()), None)
        bias = next((t for t, _ in found if t.dim() == 1 and t is not given), None)
        if name in LOOKUPS:
            given = bias = None
        if name == "addmm":
            bias = argument(args, kwargs, 0, "input")
        return LinearUse(memory, name, given, bias)

    def _legacy(self, tensor: Tensor) -> Memory | None:
        """Return the parameter that a weight was computed for by a hook, as legacy norms do."""
        here = self.here
        if here is None:
            return None
        for key, value in vars(here.module).items():
            if value is tensor:
                return self.memories.get(f"{here.name}.{key}" if here.name else key)
        return None

    def _enter(self, call: Call, args: Arguments) -> Arguments | None:
        return None if _computes(call) else self.enter(call, args)

    def _leave(self, call: Call, output: object) -> object:
        if isinstance(call.module, ParametrizationList) and isinstance(output, Tensor):
            name = call.name.replace("parametrizations.", "")
            if name in self.memories:
                self.computed[id(output)] = (weakref.ref(output), self.memories[name])
        return None if _computes(call) else self.leave(call, output)


def _computes(call: Call) -> bool:
    """Say whether a call is part of computing a parametrized weight."""
    return "parametrizations" in call.name.split(".")


def _memories(view: ModelView) -> dict[str, Memory]:
    """Return every parameter by each of its canonical names; refuse what holds no values here."""
    tied = {id(slot): group for group in tie_slots(view.slots) for slot in group.slots}
    found: dict[str, Memory] = {}
    for slot in view.slots:
        tensor = slot.tensor
        if tensor is None or slot.kind != "parameter" or slot.literal:
            continue
        _refuse(slot, tensor)
        group = tied.get(id(slot))
        members = group.slots if group is not None else (slot,)
        names = tuple(name for s in members for name in s.canonicals)
        memory = found.get(names[0]) or Memory(tuple(members), names)
        for name in names:
            found.setdefault(name, memory)
    return found


def _refuse(slot: Slot, tensor: Tensor) -> None:
    if nn.parameter.is_lazy(tensor):
        raise TargetError(f"{slot.name} is lazy and has no values yet; run a forward first")
    if tensor.is_meta:
        raise TargetError(
            f"{slot.name} is on the meta device and has no values; materialize the model first"
        )
    if is_sharded(tensor):
        raise TargetError(
            f"{slot.name} is sharded, and no rank sees the whole signal; probe the model before it "
            "is sharded, or a smaller one of the same kind"
        )


def first_tensor(output: object) -> Tensor | None:
    """Return the first floating-point tensor of an output, however it is nested."""
    if isinstance(output, Tensor):
        return output if output.is_floating_point() or output.is_complex() else None
    if isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, list | tuple):
        return next((t for part in output if (t := first_tensor(part)) is not None), None)
    return None
