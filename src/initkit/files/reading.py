"""Texts, JSON and TOML from files, read strictly: what is ambiguous is refused by name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import FileError
from ..spelling import clearly_nearest
from .slips import forms_of_json, forms_of_toml, misled_by

DEEPEST = 100
"""How many tables and lists may stand in each other."""
_TOO_DEEP = f"tables and lists are nested more than {DEEPEST} deep"


def as_path(path: object) -> Path:
    """Return what names a file; raises :class:`FileError` for what is no path."""
    if isinstance(path, str | PathLike):
        return Path(path)
    raise FileError(
        f"a file is named by a text or a Path, not by a {type(path).__name__}", path=path
    )


def no_file(path: str | Path) -> FileError:
    """Return the error that there is no such file, with the one beside it that was meant.

    Of names alone: files in one folder are alike in all that stands before them.
    """
    error = FileError(f"there is no file {path}", path=path)
    wanted = Path(path)
    try:
        beside = sorted(one.name for one in wanted.parent.iterdir() if one.is_file())
    except OSError:
        error.hint = f"; there is no folder {wanted.parent}"
        return error
    if (meant := clearly_nearest(wanted.name, beside)) is not None:
        error.mends = ({str(path): str(wanted.with_name(meant))},)
        error.hint = f"; did you mean {str(wanted.with_name(meant))!r}?"
    return error


def unread(path: str | Path, error: OSError | ValueError) -> FileError:
    """Return the error that a file cannot be read."""
    if isinstance(error, FileNotFoundError):
        return no_file(path)
    # ValueError: NUL in a path, bytes that are no UTF-8
    why = error.strerror if isinstance(error, OSError) and error.strerror else error
    return FileError(f"{path}: cannot be read: {why}", path=path)


def read_text(path: str | Path) -> str:
    """Return the text of a UTF-8 file.

    Raises :class:`FileError` where it cannot be read.
    """
    try:
        return as_path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise unread(path, error) from None


def parse_json(text: str) -> Any:
    """Return the data in a JSON text.

    Raises :class:`FileError`, with the key where there is one, for what is no JSON, and for what
    its readers disagree about: a key that stands twice in one table, NaN, infinities, numbers that
    no float can hold, tables nested more than 100 deep.

    >>> parse_json('{"std": 0.02, "std": 2}')
    Traceback (most recent call last):
    initkit.errors.FileError: the key 'std' stands twice in one table
    """
    hooks: dict[str, Any] = {"parse_float": _number, "parse_constant": _number}
    return _checked(
        lambda: json.loads(text, object_pairs_hook=_table, **hooks), text, forms_of_json
    )


def parse_toml(text: str) -> dict[str, Any]:
    """Return the data in a TOML text; raise as :func:`parse_json` does.

    >>> parse_toml("std = 0.02")
    {'std': 0.02}
    """
    import tomllib  # here: who reads no file need not pay for it

    read = partial(tomllib.loads, text, parse_float=_number)
    data: dict[str, Any] = _checked(read, text, lambda line, _: forms_of_toml(line))
    return data


def _checked(read: Callable[[], Any], text: str, forms: Callable[[str, int], Iterable[str]]) -> Any:
    try:
        data = read()
    except FileError:
        raise
    except ValueError as error:
        raise _undecoded(error, text, forms) from None
    except RecursionError:
        raise FileError(_TOO_DEEP, path="") from None
    _refuse_depth(data)
    return data


def _undecoded(
    error: ValueError, text: str, forms: Callable[[str, int], Iterable[str]]
) -> FileError:
    """Return what a decoder says, with the line that it names and what that may mean."""
    found = re.search(r"line (\d+),? column (\d+)", str(error))  # both decoders say so
    line, column = map(int, found.groups()) if found is not None else (0, 0)
    line, column = misled_by(text, line, column)
    told = FileError(str(error), path="", line=line)
    lines = text.splitlines()
    if 0 < line <= len(lines):
        written = lines[line - 1]
        ahead = len(written) - len(written.lstrip())
        told.mends = tuple({written.strip(): f} for f in forms(written.strip(), column - ahead))
    return told


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a table of JSON; of a key that stands twice the decoder would keep the last."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise FileError(f"the key {key!r} stands twice in one table", path="", key=key)
        found[key] = value
    return found


def _number(text: str) -> float:
    value = float(text)
    if math.isfinite(value):
        return value
    raise FileError(f"{text} is no number that a file can carry", path="", key=text)


def _refuse_depth(data: Any) -> None:
    """Raise where data is nested deeper than any code that walks it should have to go."""
    level = [data]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise FileError(_TOO_DEEP, path="")
