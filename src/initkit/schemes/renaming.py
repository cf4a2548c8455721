"""Lead from a name to another by the longest entry of a table that is the name or leads to it."""

from __future__ import annotations

from collections.abc import Mapping


def renamed(table: Mapping[str, str | None], name: str) -> str | None:
    """Return the name under the longest entry that is the name or a module around it.

    >>> renamed({"body": "model.layers", "": "x"}, "body.0.weight")
    'model.layers.0.weight'
    >>> renamed({"body": ""}, "body.0.weight"), renamed({}, "body.0.weight")
    ('0.weight', 'body.0.weight')
    """
    head = name
    while head:
        if head in table:
            new = table[head]
            return new if new is None else (new + name[len(head) :]).removeprefix(".")
        head = head.rpartition(".")[0]
    if "" in table:
        return None if table[""] is None else f"{table['']}.{name}"
    return name
