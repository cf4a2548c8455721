"""What a model holds: every named place, and what is known of it."""

from .adapters import adapter_part, holds_adapters
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
from .computed_base import ComputedWeight, SharedWeight
from .computed_weights import find_computed_weights
from .guard import preserved
from .layouts import fans, layout_row, parameter_info, register_layout
from .numbered import children_of, every_module, is_counted
from .originals import has_number, kind_of
from .parameter_facts import ParameterInfo
from .parameter_facts import Role as ParameterRole
from .sharding import (
    LocalShard,
    device_type,
    is_elsewhere,
    is_sharded,
    local_part,
    local_shard,
    placement_problem,
    rank_count,
    shape_problem,
    values_problem,
    whole_values,
)
from .slots import (
    WRAPPERS,
    Slot,
    is_wrapper_segment,
    require_module,
    walk,
    walk_state_dict,
)
from .tensors import (
    CHUNK,
    chunk_size,
    chunks,
    components,
    differing,
    is_fake,
    number_problem,
    reading_problem,
    same_bits,
    writing_problem,
)
from .unregistered import Unregistered, fold_unregistered, name_unregistered, named_unregistered
from .unregistered_search import find_unregistered
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
    "ParameterRole",
    "SharedWeight",
    "Slot",
    "Unregistered",
    "adapter_part",
    "children_of",
    "chunk_size",
    "chunks",
    "components",
    "device_type",
    "differing",
    "every_module",
    "fans",
    "find_computed_weights",
    "find_unregistered",
    "fold_unregistered",
    "has_number",
    "holds_adapters",
    "in_backward",
    "is_counted",
    "is_elsewhere",
    "is_fake",
    "is_sharded",
    "is_wrapper_segment",
    "kind_of",
    "layout_row",
    "local_part",
    "local_shard",
    "module_names",
    "name_unregistered",
    "named_unregistered",
    "number_problem",
    "operation_name",
    "parameter_info",
    "placement_problem",
    "preserved",
    "rank_count",
    "reading_problem",
    "register_layout",
    "require_module",
    "same_bits",
    "shape_problem",
    "untraced",
    "values_problem",
    "walk",
    "walk_state_dict",
    "whole_values",
    "writing_problem",
]
