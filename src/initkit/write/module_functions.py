"""Users' functions of modules: called as ``Module.apply`` does, with scratch for parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ..distributions import Source, UserFunction
from ..errors import FillError
from ..model import Slot, children_of, is_wrapper_segment, shape_problem
from ..plan import WRITE, Step, Target
from .scratch import ELSEWHERE, OwnGenerator, keyed_generator, one_generator, scratch_like

Pair: TypeAlias = tuple[Step, Target]
Place: TypeAlias = tuple[int, str]
"""A module, by its id, and what it calls a tensor: the plan keeps modules alive meanwhile."""


def run_module_functions(pairs: Sequence[Pair], seed: int, prefix: str) -> dict[str, Tensor]:
    """Return what functions of modules make for the steps that they start, by the steps' names."""
    drawn: dict[str, Tensor] = {}
    for mine in _by_function(pairs):
        # Whatever is written, all that the function starts says with which modules it is called.
        if any(step.status == WRITE for step, _ in mine):
            drawn |= _Run(mine, seed, prefix).values()
    return drawn


def _by_function(pairs: Iterable[Pair]) -> list[list[Pair]]:
    groups: list[tuple[Any, list[Pair]]] = []
    for step, target in pairs:
        called = _function(step).function, _function(step).options
        # Options need not have a hash.
        known = next((group for key, group in groups if key == called), None)
        if known is None:
            groups.append((called, known := []))
        known.append((step, target))
    return [group for _, group in groups]


class _Run:
    """One function over all modules that it starts."""

    def __init__(self, pairs: Sequence[Pair], seed: int, prefix: str) -> None:
        self.pairs, self.seed, self.prefix = pairs, seed, prefix
        self.distribution = _function(pairs[0][0])
        self.paths: dict[int, str] = {}
        self.modules = self._modules()

    def values(self) -> dict[str, Tensor]:
        """Call the function with each module, and return what it left."""
        self._refuse_computed()
        slots = [slot for _, target in self.pairs for slot in target.slots]
        with _lent(self.modules, self._scratch()), one_generator(slots):
            for module in self.modules:
                self._call(module)
            found = {
                step.name: _left(step, target)
                for step, target in self.pairs
                if step.status == WRITE
            }
        self._check(found)
        factor = {step.name: _function(step).factor for step, _ in self.pairs}
        return {n: v if factor[n] == 1 else v * factor[n] for n, v in found.items()}

    # ---- which modules, and what stands in for their parameters

    def _modules(self) -> list[nn.Module]:
        """Return the modules to call it with, inner ones first."""
        slots = [(slot, step) for step, target in self.pairs for slot in _meant(step, target)]
        if not slots:
            return []
        covered = {id(t) for slot, step in slots if not _function(step).owners for t in slot.raw}
        wanted: set[int] = set()
        for slot, step in slots:
            for module, path in zip(slot.lineage, _paths(slot, step.seed_name), strict=True):
                if id(module) in self.paths:
                    continue
                self.paths[id(module)] = path
                if covered and covered.issuperset(map(id, module.parameters())):
                    wanted.add(id(module))
            wanted.add(id(slot.owner))
        return [m for m in _inner_first(slots[0][0].lineage[0], set()) if id(m) in wanted]

    def _refuse_computed(self) -> None:
        for step, target in self.pairs:
            if any(slot.computed is not None for slot in target.slots):
                text = (
                    f"{step.name} is computed from other tensors, and a function of its module "
                    "would write what it is computed to; start it by a rule of its own"
                )
                raise self._error(text, step.name)

    def _scratch(self) -> dict[Place, Tensor]:
        """Return one scratch tensor for each piece of memory, by all its places."""
        found: dict[Place, Tensor] = {}
        for step, target in self.pairs:
            scratch = scratch_like(step.shape, step.dtype)
            for slot in target.slots:
                if tuple(slot.shape) == step.shape:
                    found[id(slot.owner), slot.key] = scratch
        return found

    # ---- the call, and what became of it

    def _call(self, module: nn.Module) -> None:
        path = self.paths.get(id(module), "")
        name = self.prefix + path  # it ends with a dot, and so is no parameter's
        try:
            with keyed_generator(Source(self.seed, name)), torch.no_grad():
                self.distribution.function(module, **dict(self.distribution.options))
        except OwnGenerator:
            raise self._error(ELSEWHERE, path[:-1]) from None
        except Exception as error:
            where = f"the {type(module).__name__}" + (f" {path[:-1]!r}" if path else "")
            raise self._error(f"failed on {where}: {error!r}", path[:-1]) from error

    def _check(self, found: Mapping[str, Tensor]) -> None:
        """Raise where something is left to write."""
        untouched = []
        for step, _ in self.pairs:
            if step.name not in found:
                continue
            value = found[step.name]
            if tuple(value.shape) != step.shape:
                shapes = f"{list(value.shape)}, and it must stay {list(step.shape)}"
                raise self._error(f"made {step.name} {shapes}", step.name)
            left = int(value.isnan().sum())
            if left and left < value.numel():
                what = f"left {left} of {value.numel()} elements of {step.name} unwritten"
                raise self._error(f"{what}, or wrote NaN there", step.name)
            if left:
                untouched.append(step.name)
        if untouched:
            text = (
                f"wrote nothing to {', '.join(untouched)}, or read the old values, which are NaN "
                "here; put rules above it for what it leaves alone, such as "
                f"{{{untouched[0]!r}: 'keep'}}"
            )
            raise self._error(text, untouched[0])

    def _error(self, what: str, name: str) -> FillError:
        message = f"{self.distribution.describe()} {what}; nothing was written"
        return FillError(message, name=name)


def _function(step: Step) -> UserFunction:
    assert isinstance(step.distribution, UserFunction)
    return step.distribution


def _meant(step: Step, target: Target) -> Sequence[Slot]:
    """Return the places of a parameter that the rule means: one that it names, or all."""
    named = [slot for slot in target.slots if step.rule in slot.paths]
    return named or target.slots


def _paths(slot: Slot, seed_name: str) -> list[str]:
    """Return, from the root to the owner, what numbers know the modules as, each with its dot."""
    path, found = "", [""]
    for module, part in zip(slot.lineage[:-1], slot.name.split("."), strict=False):
        path += "" if is_wrapper_segment(module, part) else f"{part}."
        found.append(path)
    # A plan that is applied to a part of its model knows the modules by longer paths.
    tails = [slot.canonicals[0].removeprefix(path) for path in found]
    return [
        seed_name.removesuffix(tail) if seed_name.endswith(tail) else path
        for path, tail in zip(found, tails, strict=True)
    ]


def _inner_first(module: nn.Module, seen: set[int]) -> Iterator[nn.Module]:
    if id(module) in seen:
        return
    seen.add(id(module))
    for child in children_of(module).values():
        if child is not None:
            yield from _inner_first(child, seen)
    yield module


def _left(step: Step, target: Target) -> Tensor:
    """Return what stands in a parameter's places now: of several, what is whole, the last first."""
    values: list[Tensor] = []
    for slot in _meant(step, target):
        owner: Any = slot.owner
        held = owner._parameters.get(slot.key)
        held = owner._buffers.get(slot.key) if held is None else held
        if held is not None:
            values.append(held.detach())
    whole = (v for v in reversed(values) if tuple(v.shape) == step.shape and not v.isnan().any())
    return next(whole, values[0])


@contextmanager
def _lent(modules: Sequence[nn.Module], scratch: Mapping[Place, Tensor]) -> Iterator[None]:
    """Put scratch in place of all parameters and buffers of modules, and take it away again."""
    below = {id(m): m for module in modules for m in module.modules()}
    held = [(m, dict(m._parameters), dict(m._buffers)) for m in below.values()]
    stand_ins: dict[int, Tensor] = {}  # by the tensor that they stand for: a tie stays one
    try:
        for module, parameters, buffers in held:
            for key, tensor in (*parameters.items(), *buffers.items()):
                if tensor is None or shape_problem(tensor):
                    continue
                if id(tensor) not in stand_ins:
                    stand_ins[id(tensor)] = _stand_in(tensor, scratch.get((id(module), key)))
                place: Any = module._parameters if key in parameters else module._buffers
                place[key] = stand_ins[id(tensor)]
        yield
    finally:
        for module, parameters, buffers in held:
            module._parameters.clear()
            module._parameters.update(parameters)
            module._buffers.clear()
            module._buffers.update(buffers)


def _stand_in(tensor: Tensor, scratch: Tensor | None) -> Tensor:
    inexact = tensor.is_floating_point() or tensor.is_complex()
    if not isinstance(tensor, nn.Parameter) or not inexact:
        return tensor.detach().clone() if scratch is None else scratch
    memory = scratch_like(tensor.shape, tensor.dtype) if scratch is None else scratch
    made = nn.Parameter(memory, requires_grad=tensor.requires_grad)
    vars(made).update(vars(tensor))  # marks that authors leave on parameters for such functions
    return made
