"""Watch which deferred parameters a constructor makes of others: they hold no values to copy."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeGuard
from weakref import WeakSet

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..model import find_computed_weights

_NAMED = 5  # pairs that an error lists
# What takes shape and dtype from a tensor, and no value.
_FORMS = frozenset(
    f"{how}{what}{how_not}"
    for what in ("empty", "zeros", "ones", "full", "rand", "randn", "randint", "empty_strided")
    for how, how_not in (("new_", ""), ("", "_like"))
)
_FILLS = frozenset(
    "fill_ zero_ normal_ uniform_ random_ bernoulli_ exponential_ log_normal_ cauchy_ geometric_"
    " eye_".split()
)


class CopyWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follow what is copied between tensors on the meta device, storage by storage.

    What a storage would hold is a set of marks, each made where values came into being; a mark
    belongs to the storage in which it was made.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.modules: WeakSet[nn.Module] = WeakSet()
        self.registered: set[int] = set()  # of parameters, which their modules keep
        self._marks: dict[int, frozenset[int]] = {}
        self._owner: dict[int, int] = {}  # of a mark
        self._kept: dict[int, object] = {}  # storages, so that an address stands for one of them
        self._numbers = itertools.count()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # torch would import its compiler for it, which takes seconds and as much memory as a model.
        return False

    def register(self, module: nn.Module, parameter: nn.Parameter) -> None:
        """Note that a module was given a deferred parameter."""
        self.modules.add(module)
        self.registered.add(id(parameter))

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation, and note what it takes from which storages."""
        kwargs = kwargs or {}
        name, takes_form, places = _known(func)
        # A fill of what holds no values does nothing, for which torch takes half a millisecond.
        filled = args[0] if name in _FILLS and args and _counts(args[0]) else None
        result = func(*args, **kwargs) if filled is None else filled
        if takes_form:
            return result
        given = (args[at] if at < len(args) else kwargs.get(key) for at, key in places)
        written = _deferred(given)
        read = _deferred((*args, *kwargs.values()))
        if written:
            read = [t for t in read if not any(t is out for out in written)]
        for tensor in written:
            self._note_write(tensor, name, read)
        made = _deferred((result,))
        if made and (read or written):
            old = {self._key(t) for t in (*read, *written)}
            made = [tensor for tensor in made if self._key(tensor) not in old]
        for tensor in made:
            self._marks[self._key(tensor)] = self._of(read) or self._fresh(tensor)
        return result

    def _note_write(self, tensor: Tensor, name: str, read: Sequence[Tensor]) -> None:
        whole = tensor.numel() * tensor.element_size() >= tensor.untyped_storage().nbytes()
        taken = self._of(read)
        if whole and (name in _FILLS or name == "copy_"):
            self._marks[self._key(tensor)] = taken or self._fresh(tensor)
        elif name not in _FILLS:
            self._marks[self._key(tensor)] = self._of([tensor]) | taken

    def _key(self, tensor: Tensor) -> int:
        storage = tensor.untyped_storage()
        key = int(storage._cdata)
        self._kept.setdefault(key, storage)
        return key

    def _fresh(self, tensor: Tensor) -> frozenset[int]:
        mark = next(self._numbers)
        self._owner[mark] = self._key(tensor)
        return frozenset((mark,))

    def _of(self, tensors: Sequence[Tensor]) -> frozenset[int]:
        """Return the marks of what tensors would hold."""
        found: frozenset[int] = frozenset()
        for tensor in tensors:
            key = self._key(tensor)
            if key not in self._marks:
                self._marks[key] = self._fresh(tensor)
            found |= self._marks[key]
        return found

    def copies(self) -> list[tuple[str, str]]:
        """Return the names of parameters that would hold values of others, with those names.

        Both of one model; or of two, where the first was there before it was written. A copy of a
        module that is no part of the model itself, such as the layers of ``nn.TransformerEncoder``,
        has nothing to follow.
        """
        held = list(self._held())
        at = {self._key(place.parameter): place for place in held}
        found = []
        for place in held:
            key = self._key(place.parameter)
            for mark in self._marks.get(key, ()):
                source = at.get(self._owner[mark])
                # What its owner holds no longer was written anew there, and here it was not.
                if source is None or mark not in self._marks[self._owner[mark]]:
                    continue
                follows = source.root is place.root or id(place.parameter) in self.registered
                one_weight = source.weight is not None and source.weight == place.weight
                if self._owner[mark] != key and follows and not one_weight:
                    other = "" if source.root is place.root else " of another model"
                    found.append((place.name, source.name + other))
                    break
        return found

    def _held(self) -> Iterator[_Place]:
        """Yield every deferred parameter of the models that were built."""
        inner = {id(child) for module in self.modules for child in module.children()}
        for root in [module for module in self.modules if id(module) not in inner]:
            weights = {
                id(raw): (id(module), key)
                for module in root.modules()
                for key, weight in find_computed_weights(module).items()
                for raw in weight.raw
            }
            for name, parameter in root.named_parameters():
                if _counts(parameter):
                    yield _Place(name, parameter, root, weights.get(id(parameter)))


@dataclass(frozen=True, slots=True)
class _Place:
    """A parameter in its model; ``weight`` tells the raw tensors of one computed weight."""

    name: str
    parameter: nn.Parameter
    root: nn.Module
    weight: tuple[int, str] | None


def copies_text(copies: Sequence[tuple[str, str]]) -> str:
    """Return what an error says of copies."""
    listed = ", ".join(f"{name} from {source}" for name, source in copies[:_NAMED])
    more = f" and {len(copies) - _NAMED} more" if copies[_NAMED:] else ""
    return (
        f"constructors made deferred parameters of others, which hold no values yet: {listed}{more}"
        "; tie them, copy once the values are there, or construct under deferred(record=True), "
        "which copies them, too, or without deferred()"
    )


def _counts(thing: object) -> TypeGuard[Tensor]:
    """Whether something is a plain tensor on meta: a subclass may have no storage to speak of."""
    return isinstance(thing, Tensor) and type(thing) in (Tensor, nn.Parameter) and thing.is_meta


def _deferred(things: Iterable[object]) -> list[Tensor]:
    """Return the tensors among operands that count; an operation takes no deeper than lists."""
    found: list[Tensor] = []
    for thing in things:
        if _counts(thing):
            found.append(thing)
        elif isinstance(thing, list | tuple):
            found += _deferred(thing)
    return found


@cache  # there are few operations, and reading a schema takes longer than a small one runs
def _known(func: Any) -> tuple[str, bool, tuple[tuple[int, str], ...]]:
    """Return an operation's name, whether it takes no values, and the arguments that it writes."""
    name: str = func.overloadpacket.__name__
    written = tuple(
        (place, argument.name)
        for place, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    return name, name in _FORMS or name == "set_", written
