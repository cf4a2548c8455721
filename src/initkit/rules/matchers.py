"""Small frozen predicates on slots: name glob, regex, type, predicate, and scopes of names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any, Protocol

from torch import nn

from ..errors import RuleError
from ..model import Slot, is_wrapper_segment, parameter_info, shape_problem
from ..numbers import Value, frozen

_WILD = re.compile(r"[*?\[]")


class Matcher(Protocol):
    """Tell whether a rule takes a slot under one of its names."""

    @property
    def literal(self) -> bool:
        """Whether it names one parameter, without wildcards."""

    @property
    def typed(self) -> bool:
        """Whether it looks at the owner's type, which a state_dict does not have."""

    def matches(self, slot: Slot, name: str) -> bool:
        """Tell whether this takes ``slot``, called ``name``."""


@frozen
class Name(Value):
    """A glob on the whole name, case-sensitive; ``*`` crosses dots, a first ``*.`` may be empty."""

    glob: str
    literal: bool = field(init=False, compare=False, repr=False)
    typed: bool = field(init=False, default=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "literal", not _WILD.search(self.glob))

    def matches(self, slot: Slot, name: str) -> bool:
        if slot.literal:
            return name == self.glob
        return compile_glob(self.glob)(name)

    def __str__(self) -> str:
        return self.glob


@frozen
class Key(Value):
    """A glob on the parameter's name in its own module."""

    glob: str
    literal: bool = field(init=False, default=False, compare=False, repr=False)
    typed: bool = field(init=False, default=False, compare=False, repr=False)

    def matches(self, slot: Slot, name: str) -> bool:
        return (slot.key == self.glob) if slot.literal else compile_glob(self.glob)(slot.key)

    def __str__(self) -> str:
        return self.glob


@frozen
class Regex(Value):
    """A regular expression on the whole name."""

    pattern: re.Pattern[str]
    literal: bool = field(init=False, default=False, compare=False, repr=False)
    typed: bool = field(init=False, default=False, compare=False, repr=False)

    def matches(self, slot: Slot, name: str) -> bool:
        return not slot.literal and self.pattern.fullmatch(name) is not None

    def __str__(self) -> str:
        return f"re:{self.pattern.pattern}"


@frozen
class Type(Value):
    """The owner is of one of these classes; a string is a glob on the class names in its MRO."""

    kinds: tuple[type | str, ...]
    literal: bool = field(init=False, default=False, compare=False, repr=False)
    typed: bool = field(init=False, default=True, compare=False, repr=False)

    def matches(self, slot: Slot, name: str) -> bool:
        if slot.literal or slot.owner is None:
            return False
        return _is_kind(type(slot.owner), self.kinds)

    def __str__(self) -> str:
        return "|".join(k if isinstance(k, str) else k.__name__ for k in self.kinds)


@frozen
class Where(Value):
    """A user's predicate on the slot (``.name .key .owner .tensor``)."""

    predicate: Callable[[Slot], object]
    literal: bool = field(init=False, default=False, compare=False, repr=False)
    typed: bool = field(init=False, default=False, compare=False, repr=False)

    def matches(self, slot: Slot, name: str) -> bool:
        if slot.literal or slot.tensor is None:
            return False
        try:
            return bool(self.predicate(slot))
        except Exception as error:
            message = f"the rule's where={self} failed on {slot.name}: {error!r}"
            raise RuleError(message) from error

    def __str__(self) -> str:
        return getattr(self.predicate, "__name__", repr(self.predicate))


@frozen
class Role(Value):
    """What the parameter is to its module: weight, bias, norm weight, norm bias or slope."""

    role: str
    literal: bool = field(init=False, default=False, compare=False, repr=False)
    typed: bool = field(init=False, default=True, compare=False, repr=False)

    def matches(self, slot: Slot, name: str) -> bool:
        if slot.literal or slot.owner is None or slot.tensor is None:
            return False
        known = parameter_info(slot.owner, slot.key, _shape(slot))
        return known is not None and known.role == self.role

    def __str__(self) -> str:
        return f"every {self.role}"


def _shape(slot: Slot) -> Sequence[int]:
    """Return the slot's shape; a stand-in where it has none, since a role does not depend on it."""
    return (1, 1) if slot.tensor is not None and shape_problem(slot.tensor) else slot.shape


@frozen
class HasTorchDefault(Value):
    """torch's own constructor is known to start this parameter."""

    literal: bool = field(init=False, default=False, compare=False, repr=False)
    typed: bool = field(init=False, default=True, compare=False, repr=False)

    def matches(self, slot: Slot, name: str) -> bool:
        if slot.literal or slot.owner is None or slot.tensor is None:
            return False
        known = parameter_info(slot.owner, slot.key, _shape(slot))
        return known is not None and known.default is not None

    def __str__(self) -> str:
        return "every parameter of a torch module"


@frozen
class All(Value):
    """Every one of several matchers takes the slot."""

    parts: tuple[Matcher, ...]
    literal: bool = field(init=False, compare=False, repr=False)
    typed: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "literal", any(p.literal for p in self.parts))
        object.__setattr__(self, "typed", any(p.typed for p in self.parts))

    def matches(self, slot: Slot, name: str) -> bool:
        return all(part.matches(slot, name) for part in self.parts)

    def __str__(self) -> str:
        text = ""
        for part in self.parts:
            before = " if " if isinstance(part, Where) else "." if isinstance(part, Key) else " "
            text += f"{before if text else ''}{part}"
        return text or "*"


@frozen
class Scope(Value):
    """The names relative to each module whose path matches a glob."""

    path: str
    inner: Matcher
    typed: bool = field(init=False, compare=False, repr=False)
    literal: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "typed", self.inner.typed)
        object.__setattr__(self, "literal", self.inner.literal and not _WILD.search(self.path))

    def matches(self, slot: Slot, name: str) -> bool:
        takes = compile_glob(self.path)
        return any(takes(path) and self.inner.matches(slot, inner) for path, inner in _splits(name))

    def __str__(self) -> str:
        return f"{self.path}: {self.inner}"


@frozen
class Inside(Value):
    """The names relative to each module around the slot that is of one of these classes."""

    kinds: tuple[type | str, ...]
    inner: Matcher
    literal: bool = field(init=False, default=False, compare=False, repr=False)
    typed: bool = field(init=False, default=True, compare=False, repr=False)

    def matches(self, slot: Slot, name: str) -> bool:
        for depth, module in enumerate(slot.lineage):
            if _is_kind(type(module), self.kinds) and any(
                self.inner.matches(slot, inner) for inner in _names_below(slot, depth)
            ):
                return True
        return False

    def __str__(self) -> str:
        return f"in {Type(self.kinds)}: {self.inner}"


def _names_below(slot: Slot, depth: int) -> list[str]:
    """Return the slot's name relative to a module of its lineage, with and without wrappers."""
    parts = slot.name.split(".")[depth:]
    owners = (*slot.lineage[depth:-1], None)  # the last part is the parameter's own name
    plain = [
        p for p, m in zip(parts, owners, strict=True) if m is None or not is_wrapper_segment(m, p)
    ]
    name = ".".join(parts)
    return [name] if plain == parts else [name, ".".join(plain)]


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield (module's path, name relative to it), from the root down."""
    yield "", name
    at = name.find(".")
    while at >= 0:
        yield name[:at], name[at + 1 :]
        at = name.find(".", at + 1)


@lru_cache(maxsize=4096)
def compile_glob(glob: str) -> Callable[[str], bool]:
    """Return the test that a glob stands for."""
    if not _WILD.search(glob):
        return glob.__eq__
    pattern = glob
    if glob.startswith("*."):
        rest = re.compile(fnmatch.translate(glob[2:])).match
        tail = glob[2:]
        if not _WILD.search(tail):
            end = "." + tail
            return lambda name: name == tail or name.endswith(end)
        whole = re.compile(fnmatch.translate(glob)).match
        return lambda name: rest(name) is not None or whole(name) is not None
    found = re.compile(fnmatch.translate(pattern)).match
    return lambda name: found(name) is not None


def _is_kind(owner: Any, kinds: tuple[type | str, ...]) -> bool:
    return _class_is_kind(owner, kinds)


@lru_cache(maxsize=4096)
def _class_is_kind(owner: type, kinds: tuple[type | str, ...]) -> bool:
    names = [cls.__name__ for cls in owner.__mro__]
    return any(
        any(map(compile_glob(k), names)) if isinstance(k, str) else issubclass(owner, k)
        for k in kinds
    )


class Listing:
    """Names, globs and modules' paths (each its subtree), to be asked about thousands of names."""

    def __init__(self, entries: Sequence[str]) -> None:
        self.plain = frozenset(entries)
        self.globs = [compile_glob(entry) for entry in entries if _WILD.search(entry)]

    def takes(self, name: str) -> bool:
        """Tell whether one of the entries takes ``name``."""
        if name in self.plain or any(path in self.plain for path in paths_above(name)):
            return True
        return any(takes(name) for takes in self.globs)


def paths_above(name: str) -> list[str]:
    """Return the paths of the modules around a name, the nearest first; the root has none.

    >>> paths_above("a.b.weight")
    ['a.b', 'a']
    """
    found = []
    while (at := name.rfind(".")) > 0:
        name = name[:at]
        found.append(name)
    return found


def read_types(value: object) -> Type:
    """Return the type matcher that a class, a class name or a tuple of them stands for."""
    kinds = value if isinstance(value, tuple | list) else (value,)
    flat: list[type | str] = []
    for kind in kinds:
        if isinstance(kind, str):
            flat += [part.strip() for part in re.split(r"[|,]", kind.removeprefix("type:"))]
        elif isinstance(kind, type) and issubclass(kind, nn.Module):
            flat.append(kind)
        else:
            raise RuleError(f"{kind!r} is no module class; a type key is a class such as nn.Linear")
    if not flat or not all(flat):
        raise RuleError(f"{value!r} names no module class")
    return Type(tuple(flat))
