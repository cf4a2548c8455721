"""Users' functions: each writes into a scratch tensor before anything else is written."""

from __future__ import annotations

import torch
from torch import Tensor

from ..distributions import Copy, Distribution, Rows, Source, UserFunction
from ..errors import FillError
from ..model import Slot
from ..numbers import SLOT, slot_parameter
from ..plan import WRITE, Plan, Step
from .module_functions import Pair, run_module_functions
from .scratch import ELSEWHERE, OwnGenerator, keyed_generator, one_generator, scratch_like

_GET = "functions here get a tensor, not a module; per_module(function) is for one of modules"


def run_functions(plan: Plan, seed: int, prefix: str = "") -> dict[str, Tensor]:
    """Return what users' functions make for the steps that they start, by the steps' names.

    They run before anything is written, so that one that fails leaves the model as it was.
    """
    called = {id(d) for d in plan.distributions if isinstance(_maker(d)[0], UserFunction)}
    drawn: dict[str, Tensor] = {}
    if not called:
        return drawn
    slots = {step.name: target.writer for step, target in plan.pairs}
    of_modules: list[Pair] = []
    copies: list[tuple[str, str]] = []
    for step, target in plan.pairs:
        if id(step.distribution) not in called:
            continue
        made, _ = _origin(step)
        assert isinstance(made, UserFunction)
        if made.per_module and isinstance(step.distribution, Copy):
            copies.append((step.name, step.distribution.parameter))
        elif made.per_module:
            of_modules.append((step, target))
        elif step.status == WRITE:
            # A copy's function is called as that of its source: with the source's slot.
            copied = isinstance(step.distribution, Copy) and step.distribution.parameter
            slot = slots.get(copied or step.name, target.writer)
            drawn[step.name] = run_function(step, slot, seed, prefix)
    drawn |= run_module_functions(of_modules, seed, prefix)
    # No function of modules is called for a copy, whose module is another.
    return drawn | {name: drawn[source] for name, source in copies if source in drawn}


def _origin(step: Step) -> tuple[Distribution | None, str]:
    """Return what makes the values of a step, and the name that they depend on."""
    made, name = _maker(step.distribution)
    return made, name or step.seed_name


def _maker(distribution: Distribution | None) -> tuple[Distribution | None, str]:
    """Return what makes values, of a copy that of its source, and the source's name."""
    made = distribution.part if isinstance(distribution, Rows) else distribution
    return (made.part, made.name) if isinstance(made, Copy) else (made, "")


def run_function(step: Step, slot: Slot, seed: int, prefix: str) -> Tensor:
    """Return what a user's function writes into a scratch tensor, under a keyed generator.

    Raises :class:`FillError` where the function fails or leaves elements unwritten.
    """
    distribution, name = _origin(step)
    assert isinstance(distribution, UserFunction)
    assert slot.tensor is not None
    scratch = scratch_like(distribution.shape, slot.tensor.dtype)
    try:
        source = Source(seed, name, prefix)
        with keyed_generator(source), one_generator([slot]), torch.no_grad():
            returned = _call(distribution, scratch, slot)
    except OwnGenerator:
        message = f"{step.name}: {distribution.describe()} {ELSEWHERE}; nothing was written"
        raise FillError(message, name=step.name) from None
    except Exception as error:
        hint = f" ({_GET})" if isinstance(error, AttributeError) else ""
        message = (
            f"{step.name}: {distribution.describe()} failed: {error!r}{hint}; nothing was written"
        )
        raise FillError(message, name=step.name) from error
    _check_written(step, distribution, scratch, returned)
    made = scratch if distribution.factor == 1 else scratch * distribution.factor
    _check_fits(step, distribution, made, slot.tensor.dtype)
    return made


def _call(distribution: UserFunction, scratch: Tensor, slot: Slot) -> object:
    """Call a function with the tensor, its options, and the slot where it takes one."""
    options = dict(distribution.options)
    name = slot_parameter(distribution.function, registered=bool(distribution.label))
    if name is None:
        return distribution.function(scratch, **options)
    if name == SLOT:
        return distribution.function(scratch, **options, slot=slot)
    return distribution.function(scratch, slot, **options)


def _check_fits(step: Step, distribution: UserFunction, made: Tensor, dtype: torch.dtype) -> None:
    """Raise where a finite value would become infinite: no plan knows what a function writes."""
    lost = made.isfinite() & ~made.to(dtype).isfinite()
    if lost.any():
        largest = float(made[lost].abs().max())
        what = f"wrote {largest:.4g}, which {dtype} cannot hold"
        message = f"{step.name}: {distribution.describe()} {what}; nothing was written"
        raise FillError(message, name=step.name)


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
