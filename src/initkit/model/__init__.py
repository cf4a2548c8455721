"""What a model holds: its slots, their layouts, what computes them, what of them is here."""

from .computed_weights import ComputedWeight, SharedWeight, find_computed_weights
from .layouts import ParameterInfo, fans, kind_of, parameter_info, register_layout
from .sharding import (
    LocalShard,
    device_type,
    is_elsewhere,
    is_sharded,
    local_shard,
    problem,
    ranks,
    shapeless,
)
from .slots import WRAPPERS, Slot, is_counted, is_wrapper_segment, walk, walk_state_dict
from .tensors import CHUNK, chunks, differing, same_bits
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
    "chunks",
    "device_type",
    "differing",
    "fans",
    "find_computed_weights",
    "is_counted",
    "is_elsewhere",
    "is_sharded",
    "is_wrapper_segment",
    "kind_of",
    "local_shard",
    "parameter_info",
    "problem",
    "ranks",
    "register_layout",
    "same_bits",
    "shapeless",
    "walk",
    "walk_state_dict",
]
