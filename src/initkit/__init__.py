"""Decide, show, write and prove how the parameters of a PyTorch model start."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .loading import no_collecting

with no_collecting():
    # Acts
    from .apply import apply_init, materialize

    # Doors
    from .decorator import initialized
    from .deferred import deferred

    # Errors
    from .errors import (
        CheckError,
        DeferredError,
        DuplicateNameError,
        FileError,
        FillError,
        FormulaError,
        IdleRule,
        IdleSelection,
        InitkitError,
        LayoutError,
        MemoryProblem,
        OptionError,
        PlanError,
        Problem,
        RanksDiffer,
        ReadError,
        RuleError,
        SchemeMismatch,
        TargetError,
        TieConflict,
        TieError,
        Uncovered,
        UnknownNameError,
        Unplanned,
    )

    # Numbers
    from .gains import gain

    # Schemes and layouts
    from .layouts import fans, register_layout

    # Rules, recipes and plans
    from .plan import Plan
    from .planner import plan_init
    from .registry import blocks, describe_scheme, list_schemes, register_scheme
    from .report import Report

    # Ties
    from .retie import preserve_ties, retie, tie, tie_status
    from .rules import Recipe, Rule, describe_recipe, list_recipes, register_recipe
    from .ties import find_tied_parameters

if TYPE_CHECKING:  # these load on first use: most programs use none of them
    from .check import check_init
    from .coverage import track_writes
    from .digests import tensor_digests, values_digest
    from .files import load_recipe, save_recipe
    from .records import verify_report
    from .reuse import find_reused_parameters
    from .suggest import suggest_recipe
    from .tiereport import tie_report
else:
    _LATER = {
        "check_init": "check",
        "find_reused_parameters": "reuse",
        "load_recipe": "files",
        "save_recipe": "files",
        "suggest_recipe": "suggest",
        "tensor_digests": "digests",
        "tie_report": "tiereport",
        "track_writes": "coverage",
        "values_digest": "digests",
        "verify_report": "records",
    }

    def __getattr__(name):
        """Load a public name on first use."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value = getattr(import_module(f".{_LATER[name]}", __name__), name)
        return value

    def __dir__():
        return sorted(globals().keys() | _LATER.keys())


__version__ = "0.1.0"

__all__ = [
    "CheckError",
    "DeferredError",
    "DuplicateNameError",
    "FileError",
    "FillError",
    "FormulaError",
    "IdleRule",
    "IdleSelection",
    "InitkitError",
    "LayoutError",
    "MemoryProblem",
    "OptionError",
    "Plan",
    "PlanError",
    "Problem",
    "RanksDiffer",
    "ReadError",
    "Recipe",
    "Report",
    "Rule",
    "RuleError",
    "SchemeMismatch",
    "TargetError",
    "TieConflict",
    "TieError",
    "Uncovered",
    "UnknownNameError",
    "Unplanned",
    "apply_init",
    "blocks",
    "check_init",
    "deferred",
    "describe_recipe",
    "describe_scheme",
    "fans",
    "find_reused_parameters",
    "find_tied_parameters",
    "gain",
    "initialized",
    "list_recipes",
    "list_schemes",
    "load_recipe",
    "materialize",
    "plan_init",
    "preserve_ties",
    "register_layout",
    "register_recipe",
    "register_scheme",
    "retie",
    "save_recipe",
    "suggest_recipe",
    "tensor_digests",
    "tie",
    "tie_report",
    "tie_status",
    "track_writes",
    "values_digest",
    "verify_report",
]
