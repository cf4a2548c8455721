"""Fixtures for tests of initialisation: load them with ``-p initkit.pytest_plugin``.

There is no entry point: a pytest run that does not ask for the plugin never hears of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .check.report import CheckReport
    from .plan import Plan

FOLDER = "init_plans"
# Which test of this run a snapshot belongs to; the stash lives as long as pytest's config.
_OWNERS = pytest.StashKey[dict[Path, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--initkit-update``, which writes snapshots anew."""
    parser.getgroup("initkit").addoption(
        "--initkit-update",
        action="store_true",
        help="write initkit's plan snapshots anew instead of comparing with them",
    )


@pytest.fixture
def plan_snapshot(request: pytest.FixtureRequest) -> Callable[..., Plan]:
    """Compare a model's plan with a file beside the test.

    ``plan_snapshot(model, rules, name=None)`` keeps one file for each test, or for each ``name``,
    in the folder ``init_plans``; it takes the options of :func:`initkit.plan_init`.
    """
    used: set[Path] = set()

    def compare(model: Any, rules: Any, name: str | None = None, **options: Any) -> Plan:
        __tracebackhide__ = True
        from .testing import assert_plan  # torch is imported where a fixture is used, not before

        path = _path(request, name)
        if path in used:
            pytest.fail(f"{path.name} is compared twice in one test; pass name=...", pytrace=False)
        used.add(path)
        # Two tests over one file would take turns at changing it, and both would pass under update.
        own = request.node.nodeid
        other = request.config.stash.setdefault(_OWNERS, {}).setdefault(path, own)
        if name is None and other != own:
            text = f"{path.name} is the file of {other}, too; pass name=..."
            pytest.fail(text, pytrace=False)
        update = bool(request.config.getoption("--initkit-update"))
        return assert_plan(model, rules, path, update=update, **options)

    return compare


@pytest.fixture
def check_initialized() -> Callable[..., CheckReport]:
    """Check that every parameter looks as planned: ``check_initialized(model, rules)``."""
    from .testing import assert_initialized

    return assert_initialized


@pytest.fixture
def untouched() -> Callable[..., Any]:
    """Guard tensors: what a ``with`` block over them changes, fails.

    ``with untouched(model, "backbone.*"): ...``
    """
    from .testing import assert_untouched

    return assert_untouched


def _path(request: pytest.FixtureRequest, name: str | None) -> Path:
    test = Path(str(request.path))
    # Class, function and parameters: what tells tests of one file apart.
    own = request.node.nodeid.partition("::")[2].replace("::", "-") if name is None else name
    # Parameters may hold slashes and colons, which no file name can have everywhere.
    safe = re.sub(r"[^\w.-]+", "_", own).strip("_") or "plan"
    return test.parent / FOLDER / f"{f'{test.stem}-' if name is None else ''}{safe}.txt"
