"""What a model holds: its slots, their layouts, what computes them, what of them is here."""

from .computed_weights import Door, SharedDoor, doors
from .layouts import Facts, facts, fans, kind_of, register_layout
from .sharding import Held, device_type, held, is_elsewhere, is_sharded, problem, ranks, shapeless
from .slots import WRAPPERS, Slot, is_counted, is_wrapper_segment, walk, walk_state_dict

__all__ = [
    "Door",
    "Facts",
    "Held",
    "SharedDoor",
    "Slot",
    "WRAPPERS",
    "device_type",
    "doors",
    "facts",
    "fans",
    "held",
    "is_counted",
    "is_elsewhere",
    "is_sharded",
    "is_wrapper_segment",
    "kind_of",
    "problem",
    "ranks",
    "register_layout",
    "shapeless",
    "walk",
    "walk_state_dict",
]
