"""A plan as facts: which name, of a module of which type, starts how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from .. import schemes
from ..distributions import Copy, Distribution
from ..errors import TargetError
from ..model import ModelView, Slot
from ..plan import UNCOVERED, Plan, SiteReader, Step, Target, slot_info
from ..schemes import Scheme, Site
from .generalize_schemes import resolved, same

Kind: TypeAlias = "tuple[str, str]"
"""The name of a module type, and what it calls its own parameter."""

KEEP = schemes.Keep()


@dataclass(eq=False, slots=True)
class Fact:
    """One name of a parameter in one of the plans, and how that starts.

    ``wanted`` is None where it keeps its value, ``row`` whether its padding row ends zero (None
    without one). ``literal`` names are met by themselves alone; ``ruled`` ones by some rule.
    """

    plan: int
    name: str
    slot: Slot
    site: Site
    wanted: Distribution | None
    scheme: str
    row: bool | None
    literal: bool
    ruled: bool

    @property
    def kind(self) -> Kind:
        """Whose parameter it is; a state_dict has no types."""
        return self.site.owner, self.slot.key

    @property
    def bases(self) -> frozenset[str]:
        """The names of its module's class and of that one's bases."""
        return frozenset(cls.__name__ for cls in type(self.slot.owner).__mro__)


@dataclass(frozen=True)
class Start:
    """How the facts of one rule start: the scheme, and whether the padding row ends zero."""

    scheme: Scheme
    padding: bool = True

    def covers(self, fact: Fact, exactly: bool = False) -> bool:
        """Whether a fact is what this says, ``exactly`` or but for the last bits."""
        if fact.wanted is None or isinstance(self.scheme, schemes.Keep):
            return fact.wanted is None and isinstance(self.scheme, schemes.Keep)
        if fact.row is not None and fact.row is not self.padding:
            return False
        found = resolved(self.scheme, fact.site)
        return found == fact.wanted if exactly else same(found, fact.wanted)


def facts_of(number: int, plan: Plan) -> Iterator[Fact]:
    """Yield a fact for each name of each parameter of a plan, the ``number``-th of several."""
    plan.check()
    if plan.steps and not plan.targets:
        raise TargetError(
            "a plan that was read from a file does not say which module a parameter belongs to; "
            "plan a model, and take the recipe of that plan"
        )
    reader = SiteReader(_view(plan))
    for step, target in plan.pairs:
        row = _row(step, target)
        viewed = step.tie_kind in ("view", "overlap")
        for slot in target.slots:
            if viewed and step.name not in slot.paths:
                continue  # written through another name, which speaks for this one
            site = reader.site(slot, slot.name, slot_info(slot))
            for path in slot.paths:
                literal = viewed or slot.literal
                wanted = step.distribution
                ruled = step.status != UNCOVERED
                yield Fact(number, path, slot, site, wanted, step.scheme, row, literal, ruled)


def _view(plan: Plan) -> ModelView:
    slots = [slot for target in plan.targets for slot in target.slots]
    if slots and slots[0].lineage:
        return ModelView(slots[0].lineage[0])
    return ModelView({slot.name: slot.tensor for slot in slots})


def _row(step: Step, target: Target) -> bool | None:
    """Return whether the padding row ends zero, None where there is none."""
    if step.distribution is None or isinstance(step.distribution, Copy):  # as its source's does
        return None
    known = (slot_info(slot) for slot in target.slots if slot.owner is not None)
    has_row = any(info is not None and info.padding is not None for info in known)
    return step.padding is not None if has_row else None
