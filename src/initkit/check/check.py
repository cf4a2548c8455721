"""Compare what every parameter holds with what was planned for it.

``check_init`` compares a model with its plan, tensor by tensor, and with itself: one pass over each
tensor, no copies of it. The false-alarm rate holds for the whole model.
"""

from __future__ import annotations

from typing import Any, Unpack

from ..errors import OptionError
from ..model import Model, ModelView
from ..numbers import no_collecting
from ..plan import DEFAULTS, Plan, PlanOptions, plan_view, takes
from ..rules import Rules
from ..ties import tie_slots
from ..write import Report
from .copies import copy_tests
from .diagnosis import diagnose, looks_trained
from .groups import check_groups, tell_untold
from .independence import compare_planned, compare_unplanned
from .planned import check_step
from .report import CheckReport
from .slot_index import SlotIndex
from .together import alike
from .unplanned import (
    check_alone,
    check_behind,
    check_buffer,
    unknown_parameter,
    unregistered_parts,
)


@takes(PlanOptions)
def check_init(
    model: Model,
    rules: Rules | Plan | Report | None = None,
    *,
    level: float = 1e-6,
    **options: Unpack[PlanOptions],
) -> CheckReport:
    """Compare every parameter of ``model`` with what ``rules`` plan for it; change nothing.

    ``model`` is a module or a state_dict, ``rules`` are rules, a plan, or the report of
    :func:`initkit.apply_init`; the other options are those of :func:`initkit.plan_init`. Constants
    and tables are compared exactly, samples by tests of mean, std, bounds, zeros, distribution and
    independence whose power grows with the number of elements, and like ones together, in case all
    are off by as little as shows in none; also found are ties that differ, repeated slices, tensors
    with the same values, and memory never written. A model that is as planned fails with
    probability ``level`` at most, however large it is; levels above 0.02 find no more than that
    one. Without rules it measures every tensor and
    lists what is wrong by itself.

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
    given: Any = level
    if not (isinstance(given, int | float) and 0 < given < 1):
        raise OptionError(f"level is a probability between 0 and 1, not {level!r}", option="level")
    view = ModelView(model)
    if rules is None:
        return _by_itself(view, level)
    if isinstance(rules, Report):
        rules = rules.plan
    plan = rules if isinstance(rules, Plan) else plan_view(view, rules, {**DEFAULTS, **options})
    plan.check()
    with no_collecting():  # of many small tensors a third of the time went there
        return _against(plan, view, level)


def _against(plan: Plan, view: ModelView, level: float) -> CheckReport:
    index = SlotIndex(view.slots)
    checked = [check_step(step, index) for step in plan.steps]
    for c in checked:
        copies = list(copy_tests(c, index))
        c.tests += copies
        c.compared = c.compared or bool(copies)
    check_groups(checked, index)
    tell_untold(checked)
    unknown, behind = index.unplanned(plan)
    checked += [unknown_parameter(slot) for slot in unknown]
    checked += [check_behind(slot) for slot in behind]
    buffers = map(check_buffer, index.unplanned_buffers(plan))
    checked += [buffer for buffer in buffers if buffer.tests]
    checked += unregistered_parts(view.unregistered)
    # Comparisons between tensors add tests, so they come before the report counts and judges them.
    compare_planned(checked)
    report = CheckReport(checked, plan.title, level, groups=alike(checked))
    # Explained while the tensors are still held: a diagnosis tests the values again.
    trained = looks_trained(checked, {f.name for f in report.failures if not f.names})
    report.explain(lambda failed: diagnose(failed, plan), trained)
    return report.release_tensors()


def _by_itself(view: ModelView, level: float) -> CheckReport:
    slots = view.slots
    groups = tie_slots(slots)
    tied_again = {id(slot) for group in groups for slot in group.slots[1:]}  # slots outlive it
    checked = [
        check_buffer(slot) if slot.kind == "buffer" else check_alone(slot)
        for slot in slots
        if slot.tensor is not None and id(slot) not in tied_again
        if not slot.literal or slot.kind == "buffer"
    ]
    compare_unplanned(checked)
    shown = [c for c in checked if c.tests or (c.slot and c.slot.kind != "buffer")]
    shown += unregistered_parts(view.unregistered)
    return CheckReport(shown, view.title, level, planned=False).release_tensors()
