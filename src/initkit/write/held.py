"""Values that follow from others: groups that are drawn as one, and rows like the other rows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from ..distributions import (
    Copy,
    Distribution,
    FunctionOfSeveral,
    Joint,
    LikeRows,
    Rows,
    Source,
)
from ..errors import FillError
from ..model import whole_values
from ..plan import WRITE, Plan, Step, Target
from ..stream.pool import alone
from .scratch import ELSEWHERE, OwnGenerator, keyed_generator, one_generator, scratch_like

Pair: TypeAlias = tuple[Step, Target]


def draw_held(plan: Plan, seed: int, prefix: str = "") -> dict[str, Tensor]:
    """Return the values of groups and of rows like others, by the steps' names.

    They are made before anything is written, so that one that fails leaves the model as it was. Of
    sharded tensors that are read every process gathers the whole, in the order of the plan.
    """
    drawn: dict[str, Tensor] = {}
    if not any(map(_is_held, plan.distributions)):
        return drawn
    for group in _groups(plan):
        drawn |= _draw_group(group, seed, prefix)
    for step, target in plan.pairs:
        if step.status != WRITE:
            continue
        if step.rows is not None and isinstance(step.rows.part, LikeRows):
            values = step.rows.part.draw_like(
                Source(seed, step.seed_name, prefix), step.rows, _read(step, target)
            )
            drawn[step.name] = _fitting(step, values)
        elif isinstance(step.distribution, Copy) and isinstance(step.distribution.part, Joint):
            drawn |= _copied(step, step.distribution, drawn)
    return drawn


def _is_held(distribution: Distribution) -> bool:
    made = distribution.part if isinstance(distribution, Rows | Copy) else distribution
    return isinstance(made, LikeRows | Joint)


def _copied(step: Step, copy: Copy, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what a copy of a member holds; nothing where it can be drawn again by itself."""
    if copy.parameter in drawn:
        return {step.name: drawn[copy.parameter]}
    part = copy.part
    if part is not None and not (part.known and part.repeatable):
        raise _failed(step.name, f"it follows from {copy.parameter}, which this model lacks")
    return {}


def _groups(plan: Plan) -> list[list[Pair]]:
    found: dict[tuple[str, ...], list[Pair]] = {}
    for step, target in plan.pairs:
        if step.status == WRITE and isinstance(step.distribution, Joint):
            found.setdefault(step.distribution.names, []).append((step, target))
    return [sorted(group, key=_member) for group in found.values()]


def _member(pair: Pair) -> int:
    return _joint(pair[0]).member


def _joint(step: Step) -> Joint:
    assert isinstance(step.distribution, Joint)
    return step.distribution


def _draw_group(group: Sequence[Pair], seed: int, prefix: str) -> dict[str, Tensor]:
    joint = _joint(group[0][0])
    source = Source(seed, joint.group, prefix)
    if isinstance(joint, FunctionOfSeveral):
        values: Sequence[Tensor] = _called(joint, group, source)
    else:
        held, made = list(_held(joint, group)), list[Tensor]()
        # On one thread: a BLAS sums in other orders on more, and ranks would differ in last bits.
        alone(lambda: made.extend(joint.draw_members(source, held)))
        values = made
    return {step.name: _fitting(step, values[_joint(step).member]) for step, _ in group}


def _called(joint: FunctionOfSeveral, group: Sequence[Pair], source: Source) -> list[Tensor]:
    """Return what a user's function writes into scratch for each member of a group."""
    slots = [target.writer for _, target in group]
    first = group[0][0].name
    dtypes = {_joint(step).member: step.dtype for step, _ in group}
    # Of a part of a model that lacks a member, what is written for that is left aside.
    scratch = [
        scratch_like(shape, dtypes.get(member, torch.float32))
        for member, shape in enumerate(joint.shapes)
    ]
    options = dict(joint.options)
    if "slot" in inspect.signature(joint.function).parameters:
        options["slot"] = group[0][1].writer
    try:
        with keyed_generator(source), one_generator(slots), torch.no_grad():
            joint.function(*scratch, **options)
    except OwnGenerator:
        raise _failed(first, f"{joint.describe()} {ELSEWHERE}") from None
    except Exception as error:
        raise _failed(first, f"{joint.describe()} failed: {error!r}") from error
    for name, shape, made in zip(joint.names, joint.shapes, scratch, strict=True):
        if tuple(made.shape) != shape or bool(made.isnan().any()):
            what = f"left elements of {name} unwritten, or read the old values, which are NaN here"
            raise _failed(first, f"{joint.describe()} {what}")
    return scratch


def _failed(name: str, what: str) -> FillError:
    return FillError(f"{name}: {what}; nothing was written", name=name)


def _held(joint: Joint, group: Sequence[Pair]) -> Iterator[Tensor]:
    of = {_joint(step).member: (step, target) for step, target in group}
    for member in joint.reads:
        if member not in of:
            first = group[0][0].name
            raise _failed(first, f"it follows from {joint.names[member]}, which this model lacks")
        yield _read(*of[member])


def _read(step: Step, target: Target) -> Tensor:
    """Return all that a tensor holds, in float64 on the CPU."""
    tensor = target.writer.tensor
    assert tensor is not None
    values = None if tensor.is_meta else whole_values(tensor)
    if values is None or target.writer.computed is not None:
        raise _failed(step.name, "it follows from what the model holds, which cannot be read here")
    values = values.detach().to("cpu", torch.float64)
    if not bool(values.isfinite().all()):
        raise _failed(step.name, "it follows from what the model holds, which is not finite")
    return values


def _fitting(step: Step, values: Tensor) -> Tensor:
    """Return values in the parameter's dtype, rounded once."""
    made = values.to(step.dtype)
    if not bool(made.isfinite().all()):
        raise _failed(step.name, f"{step.start} gives what {step.dtype} cannot hold")
    return made
