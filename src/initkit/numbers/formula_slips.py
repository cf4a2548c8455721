"""What formulas say in other words than Python and its libraries."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Mapping
from functools import partial

NAMES_ELSEWHERE = {
    **dict.fromkeys(("layer_id", "layer_idx", "layer_index", "block_id"), "layer"),
    **dict.fromkeys(("depth", "num_layers", "num_hidden_layers", "n_blocks"), "n_layers"),
}
"""What programs call the names of a formula."""


def in_other_words(
    node: ast.expr, formula: str, functions: Container[str]
) -> Iterator[Mapping[str, str]]:
    """Yield what does in place of a part of a formula, where ``functions`` are known.

    >>> tree = ast.parse("math.sqrt(n)", mode="eval").body
    >>> list(in_other_words(tree, "math.sqrt(n)", ["sqrt"]))
    [{'math.sqrt(n)': 'sqrt(n)'}]
    """
    if (meant := _meant(node, formula, functions)) is not None:
        yield {_source(node, formula): meant}


def _source(node: ast.expr, formula: str) -> str:
    return ast.get_source_segment(formula, node) or ast.unparse(node)


def _meant(node: ast.expr, formula: str, functions: Container[str]) -> str | None:
    text = partial(_source, formula=formula)
    match node:
        case ast.Call(func=ast.Name(id="pow"), args=[base, exponent]):
            return f"({text(base)})**({text(exponent)})"
        case ast.Call(func=ast.Name(id="len")):
            return "n_layers"
        case (
            ast.Call(func=ast.Name(id="shape" | "size"), args=[axis])
            | ast.Subscript(value=ast.Name(id="size"), slice=axis)
        ):
            return f"shape[{text(axis)}]"
        case ast.Call(func=ast.Attribute(attr=name)) if name in functions:  # such as math.sqrt
            return f"{name}({', '.join(map(text, node.args))})"
        case ast.Attribute(attr="pi"):
            return "pi"
        case ast.Attribute() if text(node).startswith(("self.", "model.")):
            return text(node).partition(".")[2]
        case ast.BinOp(left=left, op=ast.BitXor(), right=right):
            return f"{text(left)}**{text(right)}"
    return None
