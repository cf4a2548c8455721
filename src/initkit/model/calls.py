"""Follow one forward: which module is at work, in which of its calls, and what it calls."""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeAlias, TypeVar

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode, resolve_name

from .slots import is_wrapper_segment

Operation: TypeAlias = Callable[..., object]
Handler: TypeAlias = Callable[[Operation, "tuple[Any, ...]", "dict[str, Any]"], object]


@dataclass(eq=False, slots=True)
class Call:
    """One call of a module, under way: its ``name``, and which of its calls it is (from 1)."""

    module: nn.Module
    name: str
    number: int


class ModuleCalls:
    """The calls of a model's modules that are under way, the innermost last."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = names  # by id of the module: the model keeps its modules alive
        self.stack: list[Call] = []
        self.counts: Counter[str] = Counter()

    @contextmanager
    def following(
        self,
        enter: Callable[[Call, Any], Any] | None = None,
        leave: Callable[[Call, object], object] | None = None,
    ) -> Iterator[None]:
        """Follow all calls; what these return takes the place of arguments or output, but None."""

        @untraced
        def before(module: nn.Module, args: Any) -> Any:
            if id(module) in self.names and not in_backward():
                name = self.names[id(module)]
                self.counts[name] += 1
                self.stack.append(Call(module, name, self.counts[name]))
                return enter(self.stack[-1], args) if enter else None
            return None

        @untraced
        def after(module: nn.Module, _: object, output: object) -> Any:
            # Also where the forward raised, then without an output, after the calls inside it.
            if self.stack and self.stack[-1].module is module and not in_backward():
                call = self.stack.pop()
                return leave(call, output) if leave else None
            return None

        with ExitStack() as stack:
            # Compiled modules warn that a hook fires for their wrapper, which has no name here.
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", message=r"Using `torch\.compile\(module\)`")
            stack.callback(register_module_forward_pre_hook(before).remove)
            stack.callback(register_module_forward_hook(after, always_call=True).remove)
            yield


class FunctionMode(TorchFunctionMode):
    """Hand every function of torch that Python code calls to a handler, which must call it."""

    def __init__(self, handle: Handler) -> None:
        super().__init__()
        self.handle = handle

    def __torch_function__(
        self, func: Operation, types: object, args: Any = (), kwargs: Any = None
    ) -> object:
        return self.handle(func, args, kwargs or {})


P = ParamSpec("P")
T = TypeVar("T")


def untraced(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function that only measures pass unseen by all modes, which would slow it down."""

    @functools.wraps(function)
    def unseen(*args: P.args, **kwargs: P.kwargs) -> T:
        with torch._C.DisableTorchFunction():
            return function(*args, **kwargs)

    return unseen


def in_backward() -> bool:
    """Say whether autograd is at work on this thread: what it computes again was seen before."""
    return bool(torch._C._current_graph_task_id() != -1)


def operation_name(func: Operation) -> str:
    """Return what users call a function of torch.

    >>> operation_name(torch.Tensor.__matmul__)
    'matmul'
    """
    name = str(getattr(func, "__name__", "") or resolve_name(func) or func)
    return name.strip("_") or name


def module_names(model: nn.Module) -> dict[int, str]:
    """Return the first canonical name of every module but wrappers, by its id.

    >>> list(module_names(nn.DataParallel(nn.Sequential(nn.ReLU()))).values())
    ['', '0']
    """
    names: dict[int, str] = {}
    seen: set[int] = set()

    def visit(module: nn.Module, name: str) -> None:
        if id(module) in seen:
            return
        seen.add(id(module))
        wraps = False
        for key, child in module._modules.items():
            wrapped = is_wrapper_segment(module, key)
            wraps |= wrapped
            if child is not None and wrapped:
                visit(child, name)
        if not wraps:
            names[id(module)] = name
        for key, child in module._modules.items():
            if child is not None:
                visit(child, f"{name}.{key}" if name else key)

    visit(model, "")
    return names
