"""The documentation's pages of recipes: one each, with links that lead somewhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import initkit
from initkit.rules import aliases

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    import recipe_pages

    yield recipe_pages
    for name in ("recipe_pages", "generate"):
        sys.modules.pop(name, None)


def test_every_recipe_has_a_page_and_links_lead_to_pages(pages: ModuleType, tmp_path: Path) -> None:
    """A page that nobody's recipe is on any more is removed."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "gone-recipe.md").write_text("# gone/recipe")
    pages.write(tmp_path)
    names = set(initkit.list_recipes()) - set(aliases())
    files = {path.name for path in (tmp_path / "recipes").glob("*.md")}
    assert files == {name.replace("/", "-") + ".md" for name in names}
    for path in tmp_path.rglob("*.md"):
        targets = re.findall(r"\]\((?:recipes/)?([^)/]*\.md)\)", path.read_text())
        assert set(targets) <= files, path


def test_a_page_holds_rules_source_and_other_names(pages: ModuleType) -> None:
    text = pages.page(initkit.describe_recipe("vit/jax"), ["vit/jax", "vit/timm"])
    assert text.startswith("---\norphan: true\n---\n\n# vit/jax\n")
    assert "Also called\n: `vit`" in text
    assert "[vit/timm](vit-timm.md)" in text
    assert "| `*cls_token` | `0` |" in text
    assert "google-research/vision_transformer" in text


def test_a_recipe_that_needs_an_option_has_a_page_too(pages: ModuleType) -> None:
    recipe = initkit.Recipe("doc/needy", rules=lambda width: {"*": width}, notes="width is yours")
    text = pages.page(recipe, [])
    assert "the recipe doc/needy needs width" in text
    assert "Width is yours." in text
    assert "| `width` | must be given |" in text


def test_options_and_differences_are_listed(pages: ModuleType) -> None:
    recipe = initkit.describe_recipe("clip/transformers")
    assert "swapped against the original" in pages.differences([recipe])
    assert "| `init_values` | `None` |" in pages.page(initkit.describe_recipe("cait"), [])
