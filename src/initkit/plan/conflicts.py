"""What can be wrong with one piece of memory: names disagree, or it cannot be written."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..distributions import Distribution, Rows, told_apart
from ..errors import Correction, Problem, TensorProblem, TieConflict
from ..model import Slot, is_sharded, placement_problem, writing_problem
from ..ties import TieGroup, self_overlapping
from ..wording import Entry
from .dtypes import dtype_problem
from .matching import RuleTable
from .own_lines import IN_FRONT, InFront, as_in_file, own_line
from .resolve import Choice
from .startable import taken_by


def winner(
    choices: Sequence[Choice], live: Sequence[Slot], group: TieGroup | None, first_wins: bool
) -> tuple[Choice | None, TieConflict | None]:
    """Return the choice that speaks for a whole piece of memory, or the conflict of its names.

    Where all want the same there is none; where they differ, a rule that names one of them
    literally speaks for all.
    """
    if len(choices) < 2 and (group is None or group.kind != "overlap"):
        return (choices[0] if choices else None), None
    if not choices:
        return None, None
    # Names come in the model's order, and rules decide in theirs.
    first = min(choices, key=lambda choice: choice.place)
    if group is not None and group.kind == "overlap":
        # Overlaps are written as one, so a member without a rule would lose a part of its values.
        covered = {id(choice.slot) for choice in choices}
        if not all(id(slot) in covered for slot in live):
            return first, _partly(group, choices)
    # One distribution in two geometries is two wishes, where the place or the fans matter.
    agree = all(choice.agrees(first) for choice in choices) and not _reshaped(group, choices)
    if agree or first_wins:
        return _for_the_writer(first, choices, group), None
    literal = [choice for choice in choices if choice.clause.matcher.literal]
    if literal and all(choice.agrees(literal[0]) for choice in literal):
        return min(literal, key=lambda choice: choice.place), None
    return first, _conflict(group, choices, live)


def overruled(chosen: Choice | None, choices: Sequence[Choice]) -> str:
    """Return what other names of a memory would have, had their rules spoken for it; or nothing."""
    if chosen is None:
        return ""
    lost = dict.fromkeys(str(choice) for choice in choices if not choice.agrees(chosen))
    return "; ".join(f"overrules {text}" for text in lost)


def _for_the_writer(chosen: Choice, choices: Sequence[Choice], group: TieGroup | None) -> Choice:
    """Return what the chosen rule comes to for the overlap that holds the others, if it took that.

    Its values may depend on the place, and the memory is written through that one.
    """
    if group is None or group.kind != "overlap":
        return chosen
    same = (c for c in choices if c.clause is chosen.clause and c.slot is group.writer)
    return next(same, chosen)


def writer_for(chosen: Choice, group: TieGroup | None) -> tuple[Slot | None, TieConflict | None]:
    """Return the slot through which a choice is written, or why no slot will do.

    Numbers go by the canonical name's order of elements. Only where the place of an element decides
    about it (an identity, blocks, what is drawn as a whole) must it be the geometry that was meant:
    a view is then written through the name that the rule took.
    """
    writer = group.writer if group is not None else None
    meant = chosen.distribution
    if group is None or writer is None or meant is None or not meant.shape_matters:
        return writer, None
    if group.same_geometry(chosen.slot):
        return writer, None
    if group.kind == "view":
        return chosen.slot, None
    if not any(writer is slot for slot in group.slots):
        return writer, None  # made up over all: refused as what cannot be written once
    return writer, TieConflict(
        f"{' and '.join(group)} overlap in memory, which is written through {writer.name}, and "
        f"{chosen.name} wants {meant}, whose values depend on the place; give that rule to "
        f"{writer.name}",
        names=list(group),
    )


def show_settled(
    conflict: TieConflict, choices: Sequence[Choice], table: RuleTable, slots: Sequence[Slot]
) -> TieConflict:
    """Let a conflict show the line of the first rule, made to speak for the whole memory.

    It names one of the names literally: in place of its key where that takes nothing else, since
    the rule would be left nothing, and else before all rules.
    """
    first = min(choices, key=lambda choice: choice.place)
    entry = own_line(first.clause)
    if entry is None or any(choice.clause.matcher.literal for choice in choices):
        return conflict
    literal = Entry((first.name,), entry.value)
    taken = {slot.name for slot in taken_by(first.place, table, slots)}
    alone = taken <= {*conflict.names}
    conflict.shown = Correction(
        entry, literal if alone else InFront(literal), behind="" if alone else IN_FRONT
    )
    return as_in_file(conflict, first.clause)


def _geometry(slot: Slot) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(slot.shape), _strides(slot)


def _reshaped(group: TieGroup | None, choices: Sequence[Choice]) -> bool:
    """Whether views of other geometry get a distribution that depends on the geometry."""
    if group is None or group.kind != "view":
        return False
    # Strides count: a square matrix and its transpose have one shape and other elements.
    geometries = {_geometry(c.slot) for c in choices}
    return len(geometries) > 1 and any(
        (c.distribution is not None and c.distribution.shape_matters) or c.fans is not None
        for c in choices
    )


def _strides(slot: Slot) -> tuple[int, ...]:
    return tuple(slot.tensor.stride()) if slot.tensor is not None else ()


def _conflict(
    group: TieGroup | None, choices: Sequence[Choice], live: Sequence[Slot]
) -> TieConflict:
    names = [path for slot in live for path in slot.paths]
    kind = group.kind if group else "module"
    different = {(choice.keeps, choice.distribution): choice for choice in choices}
    starts = told_apart(lambda: [choice.start for choice in different.values()])
    told = dict(zip(different, starts, strict=True))
    wants = "\n".join(f"  {c.told(told[c.keeps, c.distribution])}" for c in choices)
    if any(choice.clause.matcher.literal for choice in choices):
        remedy = "leave one of the rules that name them literally"
    else:
        remedy = "name one of them literally"
    return TieConflict(
        f"{' and '.join(names[:4])} share memory ({kind}) and rules want different values:\n"
        f"{wants}\n{remedy}, or pass on_tie_conflict='first'",
        names=names,
    )


def _partly(group: TieGroup, choices: Sequence[Choice]) -> TieConflict:
    missing = [name for name in group if name not in {c.name for c in choices}]
    return TieConflict(
        f"{' and '.join(group)} overlap in memory, and no rule covers {', '.join(missing)}; give "
        "all of them one rule, or none",
        names=list(group),
    )


def memory_problems(
    names: Sequence[str],
    live: Sequence[Slot],
    group: TieGroup | None,
    choice: Choice,
    choices: Sequence[Choice],
) -> list[Problem]:
    """Return why the memory cannot hold what the rule wants.

    The distribution is for what is written and for what a rule speaks of: a view in another dtype
    that no rule matches has no say.
    """
    distribution = choice.distribution
    if distribution is None:
        return []
    # Ids will do: choices and group hold their slots.
    asked = {id(each.slot) for each in choices} | ({id(group.writer)} if group else set())
    texts: dict[str, str] = {}
    for slot in live:
        if text := memory_problem(slot, distribution) if id(slot) in asked else place_problem(slot):
            texts.setdefault(text, slot.name)
    if group is not None and group.kind in ("view", "overlap") and isinstance(distribution, Rows):
        texts["rows of memory that others see in another shape cannot be told apart"] = names[0]
    elif group is not None and not _writable(group, distribution):
        what = "its members overlap and none holds the others, so it cannot be written once"
        texts[what] = names[0]
    rule = choice.clause.label
    return [
        TensorProblem(f"{name}: {text} (rule {rule!r})", names=names, rule=rule)
        for text, name in texts.items()
    ]


def _writable(group: TieGroup, distribution: Distribution) -> bool:
    """Whether one write does; a slot made up over overlaps is flat, and has no rows or columns."""
    writer = group.writer
    if writer is None:
        return False
    made_up = writer.computed is None and not any(writer is slot for slot in group.slots)
    return not distribution.shape_matters or not made_up


def memory_problem(slot: Slot, distribution: Distribution) -> str:
    """Return why this memory cannot hold the distribution, or nothing."""
    assert slot.tensor is not None
    if slot.computed is not None and isinstance(distribution, Rows):
        return (
            "it is computed from other tensors, which no row of it has to itself; write all of it"
        )
    return place_problem(slot) or dtype_problem(slot.tensor.dtype, distribution)


def place_problem(slot: Slot) -> str:
    """Return why this memory cannot be written, whatever the distribution, or nothing."""
    tensor = slot.tensor
    assert tensor is not None
    if slot.computed is not None:
        if any(is_sharded(raw) for raw in slot.computed.raw):
            return "it is computed from sharded tensors; initialise it before sharding"
        if slot.computed.refusal:
            return f"{slot.computed.refusal}; {_way_round(slot)}"
    # A plain parameter with elements is neither lazy, sharded nor a placeholder: no need to ask.
    if (type(tensor) is not nn.Parameter or not tensor.numel()) and (
        text := placement_problem(tensor)
    ):
        return text
    if tensor.layout is not torch.strided:
        return f"it is stored as {tensor.layout}, which has no element for every index"
    if text := writing_problem(tensor):
        return text
    # What is contiguous has one place for each element; the search is for the rest.
    if not tensor.is_contiguous() and self_overlapping(tensor):
        return "it is expanded: several of its elements share one place in memory; .clone() it"
    return ""


def _way_round(slot: Slot) -> str:
    """Return how a weight that cannot be written is started, or left."""
    raw = f"{slot.name.removesuffix(slot.key)}parametrizations.{slot.key}.original"
    return f"start {raw!r}, from which it is computed, or write 'keep'"
