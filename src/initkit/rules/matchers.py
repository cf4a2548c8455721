"""Small frozen predicates on slots: by name, by type and role, by a function, and in scopes."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from torch import nn

from ..errors import RuleError, shown
from ..model import ParameterInfo, Slot, is_wrapper_segment, parameter_info, shape_problem
from ..numbers import frozen
from .base import BY_PREFIX, Matcher
from .globs import compile_glob, has_wildcard
from .hints import hint_example, hint_module, hint_name, hint_own_name
from .landmarks import Landmark, glob_landmark

# -------------------------------------------------------------------------- by what it is called


@frozen
class Name(Matcher):
    """A glob on the whole name, case-sensitive; ``*`` crosses dots, a first ``*.`` may be empty."""

    glob: str

    @property
    def literal(self) -> bool:
        return not has_wildcard(self.glob)

    @property
    def landmark(self) -> Landmark:
        return glob_landmark(self.glob)

    def matches(self, slot: Slot, name: str) -> bool:
        return name == self.glob if slot.literal else compile_glob(self.glob)(name)

    def around(self, inner: Matcher) -> Matcher:
        return Scope(self.glob, inner)

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        return hint_name(slots, scope + self.glob)

    def spell(self) -> str:
        return self.glob

    def __str__(self) -> str:
        return self.glob


@frozen
class Regex(Matcher, prefix="re:"):
    """A regular expression on the whole name."""

    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Matcher:
        try:
            return cls(re.compile(text))
        except re.error as error:
            message = f"cannot read the regular expression in {cls.prefix + text!r}: {error}"
            raise RuleError(message) from None

    def matches(self, slot: Slot, name: str) -> bool:
        return not slot.literal and self.pattern.fullmatch(name) is not None

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        return hint_example(slots)

    def spell(self) -> str:
        if self.pattern.flags & ~re.UNICODE:  # which every pattern of text has
            raise RuleError(f"a file cannot carry the flags of {self.pattern!r}")
        return str(self)

    def __str__(self) -> str:
        return f"{self.prefix}{self.pattern.pattern}"


# ----------------------------------------------------------------------- by the module around it


@frozen
class Type(Matcher, prefix="type:"):
    """The owner is of one of these classes; a string is a glob on the class names in its MRO."""

    kinds: tuple[type | str, ...]
    typed = True

    @classmethod
    def of(cls, value: object) -> Type:
        """Return the matcher that a class, a class name or a tuple of them stands for."""
        kinds = value if isinstance(value, tuple | list) else (value,)
        flat: list[type | str] = []
        for kind in kinds:
            if isinstance(kind, str):
                flat += [part.strip() for part in re.split(r"[|,]", kind.removeprefix(cls.prefix))]
            elif isinstance(kind, type) and issubclass(kind, nn.Module):
                flat.append(kind)
            else:
                message = f"{kind!r} is no module class; a type key is a class such as nn.Linear"
                raise RuleError(message)
        if not flat or not all(flat):
            raise RuleError(f"{value!r} names no module class")
        return cls(tuple(flat))

    @classmethod
    def parse(cls, text: str) -> Matcher:
        return cls.of(cls.prefix + text)

    def matches(self, slot: Slot, name: str) -> bool:
        return not slot.literal and slot.owner is not None and self.covers(slot.owner)

    def covers(self, module: nn.Module) -> bool:
        """Tell whether a module is of one of these classes."""
        cls: Any = type(module)
        return _is_one_of(cls, self.kinds)

    def __str__(self) -> str:
        return "|".join(k if isinstance(k, str) else k.__name__ for k in self.kinds)


@lru_cache(maxsize=4096)  # of classes: neither their bases nor their names change once they stand
def _is_one_of(owner: type, kinds: tuple[type | str, ...]) -> bool:
    names = [cls.__name__ for cls in owner.__mro__]
    return any(
        any(map(compile_glob(k), names)) if isinstance(k, str) else issubclass(owner, k)
        for k in kinds
    )


@frozen
class ParameterOf(Matcher):
    """A glob on what the modules of a class call their own parameters."""

    kind: Type
    glob: str
    typed = True

    def matches(self, slot: Slot, name: str) -> bool:
        return self.kind.matches(slot, name) and compile_glob(self.glob)(slot.key)

    @property
    def landmark(self) -> Landmark:
        return glob_landmark(self.glob).ending()

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        # Where no module here is of the class, the class is the likelier mistake.
        own = list(dict.fromkeys(s.key for s in slots if self.kind.matches(s, s.name)))
        return hint_own_name(own, self.glob, str(self.kind)) if own else self.kind.hint(slots)

    def __str__(self) -> str:
        return f"{self.kind}.{self.glob}"


@frozen
class Role(Matcher, prefix="role:"):
    """What the parameter is to its module: weight, bias, norm weight, norm bias or slope."""

    role: str
    typed = True

    @classmethod
    def parse(cls, text: str) -> Matcher:
        return cls(text)

    def matches(self, slot: Slot, name: str) -> bool:
        known = _known(slot)
        return known is not None and known.role == self.role

    def spell(self) -> str:
        return f"{self.prefix}{self.role}"

    def __str__(self) -> str:
        return f"every {self.role}"


@frozen
class HasTorchDefault(Matcher, prefix="torch:"):
    """torch's own constructor is known to start this parameter."""

    typed = True

    @classmethod
    def parse(cls, text: str) -> Matcher:
        if text != "*":
            raise RuleError(f"behind 'torch:' stands '*', for all that torch starts, not {text!r}")
        return cls()

    def matches(self, slot: Slot, name: str) -> bool:
        known = _known(slot)
        return known is not None and known.default is not None

    def spell(self) -> str:
        return f"{self.prefix}*"

    def __str__(self) -> str:
        return "every parameter of a torch module"


def _known(slot: Slot) -> ParameterInfo | None:
    """Return what is known of the slot's module, or None."""
    if slot.literal or slot.owner is None or slot.tensor is None:
        return None
    # a stand-in serves a lazy parameter: roles go by module and name, whatever the sizes will be
    shape = (1, 1) if shape_problem(slot.tensor) else slot.shape
    return parameter_info(slot.owner, slot.key, shape)


# --------------------------------------------------------------------- by what the user tells of it


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


# ----------------------------------------------------------------------------------- of others


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

    def matches(self, slot: Slot, name: str) -> bool:
        return all(part.matches(slot, name) for part in self.parts)

    def __str__(self) -> str:
        first, *others = self.parts
        return str(first) + "".join(f"{part.joiner}{part}" for part in others)


class Relative(Matcher):
    """A matcher on names relative to some of the modules around a slot."""

    inner: Matcher

    @abstractmethod
    def names_within(self, slot: Slot, name: str) -> Iterator[str]:
        """Yield the name relative to each module that is meant."""

    def matches(self, slot: Slot, name: str) -> bool:
        # Through nested scopes level by level, each relative name once: there are as many ways to
        # one as there are ways to choose modules, and no more names than modules.
        matcher: Matcher = self
        names = {name}
        while isinstance(matcher, Relative):
            names = {inner for outer in names for inner in matcher.names_within(slot, outer)}
            matcher = matcher.inner
        return any(matcher.matches(slot, inner) for inner in names)


@frozen
class Scope(Relative):
    """The names relative to each module whose path matches a glob."""

    path: str
    inner: Matcher

    @property
    def literal(self) -> bool:
        return self.inner.literal and not has_wildcard(self.path)

    @property
    def typed(self) -> bool:
        return self.inner.typed

    @property
    def landmark(self) -> Landmark:
        return self.inner.landmark.below(glob_landmark(self.path))

    def names_within(self, slot: Slot, name: str) -> Iterator[str]:
        takes = compile_glob(self.path)
        # A glob may match several of the modules around a name, each with its own relative name.
        return (inner for path, inner in _splits(name) if takes(path))

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        path = scope + self.path
        # the innermost of nested scopes asks for the whole path, so that what is near is, too
        missing = "" if isinstance(self.inner, Scope) else hint_module(slots, path)
        return missing or self.inner.hint(slots, f"{path}.")

    def __str__(self) -> str:
        return f"{self.path}: {self.inner}"


@frozen
class Inside(Relative, prefix="in:"):
    """The names relative to each module around the slot that is of one of these classes."""

    kind: Type
    inner: Matcher = Name("*")
    typed = True

    @classmethod
    def parse(cls, text: str) -> Matcher:
        return cls(Type.of(text))

    def names_within(self, slot: Slot, name: str) -> Iterator[str]:
        return (
            inner
            for depth, module in enumerate(slot.lineage)
            if self.kind.covers(module)
            for inner in _names_below(slot, depth)
        )

    def around(self, inner: Matcher) -> Matcher:
        return Inside(self.kind, inner)

    def spell(self) -> str:
        if self.inner != Name("*"):
            raise RuleError(f"a file carries {self} as a table under '{self.prefix}{self.kind}'")
        return f"{self.prefix}{self.kind}"

    def __str__(self) -> str:
        return f"in {self.kind}: {self.inner}"


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield (module's path, name relative to it), from the root down."""
    yield "", name
    at = name.find(".")
    while at >= 0:
        yield name[:at], name[at + 1 :]
        at = name.find(".", at + 1)


def _names_below(slot: Slot, depth: int) -> list[str]:
    """Return the slot's name relative to a module of its lineage, with and without wrappers."""
    # lineage[0] is the root, and each later module adds one segment to the slot's (first) name
    parts = slot.name.split(".")[depth:]
    owners = (*slot.lineage[depth:-1], None)  # the last part is the parameter's own name
    plain = [
        p for p, m in zip(parts, owners, strict=True) if m is None or not is_wrapper_segment(m, p)
    ]
    name = ".".join(parts)
    return [name] if plain == parts else [name, ".".join(plain)]


# -------------------------------------------------------------------------------------- reading


def read_key(key: object) -> Matcher:
    """Return the matcher that a key of a rule table stands for.

    >>> read_key("type:Conv2d|Linear"), read_key("head.*")
    (Type(kinds=('Conv2d', 'Linear')), Name(glob='head.*'))
    """
    if isinstance(key, str | re.Pattern):
        return read_name(key)
    if isinstance(key, type | tuple):
        return Type.of(key)
    raise RuleError(
        f"{shown(key)} is no key of a rule table; keys are names or globs, compiled regular "
        "expressions, and module classes or tuples of them"
    )


def read_name(name: str | re.Pattern[str]) -> Matcher:
    """Return the matcher that a glob, a compiled regex or a text with a prefix stands for."""
    if isinstance(name, re.Pattern):
        pattern: object = name.pattern
        if isinstance(pattern, bytes):
            raise RuleError(f"{name!r} matches bytes, and names are text: compile a str")
        return Regex(name)
    if not isinstance(name, str):
        raise RuleError(
            f"{name!r} is no name: write a glob such as '*.weight', or a compiled regex"
        )
    # Every prefix ends in a colon; what has a colon behind another word is a name all the same.
    head, colon, text = name.partition(":")
    kind = BY_PREFIX.get(head + colon)
    return Name(name) if kind is None else kind.parse(text)
