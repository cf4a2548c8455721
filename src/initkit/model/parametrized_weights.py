"""Weights of ``torch.nn.utils.parametrize``: chains of steps, each with its right inverse.

The private parts of torch that this needs: the classes of torch's own parametrizations.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from .computed_base import BEFORE, Carried, ComputedWeight
from .singular_vectors import leading_vectors


class ParametrizedWeight(ComputedWeight):
    """Write a weight of `torch.nn.utils.parametrize` through its chain of ``right_inverse``."""

    __slots__ = ("_list",)

    def __init__(self, owner: nn.Module, key: str, chain: ParametrizationList) -> None:
        raw = originals(chain)
        # Of several raw tensors the largest is taken for the one that carries the value.
        super().__init__(owner, key, raw, main=max(raw, key=_size))
        self._list = chain
        self.note = _note(chain)

    @property
    def state(self) -> tuple[Tensor, ...]:
        return tuple(t for step in steps_of(self._list) for t in _state(step).values())

    def refresh(self) -> None:
        if not any(map(_is_spectral, steps_of(self._list))):
            return
        with torch.no_grad(), _evaluating(self._list):
            step: Any
            for step, before in self._stages():
                if _is_spectral(step) and before[0].dim() > 1:
                    matrix = step._reshape_weight_to_matrix(before[0])
                    keep_vectors(matrix, step._u, step._v)

    def gives_back(self, value: Tensor) -> bool:
        # torch's norms do: spectral norm's inverse is the identity, weight norm's exact.
        if all(_is_spectral(step) or not _name(step) for step in steps_of(self._list)):
            return True
        try:
            double = self._double()
            double.write(value)
            found = double.read()
        except Exception:  # a user's own step may raise anything
            return False
        return found is not None and found.shape == value.shape and _close(found, value)

    def would_hold(self, value: Tensor) -> Carried:
        double = self._double()
        double.write(value)
        # A base is set when the weight is written, and by nothing else.
        kept = [_base(weight._list) for weight in (self, double)]
        return list(zip((*self.raw, *kept[0]), (*double.raw, *kept[1]), strict=True))

    def _find_refusal(self) -> str:
        steps = steps_of(self._list)
        for step in steps:
            if not hasattr(step, "right_inverse"):
                return f"{type(step).__name__} has no right_inverse"
            # torch gives the class one, which fails for these maps.
            if type(step).__name__ == "_Orthogonal" and not _has_inverse(step):
                return "this orthogonal map has no right_inverse (use_trivialization=False)"
        # One of torch's own steps keeps shapes and inverts what it is given; a user's must be
        # tried, and so must several, since one that makes two tensors can only stand first.
        return "" if len(steps) < 2 and all(map(is_known, steps)) else self._rehearse()

    def _rehearse(self) -> str:
        try:
            with _rehearsal(self._list) as chain:
                value = torch.empty(self.shape, dtype=self.dtype, device=self.main.device)
                made = len(_invert(chain, value))
        except NotImplementedError as error:
            return f"right_inverse is not implemented{': ' if str(error) else ''}{error}"
        except Exception:
            return ""  # what can't be rehearsed without values is found when it is written
        if made == len(self.raw):
            return ""
        return f"its chain of right_inverse makes {made} tensors where it has {len(self.raw)}"

    def _find_shape(self) -> torch.Size:
        if all(map(is_known, steps_of(self._list))):
            return self.main.shape
        with suppress(Exception), _rehearsal(self._list) as chain:
            return torch.Size(chain().shape)
        return self.main.shape

    def _read(self) -> Tensor | None:
        # Spectral norm's inverse is the identity: what was written is read as if it were not there.
        return self._computed(skip=_is_spectral)

    def _in_use(self) -> Tensor | None:
        return self._computed()

    def _computed(self, skip: Callable[[nn.Module], bool] | None = None) -> Tensor | None:
        with suppress(Exception), _evaluating(self._list):
            *_, (_, last) = self._stages(skip)
            return last[0].detach()
        return None

    def _stages(
        self, skip: Callable[[nn.Module], bool] | None = None
    ) -> Iterator[tuple[nn.Module | None, tuple[Tensor, ...]]]:
        """Yield each step of the chain with what goes into it, and None with what comes out."""
        found: tuple[Tensor, ...] = self.raw
        for step in steps_of(self._list):
            yield step, found
            found = found if skip is not None and skip(step) else (step(*found),)
        yield None, found

    def _double(self) -> ParametrizedWeight:
        """Return the same weight over a copy of everything behind it."""
        double = _copy_of(self._list, lambda tensor: tensor.detach().clone())
        return ParametrizedWeight(self.owner, self.key, double)

    def _inverse(self, value: Tensor) -> tuple[Tensor, ...]:
        return _invert(self._list, value)

    def _write(self, value: Tensor) -> None:
        # Not ParametrizationList.right_inverse: that swaps the memory of the raw tensors, which
        # would untie them, and orthogonal's draws its completion from the global generator.
        with _own_randomness(self.main.device), _buffers_in_place(self._list):
            for raw, found in zip(self.raw, self._inverse(value), strict=True):
                if raw.shape == found.shape:
                    raw.copy_(found)
                else:  # a chain may find another shape, and then there is no memory to keep
                    raw.set_(found.detach().clone())  # type: ignore[call-overload]


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


def steps_of(chain: ParametrizationList) -> list[nn.Module]:
    """Return the parametrizations of a chain, in the order in which they are applied."""
    return [m for key, m in chain._modules.items() if key.isdecimal() and m is not None]


def is_known(step: nn.Module) -> bool:
    """Say whether a step is torch's own: these keep shapes, and have a right inverse or say no."""
    return type(step).__module__ == "torch.nn.utils.parametrizations"


def keep_vectors(matrix: Tensor, left: Tensor | None, right: Tensor | None) -> None:
    """Write the leading singular vectors of a matrix where a spectral norm keeps them."""
    found = leading_vectors(matrix)
    if found is not None and left is not None and right is not None:
        left.copy_(found[0])
        right.copy_(found[1])


def _is_spectral(step: nn.Module | None) -> bool:
    return step is not None and is_known(step) and type(step).__name__ == "_SpectralNorm"


def _has_inverse(step: nn.Module) -> bool:
    """Say whether an orthogonal map can be inverted: trivialised (with a base) or Householder's."""
    return hasattr(step, "base") or step.orthogonal_map.name == "householder"  # type: ignore[union-attr]


def _state(step: nn.Module) -> dict[str, Tensor]:
    """Return the buffers of one of torch's steps, all of which follow from the weight."""
    if not is_known(step):
        return {}
    return {key: tensor for key, tensor in step._buffers.items() if tensor is not None}


def _base(chain: ParametrizationList) -> list[Tensor]:
    return [_state(step)["base"] for step in steps_of(chain) if "base" in _state(step)]


def _invert(chain: ParametrizationList, value: Tensor) -> tuple[Tensor, ...]:
    found: object = value
    for step in reversed(steps_of(chain)):
        found = step.right_inverse(found)  # type: ignore[operator]
    return (found,) if isinstance(found, Tensor) else tuple(found)  # type: ignore[arg-type]


def _close(found: Tensor, value: Tensor) -> bool:
    """Say whether a value came back: what is one number all over must, element by element."""
    if not value.numel():
        return True
    if not (value.is_floating_point() or value.is_complex()):
        return torch.equal(found, value)
    eps = float(torch.finfo(value.dtype).eps)
    size = value.abs()
    same = bool((value == value.flatten()[0]).all())
    room = 4 * eps * size if same else 64 * eps * size.max()
    return bool(((found - value).abs() <= room).all())


def _note(chain: ParametrizationList) -> str:
    names = [name for step in steps_of(chain) if (name := _name(step))]
    return BEFORE.format(", ".join(names)) if names else ""


def _name(step: nn.Module) -> str:
    """Return what a plan calls a step; nothing for one that gives back what was written."""
    return _NAMES.get(type(step).__name__, type(step).__name__)


# Names as torch's functions have them; weight_norm gives back the value itself, so needs no note.
_NAMES: Mapping[str, str] = {
    "_SpectralNorm": "spectral_norm",
    "_Orthogonal": "orthogonal",
    "_WeightNorm": "",
}


def _size(tensor: Tensor) -> int:
    return tensor.numel()


@contextmanager
def _evaluating(chain: ParametrizationList) -> Iterator[None]:
    """Put a chain into evaluation mode, since in training mode a step may move its buffers."""
    modes = [(module, module.training) for module in chain.modules()]
    try:
        chain.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _rehearsal(chain: ParametrizationList) -> Iterator[ParametrizationList]:
    """Yield a copy of a chain over fake tensors: whatever it does there, the model stays as is."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    mode = FakeTensorMode(allow_non_fake_inputs=True)
    double = _copy_of(chain, mode.from_tensor)
    with torch.no_grad(), mode:
        yield double


def _copy_of(
    chain: ParametrizationList, convert: Callable[[Tensor], Tensor]
) -> ParametrizationList:
    """Copy a chain with all that its steps keep; its tensors become what ``convert`` makes."""
    held = [
        thing
        for module in chain.modules()
        for attributes in (module._parameters, module._buffers, vars(module))
        for thing in attributes.values()
        if isinstance(thing, Tensor)
    ]
    # The memo tells deepcopy what stands for a tensor; `held` keeps the ids from being reused.
    memo: dict[int, Any] = {id(tensor): _like(tensor, convert(tensor)) for tensor in held}
    return copy.deepcopy(chain, memo)


def _like(tensor: Tensor, new: Tensor) -> Tensor:
    """Return the stand-in of a parameter as one, since modules keep nothing else in their place."""
    if isinstance(tensor, nn.Parameter) and not isinstance(new, nn.Parameter):
        return nn.Parameter(new, requires_grad=tensor.requires_grad)
    return new


@contextmanager
def _buffers_in_place(chain: ParametrizationList) -> Iterator[None]:
    """Let buffers that code puts in the place of others be written into these: objects stay."""
    before = [(module, dict(module._buffers)) for module in chain.modules()]
    yield
    for module, buffers in before:
        for key, old in buffers.items():
            new = module._buffers.get(key)
            if old is None or new is None or new is old:
                continue
            if (old.shape, old.dtype, old.device) == (new.shape, new.dtype, new.device):
                module._buffers[key] = old.copy_(new)


_drawing = threading.Lock()
"""Held while the global generators stand at a fixed start: weights are written on several threads,
and one that began in between would put back what is not theirs."""


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Give code that draws a fixed start, and leave the global generators as they were."""
    cuda = [device] if device.type == "cuda" else []
    with _drawing, torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(0)  # within fork_rng, which puts the states back
        if cuda:
            torch.cuda.manual_seed(0)
        yield
