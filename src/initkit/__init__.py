"""Decide, show, write and prove how the parameters of a PyTorch model start."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .numbers import no_collecting

# Dataclasses make many objects that stay: collecting garbage meanwhile only costs time.
with no_collecting():
    from ._version import __version__
    from .errors import (
        CheckError,
        DeferredError,
        DuplicateNameError,
        FileError,
        FillError,
        FormulaError,
        InitkitError,
        LayoutError,
        OptionError,
        PlanError,
        Problem,
        ReadError,
        RuleError,
        TargetError,
        TieError,
        UnknownNameError,
    )
    from .model import Slot, fans, register_layout
    from .numbers import gain
    from .plan import Plan, Step, Write, plan_init
    from .rules import Recipe, Rule, describe_recipe, first, last, list_recipes, register_recipe
    from .schemes import (
        Scheme,
        blocks,
        describe_scheme,
        list_schemes,
        per_module,
        register_scheme,
    )
    from .ties import (
        TieGroup,
        TieStatus,
        find_tied_parameters,
        preserve_ties,
        retie,
        tie,
        tie_status,
    )
    from .write import Report, apply_init, deferred, initialized, materialize

if TYPE_CHECKING:  # these load on first use: most programs use none of them
    from .access import Summary, init_, summary
    from .check import CheckReport, Failure, check_init
    from .record.watch import Recording, record_init, recording
    from .rules.recipe_files import load_recipe, save_recipe
    from .signal import (
        Calibration,
        Coordinates,
        Finding,
        Probe,
        calibrate_init,
        compare,
        coordinate_check,
        probe_init,
    )
    from .suggest import suggest_recipe
    from .ties.report import tie_report
    from .ties.reuse import find_reused_parameters
    from .write.digests import model_digest
    from .write.tracking import track_writes
    from .write.verify import verify_report
else:
    _LATER = {
        "Calibration": "signal",
        "CheckReport": "check",
        "Coordinates": "signal",
        "Failure": "check",
        "Recording": "record",
        "Summary": "access",
        "Finding": "signal",
        "Probe": "signal",
        "calibrate_init": "signal",
        "check_init": "check",
        "compare": "signal",
        "coordinate_check": "signal",
        "find_reused_parameters": "ties.reuse",
        "init_": "access",
        "load_recipe": "rules.recipe_files",
        "model_digest": "write.digests",
        "record_init": "record",
        "recording": "record",
        "probe_init": "signal",
        "save_recipe": "rules.recipe_files",
        "suggest_recipe": "suggest",
        "summary": "access",
        "tie_report": "ties.report",
        "track_writes": "write.tracking",
        "verify_report": "write.verify",
    }

    def __getattr__(name):
        """Load a public name on first use."""
        if name not in _LATER:
            from .spelling import did_you_mean

            near = did_you_mean(name, __all__)
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{near}")
        # Kept, so that Python asks once for each name.
        globals()[name] = value = getattr(import_module(f".{_LATER[name]}", __name__), name)
        return value

    def __dir__():
        return sorted(globals().keys() | _LATER.keys())


__all__ = [
    "Calibration",
    "CheckError",
    "CheckReport",
    "Coordinates",
    "DeferredError",
    "DuplicateNameError",
    "Failure",
    "FileError",
    "FillError",
    "Finding",
    "FormulaError",
    "InitkitError",
    "LayoutError",
    "OptionError",
    "Plan",
    "PlanError",
    "Probe",
    "Problem",
    "ReadError",
    "Recipe",
    "Recording",
    "Report",
    "Rule",
    "RuleError",
    "Scheme",
    "Slot",
    "Step",
    "Summary",
    "TargetError",
    "TieError",
    "TieGroup",
    "TieStatus",
    "UnknownNameError",
    "Write",
    "__version__",
    "apply_init",
    "blocks",
    "calibrate_init",
    "check_init",
    "compare",
    "coordinate_check",
    "deferred",
    "describe_recipe",
    "describe_scheme",
    "fans",
    "find_reused_parameters",
    "find_tied_parameters",
    "first",
    "gain",
    "init_",
    "initialized",
    "last",
    "list_recipes",
    "list_schemes",
    "load_recipe",
    "materialize",
    "model_digest",
    "per_module",
    "plan_init",
    "preserve_ties",
    "probe_init",
    "record_init",
    "recording",
    "register_layout",
    "register_recipe",
    "register_scheme",
    "retie",
    "save_recipe",
    "suggest_recipe",
    "summary",
    "tie",
    "tie_report",
    "tie_status",
    "track_writes",
    "verify_report",
]
