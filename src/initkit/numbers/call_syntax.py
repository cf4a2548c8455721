"""Names with options in call syntax, such as ``normal(std=0.02)``, read without evaluating."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..errors import RuleError

_SHAPE = re.compile(r"\s*([^\s()'\"=]+)\s*(\(.*\))?\s*", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """A name with its options; an option that is no literal stays its source text."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@lru_cache(maxsize=1024)  # a table of many rules has few texts
def read_call(text: str) -> Call:
    """Return the name and options in ``text``.

    Raises :class:`~initkit.errors.RuleError` for what is no name, or has no options in parentheses.

    >>> read_call("kaiming_normal(mode='fan_out', a=sqrt(5))")
    Call(name='kaiming_normal', args=(), kwargs={'mode': 'fan_out', 'a': 'sqrt(5)'})
    >>> read_call("vit/timm-jax").name
    'vit/timm-jax'
    """
    found = _SHAPE.fullmatch(text)
    if found is None:
        error = RuleError(f"cannot read {text!r}; write a number, a name, or name(option=value)")
        if (missing := text.count("(") - text.count(")")) > 0:
            error.mends = ({text: text + ")" * missing},)
        raise error
    name, options = found.groups()
    if options is None:
        return Call(name)
    # Read as a call of f: the name itself, such as vit/timm-jax, need not be one of Python's.
    source = f"f{options}"
    try:
        node = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        node = None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        error = RuleError(f"cannot read the options of {text!r}; write {name}(option=value)")
        error.mends = ({options: re.sub(r"(\w)\s*:\s*", r"\1=", options)},)
        raise error
    if any(k.arg is None for k in node.keywords) or any(
        isinstance(a, ast.Starred) for a in node.args
    ):
        raise RuleError(f"cannot read the options of {text!r}: * and ** are not known here")
    given = [str(k.arg) for k in node.keywords]
    if (twice := next((word for word in given if given.count(word) > 1), None)) is not None:
        raise RuleError(f"{text!r} gives {twice} twice")
    args = tuple(_literal(a, source) for a in node.args)
    return Call(name, args, {str(k.arg): _literal(k.value, source) for k in node.keywords})


def _literal(node: ast.expr, source: str) -> Any:
    """Return the value of a literal; of anything else the text, which may be a formula."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(_literal(part, source) for part in node.elts)
        return ast.get_source_segment(source, node) or ast.unparse(node)
