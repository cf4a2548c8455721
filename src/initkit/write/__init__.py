"""Carry a plan out: the only room that writes starting values."""

from .apply import apply_init, apply_plan, materialize, param_init_fn
from .decorator import initialized
from .deferral import deferred
from .report import Report
from .started import rules_that_started

__all__ = [
    "Report",
    "apply_init",
    "apply_plan",
    "deferred",
    "initialized",
    "materialize",
    "param_init_fn",
    "rules_that_started",
]
