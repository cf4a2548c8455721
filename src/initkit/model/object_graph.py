"""Look into objects without running any of their code.

Nothing here asks an object for an attribute: properties, ``__getattr__``, ``__iter__`` and
``__len__`` of foreign classes may compute, load or fail. Instance dictionaries, slots, cells and
builtin containers are read by the descriptors and methods of the builtin types themselves.
"""

from __future__ import annotations

import functools
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import takewhile
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, nn

from ..numbers import loaded

Child: TypeAlias = tuple[str, Any]
"""What is put behind the path of its holder, such as ``.name`` or ``[2]``, and the child."""
Opener: TypeAlias = "Callable[[Any], Iterable[Child]] | None"

# Values of these types hold nothing; most attributes of most modules are of one of them.
PLAIN: Final = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, range, slice, type, ModuleType}
    | {torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format}
    | {torch.Generator, BuiltinFunctionType}
)


def is_plain(value: object) -> bool:
    """Tell whether a value holds nothing, or is a builtin container of what holds nothing.

    >>> is_plain((3, 3)), is_plain({"a": 1.5}), is_plain([[1]])
    (True, True, False)
    """
    kind = type(value)
    if kind in PLAIN:
        return True
    # Types are compared in C: a million numbers take a few milliseconds.
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return PLAIN.issuperset(map(type, value))  # type: ignore[call-overload]
    if kind is dict:
        entries: Any = value
        return PLAIN.issuperset(map(type, entries.values())) and PLAIN.issuperset(
            map(type, entries)
        )
    return False


class ObjectGraph:
    """The children of any object, found by the object's type, which is looked at once."""

    def __init__(self) -> None:
        # Of this graph alone: a table of the process would keep classes made on the fly alive.
        self._openers: dict[type, Opener] = dict.fromkeys(PLAIN)
        self._methods: dict[tuple[type, int], bool] = {}

    def children(self, value: object) -> Iterable[Child]:
        """Yield what an object holds, but for what holds nothing itself."""
        opener = self.opener(type(value))
        return () if opener is None or is_plain(value) else opener(value)

    def leads_nowhere(self, value: object) -> bool:
        """Tell whether a value is torch's own machinery, or a method or a table of such.

        As the hooks and states are that FSDP hangs on every module that it shards.
        """
        kind = type(value)
        if kind is dict or kind is OrderedDict:  # of tables in it nothing is said: they may hold it
            table: Any = value
            keys = PLAIN.issuperset(map(type, table)) or all(map(self._serves, table))
            return keys and all(map(self._serves, table.values()))
        return self._serves(value)

    def _serves(self, value: object) -> bool:
        kind = type(value)
        if kind is MethodType:
            method: Any = value
            owner, function = method.__self__, method.__func__
            if type(owner) in (FunctionType, MethodType):
                return self._serves(owner) and self._serves(function)
            # Of other objects the type tells, and FSDP hangs a few methods on each of its modules.
            key = type(owner), id(function)  # the model keeps it alive
            if key not in self._methods:
                self._methods[key] = self._serves(owner) and self._serves(function)
            return self._methods[key]
        if kind is FunctionType:
            code: Any = value
            return _machinery_name(code.__globals__.get("__name__"))
        # A tensor or a module is what is looked for; it is not opened, but met.
        return self.opener(kind) is None and not issubclass(kind, (Tensor, nn.Module))

    def opener(self, kind: type) -> Opener:
        """Return what looks into objects of a type; None where they hold nothing."""
        if kind not in self._openers:
            self._openers[kind] = _opener(kind)
        return self._openers[kind]


def _opener(kind: type) -> Opener:
    if issubclass(kind, (type, ModuleType, Tensor, nn.Module)):
        return None  # tensors and modules are what is looked for
    openers = [opener for base, opener in _BUILTIN.items() if issubclass(kind, base)]
    array = loaded("numpy", "ndarray")
    if array is not None and issubclass(kind, array):
        openers.append(_array)
    if not _is_machinery(kind):
        openers += _attribute_openers(kind)
    if len(openers) < 2:
        return openers[0] if openers else None
    return lambda value: (child for opener in openers for child in opener(value))


def _items(value: Iterable[Any], read: Callable[[Any], Iterator[Any]]) -> Iterator[Child]:
    return ((f"[{i}]", child) for i, child in enumerate(read(value)))


def _entries(value: dict[Any, Any]) -> Iterator[Child]:
    for place, (key, child) in enumerate(dict.items(value)):
        yield f"[{key!r}]" if type(key) in (str, int) else f"[{place}]", child
        if type(key) not in PLAIN:
            yield f".keys()[{place}]", key


def _function(function: FunctionType) -> Iterator[Child]:
    if _machinery_name(function.__globals__.get("__name__")):
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f".<closure>.{name}", cell.cell_contents
        except ValueError:  # the cell is not filled yet
            continue
    yield ".__defaults__", function.__defaults__
    yield ".__kwdefaults__", function.__kwdefaults__
    yield from ((f".{name}", child) for name, child in function.__dict__.items())


def _method(method: MethodType) -> Iterator[Child]:
    yield ".__self__", method.__self__
    yield "", method.__func__


_PARTIAL: Any = functools.partial


def _partial(partial: Any) -> Iterator[Child]:
    # By the descriptors of partial itself, which a subclass may have covered.
    for name in ("func", "args", "keywords"):
        yield f".{name}", vars(_PARTIAL)[name].__get__(partial)


def _viewed(view: Any) -> Iterator[Child]:
    """Yield what a view of a dict shows, through the dict behind it."""
    return ((f".mapping[{key!r}]", child) for key, child in view.mapping.items())


def _array(array: Any) -> Iterable[Child]:
    """Yield the objects in an array of NumPy; of numbers nothing."""
    base = loaded("numpy", "ndarray")
    if not class_entries(base)["dtype"].__get__(array).hasobject:
        return ()
    return _items(base.tolist(array), iter) if base.ndim.__get__(array) else ()


_BUILTIN: dict[type, Callable[[Any], Iterable[Child]]] = {
    list: lambda value: _items(value, list.__iter__),
    tuple: lambda value: _items(value, tuple.__iter__),
    set: lambda value: _items(value, set.__iter__),
    frozenset: lambda value: _items(value, frozenset.__iter__),
    deque: lambda value: _items(value, deque.__iter__),
    dict: _entries,
    MappingProxyType: lambda value: (
        (f"[{key!r}]", child) for key, child in value.items() if type(key) in PLAIN
    ),
    type({}.keys()): _viewed,
    type({}.values()): _viewed,
    type({}.items()): _viewed,
    FunctionType: _function,
    MethodType: _method,
    functools.partial: _partial,
}


def bases_of(kind: type) -> tuple[type, ...]:
    """Return a class and its bases in order, whatever its metaclass makes of the attribute."""
    bases: tuple[type, ...] = _TYPE["__mro__"].__get__(kind)
    return bases


def class_entries(kind: type) -> Mapping[str, Any]:
    """Return what stands in the body of a class, whatever its metaclass makes of ``__dict__``."""
    entries: Mapping[str, Any] = _TYPE["__dict__"].__get__(kind)
    return entries


_TYPE: Any = vars(type)


def _attribute_openers(kind: type) -> list[Callable[[Any], Iterable[Child]]]:
    """Return what reads the instance dictionary of a type, and its slots, where it has them."""
    found: list[Callable[[Any], Iterable[Child]]] = []
    for base in bases_of(kind):
        own = class_entries(base)
        # A property may bear the name, so only the descriptor that Python itself made is taken.
        if isinstance(own.get("__dict__"), (GetSetDescriptorType, MemberDescriptorType)):
            found.append(functools.partial(_from_dict, own["__dict__"]))
        if "__slots__" in own:
            slots = {n: d for n, d in own.items() if isinstance(d, MemberDescriptorType)}
            found.append(functools.partial(_from_slots, slots))
    return found


def _from_dict(descriptor: Any, value: object) -> Iterator[Child]:
    return ((f".{name}", child) for name, child in dict.items(descriptor.__get__(value)))


def _from_slots(slots: dict[str, Any], value: object) -> Iterator[Child]:
    for name, descriptor in slots.items():
        try:
            yield f".{name}", descriptor.__get__(value)
        except AttributeError:  # a slot that nothing was put into
            continue


_OWN_MODULES: Final = ("torch.nn.modules", "torch.distributions")
_CARRIERS: Final = frozenset({"argparse", "collections", "types"})


def _is_machinery(kind: type) -> bool:
    """Tell whether a class only serves: of the standard library, or of torch but no part of models.

    Loggers, locks, optimizers, process groups and graphs lead far away, and hold nothing that a
    model would miss.
    """
    return all(_machinery_name(module_of(base)) for base in bases_of(kind)[:-1])


def module_of(kind: type) -> object:
    """Return the module of a class, whatever its metaclass makes of the attribute."""
    return _TYPE["__module__"].__get__(kind)


def name_of(kind: type) -> str:
    """Return the name of a class, whatever its metaclass makes of the attribute."""
    return str(_TYPE["__name__"].__get__(kind))


def _machinery_name(module: object) -> bool:
    if type(module) is not str:
        return True
    room = module.partition(".")[0]
    if room == "torch":
        return not module.startswith(_OWN_MODULES)
    return room in sys.stdlib_module_names and room not in _CARRIERS


def is_machinery_module(module: nn.Module) -> bool:
    """Tell whether a module is torch's own wrapping, such as FSDP's or a compiled module's."""
    # A class made on the fly stands before the user's own, whose attributes count.
    return type(module) is not nn.Module and all(
        (name := str(module_of(base))).startswith("torch.") and not name.startswith("torch.nn.")
        for base in takewhile(lambda base: base is not nn.Module, bases_of(type(module)))
    )
