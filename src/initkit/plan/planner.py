"""Decide how every parameter starts: the first rule that matches wins; all problems are gathered.

Nothing here reads or writes a tensor's values.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Unpack

from ..errors import (
    IdleRule,
    InitkitError,
    Problem,
    ReadError,
    RuleError,
    SchemeMismatch,
    TensorProblem,
    TieConflict,
    UncoveredParameter,
    UnregisteredParameter,
)
from ..model import Model, ModelView, fold_unregistered, name_unregistered
from ..numbers import no_collecting
from ..rules import Rules
from ..wording import Entry
from .braces import remark_idle_words
from .checkpoints import beside_the_model
from .copies import settle_copies
from .decide import decide
from .groups import settle_groups
from .marks import find_misfits
from .matching import RuleTable, adapter_slots, to_the_letter
from .options import DEFAULTS, InitOptions, PlanOptions, takes
from .overridden import remark_overridden
from .own_lines import with_own_lines, without_lines
from .pasted import read_for, selection_for
from .plan import Plan
from .resolve import Resolver
from .selection import listed_buffers, select
from .step import EMPTY, KEEP, UNCOVERED, WRITE, Step
from .unused import remark_absent, types_in_state_dict, unused_rules


@takes(PlanOptions)
def plan_init(model: Model, rules: Rules, **options: Unpack[PlanOptions]) -> Plan:
    """Decide how every parameter of ``model`` starts; write nothing.

    ``model`` is a module or a state_dict. Rules are read as :class:`initkit.Rule` says; the first
    that matches decides. The plan prints itself; ``.problems`` says what is wrong between rules and
    model, and applying raises it.

    Raises :class:`ReadError` for rules that cannot be read, :class:`TargetError` for what is no
    model.

    >>> from torch import nn
    >>> plan = plan_init(nn.Linear(3, 4), {"weight": "normal(std=0.01)", "bias": 0})
    >>> [(step.name, step.start) for step in plan]
    [('weight', 'N(0, 0.01)'), ('bias', 'constant 0')]
    """
    return plan_view(ModelView(model), rules, {**DEFAULTS, **options})


@no_collecting()  # of many parameters half the time went there
def plan_view(view: ModelView, rules: Rules, settings: InitOptions) -> Plan:
    """Plan a model that is walked already."""
    if isinstance(rules, Plan):
        raise RuleError("a plan holds decisions, not rules: plan.apply(model, seed=...) writes it")
    wanted = selection_for(view, "only", settings["only"])
    guarded = selection_for(view, "protect", settings["protect"])
    try:
        read = read_for(view, rules)
    except ReadError as error:
        raise _with_idle_lines(error, view, rules, settings) from None
    clauses = to_the_letter(read, view.slots)
    table = RuleTable(clauses, adapter_slots(view))
    resolver = Resolver(view, table)
    decided = decide(resolver, view.slots, settings)
    remarked = remark_overridden(resolver, decided.steps, decided.targets, view.slots)
    problems = list(decided.problems)
    if view.root is None:
        problems += types_in_state_dict(clauses)
    # After deciding: a rule for what `only` leaves out is not idle, and ties are known.
    steps, wrong = select(remarked, decided.targets, view, wanted, guarded)
    problems += wrong
    steps, wrong = settle_groups(steps, decided.targets, table)
    problems += wrong
    # After selecting: the values of a source that is not written here are not the plan's.
    steps, targets, wrong = settle_copies(steps, decided.targets)
    problems += wrong
    checkpoints = beside_the_model(clauses, view)
    unused = [*unused_rules(table, decided.used, view, settings), *checkpoints.problems]
    idle_words: list[str] = []  # of rules that are not idle themselves
    if settings["idle"] == "error":
        # First: what a rule for nothing should have taken, others took, and may not start.
        problems = [*unused, *problems]
        idle_words += remark_idle_words(clauses, decided.used, view.slots)
        idle_words += remark_absent(clauses, decided.absent)
    whole: InitOptions = {**settings, "only": None, "protect": None, "strict": False}
    replan = partial(plan_view, view, settings=whole)
    misfits = list(find_misfits(clauses, decided.used, steps, view, replan))
    problems += [misfit.problem for misfit in misfits if misfit.is_problem(settings["strict"])]
    remarks = [misfit.text for misfit in misfits if not misfit.is_problem(settings["strict"])]
    if settings["strict"]:
        problems += _uncovered(steps)
    missed = [found for found in view.unregistered if found.problem]
    beside = fold_unregistered(missed)
    if settings["strict"] and wanted is None:  # with `only`, strict looks no further
        problems += [UnregisteredParameter(line) for line in beside]
        beside = []
    return Plan(
        steps,
        with_own_lines(_that_matter(problems, steps), clauses),
        title=f"{view.title} by {rules}" if isinstance(rules, str) else view.title,
        idle=[p.sentence for p in unused] if settings["idle"] == "ignore" else (),
        rules=[str(clause) for clause in clauses],
        targets=targets,
        remarks=idle_words,
        notes=[
            *remarks,
            *checkpoints.notes,
            *([] if settings["buffers"] else listed_buffers(view.slots, wanted)),
            *beside,
            *name_unregistered(view.unregistered),
        ],
    )


def _with_idle_lines(
    error: ReadError, view: ModelView, rules: Rules, settings: InitOptions
) -> ReadError:
    """Return the error of lines that cannot be read, with those of others that decide nothing.

    Without the lines that cannot be read such a rule decides nothing, and with them no more.
    """
    unread = error.errors or (error,)
    keys = [one.entry.keys for one in unread if isinstance(one.entry, Entry) and one.entry.keys]
    if len(keys) < len(unread) or settings["idle"] != "error":
        return error
    whole: InitOptions = {**settings, "only": None, "protect": None, "strict": False}
    try:
        problems = plan_view(view, without_lines(rules, keys), whole).problems
    except InitkitError:  # what is left need not be rules
        return error
    idle = [problem for problem in problems if isinstance(problem, IdleRule)]
    if not idle:
        return error
    rules_are = "1 rule" if len(unread) == 1 else f"{len(unread)} rules"
    others = "1 other decides" if len(idle) == 1 else f"{len(idle)} others decide"
    both = RuleError(f"{rules_are} cannot be read, and {others} nothing")
    both.errors = (*unread, *idle)
    return both


def _that_matter(problems: Sequence[Problem], steps: Sequence[Step]) -> list[Problem]:
    """Leave out problems of tensors that are not selected, or that nothing wants to write."""
    if not problems:
        return []
    written = {name for s in steps if s.status in (WRITE, EMPTY) for name in s.names}
    decided = written.union(*(s.names for s in steps if s.status == KEEP))  # a name may want more
    # Problems of other types speak of rules or options, and matter whatever is written.
    live = {SchemeMismatch: written, TensorProblem: written, TieConflict: decided}
    return [
        p
        for p in problems
        if not p.names or not live.get(type(p), set(p.names)).isdisjoint(p.names)
    ]


def _uncovered(steps: Sequence[Step]) -> list[Problem]:
    return [
        UncoveredParameter(
            f"no rule covers {step.name} {list(step.shape)}; add one, or 'keep'", names=step.names
        )
        for step in steps
        if step.status == UNCOVERED
    ]
