"""How the documentation is built: MyST pages, furo's theme, tables generated from the registry."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.environment import BuildEnvironment

import initkit

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "_ext")]

import generate  # noqa: E402  (it lives beside this file)

project = "initkit"
author = "The initkit developers"
copyright = "2026, The initkit developers"
version = release = initkit.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "recipe_pages"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_generated", "_ext", "_drift.md"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
default_role = "py:obj"  # `name` in a docstring links to it
autodoc_member_order = "bysource"
# The sidebar of each of hundreds of pages would be drawn with every object of the API in it.
toc_object_entries = False
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
# A signature's `apply_init(...)` breaks into one line a parameter where it is longer than this.
maximum_signature_line_length = 88

nitpicky = True  # a link that leads nowhere is a warning, and warnings are errors
nitpick_ignore_regex = [
    ("py:.*", r"(torch|nn|collections|pathlib|os|re)\..*|Path(Like)?|Tensor"),  # of others
    ("py:class", r"Model|Rules|Selection|Rename|Device|Number|M|.*\.[RT]"),  # "Words in signatures"
    ("py:class", r"Idle|OnTieConflict|Optimizers|\w+Options"),  # there, too
    ("py:class", r"types\.Annotated|.*\.Limits|inf|[\d.e-]+"),  # the limits of numeric options
    # what passes through and is not for users to touch
    ("py:class", r"initkit\..*\.(ComputedWeight|DefaultDistribution|Joint|Matcher|Node|Region)"),
    ("py:class", r"initkit\..*\.(Checked|Group|Judged|RowRange|Sample|Shown|Target|Test|Tone)"),
    ("py:class", r"initkit\..*\.(Moments|Picture|Parts|Evidence|Spot)|Tone"),
    ("py:class", r"Seen|Loss|LawKind|Severity|Target"),
]

html_theme = "furo"
html_title = f"initkit {initkit.__version__}"
html_static_path: list[str] = []


def refuse_undocumented(app: Sphinx) -> None:
    """Fail the build when a public name has no docstring, or stands on no page."""
    pages = "\n".join(page.read_text() for page in HERE.glob("*.md"))
    missing = [f"{name} ({why})" for name, why in generate.undocumented(pages)]
    if missing:
        raise ExtensionError(f"undocumented public names: {', '.join(missing)}")


def find_home(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Any) -> Any:
    """Link `PlanError`, or the module that defines it, to where the name is documented."""
    domain = env.domains.python_domain
    room, _, name = node["reftarget"].removeprefix("initkit.").rpartition(".")
    homes = [home for home in domain.objects if home.rpartition(".")[2] == name]
    homes = [home for home in homes if _room(home) == _room(f"initkit.{room}.")] or homes
    if node.get("refdomain") != "py" or len(homes) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", homes[0], node, text)


def _room(path: str) -> str:
    return path.split(".")[1]


_sidebars: dict[str, str] = {}


def share_sidebar(app: Sphinx, page: str, template: str, context: dict[str, Any], _: Any) -> None:
    """Draw one sidebar for all pages of recipes: the sidebar lists none of them, nor marks one."""
    draw = context.get("toctree")
    if not page.startswith("recipes/") or draw is None:
        return

    def drawn(**options: Any) -> str:
        key = repr(sorted(options.items()))
        if key not in _sidebars:
            _sidebars[key] = draw(**options)
        return _sidebars[key]

    context["toctree"] = drawn


def trim_examples(app: Sphinx, page: nodes.document) -> None:
    """Take away the blank line that ends an example for doctest's sake."""
    for block in page.findall(nodes.literal_block):
        text = block.astext()
        if block.rawsource == text:  # what is marked up inside stays as it is
            block.rawsource = text.rstrip()
            block.children = [nodes.Text(block.rawsource)]


def setup(app: Sphinx) -> None:
    """Write the generated pages before any page is read."""
    generate.write_all(HERE / "_generated")
    app.connect("doctree-read", trim_examples)
    app.connect("missing-reference", find_home)
    app.connect("builder-inited", refuse_undocumented)
    app.connect("html-page-context", share_sidebar, priority=400)  # before the theme draws it
