"""Measure what passes in one forward and one backward; no activation is kept."""

from __future__ import annotations

import math
import weakref
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..model import Call, ModelView, Operation, operation_name, untraced
from .entropy import attention_entropy, softmax_entropy
from .histogram import histogram
from .moments import channel_dim, measure, rms
from .operations import ACTIVATIONS, CONVOLUTIONS, LOSSES, SUMS, Saturation, argument
from .points import Activation, Attention, Point, ResidualSum, Seen
from .reference_loss import loss_value
from .tracer import Arguments, LinearUse, Options, Tracer, first_tensor

_CONVOLUTIONAL = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)


@dataclass(slots=True)
class _Frame:
    """A call under way: what carries the trunk in it, and the last operation on a parameter."""

    holds: bool  # modules with parameters
    carriers: dict[int, weakref.ref[Tensor]] = field(default_factory=dict)
    layer: bool = False  # with a weight of its own
    given: Tensor | None = None
    kinds: frozenset[str] = frozenset()  # of the modules whose output it was given
    last: tuple[Point, weakref.ref[Tensor]] | None = None

    def carry(self, tensor: object) -> None:
        if isinstance(tensor, Tensor) and tensor.is_floating_point():
            self.carriers[id(tensor)] = weakref.ref(tensor)

    def carries(self, tensor: Tensor) -> bool:
        known = self.carriers.get(id(tensor))
        return known is not None and known() is tensor


@dataclass(slots=True)
class _Known:
    """The points of one tensor: valid while it lives and is not written."""

    tensor: weakref.ref[Tensor]
    version: int
    points: list[Point]


class Recorder(Tracer):
    """Fill ``seen`` with what one forward and its backward show."""

    def __init__(self, view: ModelView, along: int | None = None) -> None:
        super().__init__(view)
        self.seen = Seen()
        self.along = along
        self.frames: list[_Frame] = []
        self.known: dict[int, _Known] = {}  # by id of a tensor, which may be given out again
        self.branches: dict[int, tuple[weakref.ref[Tensor], str]] = {}
        self.numbers: Counter[str] = Counter()
        self.holding = {id(m) for m in self.model.modules() if _holds_layers(m)}
        self.bearing = {id(m) for m in self.model.modules() if any(True for _ in m.parameters())}
        self.actions = {
            **dict.fromkeys(SUMS, self._sum),
            **dict.fromkeys(ACTIVATIONS, self._activation),
            **dict.fromkeys(LOSSES, self._loss),
            "softmax": self._softmax,
            "scaled_dot_product_attention": self._attention,
        }

    # ---- points

    def enter(self, call: Call, args: Any) -> Arguments | None:
        """Note what carries the trunk into a module, and which modules it comes from."""
        args = args if isinstance(args, tuple) else (args,)
        given = first_tensor(args)
        if self.frames and id(call.module) in self.bearing:
            for value in args:  # what is fed to a layer, and added later on, is a trunk
                self.frames[-1].carry(value)
        changed = self._by_step(call, args)
        frame = _Frame(id(call.module) in self.holding, layer=_has_weight(call.module))
        for value in changed or args:
            frame.carry(value)
        if given is not None:
            frame.given = given
            known = self._find(given)
            frame.kinds = frozenset(p.kind for p in known.points) if known else frozenset()
        self.frames.append(frame)
        return changed

    def leave(self, call: Call, output: object) -> None:
        """Measure what a module returns."""
        frame = self.frames.pop()
        tensor = first_tensor(output)
        if tensor is None:
            return
        kind = parametrize.type_before_parametrizations(call.module).__name__
        point = Point(call.name, call.number, kind)
        point.leaf = not call.module._modules
        point.chained = point.kind in frame.kinds
        operation = self._same_as_operation(frame, call, tensor)
        if operation is not None:
            point.parameters, point.entering = operation.parameters, operation.entering
        elif frame.layer and frame.given is not None:
            # A weight that was computed or cast on the way to its operation.
            point.parameters = (f"{call.name}.weight" if call.name else "weight",)
            point.entering = self._rms(frame.given)
        self._measure(point, tensor, isinstance(call.module, _CONVOLUTIONAL))
        if isinstance(call.module, nn.RNNBase):
            self._measure_layers(call, output)

    def linear(self, use: LinearUse, run: Any) -> object:
        """Measure the result of an operation on a parameter."""
        entering = self._rms(use.given) if use.given is not None else None
        result = run()
        if isinstance(result, Tensor) and result.is_floating_point():
            name = use.memory.name
            self.numbers[name] += 1
            point = Point(name, self.numbers[name], use.operation)
            point.parameters, point.entering = (name,), entering
            self._measure(point, result, use.operation in CONVOLUTIONS)
            if self.frames:
                self.frames[-1].last = point, weakref.ref(result)
        return result

    def _same_as_operation(self, frame: _Frame, call: Call, tensor: Tensor) -> Point | None:
        """Return the operation whose result a module returned, and take its point out."""
        if frame.last is None or not frame.layer:
            return None
        point, reference = frame.last
        result = reference()
        if result is None or result.numel() != tensor.numel() or not _same_memory(result, tensor):
            return None
        own = self.memories[point.parameters[0]].names
        if f"{call.name}." not in {f"{name.rpartition('.')[0]}." for name in own}:
            return None
        self.seen.points.remove(point)
        known = self._find(result)
        if known is not None:
            known.points.remove(point)
        return point

    def _measure(self, point: Point, tensor: Tensor, convolutional: bool) -> None:
        """Fill in and keep a point; its gradient comes where and when autograd brings it."""
        known = self._find(tensor)
        point.shape = tuple(tensor.shape)
        point.dtype = str(tensor.dtype).removeprefix("torch.")
        if known is not None and known.points:
            point.moments = known.points[0].moments
            point.histogram = known.points[0].histogram
        else:
            point.moments = measure(tensor, channel_dim(tensor, convolutional))
            point.histogram = histogram(tensor, point.rms)
        self.seen.points.append(point)
        if known is not None:
            known.points.append(point)
            return
        points = [point]
        self.known[id(tensor)] = _Known(weakref.ref(tensor), tensor._version, points)
        if tensor.requires_grad:
            # On the tensor and not on the module: hooks there fail where it is changed in place.
            hook = partial(_set_gradient, points)
            tensor.register_hook(hook)  # type: ignore[no-untyped-call]

    def _find(self, tensor: Tensor) -> _Known | None:
        known = self.known.get(id(tensor))
        alive = known is not None and known.tensor() is tensor and known.version == tensor._version
        return known if alive else None

    def _rms(self, tensor: Tensor) -> float:
        known = self._find(tensor)
        return known.points[0].rms if known is not None and known.points else rms(tensor)

    # ---- recurrent layers

    def _measure_layers(self, call: Call, output: object) -> None:
        """Measure each layer of a fused recurrent network by the state that it ends in."""
        state = output[1] if isinstance(output, tuple) and len(output) == 2 else None
        hidden = state[0] if isinstance(state, tuple) else state
        if not isinstance(hidden, Tensor) or hidden.dim() < 2 or len(hidden) < 2:
            return
        ways = 2 if call.module.bidirectional else 1
        for i, layer in enumerate(hidden):
            back = ", reverse" if i % ways else ""
            point = Point(f"{call.name}[layer {i // ways}{back}]", call.number, "state")
            self._measure(point, layer.detach(), convolutional=False)

    def _by_step(self, call: Call, args: Arguments) -> Arguments | None:
        """Let a recurrent layer be given what tells its gradient by time step."""
        recurrent = isinstance(call.module, nn.RNNBase) and self.along is not None
        if not recurrent or not torch.is_grad_enabled() or not isinstance(args[0], Tensor):
            return None
        x, along = args[0], self.along
        assert along is not None
        x = x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
        steps = self.seen.steps.setdefault(f"{call.name}, call {call.number}", [])
        hook = partial(_add_steps, steps, along)
        x.register_hook(hook)  # type: ignore[no-untyped-call]
        return (x, *args[1:])

    # ---- sums, activations, attention, losses

    def _sum(self, func: Operation, args: Arguments, kwargs: Options) -> object:
        if not self.frames or not self.frames[-1].holds or not _addable(args):
            return func(*args, **kwargs)
        frame = self.frames[-1]
        trunk, branch = args if frame.carries(args[0]) else args[::-1]
        residual = frame.carries(trunk) and not frame.carries(branch)
        before = (self._rms(trunk), self._rms(branch)) if residual else (0.0, 0.0)
        name = self._source(branch if residual else args[0])
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):
            # What comes after a sum is spoilt by the branch, if by one of the two.
            self.branches[id(result)] = weakref.ref(result), name
            if residual:
                here = self._where()
                self.seen.sums.append(ResidualSum(*here, *before, self._rms(result)))
                frame.carry(result)
        return result

    def _source(self, tensor: object) -> str:
        """Return the name of the point that a tensor is, or of the branch that it is a sum with."""
        if not isinstance(tensor, Tensor):
            return ""
        known = self._find(tensor)
        if known is not None and known.points:
            return known.points[0].name
        reference, name = self.branches.get(id(tensor), (None, ""))
        return name if reference is not None and reference() is tensor else ""

    def _activation(self, func: Operation, args: Arguments, kwargs: Options) -> object:
        source = self._source(args[0]) if args else ""
        result = func(*args, **kwargs)
        if not isinstance(result, Tensor) or result.dim() < 2 or not result.numel():
            return result
        kind = operation_name(func)
        dead, saturated = _shares(result.detach(), ACTIVATIONS[kind])
        seen = result.numel() // result.shape[channel_dim(result)]
        where = self._where()
        self.seen.activations.append(Activation(*where, kind, source, seen, dead, saturated))
        return result

    def _softmax(self, func: Operation, args: Arguments, kwargs: Options) -> object:
        result = func(*args, **kwargs)
        dim = argument(args, kwargs, 1, "dim")
        if isinstance(result, Tensor) and result.dim() > 1 and isinstance(dim, int):
            self._add_attention("softmax", softmax_entropy(result, args[0], dim))
        return result

    def _attention(self, func: Operation, args: Arguments, kwargs: Options) -> object:
        names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
        query, key, _, mask, _, causal = (
            argument(args, kwargs, i, name) for i, name in enumerate(names)
        )
        found = attention_entropy(query, key, mask, bool(causal), kwargs.get("scale"))
        self._add_attention("attention", found)
        return func(*args, **kwargs)

    def _add_attention(self, kind: str, found: tuple[float, float]) -> None:
        if not math.isnan(found[1]):
            self.seen.attention.append(Attention(*self._where(), kind, *found))

    def _loss(self, func: Operation, args: Arguments, kwargs: Options) -> object:
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):
            kind = operation_name(func)
            found = loss_value(kind, result, args, kwargs, self.seen.points)
            if found is not None:
                self.seen.losses.append(found)
        return result

    def _where(self) -> tuple[str, int]:
        return (self.here.name, self.here.number) if self.here is not None else ("", 1)


@untraced
def _shares(y: Tensor, test: Saturation) -> tuple[float, float]:
    """Return the share of units that are zero everywhere, and of values that are saturated."""
    others = [d for d in range(y.dim()) if d != channel_dim(y)]
    dead = float((y.amax(others) == 0).double().mean()) if test.dead else 0.0
    return dead, float(test.saturated(y).double().mean()) if test.saturated else 0.0


def _set_gradient(points: list[Point], gradient: Tensor) -> None:
    found = rms(gradient)
    for point in points:
        point.gradient = found


def _add_steps(steps: list[float], along: int, gradient: Tensor) -> None:
    steps.extend(map(rms, gradient.unbind(along)))


def _holds_layers(module: nn.Module) -> bool:
    """Say whether a module holds modules with parameters."""
    return any(any(True for _ in child.parameters()) for child in module.children())


def _has_weight(module: nn.Module) -> bool:
    """Say whether a module is a layer: a matrix called weight, and no modules inside."""
    weight = module._parameters.get("weight")
    if weight is None:  # computed from others, and found by its raw tensors
        return any("weight" in name for name in (*module._parameters, *_parametrized(module)))
    return weight.dim() > 1 and not module._modules


def _parametrized(module: nn.Module) -> list[str]:
    chains = module._modules.get("parametrizations")
    return [] if chains is None else list(chains._modules)


def _same_memory(one: Tensor, other: Tensor) -> bool:
    return one.data_ptr() == other.data_ptr() and one._version == other._version


def _addable(pair: tuple[Any, ...]) -> bool:
    """Say whether these are two tensors of one shape, of numbers that are not whole."""
    if len(pair) != 2 or not all(isinstance(t, Tensor) for t in pair):
        return False
    return pair[0].shape == pair[1].shape and all(t.is_floating_point() for t in pair)
