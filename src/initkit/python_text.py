"""The Python that makes a value, as its author would have written it."""

from __future__ import annotations

import ast
import inspect
import math
import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from .errors import RuleError, shown


class Code(str):
    """A text that is Python already, such as the name of a variable."""

    __slots__ = ()


class Spelled:
    """Base of what a text in a rule table stands for: matchers and schemes."""

    __slots__ = ()

    def spell(self) -> str:
        """Return that text; raises :class:`RuleError` where there is none."""
        raise RuleError(f"no text stands for {self}")

    def in_python(self) -> str:
        """Return the Python that stands for it in a rule table."""
        return repr(self.spell())


def python_text(value: object) -> str:
    """Return the Python that makes a value; dots stand for what no line of it can make.

    >>> from torch import nn
    >>> print(python_text({nn.Linear: {"weight": "normal(std=0.02)", "bias": nn.init.zeros_}}))
    {nn.Linear: {'weight': 'normal(std=0.02)', 'bias': nn.init.zeros_}}
    >>> print(python_text([lambda t: t.zero_(), partial(nn.init.normal_, std=0.02), object()]))
    [lambda t: ..., partial(nn.init.normal_, std=0.02), object(...)]
    """
    for kinds, text in _TEXTS:
        if isinstance(value, kinds):
            return text(value)
    return _shown_or_dots(value)


def text_in_quotes(text: str) -> str:
    """Return a text as Python writes it, raw where it has backslashes."""
    raw = "\\" in text and "'" not in text and text.isprintable() and text[-1] != "\\"
    return f"r'{text}'" if raw else repr(text)


def _text(value: str) -> str:
    return text_in_quotes(value) if type(value) is str else shown(value)


def _mapping(value: Mapping[Any, Any]) -> str:
    pairs = (f"{python_text(key)}: {python_text(one)}" for key, one in value.items())
    return f"{{{', '.join(pairs)}}}"


def _row(value: tuple[Any, ...] | list[Any]) -> str:
    if hasattr(value, "_fields"):  # a named tuple prints itself
        return str(value)
    inner = ", ".join(map(python_text, value))
    return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"


def _spelled(value: Spelled) -> str:
    try:
        return value.in_python()
    except RuleError:
        return "..."


def _call(value: partial[Any]) -> str:
    named = (f"{name}={python_text(one)}" for name, one in value.keywords.items())
    return f"partial({', '.join([*map(python_text, (value.func, *value.args)), *named])})"


def _method(value: MethodType) -> str:
    return f"{python_text(value.__self__)}.{value.__name__}"


_HOMES: tuple[tuple[str, ModuleType], ...] = (
    ("nn", nn),
    ("nn.init", nn.init),
    ("torch", torch),
    ("math", math),
)


def _named(value: type | FunctionType | BuiltinFunctionType) -> str:
    """Return the text of what has a name in the user's program."""
    name = value.__name__
    for home, module in _HOMES:
        if getattr(module, name, None) is value:
            return f"{home}.{name}"
    if name == "<lambda>":
        return f"lambda {', '.join(inspect.signature(value).parameters)}: ..."
    return name if name.isidentifier() else "..."


def _shown_or_dots(value: object) -> str:
    """Return the repr of an object where it reads as Python, and its type with dots elsewhere."""
    kind = type(value).__name__
    if isinstance(value, Tensor) and (value.is_meta or value.numel() > _FEW):
        return f"{kind.lower()}(...)"  # its values are not looked at
    text = shown(value)
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        text = ""
    if not text or len(text) > _LONGEST or "\n" in text:
        text = f"{kind}(...)"
    return f"{_home_of(value, kind)}{text}"


def _home_of(value: object, kind: str) -> str:
    """Return what stands before the repr of an object in a program."""
    if getattr(nn, kind, None) is type(value):
        return "nn."
    if type(value) is Tensor:
        return "torch."
    return "np." if type(value).__module__ == "numpy" and kind == "ndarray" else ""


_FEW = 8  # elements of a tensor that are shown
_LONGEST = 60  # characters of an object that are

_TEXTS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (Code, str),
    (Enum, str),
    (str, _text),
    (int | float | torch.dtype | None, shown),
    (Mapping, _mapping),
    (tuple | list, _row),
    (re.Pattern, lambda value: f"re.compile({text_in_quotes(str(value.pattern))})"),
    (PurePath, lambda value: f"Path({str(value)!r})"),
    (Spelled, _spelled),
    (partial, _call),
    (MethodType, _method),
    (type | FunctionType | BuiltinFunctionType, _named),
)
