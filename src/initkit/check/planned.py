"""Compare one tensor of a model with the step of a plan that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..distributions import Distribution, Test
from ..model import chunks
from ..numbers import Layout
from ..plan import EMPTY, WRITE, Step, padding_mask, slot_info
from .checked import Checked
from .measure import measure, plain
from .norms import norm_tests
from .sample import TensorSample
from .sanity import sanity_tests
from .slices import slice_tests
from .slot_index import SlotIndex
from .values import local_values, read_values

_PROBE = 1 << 12  # elements that show whether all went through 16 bits


def check_step(step: Step, index: SlotIndex) -> Checked:
    """Compare what a model holds at the names of a step with what the step plans for it."""
    slot = index.find(step)
    if slot is None:
        text = "the model has no parameter of this name"
        return Checked(step.name, step.shape, step, tests=[Test("missing", 0.0, "", "", text)])
    if step.status == EMPTY or slot.tensor is None:
        return Checked(step.name, step.shape, step)
    checked = Checked(step.name, step.shape, step, slot)
    checked.tests += index.tie_tests(step)
    values = read_values(slot, checked)
    if values is None:
        return checked
    if tuple(slot.shape) != step.shape:
        checked.tests.append(_shape_test(list(step.shape), list(slot.shape)))
    elif step.status == WRITE and (distribution := checked.distribution) is not None:
        _compare(step, distribution, values, checked, index)
    else:
        checked.remark = step.start
        checked.measured = measure([values])
        checked.tests += sanity_tests(checked.measured, values.dtype)
    return checked


def _shape_test(planned: list[int], held: list[int]) -> Test:
    text = f"its shape is {held} where {planned} was planned"
    return Test("shape", 0.0, str(planned), str(held), text)


def _compare(
    step: Step, distribution: Distribution, values: Tensor, checked: Checked, index: SlotIndex
) -> None:
    """Add the tests of one tensor against its distribution."""
    local = local_values(values)
    sharded = local.shape != values.shape
    if not local.numel():
        checked.remark = "not checked: this process holds none of it"
        return
    pieces = [local]
    if step.padding is not None and not sharded:
        pieces = _without_padding(step, step.padding, local, checked, index)
    if not pieces:
        return
    computed = checked.slot is not None and checked.slot.computed is not None
    # `pieces` is the whole tensor itself unless a row was taken out.
    rounded, incomplete = _rounded(distribution, pieces[0]), pieces[0] is not local
    layout = _layout(step, checked)
    sample = TensorSample(distribution, pieces, rounded, computed, incomplete, layout)
    checked.pieces, checked.measured = pieces, sample.measured
    checked.tests += sanity_tests(sample.measured, values.dtype)
    if not distribution.known:
        checked.remark = "a function's values: only looked for garbage"
    # A part of an orthogonal matrix is none; a part of independent values is a sample like any.
    elif sharded and not _shows_in_any_part(distribution):
        checked.remark = "not checked: this process holds a part of it"
    elif sample.measured.finite:
        if rounded is not None:
            checked.remark = f"ok, but its values have only the precision of {str(rounded)[6:]}"
        checked.tests += sample.tests()
        checked.tests += _independence_tests(sample)


def _layout(step: Step, checked: Checked) -> Layout | None:
    """Return the layout of the module, where the plan goes by that and no tie by another."""
    if step.fans_from != "module" or len(step.names) > 1 or checked.slot is None:
        return None
    info = slot_info(checked.slot)
    return info.layout if info is not None else None


def _independence_tests(sample: TensorSample) -> Iterator[Test]:
    """Compare rows, columns and other slices of a sample with each other."""
    distribution, piece = sample.distribution, sample.pieces[-1]
    if distribution.iid:
        yield from norm_tests(piece, distribution, sample.rounded or piece.dtype)
    yield from slice_tests(piece, distribution)


def _shows_in_any_part(distribution: Distribution) -> bool:
    """Whether a part of a tensor shows whether the whole is of the distribution."""
    return distribution.iid or distribution.constant is not None


def _rounded(distribution: Distribution, tensor: Tensor) -> torch.dtype | None:
    """Return the dtype of 16 bits that a sample in a wider one was rounded to; None for none."""
    if tensor.dtype.itemsize < 4 or not (distribution.elementwise and distribution.random):
        return None
    some = plain(next(chunks(tensor, _PROBE))[0])
    if some.numel() < 16:
        return None
    for dtype in (torch.bfloat16, torch.float16):
        # 16 values that end in as many zero bits by chance: as good as never.
        if torch.equal(some, some.to(dtype).to(some.dtype)):
            return dtype
    return None


def _without_padding(
    step: Step, row: int, tensor: Tensor, checked: Checked, index: SlotIndex
) -> list[Tensor]:
    """Test that the padding row is zero, and return all but it.

    It is a row of the name that has it, which of a view may lie across the rows of this one.
    """
    if step.tie_kind not in ("view", "overlap"):
        checked.tests += _padding_test(tensor, row)
        return _without_row(tensor, row)
    assert checked.slot is not None
    padded = index.padding_slot(step)
    mask = padding_mask(checked.slot, padded, row) if padded is not None else None
    if mask is None or padded is None or padded.tensor is None:
        checked.remark = "not checked: nothing tells which of its elements are the padding"
        return []
    checked.tests += _padding_test(padded.tensor.detach(), row)
    return [tensor[~mask.to(tensor.device)]]


def _padding_test(tensor: Tensor, row: int) -> Iterator[Test]:
    """Test that the padding row is zero."""
    largest = float(tensor[row].abs().max()) if tensor[row].numel() else 0.0
    if largest != 0:  # NaN, too
        text = f"the padding row {row} is not zero (it reaches {largest:.4g})"
        yield Test("padding", 0.0, f"row {row} zero", f"{largest:.4g}", text)


def _without_row(tensor: Tensor, row: int) -> list[Tensor]:
    return [piece for piece in (tensor[:row], tensor[row + 1 :]) if piece.numel()]
