"""Rows of a long table as data that a page carries: few letters, and nothing left out."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence


def pack(cells: Sequence[Sequence[str]], marks: Mapping[str, Sequence[str]]) -> str:
    """Return columns of cells and of marks as text that a page's script reads.

    It is JSON, deflated, in base 64, and takes a tenth of what the rows take as HTML.

    >>> text = pack([["<td>a</td>", "<td>b</td>"]], {"k": ["Linear", "Linear"]})
    >>> json.loads(zlib.decompress(base64.b64decode(text)))["marks"]
    {'k': {'texts': ['Linear'], 'at': [0, 0]}}
    """
    data = {
        "count": len(cells[0]),
        "cells": list(map(_shared, cells)),
        "marks": {key: _shared(column) for key, column in marks.items()},
    }
    text = json.dumps(data, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode())).decode()


def _shared(column: Sequence[str]) -> dict[str, list[str] | list[int]]:
    """Return a column as its different texts, and which of them stands where, unless all differ."""
    places: dict[str, int] = {}
    at = [places.setdefault(text, len(places)) for text in column]
    # A number a row, beside its own text, would only take room.
    if 2 * len(places) > len(column):
        return {"texts": list(column)}
    return {"texts": list(places), "at": at}
