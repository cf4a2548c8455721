"""Names with options in call syntax, such as ``normal(std=0.02)``, read without evaluating."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
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
    options: str = field(default="", compare=False, repr=False)
    """The options as they were written, in their parentheses."""
    texts: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """The text of each of ``args``."""


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
        error.mends = tuple({text: form} for form in _forms_of_call(text))
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
        error.mends = tuple({options: form} for form in _forms_of_options(options))
        raise error
    if any(k.arg is None for k in node.keywords) or any(
        isinstance(a, ast.Starred) for a in node.args
    ):
        raise RuleError(f"cannot read the options of {text!r}: * and ** are not known here")
    given = [str(k.arg) for k in node.keywords]
    if (twice := next((word for word in given if given.count(word) > 1), None)) is not None:
        raise RuleError(f"{text!r} gives {twice} twice")
    return Call(
        name,
        tuple(_literal(one, source) for one in node.args),
        {str(k.arg): _literal(k.value, source) for k in node.keywords},
        options,
        tuple(_source(one, source) for one in node.args),
    )


def _literal(node: ast.expr, source: str) -> Any:
    """Return the value of a literal; of anything else the text, which may be a formula."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(_literal(part, source) for part in node.elts)
        return _source(node, source)


def _source(node: ast.expr, source: str) -> str:
    return ast.get_source_segment(source, node) or ast.unparse(node)


# ------------------------------------------------------------------------------- what was meant


def _forms_of_call(text: str) -> Iterator[str]:
    """Yield the calls that a text which is none may have been meant to be.

    >>> list(_forms_of_call("normal std=0.02")), list(_forms_of_call("normal[std=1]"))
    (['normal(std=0.02)'], ['normal(std=1)'])
    """
    if missing := text.count("(") - text.count(")"):
        yield text + ")" * missing if missing > 0 else text.rstrip().removesuffix(")")
    if found := re.fullmatch(r"""\s*(["'])(.*)\1\s*""", text):
        yield found[2]
    for brackets in (r"\[(.*)\]", r"\{(.*)\}", r"<(.*)>"):
        if found := re.fullmatch(rf"\s*([\w./-]+)\s*{brackets}\s*", text):
            yield f"{found[1]}({found[2]})"
    if found := re.fullmatch(r"\s*([\w./-]+)[\s:,;]+(.+?)\s*", text):
        yield f"{found[1]}({found[2]})"


def _forms_of_options(text: str) -> Iterator[str]:
    """Yield the options in parentheses that others may have been meant to be.

    >>> list(_forms_of_options("(std:1)")), list(_forms_of_options("(std=0,02)"))
    (['(std=1)'], ['(std=0.02)'])
    """
    if text.count(")") > text.count("("):
        yield text.removesuffix(")")
    for pattern, meant in _SLIPS:
        if (form := re.sub(pattern, meant, text)) != text:
            yield form


_SLIPS = (
    (r"(\w)\s*:\s*", r"\1="),
    (r"(?<=\d),(?=\d)", "."),  # a decimal comma
    (r";", ","),
    (r"(\d)\s*%", r"\1/100"),
    (r"(\d)e\s+(-?\d)", r"\1e\2"),
    (r"[−–]", "-"),  # typographers' signs
    (r"[“”‘’]", "'"),
    (r"√\s*(\d+|\w+)", r"sqrt(\1)"),
    (r"(?<=\d)f\b", ""),  # C's suffix of a float
    (r"(?<=[\w.'\"])\s+(?=\w+\s*=)", ", "),  # no comma between two
)
