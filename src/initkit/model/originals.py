"""What scripted, traced and exported modules were before: their classes and the numbers lost.

``torch.jit`` and ``torch.export`` put modules of their own in the place of a model's. Which classes
these were stands in their types, or in the graph; so do the groups of a convolution and the padding
row of an embedding.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from ..numbers import loaded
from ..torch_compat import module_path

_SCRIPTED = torch.jit.ScriptModule
_TRACED: Any = vars(torch.jit)["TopLevelTracedModule"]  # which its stubs leave out
_NUMBERS = ("groups", "padding_idx")  # as the operators of torch call them
_STACKED = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}
# What the modules of a graph were, as it tells: class and numbers. Of scripts all is their own.
_classes: WeakKeyDictionary[nn.Module, type] = WeakKeyDictionary()
_held: Mapping[Any, type] = vars(_classes)["data"]  # whether there are any, without counting
_numbers: WeakKeyDictionary[nn.Module, dict[str, int]] = WeakKeyDictionary()


def kind_of(module: nn.Module) -> type:
    """Return the class of a module, or of what it was before it was scripted or exported.

    >>> kind_of(nn.Linear(2, 2))
    <class 'torch.nn.modules.linear.Linear'>
    """
    cls = type(module)
    # Asked for each parameter and rule; classes of scripts have a class of their own.
    if type(cls) is type and not _held:
        return cls
    if issubclass(cls, _SCRIPTED):
        script: Any = module
        return _class_named(_plain(script._c._type().qualified_name()), script.original_name)
    # Exported modules are bare containers, or interpreters of a graph.
    return _classes.get(module, cls) if _classes else cls


def number_of(module: nn.Module, name: str) -> object:
    """Return an attribute of a module, or of what it was; None where nothing tells it."""
    found = getattr(module, name, None)
    if found is None and _numbers:
        found = _numbers.get(module, {}).get(name)
    return found


def has_number(module: nn.Module, name: str) -> bool:
    """Say whether a module has such an attribute of its own, or had before it was exported."""
    # By the dictionary, since most modules have none, and to look further is slow.
    own = vars(module).get(name)
    return own is not None or (
        type(module) is not kind_of(module) and number_of(module, name) is not None
    )


def learn_originals(modules: Iterable[nn.Module]) -> None:
    """Read off graphs what the modules in them were, to be asked for afterwards."""
    for module in modules:
        # Most modules have neither, which their dictionary tells at once.
        own = module.__dict__
        if ("graph" in own or "_graph" in own) and _has_graph(module):
            _learn(module, _of_graph(module))
        elif isinstance(module, _TRACED):
            _learn(module, _of_trace(module))


def _has_graph(module: nn.Module) -> bool:
    graph = loaded("torch.fx", "Graph")
    return graph is not None and isinstance(module.graph, graph)


_Fact = tuple[str, str, str, object]
"""The path of a module, its class, and one of its numbers; either may be empty."""


def _learn(root: nn.Module, facts: Iterator[_Fact]) -> None:
    for path, cls, name, value in facts:
        try:
            module = root.get_submodule(path)
        except AttributeError:  # a graph may speak of modules without parameters, which are gone
            continue
        if cls:
            _classes[module] = _class_named(cls, cls.rpartition(".")[2])
        # torch writes -1 where an embedding has no such row.
        if name and isinstance(value, int) and value >= 0:
            _numbers.setdefault(module, {})[name] = value
    for _, module in root.named_modules():
        if gates := _STACKED.get(kind_of(module)):
            rows: Any = getattr(module, "weight_ih_l0")  # noqa: B009  no Module declares it
            _numbers.setdefault(module, {})["hidden_size"] = rows.shape[0] // gates


def _of_graph(root: Any) -> Iterator[_Fact]:
    """Yield what the nodes of an exported graph say of the modules that they come from."""
    of_part = getattr(root, "type_name", None)  # of unflattened modules each has its own graph
    if of_part is not None:
        yield "", of_part() or "", "", 0
    for node in root.graph.nodes:
        stack = {} if of_part is not None else node.meta.get("nn_module_stack") or {}
        for path, cls in stack.values():
            name = cls if isinstance(cls, str) else f"{cls.__module__}.{cls.__qualname__}"
            yield module_path(path), name, "", 0
        schema = getattr(node.target, "_schema", None)
        for name, value in _arguments(schema, node.args):
            for weight in node.all_input_nodes:
                if weight.op == "get_attr":
                    yield weight.target.rpartition(".")[0], "", name, value


def _arguments(schema: Any, given: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    for argument, value in zip(schema.arguments if schema else (), given, strict=False):
        if argument.name in _NUMBERS:
            yield argument.name, value


def _of_trace(root: Any) -> Iterator[_Fact]:
    """Yield the numbers that the operations of a trace got, by the module of their weight."""
    graph = root.inlined_graph  # which owns the nodes
    for kind in ("aten::_convolution", "aten::embedding", "aten::embedding_bag"):
        for node in graph.findAllNodes(kind):
            inputs = list(node.inputs())
            weights = [path for value in inputs if (path := _path(value)) is not None]
            for name, value in _arguments(_schema(node), tuple(inputs)):
                for path in weights:
                    yield path.rpartition(".")[0], "", name, value.toIValue()


def _schema(node: Any) -> Any:
    return torch._C.parse_schema(node.schema())


def _path(value: Any) -> str | None:
    """Return the name of a parameter that a value of a trace is."""
    names: list[str] = []
    node = value.node()
    while node.kind() == "prim::GetAttr":
        names.append(node.s("name"))
        node = next(node.inputs()).node()
    return ".".join(reversed(names)) if names else None


def _plain(qualified: str) -> str:
    """Return the dotted name of the class of a script, without what TorchScript adds to it."""
    parts = qualified.removeprefix("__torch__.").split(".")
    return ".".join(part for part in parts if not part.startswith("___torch_mangle"))


@lru_cache(maxsize=1024)
def _class_named(qualified: str, name: str) -> type:
    """Return the class that is loaded under a name; where none is, a stand-in called so."""
    home, _, attribute = qualified.rpartition(".")
    found = getattr(sys.modules.get(home), attribute, None)
    if isinstance(found, type) and issubclass(found, nn.Module):
        return found
    return type(name, (nn.Module,), {"__module__": home})
