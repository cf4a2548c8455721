"""Rows -> aligned text that fits a width."""

from __future__ import annotations

import itertools
import operator
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ..errors import visible, visible_lines

Row: TypeAlias = Sequence[object]
Lines: TypeAlias = list[str]

_GAP = "  "
_MANY = 400  # rows for which the best arrangement is looked for
_MANY_NUMBERS = 16  # letters between braces that may break
_LEAST = 8  # columns narrower than this are not read, they are spelt
_LEAST_WHOLE = 14  # letters that fit beside a row, of cells that stand below it where they do not
BELOW = "b"  # the side of a left-aligned column whose longer cells stand below their rows
_WORTH = 1.25  # lines that columns side by side may cost, of those that hanging ones take


def text_table(
    headers: Sequence[str], rows: Iterable[Row], align: str = "", width: int | None = None
) -> str:
    """Lay rows out in aligned columns under their headers.

    Nothing is cut, line breaks and other control characters are shown by their escapes, and no line
    ends in a space. ``align`` has one letter a column, ``l``, ``r``, or ``b`` for one on the left
    whose cells are not broken; columns without one are left-aligned. Where the columns need more
    than ``width``, long cells break, those of ``b`` stand whole in a line below, and the last
    columns hang below their rows, in the way that takes the fewest lines.

    >>> print(text_table(["name", "std"], [["conv1.weight", 0.059], ["fc.bias", 0]], align="lr"))
    name            std
    ------------  -----
    conv1.weight  0.059
    fc.bias           0
    """
    head, *body = table_lines(headers, rows, align, width)
    return "\n".join([*head, *itertools.chain.from_iterable(body)])


def table_lines(
    headers: Sequence[str], rows: Iterable[Row], align: str = "", width: int | None = None
) -> list[Lines]:
    """Return the lines of the head, and those of each row, as :func:`text_table` joins them."""
    # Everything is text from here on, so that widths are those of what is printed.
    body = [[str_of(cell) for cell in row] for row in rows]
    check_widths(len(headers), body)
    return lines_of_texts(list(map(str, headers)), body, align, width)


def lines_of_texts(
    headers: list[str], body: Sequence[Sequence[str]], align: str, width: int | None
) -> list[Lines]:
    """Return the lines of the head, and those of each row, of cells that are texts already."""
    table = _Texts(headers, body, list(align.ljust(len(headers), "l")))
    return table.laid_out(table.arranged(width), width)


@dataclass(slots=True)
class Sheet:
    """The texts of a table, column by column, while they are made to fit.

    ``above`` are headings, by the rows above which they stand.
    """

    headers: list[str]
    cells: list[Sequence[str]]
    sides: list[str]
    notes: list[str] = field(default_factory=list)
    above: dict[int, str] = field(default_factory=dict)

    def copy(self) -> Sheet:
        """Return a sheet that changes by itself."""
        return Sheet(list(self.headers), list(self.cells), list(self.sides), list(self.notes))

    @property
    def width(self) -> int:
        """How wide the table is, with all columns side by side."""
        return _total(self._widths())

    def beside_names(self, *, narrow: bool) -> int:
        """How wide all but the first column is; if ``narrow`` with the least of what may be below.

        With the gap before it.
        """
        widths = self._widths()
        if narrow:
            widths = [
                min(most, _LEAST_WHOLE) if side == BELOW else most
                for side, most in zip(self.sides, widths, strict=True)
            ]
        return _total(widths) - widths[0]

    def _widths(self) -> list[int]:
        columns = zip(self.headers, self.cells, strict=True)
        return [max(map(len, (header, *cells))) for header, cells in columns]


@dataclass(frozen=True, slots=True)
class _Texts:
    """The texts of a table, all of one row's length."""

    headers: list[str]
    body: Sequence[Sequence[str]]
    sides: list[str]

    def arranged(self, width: int | None) -> list[int]:
        """Return the widths of the columns that stand side by side; the others hang below."""
        columns = list(zip(self.headers, *self.body, strict=True))
        natural = [max(map(len, column)) for column in columns]
        if width is None or _total(natural) <= width:
            return natural
        able = [
            widths
            for count in range(len(natural), 0, -1)
            # Cells below their rows cost less than columns that hang.
            for least_whole in (_LEAST_WHOLE, _LEAST)
            if (widths := self._narrowed(natural[:count], width, least_whole))
        ]
        if not able or len(self.body) > _MANY:
            return able[0] if able else natural[:1]
        found = [(self._height(widths, width), widths) for widths in able]
        # Columns are read down, what hangs is not: they may cost some lines.
        few = min(found)[0] * _WORTH
        return max(found, key=lambda one: (one[0] <= few, len(one[1]), -one[0]))[1]

    def _narrowed(self, natural: list[int], width: int, least_whole: int) -> list[int]:
        """Return widths that fit, each step the one that breaks the fewest cells; or nothing."""
        widths, all_break = list(natural), len(self.body) <= _MANY
        places = [i for i in range(len(natural)) if all_break or self.sides[i] == BELOW]
        least = {i: self._least(i, least_whole) for i in places}
        while (over := _total(widths) - width) > 0:
            able = [i for i in places if widths[i] > least[i]]
            if not able:
                return []
            place = min(able, key=lambda i: (self._broken(i, widths[i], over, least[i]), -i))
            widths[place] = self._next(place, widths[place], over, least[place])
        return widths

    def _least(self, place: int, least_whole: int) -> int:
        if self.sides[place] == BELOW:
            return max(len(self.headers[place]), least_whole)
        names = self._names(place)
        pieces = (
            len(piece.rstrip()) + (len(_hang(row[place])) if names and i else 0)
            for row in self.body
            for i, piece in enumerate(name_pieces(row[place], dots=names))
        )
        return max([*pieces, len(self.headers[place]), _LEAST])

    def _names(self, place: int) -> bool:
        """Whether a column has names, which break at their dots."""
        return not place or self.headers[place] == "name"

    def _next(self, place: int, now: int, over: int, least: int) -> int:
        """Return the width of a column without its longest cells, or one that fits."""
        shorter = max((n for row in self.body if (n := len(row[place])) < now), default=least)
        return max(shorter, least, now - over)

    def _broken(self, place: int, now: int, over: int, least: int) -> int:
        to = self._next(place, now, over, least)
        return sum(len(row[place]) > to for row in self.body)

    def _height(self, widths: list[int], width: int) -> int:
        return sum(len(self._row(row, widths, width)) for row in self.body)

    def laid_out(self, widths: list[int], width: int | None) -> list[Lines]:
        """Return the lines of the head, and those of each row."""
        count = len(widths)
        titles = self._side_by_side([[h] for h in self.headers[:count]], widths)
        return [
            [*titles, _GAP.join("-" * length for length in widths)],
            *(self._row(row, widths, width) for row in self.body),
        ]

    def _row(self, row: Sequence[str], widths: list[int], width: int | None) -> Lines:
        count = len(widths)
        if count == len(row) and all(map(operator.le, map(len, row), widths)):  # most, by far
            return self._side_by_side([[cell] for cell in row], widths)
        whole = [
            i for i in range(count) if self.sides[i] == BELOW and len(row[i]) > widths[i]
        ]  # below the row
        # Broken names hang a little, so that no piece of one is taken for the next.
        cells = [
            [""]
            if i in whole
            else _filled(cell, length, _hang(cell) if (dots := self._names(i)) else "", dots=dots)
            for i, (cell, length) in enumerate(zip(row, widths, strict=False))
        ]
        lines = self._side_by_side(cells, widths)
        # Where no width is given, no column hangs, and no cell is longer than its column.
        for i in whole:
            _put_below(lines, row[i], _total(widths[:i]) + len(_GAP), width or 0)
        return [*lines, *_hung(self.headers[count:], row[count:], width or 0, _hang(row[0]))]

    def _side_by_side(self, cells: list[Lines], widths: list[int]) -> Lines:
        lines = itertools.zip_longest(*cells, fillvalue="")
        return [
            _GAP.join(
                text.rjust(length) if side == "r" else text.ljust(length)
                for text, length, side in zip(line, widths, self.sides, strict=False)
            ).rstrip()
            for line in lines
        ]


def _put_below(lines: Lines, cell: str, start: int, width: int) -> None:
    """Put a cell on the first line with room for it, at ``start`` or as far left as it needs."""
    at = max(min(start, width - len(cell)), len(_GAP))
    for i, line in enumerate(lines):
        if len(line) + len(_GAP) <= at:
            lines[i] = line.ljust(at) + cell
            return
    lines += _broken(" " * at + cell, width)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def name_pieces(text: str, *, dots: bool = True) -> Lines:
    """Return what a cell may be broken into: words, and names behind their dots.

    >>> name_pieces("layer1.0.conv1.weight"), name_pieces("N(0, 0.5) of it")
    (['layer1.0.', 'conv1.', 'weight'], ['N(0, 0.5) ', 'of ', 'it'])
    >>> name_pieces("  in it")
    ['  in ', 'it']
    """
    pieces, start, depth, braces = [], 0, 0, 0
    indent = len(text) - len(text.lstrip())  # it belongs to what it indents
    for i, letter in enumerate(text[:-1], 1):
        if i <= indent:
            continue
        depth += (letter == "(") - (letter == ")")
        braces += (letter == "{") - (letter == "}")
        if depth > 0:  # numbers that are read together
            continue
        name = dots and letter == "." and text[i] not in ".0123456789"  # and no decimals
        many = letter == "," and braces > 0 and i - start > _MANY_NUMBERS
        if letter in " |/" or name or many:
            pieces.append(text[start:i])
            start = i
    return [*pieces, text[start:]]


def _filled(text: str, length: int, indent: str = "", *, dots: bool) -> Lines:
    """Return a cell in lines of a length, but for pieces that are longer by themselves."""
    if len(text) <= length:
        return [text]
    lines = [""]
    for piece in name_pieces(text, dots=dots):
        if lines[-1].strip() and len((lines[-1] + piece).rstrip()) > length:
            lines.append(indent)
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def lines_of_name(name: str, length: int) -> int:
    """Return how many lines a name takes in a column of a length."""
    return len(_filled(name, length, _hang(name), dots=True))


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
    # Words stay whole but for names that are longer than a line, which break behind their dots.
    room = width - len(indent)
    words = [
        _SEAM.join(_filled(w, room, dots=True)) if len(w) > room else w for w in line.split(" ")
    ]
    told = textwrap.wrap(
        " ".join(words),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [text.replace(_SEAM, "").removesuffix(_SEAM.rstrip()) for text in told]


_SEAM = "\0 "  # where a name may break; no text has one, since control characters are escaped


def _hang(text: str) -> str:
    """Return the indent of what stands below a text and belongs to it."""
    return " " * (len(text) - len(text.lstrip())) + _GAP


def _hung(headers: Sequence[str], cells: Sequence[str], width: int, below: str) -> Iterator[str]:
    """Yield the lines of cells that hang below a row, after their headers."""
    line = below
    for header, cell in zip(headers, cells, strict=True):
        if not cell:
            continue
        entry = f"  {header} {cell}" if header else f"  {cell}"
        if len(line + entry) > width and line.strip():
            yield line
            line = below
        # Only the last line can take another cell; those before it are full.
        *full, last = _broken(line + entry, width)
        yield from full
        line = last
    if line.strip():
        yield line


def str_of(cell: object) -> str:
    """Return a cell as one line of text."""
    return visible("" if cell is None else str(cell))


def check_widths(width: int, body: Sequence[Sequence[object]]) -> None:
    """Raise :class:`ValueError` unless every row has ``width`` cells."""
    for i, row in enumerate(body):
        if len(row) != width:
            raise ValueError(f"row {i} has {len(row)} cells under {width} headers")
