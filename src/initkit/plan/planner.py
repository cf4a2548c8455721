"""Decide how every parameter starts: the first rule that matches wins; all problems are gathered.

Nothing here reads or writes a tensor's values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from torch import Tensor
from torch.nn.parameter import is_lazy

from ..errors import (
    InitkitError,
    Problem,
    SchemeMismatch,
    TensorProblem,
    TieConflict,
    UncoveredParameter,
)
from ..model import Model, ModelView, Slot, layout_row, parameter_info, shape_problem
from ..numbers import Fans, module_fans, no_collecting, tensor_fans
from ..rules import Clause, Table, read_rules
from ..ties import TieGroup, plainly_untied, tie_slots
from .conflicts import memory_problem, memory_problems, place_problem, winner, writer_for
from .options import DEFAULTS, InitOptions, PlanOptions, takes
from .plan import Plan
from .resolve import Choice, Chooser, slot_info
from .selection import listed_buffers, read_selection, select
from .step import EMPTY, KEEP, UNCOVERED, WRITE, Step, Target
from .unused import types_in_state_dict, unused_rules


@takes(PlanOptions)
def plan_init(model: Model, rules: Table, **options: Unpack[PlanOptions]) -> Plan:
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


def plan_view(view: ModelView, rules: Table, settings: InitOptions) -> Plan:
    """Plan a model that is walked already."""
    wanted = read_selection("only", settings["only"])
    guarded = read_selection("protect", settings["protect"])
    clauses = read_rules(rules)
    with no_collecting():  # of many parameters half the time went there
        chooser = Chooser(view, clauses)
        planner = _Planner(chooser, view.slots, settings)
        steps, targets = planner.decide()
    problems = planner.problems
    if view.root is None:
        problems += types_in_state_dict(clauses)
    steps, wrong = select(steps, targets, view.slots, wanted, guarded)
    problems += wrong
    unused = unused_rules(chooser, planner.decided, view.slots, settings)
    if settings["idle"] == "error":
        problems += unused
    if settings["strict"]:
        problems += _uncovered(steps)
    return Plan(
        steps,
        _that_matter(problems, steps),
        title=f"{view.title} by {rules}" if isinstance(rules, str) else view.title,
        idle=[str(p) for p in unused] if settings["idle"] == "ignore" else (),
        rules=[str(clause) for clause in clauses],
        targets=targets,
        notes=() if settings["buffers"] else listed_buffers(view.slots, wanted),
    )


def _that_matter(problems: Sequence[Problem], steps: Sequence[Step]) -> list[Problem]:
    """Leave out problems of tensors that are not selected, or that nothing wants to write."""
    if not problems:
        return []
    written = {name for s in steps if s.status in (WRITE, EMPTY) for name in s.names}
    decided = written.union(*(s.names for s in steps if s.status == KEEP))  # a name may want more
    live = {SchemeMismatch: written, TensorProblem: written, TieConflict: decided}
    return [
        p
        for p in problems
        if not p.names or not live.get(type(p), set(p.names)).isdisjoint(p.names)
    ]


class _Planner:
    """Make one step per piece of memory; gather the problems."""

    def __init__(self, chooser: Chooser, slots: Sequence[Slot], settings: InitOptions) -> None:
        self.chooser, self.slots = chooser, slots
        self.first_wins = settings["on_tie_conflict"] == "first"
        self.buffers = settings["buffers"]
        self.untied = plainly_untied(slots)
        self.problems: list[Problem] = []
        self.decided: set[int] = set()  # places of the clauses that decided about some name
        self._like: dict[tuple[object, ...], tuple[Step, object]] = {}

    def decide(self) -> tuple[list[Step], list[Target]]:
        """Return one step per piece of memory, in registration order, and its memory."""
        groups = [] if self.untied else tie_slots(self.slots)
        group_of = {id(slot): group for group in groups for slot in group.slots}
        steps: list[Step] = []
        targets: list[Target] = []
        done: set[int] = set()
        for slot in self.slots:
            group = group_of.get(id(slot))
            if group is not None:
                if id(group) in done:
                    continue
                done.add(id(group))
            made = self._alone(slot) if group is None else self._made(tuple(group.slots), group)
            if made is not None:
                steps.append(made[0])
                targets.append(made[1])
        self.problems += _same_names(steps)
        if any(slot.literal for slot in self.slots):
            return self._without_written_twice(steps, targets)
        return steps, targets

    def _without_written_twice(
        self, steps: list[Step], targets: list[Target]
    ) -> tuple[list[Step], list[Target]]:
        """Leave out computed weights whose raw tensors (weight_orig) have rules of their own.

        Those can only be named literally, so they speak, unless the weight is named so, too.
        """
        pairs = list(zip(steps, targets, strict=True))
        raw = {id(t.writer.tensor): s for s, t in pairs if t.writer.literal}
        left = []
        for step, target in pairs:
            computed = target.writer.computed
            own = (
                next((raw[id(r)] for r in computed.raw if id(r) in raw), None) if computed else None
            )
            if own is None:
                left.append((step, target))
            elif step.rule in step.names:
                self.problems.append(
                    TieConflict(
                        f"{step.name} is computed from {own.name}, and rules name both: "
                        f"{step.name}: {step.start}, {own.name}: {own.start}; keep one of them",
                        names=[step.name, own.name],
                    )
                )
        return [step for step, _ in left], [target for _, target in left]

    def _alone(self, slot: Slot) -> tuple[Step, Target] | None:
        """Return the step of a tensor that nothing is tied to: what nearly all are, so be quick."""
        tensor = slot.tensor
        if tensor is None or slot.kind == "buffer" or (not self.untied and shape_problem(tensor)):
            return self._made((slot,), None)
        order = self.chooser.first(slot, slot.name, slot.canonicals[0])
        if order is not None:
            self.decided.add(order)
        made = None if order is None else self._like_another(slot, tensor, order)
        return self._made((slot,), None) if made is None else made

    def _like_another(self, slot: Slot, tensor: Tensor, order: int) -> tuple[Step, Target] | None:
        """Return a step that takes all but its names from an earlier slot, where one was alike."""
        shape, owner, known = tensor.shape, slot.owner, None
        row, fixed = layout_row(owner, slot.key)
        if not self.chooser.same_everywhere(order) or (len(shape) > 1 and not fixed):
            known = slot_info(slot)
        own = id(row), id(known)
        kind = (order, type(owner), own, shape, tensor.dtype, tensor.requires_grad)
        like = self._like.get(kind) if slot.computed is None else None
        if like is not None:
            step = like[0].renamed(slot.paths, slot.canonicals[0])
            if not self.untied and (text := place_problem(slot)):
                self._refuse(step, text)
            return step, Target((slot,), slot, None if step.padding is None else slot)
        chosen = self.chooser.choice(slot, slot.name, order)
        if chosen.distribution is None:
            return None
        step, target = _written((slot,), slot, chosen, None)
        if text := memory_problem(slot, chosen.distribution):
            self._refuse(step, text)
        elif self.chooser.same_by_kind(order) and slot.computed is None:
            self._like[kind] = step, known  # which must live for its id to be kept
        return step, target

    def _refuse(self, step: Step, text: str) -> None:
        text = f"{step.name}: {text} (rule {step.rule!r})"
        self.problems.append(TensorProblem(text, names=step.names, rule=step.rule))

    def _made(self, slots: tuple[Slot, ...], group: TieGroup | None) -> tuple[Step, Target] | None:
        """Return the step of one piece of memory; None where nothing is there to start."""
        held = tuple(s for s in slots if s.tensor is not None)
        live = [s for s in held if s.kind != "buffer" or self.buffers]
        if not held:  # registered as None: rules may match it, and are not idle then
            self.decided.update(
                order
                for slot in slots
                if slot.kind != "buffer" or self.buffers
                if (order := self.chooser.first(slot, slot.name, slot.canonicals[0])) is not None
            )
        if not live:
            return None
        without = (why for s in live if s.tensor is not None and (why := shape_problem(s.tensor)))
        if why := next(without, ""):
            return self._shapeless(held, live, why)
        choices = [c for slot in live for c in self.chooser.choices(slot)]
        self.decided.update(choice.order for choice in choices)
        if not choices and all(s.literal for s in live):
            return None  # it stands behind a computed weight, which has a step of its own
        chosen, conflict = winner(choices, live, group, self.first_wins)
        if conflict is not None:
            self.problems.append(conflict)
        elif chosen is not None and chosen.error is not None:
            self.problems.append(chosen.error)
        if chosen is None or chosen.keeps:
            return _left(held, live[0], chosen, group)
        writer, misplaced = writer_for(chosen, group)
        if conflict is None and misplaced is not None:
            self.problems.append(misplaced)
        step, target = _written(held, writer or live[0], chosen, group)
        self.problems += memory_problems(step.names, live, group, chosen, choices)
        return step, target

    def _shapeless(
        self, held: tuple[Slot, ...], live: Sequence[Slot], why: str
    ) -> tuple[Step, Target]:
        """Return the step of a tensor without its shape: only keeping it is no problem."""
        orders = [self.chooser.first(s, s.name, s.canonicals[0]) for s in live]
        self.decided.update(order for order in orders if order is not None)
        rules = [self.chooser.clauses[order] for order in orders if order is not None]
        status = UNCOVERED if not rules else KEEP if rules[0].keeps else WRITE
        names = tuple(path for slot in held for path in slot.paths)
        if status == WRITE:
            shown = rules[0].label
            problem = TensorProblem(f"{names[0]}: {why} (rule {shown!r})", names=names, rule=shown)
            self.problems.append(problem)
        tensor: Any = held[0].tensor
        lazy = is_lazy(tensor)
        shape, note = ((), "lazy") if lazy else (tuple(tensor.shape), "placeholder")
        step = Step(names, live[0].canonicals[0], shape, tensor.dtype, status, note=note)
        return step, Target(held, live[0])


def _left(
    held: tuple[Slot, ...], first: Slot, chosen: Choice | None, group: TieGroup | None
) -> tuple[Step, Target]:
    """Return the step of a tensor that keeps its value."""
    status = UNCOVERED if chosen is None else KEEP
    rule = "" if chosen is None else chosen.clause.label
    step = Step(
        *_head(held, first, group, status),
        rule=rule,
        frozen=_frozen(first),
        kind=group.kind if group is not None else "",
    )
    return step, Target(held, (group and group.writer) or first)


def _written(
    held: tuple[Slot, ...], writer: Slot, chosen: Choice, group: TieGroup | None
) -> tuple[Step, Target]:
    """Return the step of a tensor that a rule starts, to be written through one of its slots."""
    padding, padded = _padding(held, chosen.clause)
    names, seed_name, shape, dtype, _ = _head(held, writer, group, WRITE)
    clause = chosen.clause
    step = Step(
        names,
        seed_name,
        shape,
        dtype,
        EMPTY if 0 in shape else WRITE,
        chosen.distribution,
        clause.scheme_text,
        clause.label,
        _shown_fans(chosen) if len(shape) > 1 else None,
        chosen.fans_from,
        padding,
        _note(chosen, writer),
        _frozen(next((slot for slot in held if slot.kind != "buffer"), writer)),
        group.kind if group is not None else "",
    )
    return step, Target(held, writer, padded)


def _head(
    held: tuple[Slot, ...], slot: Slot, group: TieGroup | None, status: str
) -> tuple[tuple[str, ...], str, tuple[int, ...], Any, str]:
    """Return names, the name that numbers depend on, shape, dtype and status."""
    assert slot.tensor is not None
    dtype = slot.tensor.dtype
    if group is None:
        return slot.paths, slot.canonicals[0], tuple(slot.shape), dtype, status
    # A view's shape is that of the name it is written through, so that name goes first.
    first = [slot] if group.kind in ("view", "overlap") and slot in held else []
    names = tuple(dict.fromkeys(path for one in (*first, *held) for path in one.paths))
    parameters = [one for one in held if one.kind != "buffer"] or held
    smallest = min(name for one in parameters for name in one.canonicals)
    return names, smallest, tuple(slot.shape), dtype, status


def _frozen(slot: Slot) -> bool:
    assert slot.tensor is not None
    return slot.kind == "parameter" and not slot.tensor.requires_grad


def _same_names(steps: Sequence[Step]) -> list[Problem]:
    """Return a problem for each pair of targets that would get the same numbers."""
    seen: dict[str, Step] = {}
    return [
        TensorProblem(
            f"{other.name!r} and {step.name!r} have one canonical name, {step.seed_name!r}, and "
            "would get the same numbers; rename one of the modules",
            names=[other.name, step.name],
        )
        for step in steps
        if (other := seen.setdefault(step.seed_name, step)) is not step
        and step.status == WRITE == other.status
    ]


def _shown_fans(chosen: Choice) -> Fans | None:
    """Return the fans that the scheme took; those of the module where it asked for none."""
    slot, shape = chosen.slot, chosen.slot.shape
    if chosen.fans == "tensor":
        return tensor_fans(shape)
    known = parameter_info(slot.owner, slot.key, shape) if slot.owner is not None else None
    layout = chosen.clause.layout or (known.layout if known is not None else None)
    try:
        if layout is not None:
            return module_fans(shape, layout)
        return tensor_fans(shape) if len(shape) == 2 or chosen.slot.owner is None else None
    except InitkitError:
        return None


def _padding(slots: Sequence[Slot], clause: Clause) -> tuple[int | None, Slot | None]:
    """Return the padding row of the memory, and the slot whose row it is."""
    if clause.recipe is not None and not clause.recipe.padding:
        return None, None
    for slot in slots:
        if slot.owner is not None and slot.owner.__dict__.get("padding_idx") is not None:
            known = slot_info(slot)
            if known is not None and known.padding is not None:
                return known.padding, slot
    return None, None


def _note(chosen: Choice, writer: Slot) -> str:
    """Return what a reader should know of this step, or nothing."""
    distribution = chosen.distribution
    parts = [distribution.note()] if distribution is not None else []
    if chosen.fans is not None and chosen.fans_from != "module":
        parts.append(f"fans from the {chosen.fans_from}")
    if writer.computed is not None:
        parts.append(writer.computed.note)
    parts += [str(formula) for formula in chosen.clause.named_formulas]
    return "; ".join(part for part in parts if part)


def _uncovered(steps: Sequence[Step]) -> list[Problem]:
    return [
        UncoveredParameter(
            f"no rule covers {step.name} {list(step.shape)}; add one, or 'keep'", names=step.names
        )
        for step in steps
        if step.status == UNCOVERED
    ]
