"""Compare parameters that start as one with each other, as the model holds them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..distributions import Distribution, Joint, LikeRows, Test
from .checked import Checked
from .sample import TensorSample
from .slot_index import SlotIndex
from .values import held_values, snapped


def check_groups(checked: Sequence[Checked], index: SlotIndex) -> None:
    """Add the tests of rows beside others, and of groups of which this process holds all.

    What is told of a group is told with the member that is oddest by itself, else with the first.
    """
    by_slot = {id(c.slot): c for c in checked if c.slot is not None}
    for first in checked:
        planned = first.distribution
        if isinstance(planned, LikeRows):
            first.tests += _row_tests(first, planned)
        if not isinstance(planned, Joint) or planned.member or not planned.names:
            continue
        if tests := list(_group_tests(planned, index)):
            slots = (index.by_name.get(name) for name in planned.names)
            members = [by_slot[id(slot)] for slot in slots if id(slot) in by_slot]
            oddest = min(members, key=lambda c: min((test.p for test in c.tests), default=1.0))
            oddest.tests += tests
            first.compared = True


def _group_tests(planned: Joint, index: SlotIndex) -> Iterator[Test]:
    """Yield the tests of a group, where this process holds all of it."""
    values: list[Tensor] = []
    dtypes: list[torch.dtype] = []
    for name, shape in zip(planned.names, planned.shapes, strict=True):
        held = held_values(index.by_name.get(name))
        if held is None or tuple(held.shape) != shape:
            return
        dtypes.append(held.dtype)
        values.append(held.detach().cpu().double())
    if all(bool(one.isfinite().all()) for one in values):
        coarsest = max(dtypes, key=lambda dtype: float(torch.finfo(dtype).eps))
        eps = float(torch.finfo(coarsest).eps)

        def sampled(distribution: Distribution, made: Tensor, size: float) -> Iterator[Test]:
            # Of two factors each is off by half an eps of its size; and float64 may hold what
            # float32 computed.
            room = (2 * eps + 1e-6) * size
            held = snapped(made.to(coarsest), distribution, room)
            whole = TensorSample(distribution, [held], computed=True, holes=True, room=room)
            found = whole.partly()
            return iter(()) if found is None else found.tests()

        yield from planned.tests_of(values, 1e-5 + 4 * eps, sampled)


def tell_untold(checked: Sequence[Checked]) -> None:
    """Say so of what no test has told anything: a member of a group is told with the first."""
    groups = (c.distribution for c in checked if c.compared)
    told = {name for group in groups if isinstance(group, Joint) for name in group.names}
    for c in checked:
        if c.dtype is None or c.compared:
            continue
        c.compared = c.name in told
        if not c.compared and not c.remark:
            c.remark = "not checked: too little of what was drawn shows in its values"


def _row_tests(checked: Checked, planned: LikeRows) -> Iterator[Test]:
    """Yield the tests of rows against the others, where this process holds all of them."""
    step, whole = checked.step, held_values(checked.slot)
    if step is None or step.rows is None or whole is None or tuple(whole.shape) != step.shape:
        return
    sample = TensorSample(planned, [step.rows.of(whole.detach())])
    whole = whole.detach().cpu().double()
    if bool(whole.isfinite().all()):
        checked.compared = True
        whole[list(step.padding_rows)] = math.nan  # zero, whatever was drawn
        yield from planned.tests_like(step.rows, whole, sample)
        checked.remark = checked.remark or next(iter(sample.notes), "")
