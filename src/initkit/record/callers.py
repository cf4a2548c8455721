"""Which code caused an operation: the calls on the stack, from the inside out."""

from __future__ import annotations

import os
import sys
import sysconfig
from types import CodeType, FrameType

import torch

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_TORCH = os.path.dirname(os.path.abspath(torch.__file__)) + os.sep
_MODULES = os.path.join(_TORCH, "nn", "modules") + os.sep
_STANDARD = sysconfig.get_paths()["stdlib"] + os.sep
_PACKAGES = tuple(sysconfig.get_paths()[key] + os.sep for key in ("purelib", "platlib"))

# What a frame can say: nothing (plumbing), the call itself (a function whose name ends in "_"
# writes in place, by torch's convention), the function alone (a module of torch), or all.
_NOTHING, _CALL, _FUNCTION, _PLACE = range(4)


def _role(code: CodeType) -> int:
    path, name = code.co_filename, code.co_name
    if path.startswith((_OWN, "<frozen")):
        return _NOTHING
    if path.startswith(_MODULES):
        # Module.__setattr__, apply and the like lead to a function and are none themselves.
        return _NOTHING if path.endswith("module.py") else _FUNCTION
    if path.startswith(_TORCH):
        return _NOTHING
    if path.startswith(_STANDARD) and not path.startswith(_PACKAGES):
        return _NOTHING
    if name.endswith("_") and not name.endswith("__"):
        return _CALL
    return _PLACE


class _Known:
    """What a piece of code can say; kept by its address, since hashing code reads all of it."""

    __slots__ = ("code", "name", "role")

    def __init__(self, code: CodeType) -> None:
        self.code = code  # kept alive, so that its address stays its own
        self.role = _role(code)
        # Class.method, or a function's name; of one inside another, the inner.
        self.name = code.co_qualname.rpartition("<locals>.")[2]


_known: dict[int, _Known] = {}


class Caller:
    """The code that caused an operation: ``helper`` is the in-place function around it, if any."""

    __slots__ = ("file", "function", "helper", "line")

    def __init__(self, function: str, file: str, line: int, helper: str) -> None:
        self.function, self.file, self.line, self.helper = function, file, line, helper


def find_caller() -> Caller:
    """Return the code outside torch and initkit that is being run."""
    function = helper = ""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        known = _known.get(id(code)) or _known.setdefault(id(code), _Known(code))
        role = known.role
        if role == _PLACE:
            return Caller(function or known.name, code.co_filename, frame.f_lineno, helper)
        if role == _CALL and not function:
            helper = code.co_name  # the outermost of them is what the caller called
        elif role == _FUNCTION and not function:
            function = known.name
        frame = frame.f_back
    return Caller(function or "?", "?", 0, helper)
