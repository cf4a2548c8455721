"""Several names under one key, ``"*.{q,k}_proj.weight"``: each starts so, or all of them as one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property

from ..model import Slot
from ..numbers import frozen
from .base import Matcher
from .globs import BRACES, braced_words, spelt_out
from .landmarks import Landmark, glob_landmark
from .matchers import Name, ParameterOf, Scope, Type


@frozen
class Alternatives(Matcher):
    """The names that a glob with braces stands for, in the order that the braces have them.

    ``{0..3}`` are the numbers from the first to the last, as plans print them. With a ``kind`` they
    are what the modules of a class call their own parameters.
    """

    glob: str
    kind: Type | None = None

    @classmethod
    def in_glob(cls, text: str) -> bool:
        """Tell whether a glob has braces with several names in them."""
        return BRACES.search(text) is not None

    @staticmethod
    def braces(text: str) -> list[tuple[int, int, list[str]]]:
        """Return where the braces of a glob begin and end, and the words in them.

        >>> Alternatives.braces("h.{0..2}.{q,k}")
        [(2, 8, ['0', '1', '2']), (9, 14, ['q', 'k'])]
        """
        return [(*found.span(), braced_words(found[1])) for found in BRACES.finditer(text)]

    @cached_property
    def names(self) -> tuple[Matcher, ...]:
        """The matchers of the globs without braces."""
        if self.kind is None:
            return tuple(map(Name, self.globs))
        return tuple(ParameterOf(self.kind, glob) for glob in self.globs)

    @property
    def globs(self) -> list[str]:
        """The globs without braces, one for each combination."""
        return list(spelt_out(self.glob))

    def around(self, inner: Matcher) -> Matcher | None:
        return Scope(self.glob, inner) if self.kind is None else None

    @property
    def members(self) -> int:
        return len(self.names)

    @property
    def literal(self) -> bool:
        return all(name.literal for name in self.names)

    @property
    def landmark(self) -> Landmark:
        found = glob_landmark(BRACES.sub("*", self.glob))  # which takes all of them, and more
        return found if self.kind is None else found.ending()

    @property
    def typed(self) -> bool:
        return self.kind is not None

    @property
    def by_owner(self) -> bool:
        return self.kind is not None

    @property
    def generic(self) -> bool:
        return all(name.generic for name in self.names)

    def member(self, slot: Slot, name: str) -> int:
        return next((i for i, one in enumerate(self.names) if one.matches(slot, name)), 0)

    def matches(self, slot: Slot, name: str) -> bool:
        return any(one.matches(slot, name) for one in self.names)

    def stars(self, slot: Slot, name: str) -> tuple[str, ...]:
        return self.names[self.member(slot, name)].stars(slot, name)

    def group(self, slot: Slot, name: str) -> tuple[str, ...]:
        path = () if self.kind is None else (name.rpartition(".")[0],)
        return (*path, *self.stars(slot, name))

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        return next(filter(None, (name.hint(slots, scope) for name in self.names)), "")

    def to_the_letter(self, names: Collection[str]) -> Matcher:
        spelled = self.kind is None and self.glob in names
        return Name(self.glob, verbatim=True) if spelled else self

    def spell(self) -> str:
        return self.glob if self.kind is None else super().spell()

    def __str__(self) -> str:
        return self.glob if self.kind is None else f"{self.kind}.{self.glob}"
