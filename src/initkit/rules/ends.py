"""The first and the last layer of a container, as keys: ``last("*.mlp")``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, ClassVar

from torch import nn

from ..errors import RuleError
from ..model import Slot, children_of, is_wrapper_segment
from ..numbers import frozen
from ..wording import checks_calls
from .alternatives import Alternatives
from .base import Matcher
from .globs import paths_above
from .hints import hint_class, hint_module, hint_own_name
from .keys import read_key
from .matchers import Inside, Name, Type


@frozen
class _End(Matcher):
    """The parameters of one layer of each container: a glob on modules' paths, or a class."""

    container: Name | Alternatives | Inside
    inner: Matcher = Name("*")
    typed = True
    by_owner = True
    beside: ClassVar[str] = ""
    """What else the author of a key for containers of a class may have meant."""

    @classmethod
    def of(cls, key: object) -> Matcher:
        """Return the matcher for what a key of a rule table says of containers."""
        container = read_key(key)
        if isinstance(container, Type):
            container = Inside(container)
        if isinstance(container, Name):
            return cls(container)
        if isinstance(container, Alternatives) and container.kind is None:
            return cls(container)
        if isinstance(container, Inside) and container.inner == Name("*"):
            return cls(container)
        raise RuleError(f"{cls.prefix}{container}: a container is a path, a glob or a class")

    @classmethod
    def parse(cls, text: str) -> Matcher:
        return cls.of(text)

    @staticmethod
    def layer_of(container: nn.Module) -> nn.Module | None:
        """Return the layer of a container that this means, or None where it has none."""
        raise NotImplementedError

    def matches(self, slot: Slot, name: str) -> bool:
        if slot.literal or slot.owner is None:
            return False
        return any(
            self.layer_of(container) is slot.owner and self.inner.matches(slot, slot.key)
            for container in self._containers(slot, name)
        )

    def _containers(self, slot: Slot, name: str) -> Iterator[nn.Module]:
        if isinstance(self.container, Inside):
            yield from filter(self.container.kind.covers, slot.lineage)
            return
        *paths, whole = _paths(slot)
        scopes = {full.removesuffix(name) for full in whole if full.endswith(name)} or {""}
        for module, found in zip(slot.lineage, paths, strict=True):
            # Of a table under a path, relative to that: what lies around it is no container here.
            below = (
                path[len(scope) :] for path in found for scope in scopes if _lies_in(path, scope)
            )
            # Of a glob: `*` crosses dots, and would name each layer that has none below as its own.
            named = any(self.container.matches(slot, path) for path in below)
            if named and (self.container.literal or not _is_single(module)):
                yield module

    def around(self, inner: Matcher) -> Matcher:
        return replace(self, inner=inner)

    def to_the_letter(self, names: Collection[str]) -> Matcher:
        paths = {path for name in names for path in paths_above(name)}
        container: Any = self.container.to_the_letter(paths)
        return replace(self, container=container)

    def hint(self, slots: Sequence[Slot], scope: str = "") -> str:
        layers = replace(self, inner=Name("*"))
        own = dict.fromkeys(s.key for s in slots if layers.matches(s, s.name))
        if own and isinstance(self.inner, Name):
            return hint_own_name(list(own), self.inner.glob, f"{self.prefix[:-1]} layer")
        if isinstance(self.container, Inside):
            return self.container.hint(slots)
        kind = self.container.glob
        found = self._only_singles(slots)
        if found:
            return f"; {found} is a layer itself, and no container: write {found + '.*'!r}"
        if kind.isidentifier() and hint_class(slots, kind):
            key = f"in:{kind}.{self.prefix[:-1]}"
            return f"; {kind!r} is a class: write {key!r}{self.beside.format(kind)}"
        return hint_module(slots, scope + self.container.glob) or self.inner.hint(slots)

    def _only_singles(self, slots: Sequence[Slot]) -> str:
        """Return the path of a layer that the glob names, where it names no container."""
        for slot in slots:
            for module, paths in zip(slot.lineage, _paths(slot), strict=False):
                if _is_single(module) and any(self.container.matches(slot, p) for p in paths):
                    return max(paths, key=len)
        return ""

    def spell(self) -> str:
        if self.inner != Name("*"):
            key = self.prefix + self.container.spell()
            raise RuleError(f"a file carries {self} as a table under {key!r}")
        return self.prefix + self.container.spell()

    def __str__(self) -> str:
        container = self.container.spell()
        end = f"{self.prefix}{container}"
        return end if self.inner == Name("*") else f"{end}: {self.inner}"


def _lies_in(path: str, scope: str) -> bool:
    return not scope or f"{path}.".startswith(scope)


def _paths(slot: Slot) -> Iterator[set[str]]:
    """Yield the paths from the root to the owner and the parameter, with and without wrappers."""
    shown = short = ""
    yield {""}
    *parts, key = slot.name.split(".")
    for module, part in zip(slot.lineage, parts, strict=False):
        shown = f"{shown}.{part}" if shown else part
        if not is_wrapper_segment(module, part):
            short = f"{short}.{part}" if short else part
        yield {shown, short}
    yield {f"{path}.{key}" if path else key for path in (shown, short)}


@frozen
class First(_End, prefix="first:"):
    """The parameters of the first layer of each container, in the order of registration."""

    beside = ", or 'earliest:{0}' for the first {0} of the model"

    @staticmethod
    def layer_of(container: nn.Module) -> nn.Module | None:
        found = _layers(container, backwards=False, seen=set())
        return next(found, None)


@frozen
class Last(_End, prefix="last:"):
    """The parameters of the last layer of each container, in the order of registration."""

    @staticmethod
    def layer_of(container: nn.Module) -> nn.Module | None:
        found = _layers(container, backwards=True, seen=set())
        return next(found, None)


def _is_single(module: nn.Module) -> bool:
    """Tell whether a module is one layer, without any below."""
    return all(layer is module for layer in _layers(module, backwards=False, seen=set()))


def _layers(module: nn.Module, *, backwards: bool, seen: set[int]) -> Iterator[nn.Module]:
    """Yield the modules that have parameters of their own; lazily, since one is asked for."""
    if id(module) in seen:
        return
    seen.add(id(module))
    children = children_of(module)
    # A parametrization is a child by the books, and the layer itself to its user.
    own = "parametrizations" in children or any(p is not None for p in module._parameters.values())
    inner = [c for key, c in children.items() if c is not None and key != "parametrizations"]
    below = (
        layer
        for child in (reversed(inner) if backwards else inner)
        for layer in _layers(child, backwards=backwards, seen=seen)
    )
    itself = [module] if own else []
    yield from chain(below, itself) if backwards else chain(itself, below)


@checks_calls
def last(container: str | type[nn.Module]) -> Matcher:
    """Return the key for the last layer of containers: of a path, a glob of paths, or a class.

    A layer is a module with parameters of its own; they come in the order of registration. In
    texts and files the key is ``"last:*.mlp"``, and for a class ``"in:MLP.last"``.

    Raises :class:`RuleError` for what is no container.

    >>> from initkit import plan_init
    >>> net = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.Tanh()))
    >>> [step.name for step in plan_init(net, {last("0"): 0}).with_status("write")]
    ['0.2.weight', '0.2.bias']
    """
    return Last.of(container)


@checks_calls
def first(container: str | type[nn.Module]) -> Matcher:
    """Return the key for the first layer of containers; see :func:`initkit.last`.

    >>> from initkit import plan_init
    >>> net = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)))
    >>> plan_init(net, {first("0"): {"weight": 0}}).with_status("write")[0].name
    '0.0.weight'
    """
    return First.of(container)
