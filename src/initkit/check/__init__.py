"""Compare what a model holds with what was planned for it."""

from .check import check_init
from .report import CheckReport, Failure

__all__ = [
    "CheckReport",
    "Failure",
    "check_init",
]
