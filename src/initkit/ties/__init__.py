"""Which names of a model share memory."""

from .grouping import TieKind
from .groups import TieGroup, find_tied_parameters, memories, plainly_untied, tie_slots
from .repair import preserve_ties, retie, tie
from .status import TieStatus, tie_status
from .storage import self_overlapping

__all__ = [
    "TieGroup",
    "TieKind",
    "TieStatus",
    "find_tied_parameters",
    "memories",
    "plainly_untied",
    "preserve_ties",
    "retie",
    "self_overlapping",
    "tie",
    "tie_slots",
    "tie_status",
]
