"""Compare what every parameter holds with what was planned for it.

``check_init`` compares a model with its plan, tensor by tensor, and with itself: one pass over each
tensor, no copies of it. The false-alarm rate holds for the whole model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Unpack

import torch
from torch import Tensor, nn

from ..distributions import Blocks, Constant, Distribution, UserFunction
from ..errors import OptionError
from ..model import Model, ModelView, Slot
from ..plan import DEFAULTS, EMPTY, WRITE, Plan, PlanOptions, Step, plan_view, takes
from ..rules import Table
from ..ties import tie_slots
from ..write import Report
from .diagnosis import left_initialisation, suspect
from .duplicates import clones, repeats, shared_runs
from .measure import Measured, chunks, measure, plain
from .norms import lengths
from .report import Checked, CheckReport
from .sample_tests import Test
from .sanity import sanity_tests
from .structure import examine, look


@takes(PlanOptions)
def check_init(
    model: Model,
    rules: Table | Plan | Report | None = None,
    *,
    level: float = 1e-6,
    **options: Unpack[PlanOptions],
) -> CheckReport:
    """Compare every parameter of ``model`` with what ``rules`` plan for it; change nothing.

    ``model`` is a module or a state_dict, ``rules`` are rules, a plan, or the report of
    :func:`initkit.apply_init`; the other options are those of :func:`initkit.plan_init`. Constants
    and tables are compared exactly, samples by tests of mean, std, bounds, zeros, distribution and
    independence whose power grows with the number of elements; also found are ties that differ,
    repeated slices, tensors with the same values, and memory never written. A model that is as
    planned fails with probability ``level`` at most, however large it is. Without rules it measures
    every tensor and lists what is wrong by itself.

    The report has ``.ok``, ``.failures`` and ``.verdict``, and prints itself. Raises
    :class:`PlanError` where rules and model don't fit.

    >>> from torch import nn
    >>> model = nn.Linear(300, 300)
    >>> rules = {"weight": "normal(std=0.02)", "bias": 0}
    >>> check_init(model, rules).failures[0].kind
    'std'
    >>> _ = apply_init(model, rules, seed=0)
    >>> check_init(model, rules).ok
    True
    """
    if not 0 < level < 1:
        raise OptionError(f"level is a probability between 0 and 1, not {level!r}", option="level")
    view = ModelView(model)
    if rules is None:
        return _by_itself(view.slots, view.title, level)
    if isinstance(rules, Report):
        rules = rules.plan
    plan = rules if isinstance(rules, Plan) else plan_view(view, rules, {**DEFAULTS, **options})
    plan.check()
    return _against(plan, view.slots, level)


# ------------------------------------------------------------------------------ against a plan


def _against(plan: Plan, slots: Sequence[Slot], level: float) -> CheckReport:
    held = _Held(slots)
    checked = [_checked(step, held) for step in plan.steps]
    checked += [_unplanned(slot) for slot in held.left(plan)]
    checked += [found for found in map(_buffer, held.buffers(plan)) if found.tests]
    _add_clones([c for c in checked if _drawn(c)])
    _add_echoes([c for c in checked if _sampled(c)])
    report = CheckReport(checked, plan.title, level)
    trained = left_initialisation(checked, {failure.name for failure in report.failures})
    report.explain(lambda found: suspect(found, plan), trained)
    return report.release_tensors()


class _Held:
    """The slots of a model by name, and which of them share memory."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slots = slots
        named = {name: slot for slot in slots for name in slot.canonicals}
        self.named = named | {name: slot for slot in slots for name in slot.paths}
        groups = enumerate(tie_slots(slots), 1)
        self._group = {id(slot): -number for number, group in groups for slot in group.slots}
        self._taken: dict[int, str] = {}

    def memory(self, name: str) -> int:
        """Return what is equal for names that share memory."""
        slot = self.named[name]
        return self._group.get(id(slot), id(slot))

    def left(self, plan: Plan, kind: str = "parameter") -> list[Slot]:
        """Return the parameters that the plan doesn't know."""
        known = {name for step in plan.steps for name in step.names}
        return [
            slot
            for slot in self.slots
            if slot.kind == kind and slot.tensor is not None and not slot.literal
            if known.isdisjoint(slot.paths) and known.isdisjoint(slot.canonicals)
        ]

    def buffers(self, plan: Plan) -> list[Slot]:
        """Return the buffers that may hold NaN and are not planned."""
        return [s for s in self.left(plan, "buffer") if s.computed is None and _floating(s)]

    def tie(self, step: Step) -> Iterator[Test]:
        """Yield where names share memory otherwise than planned."""
        present = [name for name in step.names if name in self.named]
        missing = [name for name in step.names if name not in self.named]
        if missing and present:
            text = f"{', '.join(missing)} should share its memory and is not in the model"
            yield Test("tie", 0.0, f"tied to {', '.join(missing)}", "not there", text)
        apart = [name for name in present if self.memory(name) != self.memory(present[0])]
        if apart:
            text = f"it should share memory with {', '.join(apart)} and does not (not tied)"
            yield Test("tie", 0.0, f"tied to {', '.join(apart)}", "not tied", text)
        other = self._taken.setdefault(self.memory(present[0]), step.name)
        if other != step.name:
            text = f"it shares memory with {other}, and the plan has them apart"
            yield Test("tie", 0.0, f"not tied to {other}", "tied", text)


def _checked(step: Step, held: _Held) -> Checked:
    name = next((name for name in step.names if name in held.named), None)
    if name is None:
        text = "the model has no parameter of this name"
        return Checked(step.name, step.shape, step, tests=[Test("missing", 0.0, "", "", text)])
    slot = held.named[name]
    if step.status == EMPTY or slot.tensor is None:
        return Checked(step.name, step.shape, step)
    found = Checked(step.name, step.shape, step, slot)
    found.tests += held.tie(step)
    value = _value(slot, found)
    if value is None:
        return found
    if tuple(slot.shape) != step.shape:
        shapes = list(step.shape), list(slot.shape)
        text = f"its shape is {shapes[1]} where {shapes[0]} was planned"
        found.tests.append(Test("shape", 0.0, str(shapes[0]), str(shapes[1]), text))
        return found
    if step.status == WRITE and step.distribution is not None:
        _compare(step, step.distribution, value, found)
    else:
        found.remark = step.start
        found.seen = measure([value])
        found.tests += sanity_tests(found.seen, value.dtype)
    return found


def _value(slot: Slot, found: Checked) -> Tensor | None:
    """Return the values of a slot; None, and why, where there are none to be read."""
    tensor = slot.tensor
    assert tensor is not None
    if nn.parameter.is_lazy(tensor):
        text = "it is lazy and has no shape yet; run one forward pass first"
        found.tests.append(Test("garbage", 0.0, "values", "none", text))
        return None
    if tensor.is_meta:
        text = "it is on the meta device and holds no values; materialize the model first"
        found.tests.append(Test("garbage", 0.0, "values", "none", text))
        return None
    value = slot.computed.read() if slot.computed is not None else tensor.detach()
    if value is None:
        found.remark = f"not checked: {slot.computed.note if slot.computed else ''}"
    return value


def _compare(step: Step, distribution: Distribution, value: Tensor, found: Checked) -> None:
    """Add the tests of one tensor against its distribution."""
    local = value.to_local() if hasattr(value, "to_local") else value
    whole = local.shape == value.shape
    if not local.numel():
        found.remark = "not checked: this process holds none of it"
        return
    parts = [local]
    if step.padding is not None and whole:
        parts = _without_row(local, step.padding, found)
    if not parts:
        return
    found.parts = parts
    rounded = _rounded(distribution, parts[0])
    found.seen = look(distribution, parts, rounded)
    found.tests += sanity_tests(found.seen, value.dtype)
    if isinstance(distribution, UserFunction):
        found.remark = "a function's values: only looked for garbage"
    elif not whole and not _local(distribution):
        found.remark = "not checked: this process holds a part of it"
    elif found.seen.finite:
        if rounded is not None:
            found.remark = f"ok, but its values have only the precision of {str(rounded)[6:]}"
        exact = found.slot is None or found.slot.computed is None
        cut = parts[0] is not local
        found.tests += examine(distribution, parts, found.seen, exact=exact, cut=cut, dtype=rounded)
        found.tests += _slices(distribution, parts[-1], rounded)


def _slices(
    distribution: Distribution, part: Tensor, rounded: torch.dtype | None
) -> Iterator[Test]:
    """Compare rows, columns and other slices of a sample with each other."""
    if _local(distribution) and distribution.random:
        yield from lengths(part, distribution, rounded or part.dtype)
    repeat = repeats(part, distribution) if _repeatable(distribution) else None
    if repeat is not None:
        seen = repeat.text.partition(" hold")[0] + " alike"
        yield Test("repeated", repeat.p, "independent values", seen, repeat.text)


def _rounded(distribution: Distribution, tensor: Tensor) -> torch.dtype | None:
    """Return the dtype of 16 bits that a sample in a wider one was rounded to; None for none."""
    some = plain(next(chunks(tensor, 1 << 12)))
    if (
        tensor.dtype.itemsize < 4
        or not (distribution.elementwise and distribution.random)
        or some.numel() < 16
    ):
        return None
    for dtype in (torch.bfloat16, torch.float16):
        if torch.equal(some, some.to(dtype).to(some.dtype)):
            return dtype
    return None


def _local(distribution: Distribution) -> bool:
    """Whether any part of a tensor shows how the distribution stands."""
    alike = (
        distribution.elementwise and distribution.random and not isinstance(distribution, Blocks)
    )
    return isinstance(distribution, Constant) or alike


def _repeatable(distribution: Distribution) -> bool:
    return distribution.random and all(part.random for part in getattr(distribution, "parts", ()))


def _without_row(tensor: Tensor, row: int, found: Checked) -> list[Tensor]:
    """Test that the padding row is zero, and return the rest."""
    largest = float(tensor[row].abs().max()) if tensor[row].numel() else 0.0
    if largest != 0:  # NaN, too
        text = f"the padding row {row} is not zero (it reaches {largest:.4g})"
        found.tests.append(Test("padding", 0.0, f"row {row} zero", f"{largest:.4g}", text))
    return [part for part in (tensor[:row], tensor[row + 1 :]) if part.numel()]


def _drawn(found: Checked) -> bool:
    """Whether the values are a sample, which no other tensor should share."""
    step = found.step
    return (
        bool(found.parts)
        and found.seen is not None
        and found.seen.finite
        and step is not None
        and step.distribution is not None
        and step.distribution.random
        and not isinstance(step.distribution, UserFunction)
    )


def _add_clones(found: Sequence[Checked]) -> None:
    for clone in clones([c.parts[-1] for c in found]):
        one, two = found[clone.first], found[clone.second]
        name = one.name if one is not two else "itself"
        text = f"it {clone.text} {name}"
        seen = f"{clone.text} {name}"
        two.tests.append(Test("clone", clone.p, "values of its own", seen, text))


def _sampled(found: Checked) -> bool:
    """Whether every element is drawn by itself, so that no run of them should stand elsewhere."""
    distribution = found.step.distribution if found.step is not None else None
    return (
        _drawn(found)
        and distribution is not None
        and distribution.elementwise
        and not isinstance(distribution, Blocks)
    )


def _add_echoes(found: Sequence[Checked]) -> None:
    """Add repeats and copies of parts, where nothing else tells of them."""
    distributions = [
        c.step.distribution for c in found if c.step is not None and c.step.distribution is not None
    ]
    for run in shared_runs([c.parts[-1] for c in found], distributions):
        one, two = found[run.first], found[run.second]
        if one is two:
            kind, text = "repeated", f"its values come again {abs(run.gap):,} elements further on"
        else:
            kind, text = "clone", f"a part of it holds the same values as a part of {one.name}"
        if all(test.kind != kind for test in two.tests):
            two.tests.append(Test(kind, run.p, "values of its own", text, text))


def _unplanned(slot: Slot) -> Checked:
    assert slot.tensor is not None
    text = "the plan knows no parameter of this name"
    shape = () if nn.parameter.is_lazy(slot.tensor) else tuple(slot.shape)
    return Checked(slot.name, shape, None, slot, tests=[Test("unplanned", 0.0, "", "", text)])


# ----------------------------------------------------------------------------------- by itself


def _by_itself(slots: Sequence[Slot], title: str, level: float) -> CheckReport:
    groups = tie_slots(slots)
    later = {id(slot) for group in groups for slot in group.slots[1:]}
    checked = [
        _looked_at(slot)
        for slot in slots
        if slot.tensor is not None and id(slot) not in later and not slot.literal
    ]
    _add_clones_by_look(checked)
    shown = [c for c in checked if c.tests or (c.slot and c.slot.kind != "buffer")]
    return CheckReport(shown, title, level, planned=False).release_tensors()


def _looked_at(slot: Slot) -> Checked:
    assert slot.tensor is not None
    lazy = nn.parameter.is_lazy(slot.tensor)
    if slot.kind == "buffer":
        return _buffer(slot)
    found = Checked(slot.name, () if lazy else tuple(slot.shape), None, slot)
    value = _value(slot, found)
    if value is None:
        return found
    value = value.to_local() if hasattr(value, "to_local") else value
    found.seen, found.parts = measure([value]), [value]
    if value.is_floating_point() or value.is_complex():
        found.tests += sanity_tests(found.seen, value.dtype, tuple(value.shape))
        found.remark = _remark(slot, found.seen)
    return found


def _floating(slot: Slot) -> bool:
    tensor = slot.tensor
    return (
        tensor is not None
        and not nn.parameter.is_lazy(tensor)
        and not tensor.is_meta
        and tensor.is_floating_point()
    )


def _buffer(slot: Slot) -> Checked:
    """ModelScan for NaN alone: a mask may hold infinities and zeros."""
    assert slot.tensor is not None
    found = Checked(slot.name, (), None, slot)
    if not _floating(slot):
        return found
    value = slot.tensor.detach()
    value = value.to_local() if hasattr(value, "to_local") else value
    found.shape, found.seen = tuple(value.shape), measure([value])
    tests = sanity_tests(found.seen, value.dtype)
    found.tests += [test for test in tests if "NaN" in test.text]
    return found


def _remark(slot: Slot, seen: Measured) -> str:
    """Say what may be meant, and may be not."""
    if not seen.finite or not seen.n:
        return ""
    if seen.low == seen.high:
        return "constant"
    rows = slot.shape[1:]
    fan = math.prod(rows)
    growth = seen.std * math.sqrt(fan)
    if len(rows) and slot.owner is not None and growth > 10 and "Embedding" not in str(slot.owner):
        return f"large: its std is {growth:.3g} / sqrt(inputs)"
    return ""


def _add_clones_by_look(checked: Sequence[Checked]) -> None:
    """Add tensors that hold another's values, unless both are tables: those repeat by design."""
    found = [
        c
        for c in checked
        if c.seen is not None
        and c.seen.finite
        and c.seen.n
        and c.seen.low < c.seen.high
        and c.slot is not None
        and c.slot.kind != "buffer"
        and not _is_table(c.parts[0])
    ]
    _add_clones(found)


def _is_table(tensor: Tensor) -> bool:
    """Whether values look counted rather than drawn: they rise steadily, or take few values."""
    head = tensor.detach().reshape(-1)[:64] if tensor.numel() < 4096 else tensor.flatten()[:64]
    steps = head.cpu().double().diff()
    steady = bool((steps >= 0).all()) or bool((steps <= 0).all())
    return steady or len(set(head.tolist())) * 2 < len(head)
