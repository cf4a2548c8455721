"""The search for what hangs beside a model's lists: whatever its attributes reach.

Nearest first, over containers, plain objects, closures and partials of hooks. Nothing is called, no
value is read, cycles end. What is registered anywhere in the model, or shares memory with what is,
is not missed, nor is a module that holds the model itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from types import FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .computed_weights import find_computed_weights
from .numbered import every_module
from .object_graph import (
    PLAIN,
    ObjectGraph,
    bases_of,
    class_entries,
    is_machinery_module,
    is_plain,
    module_of,
    name_of,
)
from .unregistered import Unregistered, UnregisteredKind

_MOST_OBJECTS = 100_000  # looked into; plain values are not counted
_MOST_OPERATIONS = 10_000  # of autograd, between a tensor and the leaves that it came from

# What nn.Module.__init__ makes; a hook may carry tensors, the rest is registered.
_INTERNAL = frozenset(vars(nn.Module()))
_HOOKS = frozenset(name for name in _INTERNAL if name.endswith("_hooks"))
_hooks_of = itemgetter(*_HOOKS)


def find_unregistered(root: nn.Module) -> list[Unregistered]:
    """Find the tensors and modules that ``root`` reaches by attributes and has not registered.

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.weight1 = nn.Parameter(torch.rand(20, 20))
    ...         self.weight2 = torch.rand(20, 20)
    >>> [found.path for found in find_unregistered(Net())]
    ['weight2']
    """
    modules, graph = every_module(root), ObjectGraph()
    suspects = [entry for module in modules for entry in _suspects(module, graph)]
    for module in {type(module): module for module in reversed(modules)}.values():
        suspects += _class_suspects(module)
    found = [one for module in modules if module._buffers for one in _trained_buffers(module, root)]
    return found + (_Search(root, graph).run(suspects) if suspects else [])


def _trained_buffers(module: nn.Module, root: nn.Module) -> Iterator[Unregistered]:
    """Yield the buffers that are leaves which take gradients, and in no list of parameters."""
    for name, buffer in module._buffers.items():
        if buffer is None or not buffer.requires_grad or not buffer.is_leaf:
            continue
        if any(buffer is parameter for parameter in root.parameters()):
            continue
        paths = (path for path, other in root.named_modules() if other is module)
        head = next(paths, "")
        path = f"{head}.{name}" if head else name
        yield Unregistered(path, "buffer", module, name, "", buffer)


class _Suspect(NamedTuple):
    """An attribute of a module, or with ``hook`` a table of hooks, that may hold something."""

    module: nn.Module
    name: str
    value: Any
    hook: bool


def _suspects(module: nn.Module, graph: ObjectGraph) -> list[_Suspect]:
    """Return the attributes that hold more than plain values: of most modules none."""
    held = module.__dict__
    # This runs for every module, most of which have the names that another has, too.
    own = _not_internal(tuple(held))
    own = [name for name in own if type(held[name]) not in PLAIN and not is_plain(held[name])]
    if not (own or _hooked(held)) or is_machinery_module(module):
        return []
    return [
        _Suspect(module, name, value, name in _HOOKS)
        for name, value in held.items()
        if (name in own or (value and name in _HOOKS)) and not graph.leads_nowhere(value)
    ]


@lru_cache(maxsize=1024)
def _not_internal(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name not in _INTERNAL]


def _hooked(held: dict[str, Any]) -> bool:
    try:
        return any(_hooks_of(held))
    except KeyError:  # a module that was pickled before torch had all of them
        return any(map(held.get, _HOOKS))


def _class_suspects(module: nn.Module) -> Iterator[_Suspect]:
    """Yield what stands in the body of a module's class, of which code alone belongs there."""
    if is_machinery_module(module):
        return
    kinds = bases_of(type(module))
    for kind in kinds[: kinds.index(nn.Module)]:
        if str(module_of(kind)).startswith("torch."):
            continue
        for name, value in class_entries(kind).items():
            if type(value) is FunctionType or name in module.__dict__ or is_plain(value):
                continue
            yield _Suspect(module, name, value, False)


class _Path(NamedTuple):
    """Where the search stands: texts are made only for what is found."""

    above: _Path | None
    step: str
    suspect: _Suspect
    prefix: tuple[_Path, str] | None  # of a module that is not registered: how it was reached


class _Search:
    """One search through what hangs beside the lists of one model."""

    def __init__(self, root: nn.Module, graph: ObjectGraph) -> None:
        self.root, self.graph = root, graph
        modules = every_module(root)
        self.modules = set(map(id, modules))
        self.tensors: set[int] = set()
        self.storages: set[int] = set()
        for module in modules:
            self._register(module)
        # By id: all that is met hangs on the model, which is held here.
        self.seen: set[int] = set()
        self.found: list[tuple[_Path, UnregisteredKind, Any]] = []
        self.queue: deque[tuple[_Path, Any]] = deque()

    def _register(self, module: nn.Module) -> None:
        for tensors in (module._parameters, module._buffers):
            for tensor in tensors.values():
                if isinstance(tensor, Tensor):
                    self.tensors.add(id(tensor))
                    self.storages.update(_storage(tensor))

    def run(self, suspects: Iterable[_Suspect]) -> list[Unregistered]:
        self._push(suspects, None)
        opened = 0
        while self.queue and opened < _MOST_OBJECTS:
            path, value = self.queue.popleft()
            for step, child in self.graph.children(value):
                self._visit(_Path(path, step, path.suspect, path.prefix), child)
            opened += 1
        if self.queue:
            self.found.append((self.queue[0][0], "unfinished", None))
        names = {id(module): name for name, module in self.root.named_modules()}
        # A parent may have been met late: what it registers is not missed.
        return [
            _described(path, kind, thing, names)
            for path, kind, thing in self.found
            if not (id(thing) in self.tensors or id(thing) in self.modules)
        ]

    def _push(self, suspects: Iterable[_Suspect], prefix: tuple[_Path, str] | None) -> None:
        for suspect in suspects:
            name = "" if suspect.hook else suspect.name
            if not suspect.hook and _is_computed(suspect):
                continue
            self._visit(_Path(None, name, suspect, prefix), suspect.value)

    def _visit(self, path: _Path, value: Any) -> None:
        kind = type(value)
        if kind in PLAIN or id(value) in self.seen:
            return
        if issubclass(kind, Tensor):
            self.seen.add(id(value))
            self._meet_tensor(path, value)
        elif issubclass(kind, nn.Module):
            if _is_finished(value) and id(value) not in self.modules:
                self.seen.add(id(value))
                self._meet_module(path, value)
        elif self.graph.opener(kind) is not None and not is_plain(value):
            self.seen.add(id(value))
            self.queue.append((path, value))

    def _meet_tensor(self, path: _Path, tensor: Tensor) -> None:
        if id(tensor) in self.tensors:
            return
        with torch._C.DisableTorchFunctionSubclass():  # a subclass may object to being looked at
            if self.storages.isdisjoint(_storage(tensor)):
                kind = _kind_of(tensor, self.tensors)
                if kind is not None:
                    self.found.append((path, kind, tensor))

    def _meet_module(self, path: _Path, module: nn.Module) -> None:
        below = every_module(module)
        parent = any(one is self.root for one in below)
        if parent:
            self.modules.update(map(id, below))
        else:
            own = [one for one in below if id(one) not in self.modules]
            stateful = any(_is_stateful(one, self.tensors) for one in own)
            self.found.append((path, "module" if stateful else "stateless", module))
            # Said once: what lies in a module that is not registered is not named again.
            self.seen.update(map(id, below))
        for one in below:
            self._register(one)
        if not parent:
            names = {id(one): name for name, one in module.named_modules()}
            for one in below:
                self._push(_suspects(one, self.graph), (path, names[id(one)]))


def _is_finished(module: nn.Module) -> bool:
    """Tell whether ``nn.Module.__init__`` has run; a traced module has its parts elsewhere."""
    return "_modules" in module.__dict__ or isinstance(module, torch.jit.ScriptModule)


def _is_computed(suspect: _Suspect) -> bool:
    """Tell whether an attribute is what a legacy norm or pruning computes from registered ones."""
    if not isinstance(suspect.value, Tensor) or not suspect.module._forward_pre_hooks:
        return False
    return suspect.name in find_computed_weights(suspect.module)


def _kind_of(tensor: Tensor, registered: set[int]) -> UnregisteredKind | None:
    if isinstance(tensor, nn.Parameter):
        return "parameter"
    if tensor.grad_fn is not None:
        leaves = list(_leaves(tensor.grad_fn))
        # A result kept from a forward came from registered parameters, whatever else went in.
        own = any(isinstance(leaf, nn.Parameter) and id(leaf) not in registered for leaf in leaves)
        known = any(id(leaf) in registered for leaf in leaves)
        # Of a graph too large to see its leaves nothing bad is said.
        return "computed" if own or (leaves and not known) else "result"
    if tensor.requires_grad:
        return "trainable"
    if nn.parameter.is_lazy(tensor):
        return "tensor"
    return "tensor" if tensor.numel() else None


def _leaves(function: Any) -> Iterator[Tensor]:
    """Yield the leaves that a tensor was computed from."""
    seen, stack = {function}, [function]
    while stack and len(seen) < _MOST_OPERATIONS:
        node = stack.pop()
        leaf = getattr(node, "variable", None)  # of the nodes that add up gradients
        if isinstance(leaf, Tensor):
            yield leaf
        for above, _ in node.next_functions:
            if above is not None and above not in seen:
                seen.add(above)
                stack.append(above)


def _storage(tensor: Tensor) -> Sequence[int]:
    """Return the identity of a tensor's storage; nothing where it has none to tell."""
    try:
        return () if nn.parameter.is_lazy(tensor) else (tensor.untyped_storage()._cdata,)
    # Subclasses and layouts without one storage raise what they like.
    except Exception:
        return ()


def _is_stateful(module: nn.Module, registered: set[int]) -> bool:
    """Tell whether a module has tensors of its own, or a forward that asks whether it trains."""
    tensors = (*module._parameters.values(), *module._buffers.values())
    if any(tensor is not None and id(tensor) not in registered for tensor in tensors):
        return True
    for base in type(module).__mro__:
        if "forward" in vars(base):
            code = getattr(vars(base)["forward"], "__code__", None)
            return code is not None and "training" in code.co_names
    return False


def _described(
    path: _Path, kind: UnregisteredKind, thing: Any, names: dict[int, str]
) -> Unregistered:
    suspect = path.suspect
    return Unregistered(
        _spelled(path, names),
        kind,
        suspect.module,
        suspect.name,
        _holder(path),
        thing,
    )


def _spelled(path: _Path, names: dict[int, str]) -> str:
    steps = []
    here: _Path | None = path
    while here is not None:
        steps.append(here.step)
        here = here.above
    rest = "".join(reversed(steps))
    if path.suspect.hook:
        rest = f"<{path.suspect.name.strip('_').replace('_', ' ').removesuffix('s')}>{rest}"
    if path.prefix is None:
        above = names.get(id(path.suspect.module), "")
    else:
        before, inner = path.prefix
        above = ".".join(filter(None, (_spelled(before, names), inner)))
    return f"{above}.{rest}" if above else rest


def _holder(path: _Path) -> str:
    """Return what the attribute is that holds it, in words; empty where it is the thing itself."""
    if path.suspect.hook:
        return "a hook"
    if path.above is None:
        return ""
    kind = type(path.suspect.value)
    for base, word in ((list, "list"), (tuple, "tuple"), (dict, "dict"), (set, "set")):
        if issubclass(kind, base):
            return f"a {word}"
    name = name_of(kind)
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"
