"""Decide how every parameter starts; nothing is written here."""

from .binding import bind
from .html import plan_page
from .options import (
    DEFAULTS,
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
from .plan import EMPTY, UNCOVERED, WRITE, Plan, Rename, Step, Target, plain_data, rich_data
from .planner import Model, plan_init, slots_of
from .resolve import slot_info

__all__ = [
    "DEFAULTS",
    "EMPTY",
    "UNCOVERED",
    "WRITE",
    "Device",
    "InitOptions",
    "MaterializeOptions",
    "Model",
    "Plan",
    "PlanOptions",
    "Rename",
    "Selection",
    "Step",
    "Target",
    "WriteOptions",
    "bind",
    "check_options",
    "of_kind",
    "plain_data",
    "plan_init",
    "plan_page",
    "rich_data",
    "slot_info",
    "slots_of",
    "takes",
]
