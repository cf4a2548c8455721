"""Write a page for every recipe, a table of all, and one of where papers and code disagree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from inspect import Parameter
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from generate import code, table

import initkit
from initkit.rules import Clause, aliases, every_recipe, recipe_clauses

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def page_name(recipe: str) -> str:
    """Return the name of a recipe's page, without folder and ending."""
    return recipe.replace("/", "-")


def link(recipe: str, folder: str = "") -> str:
    """Return a link to a recipe's page."""
    return f"[{recipe}]({folder}{page_name(recipe)}.md)"


def family(name: str) -> str:
    """Return the part of a recipe's name before the slash."""
    return name.partition("/")[0]


def other_names(recipe: str) -> list[str]:
    """Return the other names of a recipe."""
    return [name for name, meant in aliases().items() if meant == recipe]


def page(recipe: initkit.Recipe, siblings: Sequence[str]) -> str:
    """Return the page of one recipe."""
    info = [
        ("Also called", ", ".join(map(code, other_names(recipe.name)))),
        ("Fits", ", ".join(recipe.fits)),
        ("Source", _linked(recipe.source)),
        ("Paper", _linked(recipe.paper)),
        ("Marks", ", ".join(map(code, recipe.marks))),
        ("Other variants", ", ".join(link(name) for name in siblings if name != recipe.name)),
    ]
    # The sidebar of every page would be drawn with hundreds of recipes in it: the table links them.
    parts = ["---\norphan: true\n---", f"# {recipe.name}", recipe.summary]
    parts.append("\n".join(f"{what}\n: {text}\n" for what, text in info if text))
    parts.append(f'```python\ninitkit.apply_init(model, "{recipe.name}", seed=0)\n```')
    if recipe.notes:
        parts += ["## How paper and code differ, and what to know", f"{_sentence(recipe.notes)}"]
    if options := recipe.options:  # once: all rules are read for them
        figures = recipe.config_figures
        rows = [
            [code(name), "the config's" if name in figures else _default(value)]
            for name, value in options.items()
        ]
        parts += ["## Options", table(["Option", "Default"], rows)]
    return "\n\n".join([*parts, *_rules(recipe)]) + "\n"


def _default(value: object) -> str:
    return "must be given" if value is Parameter.empty else code(repr(value))


def _rules(recipe: initkit.Recipe) -> Iterator[str]:
    yield "## Rules"
    yield (
        "The first rule that matches decides. [Rules](../rules.md) says how they are written, and "
        "what a [formula](../rules.md#formulas) may look at."
    )
    try:
        clauses = recipe_clauses(recipe)
    except initkit.OptionError as error:
        yield f"They depend on its options: {error}."
        return
    own = [clause for clause in clauses if not clause.shared]
    shared = [clause for clause in clauses if clause.shared]
    if own:
        yield _table(own)
    if shared:
        what = "Whatever these leave starts" if own else "Everything starts"
        count = f"{len(shared)} rules"
        yield f"{what} as in any model of the library:"
        yield f":::{{admonition}} {count}\n:class: dropdown\n\n{_table(shared)}\n:::"


def _table(clauses: Sequence[Clause]) -> str:
    rows = [[code(clause.text), code(str(clause.scheme))] for clause in clauses]
    return table(["Parameters", "Start"], rows)


_REPOSITORY = re.compile(r"(?<![\w/.-])([A-Za-z][\w-]+/[A-Za-z][\w.-]+)(?=(?: [\d.]+)?: )")
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def _linked(text: str) -> str:
    """Return a citation with its repositories and papers as links."""
    text = _REPOSITORY.sub(r"[\1](https://github.com/\1)", text)
    return _ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", text)


def _sentence(text: str) -> str:
    if text.split(maxsplit=1)[0].isalpha():  # but not the name of an option, or of a function
        text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def index(recipes: Sequence[initkit.Recipe]) -> str:
    """Return one row a recipe, under its family, and the pages' (hidden) contents."""
    other = aliases()
    parts = []
    for name, members in groupby(recipes, key=lambda recipe: family(recipe.name)):
        rows = [[link(r.name, "recipes/"), ", ".join(r.fits), r.summary] for r in members]
        short = f"`{name}` alone means `{other[name]}`.\n\n" if name in other else ""
        parts.append(f"### {name}\n\n{short}{table(['Recipe', 'Fits', 'What it does'], rows)}")
    return "\n".join(parts)


def differences(recipes: Sequence[initkit.Recipe]) -> str:
    """Return what every recipe notes on paper and code, by family."""
    parts = []
    for name, members in groupby(recipes, key=lambda recipe: family(recipe.name)):
        noted = [r for r in members if r.notes]
        lines = [f"{link(r.name, 'recipes/')}\n: {_sentence(r.notes)}\n" for r in noted]
        if lines:
            parts.append("\n".join([f"## {name}\n", *lines]))
    return "\n".join(parts)


def write(docs: Path) -> None:
    """Write all pages; pages of recipes that are gone are removed."""
    recipes = every_recipe()
    pages, included = docs / "recipes", docs / "_generated"
    for folder in (pages, included):
        folder.mkdir(exist_ok=True)
    made = set()
    for recipe in recipes:
        siblings = [r.name for r in recipes if family(r.name) == family(recipe.name)]
        made.add(_write(pages / f"{page_name(recipe.name)}.md", page(recipe, siblings)))
    for path in pages.glob("*.md"):
        if path not in made:
            path.unlink()
    _write(included / "recipes.md", index(recipes))
    _write(included / "differences.md", differences(recipes))


def _write(path: Path, text: str) -> Path:
    """Write a file where its text is new, so that Sphinx reads again only what changed."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx looks for them."""
    write(Path(app.srcdir))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
