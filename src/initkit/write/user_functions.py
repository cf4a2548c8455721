"""Users' functions: each writes into a scratch tensor before anything else is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..distributions import Copy, Distribution, Source, UserFunction
from ..errors import FillError
from ..model import Slot, rank_count
from ..plan import WRITE, Plan, Step


class _OwnGenerator(Exception):
    """An operation draws from a generator that was passed to it."""


class _OwnGenerators(TorchFunctionMode):
    """Refuse operations that draw from a generator passed to them."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        for value in (*args, *kwargs.values()):
            # The global one stands at the parameter's seed on every rank and does no harm.
            if isinstance(value, torch.Generator) and value is not torch.default_generator:
                raise _OwnGenerator
        return func(*args, **kwargs)


def _one_generator(slot: Slot) -> AbstractContextManager[object]:
    """Return what refuses other generators where ranks must draw alike."""
    assert slot.tensor is not None
    if rank_count(slot.tensor) == 1:
        return nullcontext()
    return _OwnGenerators()


_ELSEWHERE = (
    "draws from a generator of its own, whose state may differ from rank to rank; draw from "
    "torch's global generator, which stands at the parameter's own seed here"
)
_GET = "functions here get a tensor, not a module"


def run_functions(plan: Plan, seed: int, prefix: str = "") -> dict[str, Tensor]:
    """Return what users' functions make for the steps that they start, by the steps' names.

    They run before anything is written, so that one that fails leaves the model as it was.
    """
    return {
        step.name: run_function(step, target.writer, seed, prefix)
        for step, target in plan.pairs
        if step.status == WRITE and isinstance(_origin(step)[0], UserFunction)
    }


def _origin(step: Step) -> tuple[Distribution | None, str]:
    """Return what makes the values of a step, and the name that they depend on."""
    made = step.distribution
    return (made.part, made.name) if isinstance(made, Copy) else (made, step.seed_name)


def run_function(step: Step, slot: Slot, seed: int, prefix: str) -> Tensor:
    """Return what a user's function writes into a scratch tensor, under a keyed generator.

    Raises :class:`FillError` where the function fails or leaves elements unwritten.
    """
    distribution, name = _origin(step)
    assert isinstance(distribution, UserFunction)
    assert slot.tensor is not None
    dtype = slot.tensor.dtype
    wide = dtype if dtype in (torch.float64, torch.complex64, torch.complex128) else torch.float32
    # NaN tells what was not written, and what was computed from values that should not be read.
    scratch = torch.full(distribution.shape, torch.nan, dtype=wide, device="cpu")
    key = Source(seed, name, prefix).values
    # On the CPU, so that a function draws the same values wherever its parameter lives.
    generator = torch.default_generator
    state = generator.get_state()
    try:
        generator.manual_seed(key.k1 << 32 | key.k0)
        with torch.no_grad(), _one_generator(slot):
            returned = distribution.function(scratch, **dict(distribution.options))
    except _OwnGenerator:
        message = f"{step.name}: {distribution.describe()} {_ELSEWHERE}; nothing was written"
        raise FillError(message, name=step.name) from None
    except Exception as error:
        hint = f" ({_GET})" if isinstance(error, AttributeError) else ""
        message = (
            f"{step.name}: {distribution.describe()} failed: {error!r}{hint}; nothing was written"
        )
        raise FillError(message, name=step.name) from error
    finally:
        generator.set_state(state)
    _check_written(step, distribution, scratch, returned)
    return scratch if distribution.factor == 1 else scratch * distribution.factor


def _check_written(
    step: Step, distribution: UserFunction, scratch: Tensor, returned: object
) -> None:
    left = int(scratch.isnan().sum())
    resized = tuple(scratch.shape) != distribution.shape
    if not left and not resized:
        return
    if resized:
        what = f"made the tensor {list(scratch.shape)}, and it must stay {list(distribution.shape)}"
    elif left < scratch.numel():
        what = f"left {left} of {scratch.numel()} elements unwritten, or wrote NaN there"
    elif isinstance(returned, Tensor) and returned is not scratch:
        what = "wrote nothing but returned a tensor; write in place, as in tensor.copy_(values)"
    else:
        what = f"wrote nothing ({_GET}), or read the old values, which are NaN here"
    raise FillError(
        f"{step.name}: {distribution.describe()} {what}; nothing was written", name=step.name
    )
