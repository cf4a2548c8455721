"""From a model or a state_dict to slots: every named place that holds a tensor.

Per module come its parameters, its computed weights, its buffers, then its children. A path never
enters the same module twice, so cyclic graphs end; a module reached on several paths is walked
once and shows several names. Nothing here reads a value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from ..errors import TargetError
from .adapters import ADAPTERS
from .computed_base import ComputedWeight
from .computed_weights import find_computed_weights, legacy_keys
from .numbered import NO_LAYERS, Layers, children_of, layers_of
from .originals import learn_originals
from .parametrized_weights import original_keys

WRAPPERS: Mapping[str, str] = {
    "module": "DataParallel DistributedDataParallel AveragedModel",
    "_orig_mod": "OptimizedModule",
    "_fsdp_wrapped_module": "FullyShardedDataParallel",
    "_checkpoint_wrapped_module": "ActivationWrapper CheckpointWrapper OffloadWrapper",
}
"""Attributes that hold the wrapped module, and the wrappers' class names."""

MOST_PATHS = 10_000
"""Paths to one module: a diamond doubles them, so that twenty in a row make a million names."""

Layer: TypeAlias = "tuple[int | None, int | None]"
"""Index and number of layers."""


@dataclass(eq=False, slots=True)  # not frozen: that would make it four times as dear to build
class Slot:
    """One named place that holds a tensor.

    ``name`` is the first of ``paths``, all names that the model shows; ``canonicals`` are the same
    without wrapper segments. ``tensor`` is the memory: None where registered as None, and the main
    raw tensor of a computed weight, which is written through ``computed``. ``kind`` is "parameter",
    "buffer", or "entry" of a state_dict. ``lineage`` are the modules from the root to ``owner``.
    ``layer`` of ``n_layers`` is the number in the outermost container of the first path that gives
    all it holds numbers for names, as a ParameterList does; how many there are nobody knows where
    numbers are left out. Where there are several paths, ``layers`` has both for each.
    ``literal`` marks raw tensors such as ``weight_g``. ``visits`` order names among slots.

    >>> walk(nn.Linear(2, 3))[0].name
    'weight'
    """

    name: str
    paths: tuple[str, ...]
    canonicals: tuple[str, ...]
    key: str
    owner: nn.Module | None
    tensor: Tensor | None
    kind: str
    lineage: tuple[nn.Module, ...]
    layer: int | None
    n_layers: int | None
    computed: ComputedWeight | None = None
    literal: bool = False
    visits: tuple[int, ...] = (0,)
    layers: tuple[Layer, ...] = ()

    def layer_of(self, path: str) -> Layer:
        """Return index and number of layers on one of the paths, or None for both."""
        known = self.layers and path in self.paths
        return self.layers[self.paths.index(path)] if known else (self.layer, self.n_layers)

    @property
    def shape(self) -> torch.Size:
        """Return the public shape: of a computed weight, what the module shows."""
        if self.computed is not None:
            return self.computed.shape
        if self.tensor is None:
            raise TargetError(f"{self.name} is registered as None and has no shape")
        return self.tensor.shape

    @property
    def raw(self) -> tuple[Tensor, ...]:
        """Return the tensors that carry its value: those that a computed weight is made from."""
        if self.computed is not None:
            return self.computed.raw
        return () if self.tensor is None else (self.tensor,)

    @property
    def canonical(self) -> str:
        """Return the smallest of the canonical names."""
        return min(self.canonicals)


@dataclass(slots=True)
class _Visit:
    """A module with all the prefixes under which it is met."""

    module: nn.Module
    prefixes: list[str]
    canonicals: list[str]
    numbers: list[int]
    lineage: tuple[nn.Module, ...]
    layer: int | None
    n_layers: int | None
    layers: list[Layer] | None = None  # of each path, where there are several

    def slot(
        self,
        key: str,
        tensor: Tensor | None,
        kind: str,
        visits: tuple[int, ...],
        computed: ComputedWeight | None = None,
        literal: bool = False,
    ) -> Slot:
        """Make a slot of this module; most have one path, and no wrapper on it."""
        prefixes, short, layer = self.prefixes, self.canonicals, (self.layer, self.n_layers)
        others: Sequence[Layer] = self.layers or ()
        if key.isdecimal() and isinstance(module := self.module, nn.ParameterList):
            own = int(key), len(module)  # which counts what is its, where nothing around it counts
            layer = own if layer[0] is None else layer
            others = [own if each[0] is None else each for each in others]
        if short is prefixes and len(prefixes) == 1:
            paths: tuple[str, ...] = (prefixes[0] + key,)
            canonicals = paths
        else:
            paths = canonicals = tuple([prefix + key for prefix in prefixes])
            if short is not prefixes:
                canonicals = tuple([prefix + key for prefix in short])
        return Slot(
            paths[0],
            paths,
            canonicals,
            key,
            self.module,
            tensor,
            kind,
            self.lineage,
            *layer,
            computed,
            literal,
            visits,
            tuple(others),
        )


def walk(model: nn.Module, *, buffers: bool = False, raw: bool = False) -> list[Slot]:
    """List the slots of a model, in registration order.

    A computed weight (parametrized, or under a legacy norm or pruning) is one slot with its public
    name; its raw tensors are literal slots. With ``raw`` there are only the names that
    ``named_parameters`` shows. Raises `TargetError` for what is no module.

    >>> [slot.name for slot in walk(nn.Sequential(nn.Linear(2, 2), nn.PReLU()))]
    ['0.weight', '0.bias', '1.weight']
    """
    require_module(model)
    return walk_modules(model, buffers=buffers, raw=raw)[0]


def require_module(model: object) -> None:
    """Raise `TargetError` for what is no module."""
    if not isinstance(model, nn.Module):
        raise TargetError(f"a model is an nn.Module; this is a {type(model).__name__}")


def walk_modules(
    model: nn.Module, *, buffers: bool = False, raw: bool = False
) -> tuple[list[Slot], list[nn.Module]]:
    """List the slots of a model, and each module that holds some or leads to some, once."""
    # Most models are trees, for which the simple walk is enough.
    visits = _tree(model) or _graph(model, buffers)
    learn_originals(visit.module for visit in visits)
    slots: list[Slot] = []
    for visit in visits:
        _emit(visit, slots, buffers, raw)
    return slots, [visit.module for visit in visits]


def _emit(visit: _Visit, slots: list[Slot], buffers: bool, raw: bool) -> None:
    """Append the slots of one module."""
    module, make, visits = visit.module, visit.slot, tuple(visit.numbers)
    weights: Mapping[str, ComputedWeight] = {}
    literal: Collection[str] = ()
    if not raw:
        if module._forward_pre_hooks or "parametrizations" in module._modules:
            weights, literal = find_computed_weights(module), legacy_keys(module)
        if isinstance(module, ParametrizationList):
            literal = original_keys(module)
    tensor: Tensor | None
    for key, tensor in module._parameters.items():
        slots.append(make(key, tensor, "parameter", visits, None, key in literal))
    # A computed weight is a parameter where something behind it is trained.
    for key, computed in weights.items():
        kind = "parameter" if any(isinstance(t, nn.Parameter) for t in computed.raw) else "buffer"
        if buffers or kind == "parameter":
            slots.append(make(key, computed.main, kind, visits, computed))
    if buffers and module._buffers:
        # What a parametrization keeps stands behind its weight as its raw tensors do.
        behind = not raw and any(isinstance(m, ParametrizationList) for m in visit.lineage)
        for key, tensor in module._buffers.items():
            if tensor is None or isinstance(tensor, Tensor):
                slots.append(make(key, tensor, "buffer", visits, None, behind or key in literal))


def _tree(model: nn.Module) -> list[_Visit] | None:
    """Visit a model whose modules have one path each; None where one has several."""
    prefixes = [""]
    root = _Visit(model, prefixes, prefixes, [0], (model,), None, None)
    visits: list[_Visit] = []  # of one path each, without a wrapper one list serves both names
    stack = [root]
    seen = {id(model)}  # the model keeps its modules alive, so an id stands for one of them
    while stack:
        visit = stack.pop()
        visit.numbers = [len(visits)]
        visits.append(visit)
        children = children_of(visit.module)
        if not children:
            continue
        layers = (
            layers_of(visit.module) if visit.layer is None else NO_LAYERS
        )  # the outermost counts
        for name in reversed(children):  # a stack turns them around: registration order again
            child = children[name]
            if child is None:
                continue
            if id(child) in seen:  # on a second path, or above itself
                return None
            seen.add(id(child))
            stack.append(_step(visit, name, child, layers))
    return visits


def _step(visit: _Visit, name: str, child: nn.Module, layers: Layers) -> _Visit:
    """Go from a module to its child on the first of its paths."""
    prefixes = [f"{visit.prefixes[0]}{name}."]
    if is_wrapper_segment(visit.module, name):
        canonicals = visit.canonicals[:1]
    elif visit.canonicals is visit.prefixes:
        canonicals = prefixes
    else:
        canonicals = [f"{visit.canonicals[0]}{name}."]
    layer, n_layers = visit.layer, visit.n_layers
    if layers.counted and name.isdecimal():
        layer, n_layers = int(name), layers.number
    lineage = (*visit.lineage, child)
    return _Visit(child, prefixes, canonicals, visit.numbers, lineage, layer, n_layers)


def _graph(model: nn.Module, buffers: bool) -> list[_Visit]:
    """Visit a model some of whose modules have several paths, each path once."""
    bearing = _bearing(model, buffers)
    root = _Visit(model, [""], [""], [0], (model,), None, None)
    visits: dict[int, _Visit] = {id(model): root}
    # Depth first, with an iterator over children for each module of the path: a path enters no
    # module twice, so it is no longer than there are modules, and the walk ends.
    on_path = {id(model)}
    paths = [(root, _children(model), layers_of(model))]
    number = 0
    while paths:
        here, children, layers = paths[-1]
        name, child = next(children, ("", None))
        if child is None:
            paths.pop()
            on_path.discard(id(here.module))
            continue
        if id(child) in on_path or id(child) not in bearing:
            continue
        number += 1
        step = _step(here, name, child, layers)
        step.numbers = [number]
        known = visits.setdefault(id(child), step)
        if known is not step:
            known.prefixes.append(step.prefixes[0])
            if known.canonicals is not known.prefixes:
                known.canonicals.append(step.canonicals[0])
            known.numbers.append(number)
            # On the second path the first one's is noted as well.
            known.layers = known.layers or [(known.layer, known.n_layers)]
            known.layers.append((step.layer, step.n_layers))
            if len(known.prefixes) > MOST_PATHS:
                raise TargetError(_too_many(known))
        on_path.add(id(child))
        paths.append(
            (step, _children(child), layers_of(child) if step.layer is None else NO_LAYERS)
        )
    return list(visits.values())


def _too_many(visit: _Visit) -> str:
    return (
        f"{type(visit.module).__name__} stands at {visit.prefixes[0][:-1]!r} and more than "
        f"{MOST_PATHS:,} other places, so that nobody can list its names; hold shared modules in "
        "one place, and refer to them elsewhere without registering them"
    )


def _children(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((n, c) for n, c in children_of(module).items() if c is not None)


def _bearing(model: nn.Module, buffers: bool) -> set[int]:
    """Return the modules from which a slot can be reached: paths that end in nothing are left."""
    parents: dict[int, list[int]] = {id(model): []}
    found: list[int] = []
    stack = [model]
    while stack:
        module = stack.pop()
        if module._parameters or (buffers and module._buffers):
            found.append(id(module))
        for _, child in _children(module):
            if child is model:  # every path has entered it already
                continue
            if id(child) not in parents:
                parents[id(child)] = []
                stack.append(child)
            parents[id(child)].append(id(module))
    # From the modules with tensors upwards; each is found once, so this ends in a cycle, too.
    bearing = set(found)
    while found:
        fresh = [p for p in parents[found.pop()] if p not in bearing]
        bearing.update(fresh)
        found.extend(fresh)
    return bearing


def is_wrapper_segment(module: nn.Module, name: str) -> bool:
    """Say whether the module is a wrapper and holds under this name what it wraps."""
    if name not in WRAPPERS and name not in ADAPTERS:  # asked of every module
        return False
    wrappers = (WRAPPERS.get(name) or ADAPTERS[name]).split()
    return any(cls.__name__ in wrappers for cls in type(module).__mro__)


def walk_state_dict(entries: Mapping[str, object]) -> list[Slot]:
    """List the tensors of a state_dict as slots; entries that are no tensors are skipped.

    A wrapper segment is dropped from the canonical names only where all keys have it. Raises
    `TargetError` for a mapping whose keys are no strings.

    >>> [slot.layer for slot in walk_state_dict(nn.Sequential(nn.ReLU(), nn.PReLU()).state_dict())]
    [1]
    """
    if not isinstance(entries, Mapping):
        raise TargetError(f"a model is an nn.Module or a state_dict, not {entries!r}")
    named = {name: value for name, value in entries.items() if isinstance(value, Tensor)}
    if not all(isinstance(name, str) for name in named):
        raise TargetError("the keys of a state_dict are strings")
    sizes = _sizes(named)
    short = _unwrapped(list(named))
    return [
        _entry(number, name, canonical, tensor, sizes, literal=_is_kept_behind(name, named))
        for number, ((name, tensor), canonical) in enumerate(zip(named.items(), short, strict=True))
    ]


def _entry(
    number: int,
    name: str,
    canonical: str,
    tensor: Tensor,
    sizes: Mapping[str, int],
    *,
    literal: bool,
) -> Slot:
    container, layer = _numbered(name)
    n_layers = None if layer is None else sizes[container]
    return Slot(
        name,
        (name,),
        (canonical,),
        name.rpartition(".")[2],
        None,
        tensor,
        "entry",
        (),
        layer,
        n_layers,
        literal=literal,
        visits=(number,),
    )


# What a parametrization keeps beside its originals, and the old hooks beside a ``weight_orig``.
_KEPT = re.compile(r"(?:.*\.)?parametrizations\.[^.]+\.\d+\..+")
_KEPT_BY_HOOKS = re.compile(r"(.+)_(?:u|v|mask)")


def _is_kept_behind(name: str, names: Container[str]) -> bool:
    """Whether an entry is no value of its own, but what a module keeps of a computed weight."""
    if _KEPT.fullmatch(name):
        return True
    hooked = _KEPT_BY_HOOKS.fullmatch(name)
    return hooked is not None and f"{hooked[1]}_orig" in names


def _numbered(name: str) -> tuple[str, int | None]:
    """Split a name at its outermost number: what stands before it, and the number."""
    for place, part in enumerate(parts := name.split(".")):
        if part.isdecimal():
            return ".".join(parts[:place]), int(part)
    return "", None


def _sizes(names: Mapping[str, object]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name in names:
        container, layer = _numbered(name)
        if layer is not None:
            sizes[container] = max(sizes.get(container, 0), layer + 1)
    return sizes


def _unwrapped(names: list[str]) -> list[str]:
    """Drop a wrapper segment that all names have in the same place."""
    while True:  # each turn shortens the names, or is the last
        for segment in WRAPPERS:
            head = _shared_head(names, segment)
            if head is not None:
                cut = len(head) + len(segment) + 1
                names = [head + name[cut:] for name in names]
                break
        else:
            return names


def _shared_head(names: list[str], segment: str) -> str | None:
    before, found, _ = names[0].partition(f"{segment}.") if names else ("", "", "")
    if not found or (before and not before.endswith(".")):
        return None
    return before if all(name.startswith(before + found) for name in names) else None
