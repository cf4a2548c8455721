"""Rules that decorated classes recorded while they were built without values, planned at last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from ..distributions import Copy
from ..errors import Problem, TensorProblem
from ..model import WRAPPERS, ModelView
from ..plan import (
    DEFAULTS,
    EMPTY,
    UNEXPLAINED,
    WRITE,
    DecoratorOptions,
    Plan,
    Step,
    Target,
    bind_view,
    copied,
    plan_view,
)
from ..rules import Rules
from .seeds import with_prefix

if TYPE_CHECKING:
    from .report import Report

PENDING = "_initkit_pending"  # of a module: the rules that were recorded
PLAN = "_initkit_recorded"  # of a module: the plan that its code carried out
init_reports: WeakKeyDictionary[nn.Module, Report] = WeakKeyDictionary()
"""What was done to the instances of decorated classes; it keeps none of them alive."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Rules that wait on a module, and whether it had no parameters when they were recorded."""

    module: nn.Module
    rules: Rules
    options: DecoratorOptions
    bare: bool


def leave_plan(module: nn.Module, plan: Plan) -> None:
    """Leave a module that holds no values yet the plan that its own code carried out."""
    module.__dict__[PLAN] = plan


def with_recorded_plans(plan: Plan, view: ModelView) -> Plan:
    """Let the plans that modules' own code carried out start what holds no values yet."""
    if view.root is None:
        return plan
    for path, module in view.root.named_modules():
        if PLAN in vars(module):
            plan = _laid_over(plan, _bound(vars(module)[PLAN], view, path))
    return plan


def _bound(recorded: Plan, view: ModelView, path: str) -> Plan:
    """Return a module's plan as a part of the whole model's, whose names decide numbers."""
    inside = ".".join(part for part in path.split(".") if part and part not in WRAPPERS)
    if not inside:
        return bind_view(recorded, view)
    head = f"{inside}."
    bound = bind_view(
        recorded, view, lambda name: name.removeprefix(head) if name.startswith(head) else None
    )
    return bound.replaced(steps=[_under(step, head) for step in bound.steps])


def _under(step: Step, head: str) -> Step:
    start = step.distribution
    if isinstance(start, Copy):
        start = replace(start, parameter=head + start.parameter, name=head + start.name)
    return replace(step, seed_name=head + step.seed_name, distribution=start)


def _laid_over(plan: Plan, bound: Plan) -> Plan:
    """Let a bound plan start what it knows, and name what it could not explain."""
    known = {id(target.writer.tensor): (step, target) for step, target in bound.pairs}
    pairs = [
        known.get(id(target.writer.tensor), (step, target))
        if target.writer.tensor is not None and target.writer.tensor.is_meta
        else (step, target)
        for step, target in plan.pairs
    ]
    problems = [
        TensorProblem(
            f"{step.name} {list(step.shape)}: its own code draws what no distribution explains "
            f"({step.note}); start it by rules, with apply_init",
            names=step.names,
        )
        for step, _ in pairs
        if step.status == UNEXPLAINED
    ]
    return plan.replaced(
        steps=[step for step, _ in pairs],
        targets=[target for _, target in pairs],
        problems=(*plan.problems, *problems),
        whole=bound.whole if len(bound.steps) == len(pairs) else "",
    )


def record_rules(
    module: nn.Module, rules: Rules, options: DecoratorOptions, *, bare: bool = False
) -> None:
    """Remember on a module that holds no values yet how it is to start.

    ``bare`` says that it has no parameters yet: whatever it is given is started, with values or
    without.
    """
    module.__dict__[PENDING] = (rules, options, bare)


def recorded(view: ModelView) -> list[Recorded]:
    """Return the rules wherever some were recorded, inner modules first."""
    if view.root is None or not any(PENDING in vars(module) for module in view.modules):
        return []
    found = [
        (path, Recorded(module, *vars(module)[PENDING]))
        for path, module in view.root.named_modules()
        if PENDING in vars(module)
    ]
    # By depth, the root last: what a module around others says replaces what they say, as it would
    # had each been written when its constructor ended.
    found.sort(key=lambda one: -one[0].count(".") - bool(one[0]))
    return [entry for _, entry in found]


def settle_recorded_rules(view: ModelView, report: Report, *, forget: bool = True) -> None:
    """Give the instances whose rules were carried out their report, and forget the rules."""
    if forget and view.root is not None:
        for inner in view.modules:
            vars(inner).pop(PLAN, None)
    for waiting in recorded(view):
        init_reports[waiting.module] = report
        if forget:
            del vars(waiting.module)[PENDING]


def with_recorded_rules(plan: Plan, view: ModelView) -> Plan:
    """Let recorded rules start what the plan leaves as it is, and what no constructor started."""
    started: dict[int, tuple[Step, Target, str]] = {}
    sources: dict[int, Tensor] = {}  # of what is copied, by the id of its copy
    problems: list[Problem] = []
    for waiting in recorded(view):
        options = waiting.options
        inner = plan_view(ModelView(waiting.module), waiting.rules, {**DEFAULTS, **options})
        problems += inner.problems
        for step, target in inner.pairs:
            tensor = target.writer.tensor
            # Of a constructor that made its layers, what has values has those it should have.
            if step.status in (WRITE, EMPTY) and (waiting.bare or _is_empty(tensor)):
                # The target in the value keeps the tensor alive, so its id stays its own.
                started[id(tensor)] = step, target, options.get("prefix", "")
                if tensor is not None and (source := _source(step, inner)) is not None:
                    sources[id(tensor)] = source
    if not started and not problems:
        return plan
    pairs = list(_copied([_started(step, target, started) for step, target in plan.pairs], sources))
    return plan.replaced(
        steps=[step for step, _ in pairs],
        targets=[target for _, target in pairs],
        problems=(*plan.problems, *problems),
    )


def _is_empty(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.is_meta


def _source(step: Step, inner: Plan) -> Tensor | None:
    """Return the memory of which a step is a copy, if it is one."""
    copy = step.distribution.copy if step.distribution is not None else None
    if copy is None:
        return None
    name = copy.parameter
    return next((t.writer.tensor for s, t in inner.pairs if name in s.names), None)


def _copied(
    pairs: Sequence[tuple[Step, Target]], sources: Mapping[int, Tensor]
) -> Iterator[tuple[Step, Target]]:
    """Lead the copies of recorded rules to their sources as the whole model starts them."""
    by_memory = {id(target.writer.tensor): step for step, target in pairs}
    for step, target in pairs:
        source = sources.get(id(target.writer.tensor))
        if source is not None:  # it is a copy, or made of one
            step = copied(step, by_memory[id(source)])
        yield step, target


def _started(
    step: Step, target: Target, started: dict[int, tuple[Step, Target, str]]
) -> tuple[Step, Target]:
    found = next((f for s in target.slots if (f := started.get(id(s.tensor)))), None)
    if found is None or step.status in (WRITE, EMPTY):
        return step, target
    inner, there, prefix = found
    new = replace(
        inner,
        names=step.names,
        # under the name in the whole model: two copies of a module start differently
        seed_name=with_prefix(prefix, step.seed_name),
        tie_kind=step.tie_kind,
    )
    return new, Target(target.slots, there.writer, there.padded)
