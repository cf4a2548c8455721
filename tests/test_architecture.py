"""The floors of the house, read off the imports: they only go down."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import initkit

# Floor by floor from the ground; on a floor one or two wings, which don't know each other; in a
# wing steps: a module may import the steps before its own.
HOUSE = (
    [["errors loading values"]],
    [["bytesets calls elementary fans gains formula measure stream sharding tables"]],
    [
        ["distributions", "schemes", "special", "registry"],
        ["memory parametrized", "walk", "layouts links", "match ties"],
    ],
    [["pages rules", "choose recipes plan", "conflicts idle selection", "planner", "suggest"]],
    [
        [
            "allocate digests ledger",
            "binding fill deferred coverage judge ranks reuse report retie files",
            "apply health lengths structure tiereport twins verdict",
            "suspects",
            "check records",
        ]
    ],
    [["decorator", "__init__", "targets testing", "pytest_plugin cli", "__main__"]],
)
PLACES = {
    module: (floor, wing, step)
    for floor, wings in enumerate(HOUSE)
    for wing, steps in enumerate(wings)
    for step, modules in enumerate(steps)
    for module in modules.split()
}
UPWARD = [
    ("fans", "from . import plan"),
    ("errors", "from .fans import Fans"),
    ("schemes", "from .registry import register_scheme"),
    ("schemes", "from .layouts import facts"),
    ("match", "from . import schemes"),
    ("fill", "from initkit.apply import apply_init"),
    ("walk", "import initkit.ties"),
    ("walk", "def late():\n    from .ties import tie_slots"),
    ("walk", "try:\n    from .ties import tie_slots\nexcept ImportError:\n    pass"),
    ("recipes.resnet", "from ..plan import plan_init"),
    ("recipes.resnet", "from .. import apply"),
    ("plan", "from . import apply_init"),
    ("tables", "from . import fans"),
]
DOWNWARD = [
    ("planner", "from .rules import Rule\nfrom . import recipes, errors"),
    ("apply", "import torch\nfrom .fill import fill"),
    ("recipes.resnet", "from ..rules import Recipe\nfrom .parts import conv"),
    ("stream.eager", "from . import table\nfrom ..errors import InitkitError"),
    ("fans", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .plan import Plan"),
    ("__init__", "from .apply import apply_init\nfrom .decorator import initialized"),
]


def sources(root: Path) -> dict[str, str]:
    """Return the text of every module, by its dotted name inside the package."""
    return {_dotted(path.relative_to(root)): path.read_text() for path in root.rglob("*.py")}


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def imported(module: str, text: str, is_package: bool) -> Iterator[str]:
    """Yield the top-level modules of initkit that a module imports, anywhere but for typing."""
    here = [] if module == "__init__" else module.split(".")
    package = here if is_package else here[:-1]
    for node in _runtime(ast.parse(text)):
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            up = len(package) - node.level + 1
            base = ["initkit", *package[:up]] if node.level else []
            base += node.module.split(".") if node.module else []
            dotted = [".".join([*base, alias.name]) for alias in node.names]
        else:
            continue
        for name in dotted:
            first, _, rest = name.partition(".")
            if first == "initkit" and rest != "__version__":  # a constant, for any floor to print
                top = rest.partition(".")[0]
                yield top if top in PLACES else "__init__"


def _runtime(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree without what stands under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield other
                yield from _runtime(other)
            continue
        yield node
        yield from _runtime(node)


def violations(texts: Mapping[str, str]) -> list[str]:
    """Return a sentence for every import that goes up, sideways, or across the wings."""
    packages = {name.rpartition(".")[0] for name in texts} | {"__init__"}
    return [
        f"{module} must not import {other}"
        for module, text in sorted(texts.items())
        if module.partition(".")[0] in PLACES
        for other in imported(module, text, module in packages)
        if other != (own := module.partition(".")[0]) and not _below(PLACES[other], PLACES[own])
    ]


def _below(low: tuple[int, int, int], high: tuple[int, int, int]) -> bool:
    return low[0] < high[0] or (low[:2] == high[:2] and low[2] < high[2])


ROOT = Path(initkit.__file__).parent


def test_every_module_has_its_place_on_a_floor() -> None:
    homeless = {name.partition(".")[0] for name in sources(ROOT)} - PLACES.keys()
    assert not homeless, f"say in HOUSE on which floor these live: {sorted(homeless)}"


def test_imports_only_go_down() -> None:
    assert violations(sources(ROOT)) == []


@pytest.mark.parametrize(("module", "text"), UPWARD)
def test_an_upward_import_would_be_caught(module: str, text: str) -> None:
    assert len(violations({module: text})) == 1


@pytest.mark.parametrize(("module", "text"), DOWNWARD)
def test_a_downward_import_is_accepted(module: str, text: str) -> None:
    assert violations({module: text}) == []


@pytest.mark.parametrize("name", ["gains", "fans", "errors"])
def test_the_numbers_know_no_torch(name: str) -> None:
    nodes = list(ast.walk(ast.parse((ROOT / f"{name}.py").read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    assert "torch" not in {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("module", sorted(sources(ROOT)))
def test_every_module_opens_with_one_plain_sentence(module: str) -> None:
    first = (ast.get_docstring(ast.parse(sources(ROOT)[module])) or "").partition("\n")[0]
    assert first[1:].endswith("."), f"{module} opens with {first!r}"
