"""Rules that decorated classes recorded while they were built without values, planned at last."""

from __future__ import annotations

from dataclasses import replace

from ..errors import Problem
from ..model import ModelView
from ..plan import DEFAULTS, EMPTY, WRITE, Plan, Step, Target, plan_view
from .deferral import recorded
from .seeds import with_prefix


def with_recorded_rules(plan: Plan, view: ModelView) -> Plan:
    """Let recorded rules start what the plan leaves as it is and what holds no values."""
    started: dict[int, tuple[Step, Target, str]] = {}
    problems: list[Problem] = []
    for module, rules, options in recorded(view):
        inner = plan_view(ModelView(module), rules, {**DEFAULTS, **options})
        problems += inner.problems
        for step, target in zip(inner.steps, inner.targets, strict=True):
            if step.status in (WRITE, EMPTY):
                started[id(target.writer.tensor)] = step, target, options.get("prefix", "")
    if not started and not problems:
        return plan
    pairs = [
        _started(step, target, started)
        for step, target in zip(plan.steps, plan.targets, strict=True)
    ]
    return plan.replaced(
        steps=[step for step, _ in pairs],
        targets=[target for _, target in pairs],
        problems=(*plan.problems, *problems),
    )


def _started(
    step: Step, target: Target, started: dict[int, tuple[Step, Target, str]]
) -> tuple[Step, Target]:
    found = next((f for s in target.slots if (f := started.get(id(s.tensor)))), None)
    tensor = target.writer.tensor
    if found is None or step.status in (WRITE, EMPTY) or tensor is None or not tensor.is_meta:
        return step, target
    inner, there, prefix = found
    new = replace(
        inner,
        names=step.names,
        seed_name=with_prefix(prefix, step.seed_name),
        kind=step.kind,
    )
    return new, Target(target.slots, there.writer, there.padded)
