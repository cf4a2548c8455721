"""Decide how every parameter starts; nothing is written here."""

from .binding import bind_view
from .copies import copied
from .display import plan_page
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
from .plan import Plan, Rename
from .planner import plan_init, plan_view
from .resolve import SiteReader, slot_info
from .serialization import plain_data, rich_data
from .step import EMPTY, UNCOVERED, WRITE, Step, Target

__all__ = [
    "DEFAULTS",
    "EMPTY",
    "UNCOVERED",
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
    "Step",
    "Target",
    "WriteOptions",
    "bind_view",
    "check_options",
    "copied",
    "of_kind",
    "padding_mask",
    "plain_data",
    "plan_init",
    "plan_page",
    "plan_view",
    "rich_data",
    "slot_info",
    "takes",
]
