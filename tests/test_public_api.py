"""Every public name is documented, with an example, stands in the docs, and is used under mypy."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import initkit
import initkit.testing
from initkit import OptionError, errors
from initkit.render import Shown

ROOT = Path(__file__).parents[1]
PUBLIC = [name for name in initkit.__all__ if not name.startswith("__")]
ERRORS = [name for name in PUBLIC if name in vars(errors)]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])
VERBS = [name for name in PUBLIC if name not in ERRORS]
PROMISED = (  # the contract: a name here is not dropped by chance
    "InitkitError",
    "Recipe",
    "Rule",
    "apply_init",
    "blocks",
    "describe_recipe",
    "describe_scheme",
    "fans",
    "find_tied_parameters",
    "gain",
    "initialized",
    "list_recipes",
    "list_schemes",
    "plan_init",
    "register_layout",
    "register_recipe",
    "register_scheme",
)


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_name_is_public(name: str) -> None:
    assert name in initkit.__all__


def test_all_lists_every_public_name_once_and_in_order() -> None:
    assert len(set(initkit.__all__)) == len(initkit.__all__)
    assert all(hasattr(initkit, name) for name in initkit.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring(name: str) -> None:
    assert (inspect.getdoc(getattr(initkit, name)) or "").strip()


@pytest.mark.parametrize("name", VERBS)
def test_a_public_name_has_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(getattr(initkit, name)) or "")


def test_every_error_stands_in_the_api_reference() -> None:
    assert "automodule:: initkit.errors\n   :members:" in (ROOT / "docs/api.md").read_text()


def paths(text: str) -> set[str]:
    """Return every path into the package that a page names, imports included."""
    found = set(re.findall(r"\binitkit(?:\.\w+)+", text))
    imports = r"^[>. ]*from (initkit[\w.]*) import ([\w, ]+)$"
    for module, names in re.findall(imports, text, re.MULTILINE):
        found |= {f"{module}.{name.strip()}" for name in names.split(",")}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_imports(page: Path) -> None:
    for path in sorted(paths(page.read_text())):
        assert pkgutil.resolve_name(path) is not None


def test_a_path_that_leads_nowhere_would_be_found() -> None:
    found = paths(".. autoclass:: initkit.ties.Use\n>>> from initkit import apply_init, fill")
    assert found == {"initkit.ties.Use", "initkit.apply_init", "initkit.fill"}
    with pytest.raises(AttributeError, match="Use"):
        pkgutil.resolve_name("initkit.ties.Use")


def test_the_api_reference_shows_every_path_once() -> None:
    page = (ROOT / "docs/api.md").read_text()
    shown = re.findall(r"^\.\. auto\w+:: (\S+)", page, re.MULTILINE)
    assert len(shown) == len(set(shown)) and set(shown) >= {f"initkit.{name}" for name in VERBS}


@pytest.mark.parametrize("name", VERBS)
def test_a_public_name_stands_in_the_typed_examples(name: str) -> None:
    tree = ast.parse((ROOT / "tests/typed_examples.py").read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert name in used


@pytest.mark.parametrize("function", [n for n in VERBS if inspect.isfunction(getattr(initkit, n))])
def test_a_public_function_is_typed(function: str) -> None:
    signature = inspect.signature(getattr(initkit, function))
    bare = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
    assert not bare
    assert signature.return_annotation is not signature.empty


def _public_calls() -> Iterator[tuple[str, Callable[..., Any], list[Any]]]:
    """Yield what users call, by its name, with what Python puts before their own arguments."""
    for module in (initkit, initkit.testing):
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing) or name in ("Rule", "Recipe"):
                yield name, thing, []
            if isinstance(thing, type) and issubclass(thing, (Shown, initkit.Recording)):
                yield from _methods(thing)
    for name, cls in vars(initkit.schemes).items():
        if isinstance(cls, type) and issubclass(cls, initkit.Scheme) and cls.name:
            yield name, cls, []


def _methods(cls: type) -> Iterator[tuple[str, Callable[..., Any], list[Any]]]:
    for name, member in inspect.getmembers(cls, callable):
        if not name.startswith("_"):
            own = [] if inspect.ismethod(member) else [object()]
            yield f"{cls.__name__}.{name}", member, own


_INTERNAL = {"Plan.replaced"}  # takes any name, and asserts which
_CALLS = [call for call in _public_calls() if call[0] not in _INTERNAL]


@pytest.mark.parametrize(("name", "call", "own"), _CALLS, ids=[name for name, *_ in _CALLS])
def test_a_public_call_that_does_not_fit_says_what_would(
    name: str, call: Callable[..., Any], own: list[Any]
) -> None:
    parameters = inspect.signature(call).parameters.values()
    forwards = any(p.kind is p.VAR_KEYWORD for p in parameters)
    with pytest.raises(
        OptionError, match=" lacks " if forwards else "has no option 'zzqx'; it takes"
    ):
        call(*own, zzqx=1)
    with pytest.raises(OptionError) as caught:
        call(*own, *range(99)) if not _takes_any_number(call) else call(*own, zzqx=1)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def _takes_any_number(call: Callable[..., Any]) -> bool:
    return any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(call).parameters.values())


def test_a_type_error_from_within_a_call_that_fits_is_left_as_it_is() -> None:
    def start(tensor: torch.Tensor) -> None:
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        initkit.record_init(lambda: start(torch.zeros(1)))


def test_every_error_is_public_or_stands_under_a_public_one() -> None:
    tree = [value for value in vars(errors).values() if _is_error(value)]
    assert all(issubclass(error, errors.InitkitError) for error in tree)
    assert not any(issubclass(error, KeyError) for error in tree), "a KeyError's text is unreadable"


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(initkit.__file__).parent / "py.typed").exists()


def test_the_typed_examples_run() -> None:
    subprocess.run([sys.executable, str(ROOT / "tests/typed_examples.py")], check=True)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


@pytest.mark.parametrize("width", [80, 120])
def test_what_is_looked_at_prints_itself_within_the_width_of_the_terminal(
    width, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    x = torch.randn(4, 5, 16)
    plan = initkit.plan_init(model, "torch_default")
    probes = [initkit.probe_init(model, x, rules={"*": value}) for value in (0.25, 0.01)]
    shown = [
        plan,
        plan.tree(),
        plan.diff(initkit.plan_init(model, {"*.weight": "normal(std=0.02)", "*": "keep"})),
        plan.apply(model, seed=0),
        initkit.check_init(model, {"*.weight": "normal(std=0.02)", "*": 0}),
        initkit.tie_report(model),
        initkit.summary(model),
        initkit.suggest_recipe(model),
        initkit.calibrate_init(model, "torch_default", x, seed=0),
        *probes,
        initkit.compare(*probes),
    ]
    for one in shown:
        assert isinstance(one, Shown), one
        assert max(map(len, str(one).splitlines())) <= width, one


def test_a_misspelt_public_name_is_answered_with_the_one_that_is_meant() -> None:
    with pytest.raises(AttributeError, match="no attribute 'aply_init'; did you mean 'apply_init'"):
        _ = initkit.aply_init
