"""A place where a table names a recipe, and what a model must have there for the recipe to fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..wording import Entry
from .base import Matcher
from .keys import read_key
from .recipe import Recipe

_NOWHERE = Entry((), "")


@dataclass(frozen=True, eq=False)  # two places stay two, though they name one recipe
class Mention:
    """One place where a table names a recipe: one of its rules must win there.

    ``marks`` are the recipe's, as matchers relative to that place. With ``insist`` the user wants
    the recipe though none of them is found. ``path`` is the scope that it stands in, or "", and
    ``entry`` the line.
    """

    recipe: Recipe
    marks: tuple[Matcher, ...] = ()
    path: str = ""
    entry: Entry = _NOWHERE

    @classmethod
    def of(cls, recipe: Recipe, written: str = "") -> Mention:
        """Return the mention of a recipe at the top of a table, as a text that names it if any."""
        entry = Entry((), written or recipe.label)
        return cls(recipe, tuple(map(read_key, recipe.marks)), entry=entry)

    @property
    def insist(self) -> bool:
        """Whether the user applies the recipe to what it is not for."""
        return dict(self.recipe.given).get("insist") is True

    def judged(self, by_type: bool) -> list[int]:
        """Return the places of the marks that can be looked for: a state_dict has no types."""
        return [place for place, mark in enumerate(self.marks) if by_type or not mark.typed]

    def within(self, key: object, around: Callable[[Matcher], Matcher]) -> Mention:
        """Return the mention as it stands under a key, which is a scope."""
        path = str(read_key(key))
        return replace(
            self,
            marks=tuple(map(around, self.marks)),
            path=f"{path}.{self.path}" if self.path else path,
            entry=self.entry.under(key),
        )
