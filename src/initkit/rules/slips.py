"""What stands where rules would, and lines whose sides are exchanged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import Correction, FileError, RuleError, described
from ..files import read_text
from ..numbers import read_call
from ..python_text import Code, python_text
from ..schemes import canonical_name
from ..wording import Entry
from .catalog import recipe_named


def names_rules(text: str) -> bool:
    """Whether a text, as rules, is the name of a recipe or of a scheme."""
    try:
        name = read_call(text).name
        return canonical_name(name) is not None or recipe_named(name) is not None
    except RuleError:
        return False


def refuse_values(table: Mapping[Any, Any]) -> None:
    """Raise for a state_dict: what parameters hold, where rules say how they start."""
    if len(table) > 1 and all(isinstance(v, Tensor) and v.numel() != 1 for v in table.values()):
        raise RuleError(
            f"this table of {len(table)} tensors is a state_dict and no rules: "
            "model.load_state_dict() copies its values, and apply_init(state_dict, rules) starts "
            "them"
        )


def refuse_pair(rules: Sequence[Any]) -> None:
    """Raise for a list of a key and what stands under it, where a table would have the two."""
    key, value = rules if len(rules) == 2 else (None, None)
    if not isinstance(key, str) or not isinstance(value, str) or names_rules(key):
        return
    if names_rules(value) and re.search(r"[.*:]", key):
        error = RuleError(f"in a list of rules {key!r} is neither a table nor a recipe's name")
        error.shown = Correction(Code(python_text(rules)), Code(python_text({key: value})))
        raise error


def text_for_rules(path: str | Path) -> str:
    """Return the text of a file of rules; where there is none, show the recipe of its name."""
    try:
        return read_text(path)
    except FileError as error:
        if recipe_named(name := str(path)) is not None:
            load, describe = (Code(f"{f}({name!r})") for f in ("load_recipe", "describe_recipe"))
            error.shown = Correction(load, describe)
        raise


def no_rules(value: object) -> RuleError:
    """Return the error that a value is no rules: for all parameters, where it starts any."""
    error = RuleError(
        f"cannot read rules from {described(value)}; rules are a dict, a list of dicts, a Rule, a "
        "Recipe, or the name of a recipe or scheme"
    )
    if value is not None:
        error.entry = Entry((), value)
    name = getattr(value, "__name__", "").rstrip("_")
    if getattr(value, "__module__", "") == "torch.nn.init" and canonical_name(name) is not None:
        error.mends = ((value, name),)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        error.mends = ((value, [{"*": value}]),)
    return error


def turned(entry: Entry) -> Entry | None:
    """Return a line with its key and its value exchanged; None where the value is no key.

    >>> print(turned(Entry(("xavier_uniform",), "*.weight")))
    '*.weight': 'xavier_uniform'
    """
    *around, scheme = entry.keys or (None,)
    key = entry.value
    if isinstance(key, tuple | list) and all(isinstance(one, type) for one in key):
        key = tuple(key)
    elif not isinstance(key, re.Pattern | type):
        named = isinstance(key, str) and re.search(r"[.*:]", key)
        key = key if named else None
    return None if key is None or scheme is None else Entry((*around, key), scheme)
