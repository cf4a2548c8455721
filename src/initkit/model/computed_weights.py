"""Weights that a module computes from other tensors, found; and those of legacy hooks.

A weight under a parametrization, a legacy norm or pruning is no parameter. Deciding never computes
it, since in training mode reading it may move buffers.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, MethodType

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from ..numbers import loaded
from .computed_base import BEFORE, ComputedWeight
from .parametrized_weights import (
    ParametrizedWeight,
    chains,
    is_known,
    keep_vectors,
    originals,
    steps_of,
)


class HookedWeight(ComputedWeight):
    """Write a weight that a legacy hook computes from ``weight_orig``: spectral norm, pruning."""

    __slots__ = ("_hook",)

    def __init__(self, owner: nn.Module, key: str, raw: Tensor, hook: object) -> None:
        super().__init__(owner, key, (raw,))
        self._hook = hook
        self.note = BEFORE.format("pruning" if _is_pruning(hook) else "spectral_norm")

    @property
    def state(self) -> tuple[Tensor, ...]:
        if _is_pruning(self._hook):
            return ()  # a mask says which elements were pruned, whatever the weight is
        found = (self.owner._buffers.get(f"{self.key}{end}") for end in ("_u", "_v"))
        return tuple(tensor for tensor in found if tensor is not None)

    def refresh(self) -> None:
        if not _is_pruning(self._hook) and len(self.state) == 2:
            with torch.no_grad():
                matrix = self._hook.reshape_weight_to_matrix(self.main)  # type: ignore[attr-defined]
                keep_vectors(matrix, *self.state)
        self._show()

    def _write(self, value: Tensor) -> None:
        super()._write(value)
        self._show()

    def _show(self) -> None:
        # The hook computes the attribute before a forward only; until then it would be the old one.
        # Left as torch's own `apply` leaves it: pruned weights in the graph, spectral ones not.
        with torch.enable_grad():
            setattr(self.owner, self.key, self._compute())

    def _in_use(self) -> Tensor:
        return self._compute().detach()

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

    def refresh(self) -> None:
        self._show()

    def _write(self, value: Tensor) -> None:
        super()._write(value)
        self._show()

    def _show(self) -> None:
        if self._hook is not None:
            with torch.enable_grad():
                weight = self._hook.compute_weight(self.owner)  # type: ignore[attr-defined]
                setattr(self.owner, self.key, weight)

    def _read(self) -> Tensor:
        g, v = (raw.detach() for raw in self.raw)
        length: Tensor = torch.norm_except_dim(v, 2, self._dim)
        return v * (g / length)

    def _inverse(self, value: Tensor) -> tuple[Tensor, ...]:
        value = value.to(self.main)  # first, so that the length is that of the rounded values
        length = torch.norm_except_dim(value, 2, self._dim)
        # A zero weight has no direction, and 0 / 0 would make it NaN: any direction will do.
        return length, torch.where(length == 0, torch.ones_like(value), value)


def find_computed_weights(owner: nn.Module) -> dict[str, ComputedWeight]:
    """Return the computed weights of a module by their public keys; most modules have none."""
    found = {key: _parametrized_weight(owner, key, chain) for key, chain in chains(owner)}
    for hook in owner._forward_pre_hooks.values():
        weight = _hooked_weight(owner, hook)
        if weight is not None:
            found[weight.key] = weight  # of pruning in steps, the last hook's
    return found


def legacy_keys(owner: nn.Module) -> set[str]:
    """Return the keys of what a module's legacy hooks compute from: raw tensors and buffers."""
    return {key for hook in owner._forward_pre_hooks.values() for key in _keys_behind(hook)}


def _keys_behind(hook: object) -> Iterator[str]:
    key, raw = _raw_keys(hook)
    yield from raw
    yield from (key + end for end in _BUFFERS.get(_legacy_kind(hook), ()))


_BUFFERS = {"spectral_norm": ("_u", "_v"), "prune": ("_mask",)}


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
    if isinstance(hook, FunctionType | MethodType):  # which most hooks are, as FSDP's
        return ""
    for module, name in _LEGACY.items():
        cls = loaded(module, name)
        if cls is not None and isinstance(hook, cls):
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
    steps = steps_of(chain)
    # By hand: a zero weight that torch's right_inverse has taken apart is read back as NaN.
    if len(steps) == 1 and is_known(steps[0]) and type(steps[0]).__name__ == "_WeightNorm":
        g, v = originals(chain)
        return WeightNormWeight(owner, key, g, v, steps[0].dim)  # type: ignore[arg-type]
    return ParametrizedWeight(owner, key, chain)
