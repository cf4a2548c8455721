"""Objects are looked into without running any of their code."""

from __future__ import annotations

import functools
import logging
import threading
import types
from collections import OrderedDict, deque
from typing import Any

import pytest
import torch
from torch import nn

from initkit.model.object_graph import ObjectGraph, is_machinery_module, is_plain

P = nn.Parameter(torch.ones(1))


class Plain:
    """An ordinary object."""

    def __init__(self, held: object) -> None:
        self.held = held


class Slotted:
    """An object with slots, one of them empty."""

    __slots__ = ("empty", "held")

    def __init__(self, held: object) -> None:
        self.held = held


class Hostile:
    """An object that fails, whatever it is asked."""

    def __init__(self, held: object) -> None:
        object.__setattr__(self, "held", held)

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")

    def __iter__(self) -> Any:
        raise AssertionError("it was iterated")

    def __len__(self) -> int:
        raise AssertionError("it was measured")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("it was compared")

    __hash__ = None  # type: ignore[assignment]


class HostileDict(dict):  # type: ignore[type-arg]
    """A dict that loads what is asked of it."""

    def items(self) -> Any:
        raise AssertionError("items was called")

    __getitem__ = __iter__ = values = keys = items


def closing_over(held: object) -> Any:
    """Return a function that holds something in its closure."""
    return lambda: held


HOLDERS = {
    "[0]": [P],
    "[1]": (0, P),
    "['a']": {"a": P},
    "['b']": OrderedDict(b=P),
    "['c']": HostileDict(c=P),
    "['d']": types.MappingProxyType({"d": P}),
    "[2]": deque([1, 2, P]),
    ".held": Plain(P),
    ".held ": Slotted(P),
    ".held  ": Hostile(P),
    ".<closure>.held": closing_over(P),
    ".x": types.SimpleNamespace(x=P),
}


@pytest.mark.parametrize("path", HOLDERS)
def test_what_an_object_holds_is_found(path: str) -> None:
    children = list(ObjectGraph().children(HOLDERS[path]))
    assert [step for step, child in children if child is P] == [path.strip()]


def test_partials_and_bound_methods_are_looked_into() -> None:
    graph = ObjectGraph()
    partial = functools.partial(print, P, end=P)
    held = dict(graph.children(partial))
    assert held[".args"] == (P,) and held[".keywords"] == {"end": P}
    bound = Plain(P).__init__  # type: ignore[misc]
    assert any(isinstance(child, Plain) for _, child in graph.children(bound))


@pytest.mark.parametrize(
    "value",
    [
        logging.getLogger("x"),
        threading.Lock(),
        torch.optim.SGD([P], lr=0.1),
        nn.functional,
        Plain,
        torch.nn.functional.relu,
        range(3),
        "text",
        torch.float32,
    ],
    ids=lambda value: type(value).__name__,  # an address in an id differs from worker to worker
)
def test_what_only_serves_is_not_looked_into(value: object) -> None:
    assert list(ObjectGraph().children(value)) == []


def test_a_distribution_of_torch_is_looked_into() -> None:
    steps = dict(ObjectGraph().children(torch.distributions.Normal(torch.zeros(2), torch.ones(2))))
    assert {".loc", ".scale"} <= steps.keys()


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((3, 3), True),
        ([], True),
        ({"a": 1}, True),
        (list(range(1000)), True),
        ([[1]], False),
        ({"a": P}, False),
        ({P: 1}, False),
        (Plain(1), False),
    ],
)
def test_containers_of_plain_values_are_plain(value: object, plain: bool) -> None:
    assert is_plain(value) is plain


def test_a_compiled_module_is_machinery_and_a_layer_is_not() -> None:
    assert is_machinery_module(torch.compile(nn.Linear(2, 2), backend="eager"))
    assert not is_machinery_module(nn.Linear(2, 2)) and not is_machinery_module(nn.Module())
