"""Compare what a model holds with what was planned for it."""

from .check import check_init
from .failures import Failure
from .report import CheckReport

__all__ = [
    "CheckReport",
    "Failure",
    "check_init",
]
