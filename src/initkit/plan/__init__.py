"""Decide how every parameter starts; nothing is written here."""

from .binding import bind_view
from .copies import copied
from .display import plan_page
from .history import Write
from .lookup import SlotLookup, padding_mask
from .matching import RuleTable
from .options import (
    DEFAULTS,
    DecoratorOptions,
    Device,
    InitOptions,
    MaterializeOptions,
    PlanOptions,
    Selection,
    WriteOptions,
    check_options,
    of_kind,
    takes,
)
from .outcome import is_frozen, step_head
from .plan import Plan
from .planner import plan_init, plan_view
from .renaming import Rename
from .resolve import SiteReader, slot_info
from .serialization import plain_data, rich_data
from .step import EMPTY, UNCOVERED, UNEXPLAINED, WRITE, Status, Step, Target

__all__ = [
    "DEFAULTS",
    "EMPTY",
    "UNCOVERED",
    "UNEXPLAINED",
    "WRITE",
    "DecoratorOptions",
    "Device",
    "InitOptions",
    "MaterializeOptions",
    "Plan",
    "PlanOptions",
    "Rename",
    "RuleTable",
    "Selection",
    "SiteReader",
    "SlotLookup",
    "Status",
    "Step",
    "Target",
    "Write",
    "WriteOptions",
    "bind_view",
    "check_options",
    "copied",
    "is_frozen",
    "of_kind",
    "padding_mask",
    "plain_data",
    "plan_init",
    "plan_page",
    "plan_view",
    "rich_data",
    "slot_info",
    "step_head",
    "takes",
]
