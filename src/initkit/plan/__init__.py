"""Decide how every parameter starts; nothing is written here."""

from .binding import bind_view
from .copies import copied, with_copy
from .diff import Change, Diff
from .display import first_to_know, plan_lines, plan_page
from .history import Write
from .lookup import SlotLookup, padding_mask
from .marks import has_no_mark
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
from .resolve import Resolver, SiteReader, slot_info
from .serialization import FORMAT as PLAN_FORMAT
from .serialization import plain_data, read_steps, rich_data
from .step import EMPTY, KEEP, UNCOVERED, UNEXPLAINED, WRITE, Status, Step, Target, step_named
from .tree import Tree

__all__ = [
    "DEFAULTS",
    "EMPTY",
    "KEEP",
    "PLAN_FORMAT",
    "UNCOVERED",
    "UNEXPLAINED",
    "WRITE",
    "Change",
    "DecoratorOptions",
    "Device",
    "Diff",
    "InitOptions",
    "MaterializeOptions",
    "Plan",
    "PlanOptions",
    "Rename",
    "Resolver",
    "RuleTable",
    "Selection",
    "SiteReader",
    "SlotLookup",
    "Status",
    "Step",
    "Target",
    "Tree",
    "Write",
    "WriteOptions",
    "bind_view",
    "check_options",
    "copied",
    "first_to_know",
    "has_no_mark",
    "is_frozen",
    "of_kind",
    "padding_mask",
    "plain_data",
    "plan_init",
    "plan_lines",
    "plan_page",
    "plan_view",
    "read_steps",
    "rich_data",
    "slot_info",
    "step_head",
    "step_named",
    "takes",
    "with_copy",
]
