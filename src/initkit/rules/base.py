"""What every matcher is: a frozen predicate on slots, which a key of a rule table may spell."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import ClassVar

from ..errors import DuplicateNameError, RuleError
from ..model import Slot
from ..numbers import Value
from ..python_text import Spelled
from .hints import hint_type
from .landmarks import Landmark

# Text key's prefix -> its matcher. A colon ends every prefix and stands nowhere else in it, so that
# what a key opens with is one lookup and no prefix hides another.
BY_PREFIX: dict[str, type[Matcher]] = {}


class Matcher(Value, Spelled, ABC):
    """Tell whether a rule takes a slot under one of its names.

    A subclass says what it :meth:`matches` and how it prints; with a ``prefix`` it is a key of rule
    tables and files as well. Matching is pure: the answer depends on slot and name alone. A raw
    tensor of a computed weight (``slot.literal``) is taken by its whole name alone.

    >>> from initkit.numbers import frozen
    >>> @frozen
    ... class Dimensions(Matcher, prefix="dim:"):
    ...     n: int
    ...
    ...     @classmethod
    ...     def parse(cls, text):
    ...         return cls(int(text))
    ...
    ...     def matches(self, slot, name):
    ...         return not slot.literal and slot.tensor is not None and len(slot.shape) == self.n
    ...
    ...     def __str__(self):
    ...         return str(self.n)
    >>> from initkit.rules import read_key
    >>> read_key("dim:2")
    Dimensions(n=2)
    >>> read_key("dim:2").spell()
    'dim:2'
    >>> del BY_PREFIX["dim:"]
    """

    prefix: ClassVar[str] = ""
    joiner: ClassVar[str] = " "
    """What stands before it where a rule names several matchers."""

    def __init_subclass__(cls, prefix: str = "") -> None:
        # `frozen` returns the class that it is given, so that what is registered here is what is
        # used; a dataclass with slots would be another class.
        super().__init_subclass__()
        if not prefix:
            return
        if not re.fullmatch(r"[\w-]+:", prefix):
            message = f"{cls.__name__}: the prefix {prefix!r} must be a word and a colon"
            raise RuleError(message)
        other = BY_PREFIX.get(prefix)
        # Under one qualified name it is the same class, defined anew by a notebook or a reload
        if other is not None and other.__qualname__ != cls.__qualname__:
            message = f"the prefix {prefix!r} belongs to {other.__name__} already; choose another"
            raise DuplicateNameError(message)
        cls.prefix = prefix
        BY_PREFIX[prefix] = cls

    @abstractmethod
    def matches(self, slot: Slot, name: str) -> bool:
        """Tell whether this takes ``slot``, called ``name``."""

    def taker(self) -> Callable[[Slot, str], bool]:
        """Return :meth:`matches`, to be asked of thousands of slots."""
        return self.matches

    @property
    def literal(self) -> bool:
        """Whether it names one parameter, without wildcards."""
        return False

    @property
    def typed(self) -> bool:
        """Whether it looks at the owner's type, which a state_dict does not have."""
        return False

    @property
    def by_owner(self) -> bool:
        """Whether it takes parameters by what their module is, and no module around that."""
        return False

    @property
    def generic(self) -> bool:
        """Whether it goes by type, role or ``weight`` and ``bias``, and by no module's name."""
        return False

    def may_take(self, around: Sequence[type]) -> bool:
        """Tell whether any name in modules of these classes, from the root in, may be taken."""
        return True

    @property
    def landmark(self) -> Landmark:
        """The fixed parts of every name that it takes; by default nothing is known of them.

        Plans look rules up by them: a table may hold one for every parameter.
        """
        return Landmark()

    def to_the_letter(self, names: Collection[str]) -> Matcher:
        """Return this matcher in a model some of whose names have wildcards in them: ``names``.

        What spells one of them, or the path of a module in them, means that one alone.
        """
        return self

    def stars(self, slot: Slot, name: str) -> tuple[str, ...]:
        """Return what the wildcards of its name took of this one; none where it has no name."""
        return ()

    def scopes(self, slot: Slot, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the paths to which a rule's names are relative, with their dots, innermost first.

        Each with what the wildcards behind it took; the last is the model, whose path is empty.
        """
        yield "", self.stars(slot, name)

    @property
    def members(self) -> int:
        """How many names it lists, which a scheme may start as one."""
        return 1

    def member(self, slot: Slot, name: str) -> int:
        """Return which of the names that it lists takes the slot."""
        return 0

    def group(self, slot: Slot, name: str) -> tuple[str, ...]:
        """Return what parameters that start as one have in common: what the wildcards took."""
        return self.stars(slot, name)

    def around(self, inner: Matcher) -> Matcher | None:
        """Return ``inner``, relative to the modules that this names; None if it is no scope."""
        return None

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        """Say what a rule that matches none of ``slots`` may have meant, or nothing.

        ``scope`` is the path, with its dot, to which names are relative.
        """
        return hint_type(slots) if self.typed else ""

    @classmethod
    def parse(cls, text: str) -> Matcher:
        """Return what a key stands for, from the text behind its prefix."""
        raise RuleError(f"{cls.__name__} has no parse, so that {cls.prefix + text!r} is no key")

    def spell(self) -> str:
        """Return the key that stands for it in a table or file; :func:`read_key` reads it back."""
        if not self.prefix:
            raise RuleError(f"a file cannot carry {self}")
        return f"{self.prefix}{self}"
