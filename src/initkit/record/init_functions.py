"""Functions of torch.nn.init, seen as they are called: by any name under which they were imported.

Libraries import them by name, so replacing them in their module would miss most calls. Instead each
function gets another code while something records: one that tells the recorders of this thread and
runs what it ran before.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from types import CodeType, FunctionType
from typing import Any, Protocol

from torch import Tensor, nn

_NAMES = (
    *("uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "eye_", "dirac_"),
    *("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"),
    *("orthogonal_", "sparse_"),
)


class Recorder(Protocol):
    """What wants to see calls."""

    def begin(self, call: Call) -> None:
        """See that a call begins."""

    def end(self, call: Call, tensor: Tensor | None) -> None:
        """See that a call has written its tensor; None where it failed."""


class Call:
    """A call of a function of torch.nn.init: its name, and its arguments besides the tensor."""

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.name = name
        # Events keep the call, and must not keep the tensor alive.
        self._args = args[1:]
        self._kwargs = {k: v for k, v in kwargs.items() if k not in ("tensor", "generator")}

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """The arguments by their names."""
        bound = _signature(self.name).bind(None, *self._args, **self._kwargs)
        return {k: v for k, v in bound.arguments.items() if k not in ("tensor", "generator")}


@cache
def _signature(name: str) -> inspect.Signature:
    return inspect.signature(original(name))


class _Recorders(threading.local):
    def __init__(self) -> None:
        self.active: list[Recorder] = []
        self.busy = False


_recorders = _Recorders()
_functions: dict[str, FunctionType] = {}  # whose code is exchanged
_originals: dict[str, FunctionType] = {}  # with the code that they had
_lock = threading.Lock()
_users: list[Recorder] = []  # of all threads


@contextmanager
def seen_by(recorder: Recorder) -> Iterator[None]:
    """Let a recorder see the calls that this thread makes in this block."""
    with _lock:
        if not _users:
            _exchange()
        _users.append(recorder)
    _recorders.active.append(recorder)
    try:
        yield
    finally:
        _recorders.active.remove(recorder)
        with _lock:
            _users.remove(recorder)
            if not _users:
                _restore()


def called(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Carry out a call, seen by the recorders of this thread; exchanged code leads here."""
    function = _originals[name]
    # The outermost call is what the caller meant: those that it makes itself are its own business.
    if not _recorders.active or _recorders.busy:
        return function(*args, **kwargs)
    tensor = args[0] if args else kwargs.get("tensor")
    if not isinstance(tensor, Tensor):
        return function(*args, **kwargs)  # it raises as it always did
    call = Call(name, args, kwargs)
    written, _recorders.busy = None, True
    for recorder in _recorders.active:
        recorder.begin(call)
    try:
        result = function(*args, **kwargs)
        written = tensor
        return result
    finally:
        _recorders.busy = False
        for recorder in _recorders.active:
            recorder.end(call, written)


def original(name: str) -> FunctionType:
    """Return a function of torch.nn.init with the code that it had before any recording."""
    return _originals[name]


def _template(*args: Any, **kwargs: Any) -> Any:
    # Its code stands in functions of torch, whose globals know nothing of this module.
    import sys

    return sys.modules["MODULE"].called("NAME", args, kwargs)


def _stand_in(name: str) -> CodeType:
    code, filled = _template.__code__, {"NAME": name, "MODULE": __name__}
    constants = tuple(filled.get(c, c) if isinstance(c, str) else c for c in code.co_consts)
    return code.replace(co_consts=constants, co_name=name, co_qualname=name)


def _exchange() -> None:
    for name in _NAMES:
        function: Any = getattr(nn.init, name)
        # What somebody has put in its place, or wrapped, is left alone: its operations tell.
        if not isinstance(function, FunctionType) or function.__closure__:
            continue
        before = FunctionType(function.__code__, function.__globals__, name, function.__defaults__)
        before.__kwdefaults__ = function.__kwdefaults__
        _functions[name], _originals[name] = function, before
        function.__code__ = _stand_in(name)


def _restore() -> None:
    for name, function in _functions.items():
        function.__code__ = _originals[name].__code__
    _functions.clear()
