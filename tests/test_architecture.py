"""The floors of the house, read off the imports: rooms are folders, and imports only go down."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import initkit

# From the ground up, one row a floor: a room may import rooms of lower rows, by what their
# `__init__` shows. Rooms of one row do not know each other.
FLOORS = (
    "spelling",
    "errors _version torch_compat",
    "python_text",
    "files wording",
    "numbers render stream",
    "distributions formula",
    "schemes model",
    "ties rules",
    "recipes",
    "plan",
    "write",
    "record",
    "check",
    "access signal suggest",
    "__init__",
    "cli testing",
    "pytest_plugin __main__",
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
# What a room's `__init__` leaves out, since most programs need none of it: imported by its path.
LATE = {
    "access",
    "check",
    "cli",
    "numbers.exact_math",
    "record",
    "rules.convert",
    "rules.recipe_files",
    "signal",
    "suggest",
    "ties.report",
    "ties.reuse",
    "write.digests",
    "write.tracking",
    "write.verify",
}
# Imports that go up, inside a function, each for a reason that stands beside it.
UPWARD = {
    ("schemes.registry", "rules"),
    ("rules.catalog", "recipes"),
    ("plan.plan", "write"),
    ("plan.plan", "record"),
    ("write.deferral", "record"),
}
WRONG = [
    ("numbers.fans", "from ..plan import Plan"),
    ("errors", "from .numbers import Fans"),
    ("schemes.basic", "from ..model import Slot"),
    ("rules.matchers", "from ..plan import plan_init"),
    ("write.fill", "from ..check.check import check_init"),
    ("model.slots", "def late():\n    from ..ties import tie_slots"),
    ("model.slots", "try:\n    from ..ties import tie_slots\nexcept ImportError:\n    pass"),
    ("recipes.resnet", "from ..plan import plan_init"),
    ("plan.plan", "from .. import apply_init"),
    ("plan.planner", "from initkit.write.apply import apply_init"),
    ("plan.planner", "from ..model.slots import walk"),
    ("render.text", "from ..numbers import Fans"),
    ("ties.groups", "from ..rules import Rule"),
]
RIGHT = [
    ("plan.planner", "from ..rules import Rule\nfrom .. import recipes, errors"),
    ("write.apply", "import torch\nfrom .fill import fill"),
    ("recipes.resnet", "from ..rules import Recipe\nfrom ._shared import conv"),
    ("stream.eager", "from . import table\nfrom ..errors import InitkitError"),
    (
        "numbers.fans",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..plan import Plan",
    ),
    ("__init__", "from .write import apply_init\nfrom .ties.report import tie_report"),
    ("plan.plan", "def apply():\n    from ..write import apply_plan"),
]


@functools.cache  # hundreds of tests ask
def sources(root: Path) -> dict[str, str]:
    """Return the text of every module, by its dotted name inside the package."""
    return {_dotted(path.relative_to(root)): path.read_text() for path in root.rglob("*.py")}


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def imported(module: str, text: str, is_package: bool) -> Iterator[str]:
    """Yield what a module imports of initkit, dotted, anywhere but for typing."""
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
            if first == "initkit":
                yield rest if rest.partition(".")[0] in FLOOR else "__init__"


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


def violations(texts: Mapping[str, str], modules: frozenset[str]) -> list[str]:
    """Return a sentence for every import that goes up, sideways, or past a room's ``__init__``."""
    packages = {name.partition(".")[0] for name in modules if "." in name} | {"__init__"}
    return [
        f"{module} must not import {other}"
        for module, text in sorted(texts.items())
        for other in imported(module, text, module in packages)
        if not _allowed(module, other, modules)
    ]


def _allowed(module: str, other: str, modules: frozenset[str]) -> bool:
    own, room = module.partition(".")[0], other.partition(".")[0]
    if own == room:
        return True
    if FLOOR[room] >= FLOOR[own]:
        return (module, room) in UPWARD
    inner = next((m for m in modules if "." in m and (other + ".").startswith(m + ".")), None)
    return inner is None or own == "__init__" or inner in LATE or room in LATE or room == "stream"


ROOT = Path(initkit.__file__).parent
MODULES = frozenset(sources(ROOT))


def test_every_room_has_its_place_on_a_floor() -> None:
    homeless = {name.partition(".")[0] for name in MODULES} - FLOOR.keys()
    assert not homeless, f"say in FLOORS on which floor these live: {sorted(homeless)}"
    assert not FLOOR.keys() - {name.partition(".")[0] for name in MODULES}


def test_imports_only_go_down_and_through_the_doors_of_rooms() -> None:
    assert violations(sources(ROOT), MODULES) == []


def test_every_import_that_goes_up_is_needed_and_waits_inside_a_function() -> None:
    found = set()
    for module, text in sources(ROOT).items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for other in imported(module, ast.unparse(node), is_package=False):
                    found.add((module, other.partition(".")[0]))
    assert found >= UPWARD
    at_the_top = {
        (module, other.partition(".")[0])
        for module, text in sources(ROOT).items()
        for node in ast.parse(text).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for other in imported(module, ast.unparse(node), is_package=False)
    }
    assert not at_the_top & UPWARD


def test_a_room_has_no_circle_inside() -> None:
    texts = sources(ROOT)
    below: dict[str, set[str]] = {
        module: {
            inner
            for node in ast.parse(text).body
            if isinstance(node, ast.ImportFrom)
            for other in imported(module, ast.unparse(node), is_package=False)
            if (inner := other.rpartition(".")[0]) in texts and "." in inner and inner != module
        }
        for module, text in texts.items()
        if "." in module
    }
    left = dict(below)
    while free := [module for module, others in left.items() if not others & left.keys()]:
        for module in free:
            del left[module]
    assert not left, f"these import each other: {sorted(left)}"


@pytest.mark.parametrize(("module", "text"), WRONG)
def test_a_wrong_import_would_be_caught(module: str, text: str) -> None:
    assert len(violations({module: text}, MODULES)) == 1


@pytest.mark.parametrize(("module", "text"), RIGHT)
def test_a_right_import_is_accepted(module: str, text: str) -> None:
    assert violations({module: text}, MODULES) == []


@pytest.mark.parametrize("name", ["numbers.gains", "numbers.fans", "numbers.formula", "errors"])
def test_the_numbers_know_no_torch(name: str) -> None:
    nodes = list(ast.walk(ast.parse(sources(ROOT)[name])))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    assert "torch" not in {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_opens_with_one_plain_sentence(module: str) -> None:
    first = (ast.get_docstring(ast.parse(sources(ROOT)[module])) or "").partition("\n")[0]
    assert first[1:].endswith("."), f"{module} opens with {first!r}"


def test_no_public_name_is_both_a_function_and_a_module() -> None:
    names = {name for name in initkit.__all__ if callable(getattr(initkit, name))}
    assert not names & {module.partition(".")[0] for module in MODULES}
    for module in MODULES:
        room, _, inner = module.partition(".")
        assert not inner or not callable(getattr(getattr(initkit, room, None), inner, None))


def test_no_file_is_longer_than_a_reader_follows() -> None:
    long = {
        module: lines
        for module, text in sources(ROOT).items()
        if (lines := text.count("\n")) > 450 and not module.startswith("recipes.")
    }
    assert not long
