"""Rows -> aligned text, folded to a width."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from ..errors import visible, visible_lines

Row: TypeAlias = Sequence[object]


def text_table(
    headers: Sequence[str], rows: Iterable[Row], align: str = "", width: int | None = None
) -> str:
    """Lay rows out in aligned columns under their headers.

    Nothing is cut, line breaks in a cell become spaces, other control characters are shown by their
    escapes, and no line ends in a space. ``align`` has
    one letter a column, ``l`` or ``r``; columns without one are left-aligned. Where the columns
    need more than ``width``, each row has lines of its own.

    >>> print(text_table(["name", "std"], [["conv1.weight", 0.059], ["fc.bias", 0]], align="lr"))
    name            std
    ------------  -----
    conv1.weight  0.059
    fc.bias           0
    """
    # Everything is text from here on, so that widths are those of what is printed.
    body = [[_one_line(cell) for cell in row] for row in rows]
    check_widths(len(headers), body)
    columns = list(zip(*([str(h) for h in headers], *body), strict=True))
    # Headers are a first row here, so that they count for the widths.
    widths = [max(map(len, column)) for column in columns]
    sides = itertools.chain(align, itertools.repeat("l"))
    aligned = [
        [text.rjust(length) if side == "r" else text.ljust(length) for text in column]
        for column, length, side in zip(columns, widths, sides, strict=False)
    ]
    lines = ["  ".join(line).rstrip() for line in zip(*aligned, strict=True)]
    if width is not None and max(map(len, lines)) > width:
        return "\n".join(line for row in body for line in _upright(headers, row, width))
    lines.insert(1, "  ".join("-" * length for length in widths))
    return "\n".join(lines)


def fold(text: str, width: int | None) -> str:
    """Break lines of prose that are longer than ``width``; words stay whole.

    Control characters but line breaks are shown by their escapes.

    >>> print(fold("  ! fc.weight: its std is off", 20))
      ! fc.weight: its
          std is off
    """
    text = visible_lines(text)
    if width is None:
        return text
    return "\n".join(folded for line in text.split("\n") for folded in _broken(line, width))


def format_shape(shape: Iterable[int]) -> str:
    """Return the shape of a tensor as tables show it.

    >>> format_shape((4, 3)), format_shape(())
    ('4x3', 'scalar')
    """
    return "x".join(map(str, shape)) or "scalar"


def _broken(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    # Four deeper than the line: what hangs below an item is not taken for the next one.
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _upright(headers: Sequence[str], row: Sequence[str], width: int) -> Iterator[str]:
    """Yield a row as its first cell, and the others below it after their headers."""
    yield row[0]
    line = "  "
    for header, cell in zip(headers[1:], row[1:], strict=True):
        entry = f"  {header} {cell}" if header else f"  {cell}"
        if len(line + entry) > width and line.strip():
            yield line
            line = "  "
        # Only the last line can take another cell; those before it are full.
        *full, last = _broken(line + entry, width) if cell else [line]
        yield from full
        line = last
    if line.strip():
        yield line


def _one_line(cell: object) -> str:
    text = "" if cell is None else str(cell)
    # Most cells have no line break, and looking for one is cheaper than splitting.
    return visible(" ".join(text.splitlines()) if "\n" in text or "\r" in text else text)


def check_widths(width: int, body: Sequence[Sequence[object]]) -> None:
    """Raise :class:`ValueError` unless every row has ``width`` cells."""
    for i, row in enumerate(body):
        if len(row) != width:
            raise ValueError(f"row {i} has {len(row)} cells under {width} headers")
