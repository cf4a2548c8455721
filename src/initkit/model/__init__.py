"""What a model holds: every named place, and what is known of it."""

from .computed_weights import ComputedWeight, SharedWeight, find_computed_weights
from .layouts import ParameterInfo, fans, layout_row, parameter_info, register_layout
from .sharding import (
    LocalShard,
    device_type,
    is_elsewhere,
    is_sharded,
    local_shard,
    placement_problem,
    rank_count,
    shape_problem,
)
from .slots import (
    WRAPPERS,
    Slot,
    children_of,
    is_counted,
    is_wrapper_segment,
    walk,
    walk_state_dict,
)
from .tensors import CHUNK, chunks, differing, same_bits
from .unregistered import Unregistered, fold_unregistered, name_unregistered, named_unregistered
from .unregistered_search import find_unregistered
from .view import Model, ModelView

__all__ = [
    "CHUNK",
    "WRAPPERS",
    "ComputedWeight",
    "LocalShard",
    "Model",
    "ModelView",
    "ParameterInfo",
    "SharedWeight",
    "Slot",
    "Unregistered",
    "children_of",
    "chunks",
    "device_type",
    "differing",
    "fans",
    "find_computed_weights",
    "find_unregistered",
    "fold_unregistered",
    "is_counted",
    "is_elsewhere",
    "is_sharded",
    "is_wrapper_segment",
    "layout_row",
    "local_shard",
    "name_unregistered",
    "named_unregistered",
    "parameter_info",
    "placement_problem",
    "rank_count",
    "register_layout",
    "same_bits",
    "shape_problem",
    "walk",
    "walk_state_dict",
]
