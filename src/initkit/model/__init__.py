"""What a model holds: every named place, and what is known of it."""

from .calls import (
    Call,
    FunctionMode,
    ModuleCalls,
    Operation,
    in_backward,
    module_names,
    operation_name,
    untraced,
)
from .computed_weights import ComputedWeight, SharedWeight, find_computed_weights
from .guard import preserved
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
from .slots import WRAPPERS, Slot, is_counted, is_wrapper_segment, walk, walk_state_dict
from .tensors import CHUNK, chunks, components, differing, is_fake, same_bits
from .view import Model, ModelView

__all__ = [
    "CHUNK",
    "WRAPPERS",
    "Call",
    "ComputedWeight",
    "FunctionMode",
    "LocalShard",
    "Model",
    "ModelView",
    "ModuleCalls",
    "Operation",
    "ParameterInfo",
    "SharedWeight",
    "Slot",
    "chunks",
    "components",
    "device_type",
    "differing",
    "fans",
    "find_computed_weights",
    "in_backward",
    "is_counted",
    "is_elsewhere",
    "is_fake",
    "is_sharded",
    "is_wrapper_segment",
    "layout_row",
    "local_shard",
    "module_names",
    "operation_name",
    "parameter_info",
    "placement_problem",
    "preserved",
    "rank_count",
    "register_layout",
    "same_bits",
    "shape_problem",
    "untraced",
    "walk",
    "walk_state_dict",
]
