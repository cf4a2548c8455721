"""What the functions of torch are to a probe, by the names that they bear there."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor

LINEAR = frozenset(
    "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d bilinear "
    "matmul mm bmm addmm baddbmm einsum embedding embedding_bag".split()
)
"""Operations that are linear in a parameter, where they are given one."""

CONVOLUTIONS = frozenset(name for name in LINEAR if name.startswith("conv"))
LOOKUPS = frozenset(("embedding", "embedding_bag"))
SUMS = frozenset(("add", "radd", "iadd"))
LOSSES = frozenset(
    "cross_entropy nll_loss binary_cross_entropy binary_cross_entropy_with_logits mse_loss".split()
)
LOOKS = frozenset(
    "get set size stride dim numel is_floating_point is_complex data_ptr t transpose permute view "
    "reshape flatten unflatten expand chunk split unbind getitem to float half bfloat16 detach "
    "type type_as contiguous requires_grad squeeze unsqueeze".split()
)
"""What looks at a tensor, or makes a view or a cast of it, and does not use its values."""


class Saturation(NamedTuple):
    """An activation's floor where units are dead, and where its derivative is 2 % of its best."""

    dead: bool
    saturated: Callable[[Tensor], Tensor] | None


def _sigmoid(y: Tensor) -> Tensor:
    return (y - 0.5).abs() > 0.495


def _tanh(y: Tensor) -> Tensor:
    return y.abs() > 0.99


ACTIVATIONS: Mapping[str, Saturation] = {
    "relu": Saturation(True, None),
    "relu6": Saturation(True, None),
    "threshold": Saturation(True, None),
    "sigmoid": Saturation(False, _sigmoid),
    "hardsigmoid": Saturation(False, _sigmoid),
    "tanh": Saturation(False, _tanh),
}


def argument(args: tuple[Any, ...], kwargs: Mapping[str, Any], place: int, name: str) -> Any:
    """Return an argument that came by place or by name; None where it did not come."""
    return args[place] if place < len(args) else kwargs.get(name)


def _without_overrides(function: Any) -> Callable[..., object]:
    """Return a copy of a Python function that does not hand itself over to modes.

    So a mode sees the functions that it is made of. Nothing of torch is changed.
    """
    names = {**function.__globals__, "has_torch_function": lambda _: False}
    copy = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


COMPOSITES: Mapping[str, Callable[..., object]] = {
    "multi_head_attention_forward": _without_overrides(F.multi_head_attention_forward)
}
"""Functions that apply several parameters, taken apart."""
