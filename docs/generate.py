"""Write the tables of the documentation from the registries, so that they cannot go stale."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import initkit


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in row) + " |" for row in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    """Return inline code, or nothing for an empty text."""
    return f"`{text}`" if text else ""


def schemes() -> str:
    """Return one row a scheme: how it is written, its formula, moments and source."""
    infos = [initkit.describe_scheme(name) for name in initkit.list_schemes()]
    rows = [
        [code(i.signature), i.summary, code(i.formula), i.moments, i.source, ", ".join(i.synonyms)]
        for i in infos
    ]
    return table(["Scheme", "What it does", "Formula", "Moments", "Source", "Also called"], rows)


def gains() -> str:
    """Return one row a nonlinearity."""
    module = importlib.import_module("initkit.gains")
    rows = [[code(n), code(module.formula(n)), f"{initkit.gain(n):.6g}"] for n in module.names()]
    return table(["Nonlinearity", "f(z)", "Gain"], rows)


def undocumented(pages: str) -> Iterator[tuple[str, str]]:
    """Yield the public names that lack a docstring or a place in the pages, and why."""
    for name in initkit.__all__:
        if name.startswith("__"):
            continue
        if not (getattr(initkit, name).__doc__ or "").strip():
            yield name, "no docstring"
        if f"initkit.{name}\n" not in pages and name not in vars(initkit.errors):
            yield name, "no entry in docs/api.md"


def write_all(folder: Path) -> None:
    """Write every table into a folder."""
    folder.mkdir(exist_ok=True)
    for make in (schemes, gains):
        (folder / f"{make.__name__}.md").write_text(make())
