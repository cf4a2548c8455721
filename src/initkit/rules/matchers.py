"""Small frozen predicates on slots: by name, by type, and below some module."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import field, replace
from functools import lru_cache
from typing import Any

from torch import nn

from ..errors import RuleError
from ..model import (
    Slot,
    kind_of,
)
from ..numbers import frozen
from .base import BY_PREFIX, Matcher
from .globs import (
    BRACES,
    compile_glob,
    glob_stars,
    has_wildcard,
    names_below,
    names_nothing,
    paths_above,
    splits,
)
from .hints import (
    hint_class_around,
    hint_class_name,
    hint_module,
    hint_name,
    hint_own_name,
    hint_regex,
    hint_type,
)
from .landmarks import Landmark, glob_landmark

# -------------------------------------------------------------------------- by what it is called


@frozen
class Name(Matcher):
    """A glob on the whole name, case-sensitive; ``*`` crosses dots, a first ``*.`` may be empty."""

    glob: str
    verbatim: bool = field(default=False, repr=False)

    @property
    def literal(self) -> bool:
        return self.verbatim or not has_wildcard(self.glob)

    @property
    def landmark(self) -> Landmark:
        return glob_landmark(self.glob)

    @property
    def generic(self) -> bool:
        return not self.literal and names_nothing(self.glob)

    def matches(self, slot: Slot, name: str) -> bool:
        exactly = self.verbatim or slot.literal
        return name == self.glob if exactly else compile_glob(self.glob)(name)

    def taker(self) -> Callable[[Slot, str], bool]:
        if self.verbatim:
            return self.matches
        glob, takes = self.glob, compile_glob(self.glob)
        return lambda slot, name: name == glob if slot.literal else takes(name)

    def to_the_letter(self, names: Collection[str]) -> Matcher:
        return replace(self, verbatim=True) if self.glob in names else self

    def stars(self, slot: Slot, name: str) -> tuple[str, ...]:
        return () if self.verbatim else glob_stars(self.glob, name)

    def around(self, inner: Matcher) -> Matcher:
        return Scope(self.glob, inner)

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        return hint_name(slots, self.glob, scope)

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

    def stars(self, slot: Slot, name: str) -> tuple[str, ...]:
        found = self.pattern.fullmatch(name)
        return tuple(group or "" for group in found.groups()) if found is not None else ()

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        return hint_regex(slots, self.pattern, scope)

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
    by_owner = True
    generic = True

    @classmethod
    def of(cls, value: object) -> Type:
        """Return the matcher that a class, a class name or a tuple of them stands for."""
        kinds = value if isinstance(value, tuple | list) else (value,)
        flat: list[type | str] = []
        if dotted := [kind for kind in kinds if isinstance(kind, str) and "." in kind]:
            raise _names_as_classes(value, dotted[0])
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
        cls: Any = kind_of(module)
        return _is_one_of(cls, self.kinds)

    def may_take(self, around: Sequence[type]) -> bool:
        return any(_is_one_of(cls, self.kinds) for cls in around[-1:])

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        return hint_class_name(slots, self.prefix, self.kinds) or hint_type(slots)

    def __str__(self) -> str:
        return "|".join(k if isinstance(k, str) else k.__name__ for k in self.kinds)


def _names_as_classes(value: object, dotted: str) -> RuleError:
    """Return the error that names of parameters, or of modules, stand where classes would."""
    error = RuleError(f"{dotted!r} is no class name: it has a dot")
    if isinstance(value, tuple):
        error.hint = "; several names in one key stand in braces, as in '{fc,head}.weight'"
        error.mends = ((value, f"{{{','.join(map(str, value))}}}" if value[1:] else value[0]),)
    else:  # torch.nn.Linear
        error.mends = ({dotted: dotted.rpartition(".")[2]},)
    return error


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
    verbatim: bool = field(default=False, repr=False)
    typed = True
    by_owner = True

    @property
    def generic(self) -> bool:
        return names_nothing(self.glob)

    def matches(self, slot: Slot, name: str) -> bool:
        if not self.kind.matches(slot, name):
            return False
        return slot.key == self.glob if self.verbatim else compile_glob(self.glob)(slot.key)

    def may_take(self, around: Sequence[type]) -> bool:
        return self.kind.may_take(around)

    def to_the_letter(self, names: Collection[str]) -> Matcher:
        own = {name.rpartition(".")[2] for name in names}
        return replace(self, verbatim=True) if self.glob in own else self

    @property
    def landmark(self) -> Landmark:
        return glob_landmark(self.glob).ending()

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        # Where no module here is of the class, the class is the likelier mistake.
        own = list(dict.fromkeys(s.key for s in slots if self.kind.matches(s, s.name)))
        return hint_own_name(own, self.glob, str(self.kind)) if own else self.kind.hint(slots)

    def __str__(self) -> str:
        return f"{self.kind}.{self.glob}"


# ----------------------------------------------------------------------------- below some module


class Relative(Matcher):
    """A matcher on names relative to some of the modules around a slot."""

    inner: Matcher

    @abstractmethod
    def names_within(self, slot: Slot, name: str) -> Iterator[str]:
        """Yield the name relative to each module that is meant."""

    @property
    def members(self) -> int:
        return self.inner.members

    def member(self, slot: Slot, name: str) -> int:
        return next((self.inner.member(slot, inner) for inner in self._taken(slot, name)), 0)

    def group(self, slot: Slot, name: str) -> tuple[str, ...]:
        for inner in self._taken(slot, name):
            return (name.removesuffix(inner), *self.inner.group(slot, inner))
        return ()

    def scopes(self, slot: Slot, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        inner = next(self._taken(slot, name), None)
        if inner is not None and name.endswith(inner):  # a wrapper may stand between
            path = name.removesuffix(inner)
            yield from ((path + below, stars) for below, stars in self.inner.scopes(slot, inner))
        yield "", self.stars(slot, name)

    def may_take(self, around: Sequence[type]) -> bool:
        return self.inner.may_take(around)

    def _taken(self, slot: Slot, name: str) -> Iterator[str]:
        return (n for n in self.names_within(slot, name) if self.inner.matches(slot, n))

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
    verbatim: bool = field(default=False, repr=False)

    @property
    def literal(self) -> bool:
        return self.inner.literal and (self.verbatim or not has_wildcard(self.path))

    @property
    def typed(self) -> bool:
        return self.inner.typed

    @property
    def by_owner(self) -> bool:
        return self.inner.by_owner

    @property
    def landmark(self) -> Landmark:
        return self.inner.landmark.below(glob_landmark(BRACES.sub("*", self.path)))

    def names_within(self, slot: Slot, name: str) -> Iterator[str]:
        takes = self._takes
        # A glob may match several of the modules around a name, each with its own relative name.
        return (inner for path, inner in splits(name) if takes(path))

    @property
    def _takes(self) -> Callable[[str], bool]:
        return self.path.__eq__ if self.verbatim else compile_glob(self.path)

    def to_the_letter(self, names: Collection[str]) -> Matcher:
        whole = has_wildcard(self.path) and any(self.path in paths_above(name) for name in names)
        scope = replace(self, verbatim=whole)
        below = {inner for name in names for path, inner in splits(name) if scope._takes(path)}
        return replace(scope, inner=self.inner.to_the_letter(below))

    def stars(self, slot: Slot, name: str) -> tuple[str, ...]:
        for path, inner in splits(name):
            if self._takes(path) and self.inner.matches(slot, inner):
                own = () if self.verbatim else glob_stars(self.path, path)
                return (*own, *self.inner.stars(slot, inner))
        return ()

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        path = scope + self.path
        # the innermost of nested scopes asks for the whole path, so that what is near is, too
        missing = "" if isinstance(self.inner, Scope) else hint_module(slots, path)
        if not missing and self.inner.typed:  # classes that the model has elsewhere are none here
            takes = compile_glob(path)
            slots = [slot for slot in slots if any(map(takes, paths_above(slot.name)))]
        return missing or self.inner.hint(slots, f"{path}.")

    def __str__(self) -> str:
        return f"{self.path}: {self.inner}"


@frozen
class Inside(Relative, prefix="in:"):
    """The names relative to each module around the slot that is of one of these classes."""

    kind: Type
    inner: Matcher = Name("*")
    typed = True

    @property
    def by_owner(self) -> bool:
        return self.inner.by_owner

    @classmethod
    def parse(cls, text: str) -> Matcher:
        kind, dot, end = text.rpartition(".")
        if dot and f"{end}:" in BY_PREFIX:  # no class has a dot in its name: in:MLP.last
            return BY_PREFIX[f"{end}:"].parse(cls.prefix + kind)
        return cls(Type.of(text))

    def names_within(self, slot: Slot, name: str) -> Iterator[str]:
        return (
            inner
            for depth, module in enumerate(slot.lineage)
            if self.kind.covers(module)
            for inner in names_below(slot, depth)
        )

    def may_take(self, around: Sequence[type]) -> bool:
        return any(self.kind.may_take([c]) for c in around) and self.inner.may_take(around)

    def to_the_letter(self, names: Collection[str]) -> Matcher:
        below = {inner for name in names for _, inner in splits(name)}
        return replace(self, inner=self.inner.to_the_letter(below))

    def stars(self, slot: Slot, name: str) -> tuple[str, ...]:
        below = (n for n in self.names_within(slot, name) if self.inner.matches(slot, n))
        return next((self.inner.stars(slot, inner) for inner in below), ())

    def around(self, inner: Matcher) -> Matcher:
        return Inside(self.kind, inner)

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        return hint_class_around(slots, self.prefix, self.kind.kinds) or self._hint_inside(slots)

    def _hint_inside(self, slots: Sequence[Slot]) -> str:
        inside = [slot for slot in slots if any(map(self.kind.covers, slot.lineage))]
        return self.inner.hint(inside) if inside else hint_type(slots)

    def spell(self) -> str:
        if self.inner != Name("*"):
            raise RuleError(f"a file carries {self} as a table under '{self.prefix}{self.kind}'")
        return f"{self.prefix}{self.kind}"

    def __str__(self) -> str:
        return f"in {self.kind}: {self.inner}"
