"""Weights that a module computes from other tensors: their shape, and how they are written.

A weight under a parametrization, a legacy norm or pruning is no parameter. A
:class:`ComputedWeight` knows its public shape, which raw tensors lie behind it, and how to write
them so that the public weight takes a value. Deciding never computes the weight, since in training
mode reading it may move buffers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

T = TypeVar("T")
BEFORE = "the distribution holds before {}"


class ComputedWeight:
    """A weight that is computed from raw tensors, and written through them.

    Attributes: ``raw``, the tensors behind it; ``main``, the one that mostly carries the value;
    ``refusal``, why it can't be written, or None; ``note``, what a reader of a plan should know.
    """

    __slots__ = ("_refusal", "_shape", "key", "main", "note", "owner", "raw")

    def __init__(
        self, owner: nn.Module, key: str, raw: tuple[Tensor, ...], main: Tensor | None = None
    ) -> None:
        self.owner, self.key, self.raw = owner, key, raw
        self.main = raw[0] if main is None else main
        self.note = ""
        # Found when first asked for, since a rehearsal takes milliseconds; the tensors behind a
        # weight keep their shapes and their chain for as long as a walk's slots are used.
        self._refusal: str | None = None
        self._shape: torch.Size | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.owner).__name__}, {self.key!r})"

    @property
    def shape(self) -> torch.Size:
        """Return the public shape, without computing the weight."""
        if self._shape is None:
            self._shape = self._find_shape()
        return self._shape

    @property
    def refusal(self) -> str | None:
        """Return why the weight can't be written, such as a missing ``right_inverse``, or None."""
        if self._refusal is None:
            self._refusal = self._find_refusal()
        return self._refusal or None

    @property
    def dtype(self) -> torch.dtype:
        """Return the dtype of the weight."""
        return self.main.dtype

    def write(self, value: Tensor) -> None:
        """Make the weight ``value``, in the memory of the raw tensors; no gradient is recorded.

        Raises ValueError with the refusal where there is one.
        """
        if self.refusal:
            raise ValueError(self.refusal)
        with torch.no_grad():
            self._write(value)

    def read(self) -> Tensor | None:
        """Return the tensor that the weight's distribution describes; None where it can't be read.

        It is the weight itself, or what it was before the steps that ``note`` names.
        """
        with torch.no_grad():
            return self._read()

    def _read(self) -> Tensor | None:
        return self.main.detach()  # hooks are applied to what was drawn

    def _find_shape(self) -> torch.Size:
        return self.main.shape

    def _find_refusal(self) -> str:
        return ""

    def _write(self, value: Tensor) -> None:
        self.main.copy_(value)


class HookedWeight(ComputedWeight):
    """Write a weight that a legacy hook computes from ``weight_orig``: spectral norm, pruning."""

    __slots__ = ("_hook",)

    def __init__(self, owner: nn.Module, key: str, raw: Tensor, hook: object) -> None:
        super().__init__(owner, key, (raw,))
        self._hook = hook
        self.note = BEFORE.format("pruning" if _is_pruning(hook) else "spectral_norm")

    def _write(self, value: Tensor) -> None:
        super()._write(value)
        # The hook computes the attribute before a forward only; until then it would be the old one.
        # Left as torch's own `apply` leaves it: pruned weights in the graph, spectral ones not.
        with torch.enable_grad():
            setattr(self.owner, self.key, self._compute())

    def _compute(self) -> Tensor:
        hook, owner = self._hook, self.owner
        if _is_pruning(hook):
            return hook.apply_mask(owner)  # type: ignore[attr-defined, no-any-return]
        # A power iteration would move the buffers u and v.
        weight = hook.compute_weight(owner, do_power_iteration=False)  # type: ignore[attr-defined]
        return weight.detach()  # type: ignore[no-any-return]


class WeightNormWeight(ComputedWeight):
    """Write a weight g * v / |v| by its length g and its direction v."""

    __slots__ = ("_dim", "_hook")

    def __init__(
        self, owner: nn.Module, key: str, g: Tensor, v: Tensor, dim: int, hook: object = None
    ) -> None:
        super().__init__(owner, key, (g, v), main=v)
        self._dim, self._hook = dim, hook

    def _read(self) -> Tensor:
        g, v = (raw.detach() for raw in self.raw)
        length: Tensor = torch.norm_except_dim(v, 2, self._dim)
        return v * (g / length)

    def _write(self, value: Tensor) -> None:
        g, v = self.raw
        value = value.to(v)  # first, so that the length is that of the rounded values
        length = torch.norm_except_dim(value, 2, self._dim)
        g.copy_(length)
        # A zero weight has no direction, and 0 / 0 would make it NaN: any direction will do.
        v.copy_(torch.where(length == 0, torch.ones_like(value), value))
        if self._hook is not None:
            with torch.enable_grad():
                weight = self._hook.compute_weight(self.owner)  # type: ignore[attr-defined]
                setattr(self.owner, self.key, weight)


class ParametrizedWeight(ComputedWeight):
    """Write a weight of `torch.nn.utils.parametrize` through its chain of ``right_inverse``."""

    __slots__ = ("_list",)

    def __init__(self, owner: nn.Module, key: str, chain: ParametrizationList) -> None:
        raw = originals(chain)
        # Of several raw tensors the largest is taken for the one that carries the value.
        super().__init__(owner, key, raw, main=max(raw, key=_size))
        self._list = chain
        self.note = _note(chain)

    def _find_refusal(self) -> str:
        steps = _steps(self._list)
        for step in steps:
            if not hasattr(step, "right_inverse"):
                return f"{type(step).__name__} has no right_inverse"
            # torch gives the class one, which fails for these maps.
            if type(step).__name__ == "_Orthogonal" and not _has_inverse(step):
                return "this orthogonal map has no right_inverse (use_trivialization=False)"
        # torch's own steps keep shapes and invert what they are given; a user's must be tried.
        return "" if all(map(_known, steps)) else self._rehearse()

    def _rehearse(self) -> str:
        try:
            with _rehearsal(self._list):
                self._inverse(torch.empty(self.shape, dtype=self.dtype, device=self.main.device))
        except NotImplementedError as error:
            return f"right_inverse is not implemented{': ' if str(error) else ''}{error}"
        except Exception:
            return ""  # what can't be rehearsed without values is found when it is written
        return ""

    def _find_shape(self) -> torch.Size:
        if all(map(_known, _steps(self._list))):
            return self.main.shape
        with suppress(Exception), _rehearsal(self._list):
            return torch.Size(self._list().shape)
        return self.main.shape

    def _read(self) -> Tensor | None:
        if not self.note:
            modes = [(module, module.training) for module in self._list.modules()]
            try:
                self._list.eval()  # in training mode a step may move its buffers
                value: Tensor = self._list().detach()
                return value
            finally:
                for module, training in modes:
                    module.training = training
        # Spectral norm's inverse is the identity: behind it alone, what was written can be read.
        steps = _steps(self._list)
        alone = len(steps) == 1 and type(steps[0]).__name__ == "_SpectralNorm"
        return self.main.detach() if alone else None

    def _inverse(self, value: Tensor) -> tuple[Tensor, ...]:
        found: object = value
        for step in reversed(_steps(self._list)):
            found = step.right_inverse(found)  # type: ignore[operator]
        return (found,) if isinstance(found, Tensor) else tuple(found)  # type: ignore[arg-type]

    def _write(self, value: Tensor) -> None:
        # Not ParametrizationList.right_inverse: that swaps the memory of the raw tensors, which
        # would untie them, and orthogonal's draws its completion from the global generator.
        with _own_randomness(self.main.device):
            for raw, found in zip(self.raw, self._inverse(value), strict=True):
                if raw.shape == found.shape:
                    raw.copy_(found)
                else:  # a chain may find another shape, and then there is no memory to keep
                    raw.set_(found.detach().clone())  # type: ignore[call-overload]


class SharedWeight(ComputedWeight):
    """Write several computed weights that share memory as one, such as two weight_norms of one v.

    Each takes the same value, so what they share is written alike through all of them.
    """

    __slots__ = ("_weights",)

    def __init__(self, weights: Sequence[ComputedWeight]) -> None:
        first = weights[0]
        # Each tensor once; the dictionary keeps them alive, so that an id stands for one of them.
        raw = {id(tensor): tensor for weight in weights for tensor in weight.raw}
        super().__init__(first.owner, first.key, tuple(raw.values()), first.main)
        self._weights = tuple(weights)
        self.note = "; ".join(dict.fromkeys(weight.note for weight in weights if weight.note))

    def _find_refusal(self) -> str:
        return next((weight.refusal for weight in self._weights if weight.refusal), "")

    def _find_shape(self) -> torch.Size:
        return self._weights[0].shape

    def _write(self, value: Tensor) -> None:
        for weight in self._weights:
            weight.write(value)


def find_computed_weights(owner: nn.Module) -> dict[str, ComputedWeight]:
    """Return the computed weights of a module by their public keys; most modules have none."""
    found = {key: _parametrized_weight(owner, key, chain) for key, chain in chains(owner)}
    for hook in owner._forward_pre_hooks.values():
        weight = _hooked_weight(owner, hook)
        if weight is not None:
            found[weight.key] = weight  # of pruning in steps, the last hook's
    return found


def chains(owner: nn.Module) -> Iterator[tuple[str, ParametrizationList]]:
    """Yield the parametrized keys of a module and their chains."""
    children: Any = owner._modules
    held = children.get("parametrizations") if isinstance(children, dict) else None  # or scripted
    for key, chain in getattr(held, "_modules", {}).items():
        if isinstance(chain, ParametrizationList):
            yield key, chain


def originals(chain: ParametrizationList) -> tuple[Tensor, ...]:
    """Return the raw tensors of a chain: ``original``, or ``original0``, ``original1``, ..."""
    names = original_keys(chain)
    return tuple(t for name in names if isinstance(t := getattr(chain, name), Tensor))


def original_keys(chain: ParametrizationList) -> tuple[str, ...]:
    """Return the names of the raw tensors in a chain."""
    if chain.is_tensor:
        return ("original",)
    return tuple(f"original{i}" for i in range(chain.ntensors))


def legacy_keys(owner: nn.Module) -> set[str]:
    """Return the keys of the raw tensors that a module's legacy hooks compute from."""
    return {raw for hook in owner._forward_pre_hooks.values() for raw in _raw_keys(hook)[1]}


def _raw_keys(hook: object) -> tuple[str, tuple[str, ...]]:
    """Return the public key that a legacy hook computes, and the raw keys that it reads."""
    kind = _legacy_kind(hook)
    if not kind:
        return "", ()
    if kind == "prune":
        key = str(hook._tensor_name)  # type: ignore[attr-defined]
        return key, (f"{key}_orig",)
    key = str(hook.name)  # type: ignore[attr-defined]
    return key, ((f"{key}_g", f"{key}_v") if kind == "weight_norm" else (f"{key}_orig",))


# The classes are looked up among loaded modules: who has a hook of one has imported its module.
_LEGACY = {
    "torch.nn.utils.weight_norm": "WeightNorm",
    "torch.nn.utils.spectral_norm": "SpectralNorm",
    "torch.nn.utils.prune": "BasePruningMethod",
}


def _legacy_kind(hook: object) -> str:
    for module, cls in _LEGACY.items():
        if module in sys.modules and isinstance(hook, getattr(sys.modules[module], cls)):
            return module.rpartition(".")[2]
    return ""


def _is_pruning(hook: object) -> bool:
    return _legacy_kind(hook) == "prune"


def _hooked_weight(owner: nn.Module, hook: object) -> ComputedWeight | None:
    key, keys = _raw_keys(hook)
    raw = [owner._parameters.get(name) for name in keys]
    tensors = [tensor for tensor in raw if tensor is not None]
    if not tensors or len(tensors) < len(keys):
        return None
    if len(tensors) == 2:
        return WeightNormWeight(owner, key, tensors[0], tensors[1], hook.dim, hook)  # type: ignore[attr-defined]
    return HookedWeight(owner, key, tensors[0], hook)


def _parametrized_weight(owner: nn.Module, key: str, chain: ParametrizationList) -> ComputedWeight:
    steps = _steps(chain)
    # By hand: a zero weight that torch's right_inverse has taken apart is read back as NaN.
    if len(steps) == 1 and _known(steps[0]) and type(steps[0]).__name__ == "_WeightNorm":
        g, v = originals(chain)
        return WeightNormWeight(owner, key, g, v, steps[0].dim)  # type: ignore[arg-type]
    return ParametrizedWeight(owner, key, chain)


def _steps(chain: ParametrizationList) -> list[nn.Module]:
    return [m for key, m in chain._modules.items() if key.isdecimal() and m is not None]


def _known(step: nn.Module) -> bool:
    """Say whether a step is torch's own: these keep shapes, and have a right inverse or say no."""
    return type(step).__module__ == "torch.nn.utils.parametrizations"


def _has_inverse(step: nn.Module) -> bool:
    """Say whether an orthogonal map can be inverted: trivialised (with a base) or Householder's."""
    return hasattr(step, "base") or step.orthogonal_map.name == "householder"  # type: ignore[union-attr]


def _note(chain: ParametrizationList) -> str:
    names = [_NAMES.get(type(step).__name__, type(step).__name__) for step in _steps(chain)]
    return BEFORE.format(", ".join(name for name in names if name)) if any(names) else ""


# Names as torch's functions have them; weight_norm gives back the value itself, so needs no note.
_NAMES: Mapping[str, str] = {
    "_SpectralNorm": "spectral_norm",
    "_Orthogonal": "orthogonal",
    "_WeightNorm": "",
}


def _size(tensor: Tensor) -> int:
    return tensor.numel()


@contextmanager
def _rehearsal(chain: ParametrizationList) -> Iterator[None]:
    """Run a chain on fake tensors, and put back whatever it assigns to its own modules."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    kept = [(m, dict(m.__dict__), dict(m._parameters), dict(m._buffers)) for m in chain.modules()]
    try:
        with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
            yield
    finally:
        for module, attributes, parameters, buffers in kept:
            module.__dict__.clear()
            module.__dict__.update(attributes)
            _refill(module._parameters, parameters)
            _refill(module._buffers, buffers)


def _refill(target: dict[str, T], source: Mapping[str, T]) -> None:
    target.clear()
    target.update(source)


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Give code that draws a fixed start, and leave the global generators as they were."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(0)  # within fork_rng, which puts the states back
        if cuda:
            torch.cuda.manual_seed(0)
        yield
