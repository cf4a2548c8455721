"""Every example in a docstring, in the docs and in the README is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
import torch

import initkit
from initkit import list_schemes
from initkit.schemes import unregister_scheme

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("gallery/*.md"), ROOT / "README.md"])
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Started, compiled, a script, or for what is not installed here.
OWN = re.compile(r"\.(__main__|_\w+|make_\w+|triton_kernel)$")
MODULES = [
    info.name
    for info in pkgutil.walk_packages(initkit.__path__, "initkit.")
    if not OWN.search(info.name)
]


def _names(package: ModuleType) -> Sequence[str]:
    return getattr(package, "__all__", ())


@pytest.mark.parametrize("module", ["initkit", *MODULES])
def test_docstring_examples_are_true(module: str) -> None:
    """An example may use its module's names, and the public ones of its room and of initkit."""
    torch.manual_seed(0)
    own = importlib.import_module(module)
    room = importlib.import_module(own.__package__ or "initkit")
    shown = {n: getattr(package, n) for package in (initkit, room) for n in _names(package)}
    result = doctest.testmod(own, globs=shown | vars(own), optionflags=FLAGS)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_examples_are_true(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a page may write files
    monkeypatch.setattr(doctest, "master", None)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    text = re.sub(r"^ *(```|~~~).*$", "", page.read_text(), flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    before = set(list_schemes())
    try:
        assert runner.run(test).failed == 0
    finally:
        for name in set(list_schemes()) - before:  # other tests list the schemes
            unregister_scheme(name)


def test_a_false_example_would_be_caught() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "false", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None).failed == 1
