"""Compare one tensor of a model with the step of a plan that it belongs to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..distributions import Blocks, Distribution, LikeRows, Rows, Source, Test
from ..model import chunks, local_shard
from ..numbers import Layout
from ..plan import EMPTY, WRITE, Step, padding_mask, slot_info
from .checked import Checked
from .copies import beside_source
from .measure import measure, plain
from .norms import norm_tests
from .sample import TensorSample
from .sanity import sanity_tests
from .slices import slice_tests
from .slot_index import SlotIndex
from .values import local_values, read_values, snapped, tells

_MOST_LAID_OUT = 1 << 26  # elements of a whole that are laid out to compare a part of it
_PROBE = 1 << 12  # elements that show whether all went through 16 bits


def check_step(step: Step, index: SlotIndex, most: int = 0) -> Checked:
    """Compare what a model holds at the names of a step with what the step plans for it.

    With ``most``, about so many elements of an independent sample are looked at, and no more is
    asked than whether they are drawn from it.
    """
    slot = index.find(step)
    if slot is None:
        text = "the model has no parameter of this name"
        return Checked(step.name, step.shape, step, tests=[Test("missing", 0.0, "", "", text)])
    if step.status == EMPTY or slot.tensor is None:
        return Checked(step.name, step.shape, step, compared=True)  # without an element to differ
    checked = Checked(step.name, step.shape, step, slot)
    checked.tests += index.tie_tests(step)
    values = read_values(slot, checked)
    if values is None:
        return checked
    if tuple(slot.shape) != step.shape:
        checked.tests.append(_shape_test(list(step.shape), list(slot.shape)))
    elif step.status == WRITE and (distribution := checked.distribution) is not None:
        _compare(step, distribution, values, checked, index, most)
    else:
        checked.remark = step.start
        checked.measured = measure([local_values(values)])
        checked.tests += sanity_tests(checked.measured, values.dtype)
    return checked


def _shape_test(planned: list[int], held: list[int]) -> Test:
    text = f"its shape is {held} where {planned} was planned"
    return Test("shape", 0.0, str(planned), str(held), text)


def _compare(
    step: Step,
    distribution: Distribution,
    values: Tensor,
    checked: Checked,
    index: SlotIndex,
    most: int,
) -> None:
    """Add the tests of one tensor against its distribution."""
    assert checked.slot is not None
    local = local_values(values)
    sharded = local.shape != values.shape
    local = _of_rows(step.rows, values, local)
    if not local.numel():
        checked.remark = "not checked: this process holds none of it"
        return
    computed = checked.slot.computed
    if not tells(checked.slot, distribution, values):
        checked.remark = f"not checked: {computed.note if computed is not None else ''}"
        _look_over(checked, local)
        return
    if computed is not None:
        local = snapped(local, distribution)
    pieces = [local]
    if step.padding is not None:
        pieces = _without_padding(step, values, local, checked, index)
    if not pieces:
        _look_over(checked, local)
        return
    if pieces[0] is local and not sharded and not most:
        distribution = beside_source(distribution, checked, index)
    pieces = _some(pieces, distribution, most)
    # `pieces` is the whole tensor itself unless a row was taken out.
    incomplete, layout = pieces[0] is not local, _layout(step, checked)
    sample = _as_rounded(
        TensorSample(distribution, pieces, None, computed is not None, incomplete, layout)
    )
    checked.pieces, checked.measured = pieces, sample.measured
    checked.tests += sanity_tests(sample.measured, values.dtype)
    if not distribution.known:
        checked.remark = "a function's values: only looked for garbage"
    elif sample.measured.finite and sharded and not _shows_in_any_part(distribution):
        _test_part(checked, sample, step, values)
    elif sample.measured.finite:
        padded = incomplete and not sharded
        tested = _with_padding(sample, step, values, local) if padded else sample
        _test(checked, sample, tested, most)


def _with_padding(sample: TensorSample, step: Step, values: Tensor, local: Tensor) -> TensorSample:
    """Return a sample with its padding rows as planned, or as holes, where it is told by the whole.

    So of what is no sample of elements the rows beside them still tell.
    """
    distribution = sample.distribution
    alike = distribution.iid and not distribution.shape_matters
    if alike or step.tie_kind in ("view", "overlap"):
        return sample
    rows = [place for row in step.padding_rows if (place := _place(step, values, row)) is not None]
    whole = local.detach().clone()
    if _row_by_row(distribution):
        # Rows that others were drawn beside: a sample that has them is one like any.
        planned = torch.empty(whole.numel(), dtype=whole.dtype, device="cpu")
        distribution.write(planned, Source(0, "padding rows"))
        planned = planned.to(sample.rounded or whole.dtype).to(whole.dtype)
        whole[rows] = planned.view(whole.shape)[rows].to(whole)
        return replace(sample, pieces=[whole], incomplete=False)
    whole[rows] = math.nan
    return replace(sample, pieces=[whole], incomplete=False, holes=True).partly() or sample


def _test_part(checked: Checked, sample: TensorSample, step: Step, values: Tensor) -> None:
    """Add the tests of what this process holds of a sharded tensor, as of one with holes.

    A block, or a matrix of several, that it holds whole is told as any is.
    """
    part = local_shard(values)
    told = values.is_floating_point() and values.numel() <= _MOST_LAID_OUT and step.rows is None
    tests: list[Test] = []
    if told and part is not None and step.tie_kind not in ("view", "overlap"):
        whole = torch.full(part.shape, math.nan, dtype=part.local.dtype, device="cpu")
        places = part.indices(0, part.local.numel())
        whole.view(-1)[places] = part.local.detach().reshape(-1).cpu()
        whole[list(step.padding_rows)] = math.nan
        found = replace(sample, pieces=[whole], incomplete=False, holes=True).partly()
        tests = list(found.tests()) if found is not None else []
    checked.tests += tests
    checked.compared = bool(tests)
    if not tests:
        checked.remark = "not checked: this process holds a part of it"
    elif not sample.distribution.elementwise:
        checked.remark = "ok, as far as the part tells that this process holds"


def _row_by_row(distribution: Distribution) -> bool:
    """Whether no row of a tensor follows from what is drawn for another one."""
    if isinstance(distribution, Blocks) and not distribution.dim:
        return all(map(_row_by_row, distribution.parts))
    if isinstance(distribution, LikeRows):  # of rows that are known, none follows from another
        return distribution.above is not None
    return distribution.known and (distribution.elementwise or not distribution.random)


def _test(checked: Checked, sample: TensorSample, tested: TensorSample, most: int) -> None:
    """Add the tests of the values, of the whole tensor where it is one."""
    tests = list(tested.tests())
    checked.compared, checked.chances = bool(tests), sample.chances
    checked.dtype = sample.rounded or sample.dtype
    checked.tests += tests
    checked.tests += _independence_tests(sample, checked.most, most)
    if tests and sample.notes:
        checked.remark = sample.notes[0]
    elif tests and sample.rounded is not None:
        checked.remark = f"ok, but its values have only the precision of {str(sample.rounded)[6:]}"


def _some(pieces: list[Tensor], distribution: Distribution, most: int) -> list[Tensor]:
    """Return some of a tensor where that is enough: of elements that are drawn one by one."""
    if not most or not distribution.iid or not distribution.random:
        return pieces
    return [first_rows(piece, most) for piece in pieces]


def first_rows(piece: Tensor, most: int) -> Tensor:
    """Return the first rows of a tensor, about ``most`` elements."""
    if piece.numel() <= most or not piece.dim():
        return piece
    return piece[: max(1, most * len(piece) // piece.numel())]


def _of_rows(rows: Rows | None, values: Tensor, local: Tensor) -> Tensor:
    """Return the rows that are written, where not all are, or what this process holds of them."""
    if rows is None:
        return local
    part = local_shard(values)
    return rows.of(local) if part is None else local[part.places(rows.start, rows.stop)]


def _layout(step: Step, checked: Checked) -> Layout | None:
    """Return the layout of the module, where the plan goes by that and no tie by another."""
    if (
        step.fans_from != "module"
        or step.rows is not None
        or len(step.names) > 1
        or checked.slot is None
    ):
        return None
    info = slot_info(checked.slot)
    return info.layout if info is not None else None


def _look_over(checked: Checked, values: Tensor) -> None:
    """Test values by themselves, of which nothing tells what they should be."""
    checked.measured = measure([values])
    checked.tests += sanity_tests(checked.measured, values.dtype)


def _independence_tests(sample: TensorSample, piece: Tensor, most: int) -> Iterator[Test]:
    """Compare rows, columns and other slices of a sample with each other, where it is whole."""
    if most:
        return
    distribution = sample.distribution
    if distribution.iid:
        yield from norm_tests(piece, distribution, sample.rounded or piece.dtype)
    yield from slice_tests(piece, distribution)


def _shows_in_any_part(distribution: Distribution) -> bool:
    """Whether a part of a tensor shows whether the whole is of the distribution."""
    return distribution.iid or distribution.constant is not None


def _as_rounded(sample: TensorSample) -> TensorSample:
    """Return a sample as what its values were rounded to, where it was a dtype of 16 bits."""
    if sample.dtype.to_real().itemsize < 4 or not (
        sample.distribution.elementwise and sample.distribution.random
    ):
        return sample
    # Nearly all samples are told by their smallest value, and are measured but once.
    if _is_fine(sample.measured.low):
        return sample
    rounded = _rounded(sample.pieces[0])
    return sample if rounded is None else replace(sample, rounded=rounded)


def _rounded(tensor: Tensor) -> torch.dtype | None:
    """Return the dtype of 16 bits that values in a wider one were rounded to; None for none."""
    some = plain(next(chunks(tensor, _PROBE))[0])
    if some.numel() < 16 or any(map(_is_fine, some[:16].tolist())):
        return None
    for dtype in (torch.bfloat16, torch.float16):
        # 16 values that end in as many zero bits by chance: as good as never.
        if torch.equal(some, some.to(dtype).to(some.dtype)):
            return dtype
    return None


def _is_fine(value: float) -> bool:
    """Whether a value has more digits than any dtype of 16 bits holds."""
    return math.isfinite(value) and not (math.frexp(value)[0] * (1 << 11)).is_integer()


def _without_padding(
    step: Step, values: Tensor, local: Tensor, checked: Checked, index: SlotIndex
) -> list[Tensor]:
    """Test that the padding rows are zero, and return all but them.

    They are rows of the names that have them, which of a view may lie across the rows of this one.
    """
    assert checked.slot is not None
    if step.tie_kind not in ("view", "overlap"):
        # Of a sharded tensor a row may be held in part, or by other processes.
        places = [(row, _place(step, values, row)) for row in step.padding_rows]
        held = [(row, place) for row, place in places if place is not None]
        for row, place in held:
            checked.tests += _padding_test(local[place], row)
        return _without_rows(local, sorted(place for _, place in held))
    padded = index.padding(step)
    mask = padding_mask(checked.slot, padded)
    if mask is None:
        checked.remark = "not checked: nothing tells which of its elements are the padding"
        return []
    for slot, row in padded:
        assert slot.tensor is not None
        checked.tests += _padding_test(slot.tensor.detach()[row], row)
    return [local[~mask.to(local.device)]]


def _place(step: Step, values: Tensor, row: int) -> int | None:
    """Return where a row stands among those of a step that this process holds, or None."""
    part, first = local_shard(values), 0 if step.rows is None else step.rows.start
    if part is None:
        return row - first
    return None if part.place(row) is None else len(part.places(first, row))


def _padding_test(values: Tensor, row: int) -> Iterator[Test]:
    """Test that a padding row is zero."""
    largest = float(values.abs().max()) if values.numel() else 0.0
    if largest != 0:  # NaN, too
        text = f"the padding row {row} is not zero (it reaches {largest:.4g})"
        yield Test("padding", 0.0, f"row {row} zero", f"{largest:.4g}", text)


def _without_rows(tensor: Tensor, rows: Sequence[int]) -> list[Tensor]:
    """Return the pieces between the rows; the tensor itself where there is none."""
    if not rows:
        return [tensor]
    starts, stops = (0, *(row + 1 for row in rows)), (*rows, len(tensor))
    return [piece for a, b in zip(starts, stops, strict=True) if (piece := tensor[a:b]).numel()]
