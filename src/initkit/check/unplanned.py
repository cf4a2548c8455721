"""Look at one tensor by itself, where no plan says what it should be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from ..distributions import Test
from ..model import Slot, Unregistered
from .checked import Checked
from .measure import Measured, measure
from .sanity import nan_test, sanity_tests
from .values import is_floating, local_values, read_values


def unknown_parameter(slot: Slot) -> Checked:
    """Return the failure of a parameter that a plan doesn't know."""
    text = "the plan knows no parameter of this name"
    return Checked(
        slot.name, _shape(slot), None, slot, tests=[Test("unplanned", 0.0, "", "", text)]
    )


def unregistered_parts(found: Sequence[Unregistered]) -> list[Checked]:
    """Return the failures of what should train and is not in the model's lists."""
    problems = [one for one in found if one.problem]
    texts = [one.sentence(one.path) for one in problems]
    tests = [Test("unregistered", 0.0, "registered", "not registered", text) for text in texts]
    return [
        Checked(one.path, one.shape or (), tests=[test])
        for one, test in zip(problems, tests, strict=True)
    ]


def check_behind(slot: Slot) -> Checked:
    """Look for NaN in a computed weight whose raw tensors have the rules."""
    checked = Checked(slot.name, _shape(slot), None, slot)
    checked.remark = "not checked: rules start what it is computed from"
    values = read_values(slot, checked)
    if values is not None:
        checked.measured = measure([local_values(values)])
        checked.tests += nan_test(checked.measured)
    return checked


def check_alone(slot: Slot) -> Checked:
    """Measure a parameter, and test it for what no starting value should be."""
    checked = Checked(slot.name, _shape(slot), None, slot)
    values = read_values(slot, checked)
    if values is None:
        return checked
    values = local_values(values)
    checked.measured, checked.pieces = measure([values]), [values]
    if values.is_floating_point() or values.is_complex():
        checked.tests += sanity_tests(checked.measured, values.dtype, tuple(values.shape))
        checked.remark = _remark(slot, checked.measured)
    return checked


def check_buffer(slot: Slot) -> Checked:
    """Look for NaN alone: a mask may hold infinities and zeros."""
    assert slot.tensor is not None
    checked = Checked(slot.name, (), None, slot)
    if not is_floating(slot):
        return checked
    values = local_values(slot.tensor.detach())
    checked.shape, checked.measured = tuple(values.shape), measure([values])
    checked.tests += nan_test(checked.measured)
    return checked


def _shape(slot: Slot) -> tuple[int, ...]:
    assert slot.tensor is not None
    shapeless = nn.parameter.is_lazy(slot.tensor) or slot.tensor.is_nested
    return () if shapeless else tuple(slot.shape)


def _remark(slot: Slot, measured: Measured) -> str:
    """Say what may be meant, and may be not."""
    if not measured.finite or not measured.n:
        return ""
    if measured.low == measured.high:
        return "constant"
    inner = slot.shape[1:]
    # Times the root of the inputs: what one layer multiplies the scale of its input by.
    growth = measured.std * math.sqrt(math.prod(inner))
    if inner and slot.owner is not None and growth > 10 and "Embedding" not in str(slot.owner):
        return f"large: its std is {growth:.3g} / sqrt(inputs)"
    return ""
