"""Conditions of one rule: a predicate of the user's, and several of which all must be met."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..errors import RuleError
from ..model import Slot
from ..numbers import frozen
from .base import Matcher
from .landmarks import Landmark


@frozen
class Where(Matcher):
    """A user's predicate on the slot (``.name .key .owner .tensor``)."""

    predicate: Callable[[Slot], object]
    joiner = " if "

    def matches(self, slot: Slot, name: str) -> bool:
        if slot.literal or slot.tensor is None:  # a predicate may count on a tensor and its shape
            return False
        try:
            return bool(self.predicate(slot))
        except Exception as error:
            message = f"the rule's where={self} failed on {slot.name}: {error!r}"
            raise RuleError(message) from error

    def __str__(self) -> str:
        return getattr(self.predicate, "__name__", repr(self.predicate))


@frozen
class All(Matcher):
    """Every one of several matchers takes the slot."""

    parts: tuple[Matcher, ...]

    @property
    def literal(self) -> bool:
        return any(part.literal for part in self.parts)

    @property
    def typed(self) -> bool:
        return any(part.typed for part in self.parts)

    @property
    def landmark(self) -> Landmark:
        return Landmark.of_all([part.landmark for part in self.parts])

    @property
    def by_owner(self) -> bool:
        return any(part.by_owner for part in self.parts)

    @property
    def generic(self) -> bool:
        return all(part.generic for part in self.parts)

    @property
    def members(self) -> int:
        return max(part.members for part in self.parts)

    def member(self, slot: Slot, name: str) -> int:
        return max(part.member(slot, name) for part in self.parts)

    def group(self, slot: Slot, name: str) -> tuple[str, ...]:
        return tuple(text for part in self.parts for text in part.group(slot, name))

    def matches(self, slot: Slot, name: str) -> bool:
        return all(part.matches(slot, name) for part in self.parts)

    def to_the_letter(self, names: Collection[str]) -> Matcher:
        return All(tuple(part.to_the_letter(names) for part in self.parts))

    def stars(self, slot: Slot, name: str) -> tuple[str, ...]:
        return tuple(star for part in self.parts for star in part.stars(slot, name))

    def __str__(self) -> str:
        first, *others = self.parts
        return str(first) + "".join(f"{part.joiner}{part}" for part in others)
