"""Decide how every parameter starts; nothing is written here."""

from .binding import bind
from .html import plan_page
from .plan import EMPTY, UNCOVERED, WRITE, Plan, Rename, Step, Target, plain_data, rich_data
from .planner import Model, plan_init, slots_of
from .resolve import slot_info
from .selection import Selection

__all__ = [
    "EMPTY",
    "UNCOVERED",
    "WRITE",
    "Model",
    "Plan",
    "Rename",
    "Selection",
    "Step",
    "Target",
    "bind",
    "plain_data",
    "plan_init",
    "plan_page",
    "rich_data",
    "slot_info",
    "slots_of",
]
