"""Decide how every parameter starts; nothing is written here."""

from .binding import bind
from .html import plan_page
from .plan import EMPTY, UNCOVERED, WRITE, Plan, Rename, Step, Target, plain_data, rich_data
from .planner import Model, plan_init, slots_of
from .resolve import facts_of
from .selection import Selection

__all__ = [
    "EMPTY",
    "Model",
    "Plan",
    "Rename",
    "Selection",
    "Step",
    "Target",
    "UNCOVERED",
    "WRITE",
    "bind",
    "facts_of",
    "plain_data",
    "plan_init",
    "plan_page",
    "rich_data",
    "slots_of",
]
