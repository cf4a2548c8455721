"""Values that start no parameter, and what their authors may have meant by them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from os import PathLike, fspath
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import Mend, RuleError, described
from ..python_text import Spelled, python_text
from .elsewhere import scheme_with

_SHOULD_BE = "write a number or a scheme"


def no_scheme(value: object) -> RuleError:
    """Return the error that a value is no way to start a parameter."""
    if value is None or isinstance(value, bool):
        error = RuleError(f"{value!r} is no way to start a parameter; {_SHOULD_BE}")
        error.hint = "" if value is not None else ", or 'keep' to leave it as it is"
    else:
        error = RuleError(f"{told(value)} is no way to start a parameter; {_way_out(value)}")
    meant = _meant(value)
    if len(meant) == 1:
        error.mends = meant
    else:
        error.either = meant
    return error


def several_numbers(value: object) -> RuleError:
    """Return the error that a tensor or an array of several numbers stands where one would."""
    message = f"a {type(value).__name__} that is no single number cannot start a parameter"
    ways = "a scheme such as 'normal(std=0.02)', or a function that copies it in"
    error = RuleError(f"{message}; write {ways}")
    copies = _Copies(value)
    if "..." not in copies.in_python():
        error.mends = ((value, copies),)
    return error


class _Copies(Spelled):
    """The function that copies values into the tensor that it is given."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __call__(self, tensor: Tensor) -> None:
        tensor.copy_(torch.as_tensor(self.values))

    def in_python(self) -> str:
        text = python_text(self.values)
        return f"lambda t: t.copy_({text if isinstance(self.values, Tensor) else _tensor(text)})"


def _tensor(text: str) -> str:
    return f"torch.as_tensor({text})"


def told(value: object) -> str:
    """Return what a value is, in an error."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"a {type(value).__name__}" if isinstance(value, nn.Module) else described(value)


def _meant(value: object) -> tuple[Mend, ...]:
    """Return what may stand in place of a value, where that is known."""
    match value:
        case None:
            return ((value, "keep"),)
        case True:
            return ((value, 1), (value, "torch_default"))
        case False:
            return ((value, 0), (value, "keep"))
        case Enum():
            return ((value, value.value),)
        case PathLike():
            return ((value, fspath(value)),)
        case Mapping() if (call := scheme_with(value)) is not None:
            return ((value, call),)
        case torch.distributions.Normal(loc=Tensor() as mean, scale=Tensor() as std):
            return ((value, f"normal(mean={float(mean):.6g}, std={float(std):.6g})"),)
        case torch.distributions.Uniform(low=Tensor() as low, high=Tensor() as high):
            return ((value, f"uniform({float(low):.6g}, {float(high):.6g})"),)
    return ()


def _way_out(value: object) -> str:
    """Return what one writes in place of what starts no parameter."""
    if isinstance(value, torch.dtype | torch.device):
        return f"rules say how values start, and model.to({value}) what holds them"
    if isinstance(value, type) and issubclass(value, nn.Module):
        return f"a class is a key: {python_text(value)}: 'normal(std=0.02)'"
    if isinstance(value, nn.Module):
        return "load_state_dict() copies the values of a module; to start one, its path is a key"
    return (
        "write a number, a scheme's name such as 'normal(std=0.02)', a Scheme, or a function that "
        "writes into the tensor it is given"
    )
