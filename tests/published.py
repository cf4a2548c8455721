"""Figures that were measured on published models, and torch modules rebuilt from their names.

The key is a family and a variant; ``jax: ...`` are measured in JAX and Keras, with their names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

_DATA = Path(__file__).parent / "data" / "published.json"


@lru_cache(maxsize=1)
def all_published() -> dict[str, Any]:
    """Return all figures, by family and variant."""
    data: dict[str, Any] = json.loads(_DATA.read_text())
    return data


def published(key: str) -> dict[str, Any]:
    """Return what was measured on a published model: source, commit, seeds, and a row a parameter.

    A row is the owner's class, the shape, and either the one value that all elements have, or
    mean, std, smallest, largest value and excess kurtosis over all seeds; then, in a dict, groups
    and padding_idx of the module. ``measured`` is false where the figures were drawn by the rules
    that one reads in code that does not run any more (Lua, TensorFlow 1), or in a paper.
    """
    return all_published()[key]


# ------------------------------------------------------------------------------------ skeletons


def skeleton(key: str) -> nn.Module:
    """Rebuild a published model from torch modules: names, shapes and class names, no forward."""
    owners: dict[str, dict[str, Sequence[Any]]] = {}
    for name, row in published(key)["params"].items():
        path, _, own = name.rpartition(".")
        owners.setdefault(path, {})[own] = row
    root = nn.Module()
    for path in sorted(owners, key=lambda path: path.count(".") if path else -1):
        rows = owners[path]
        if _made_already(root, path):
            continue
        leaf = not any(other.startswith(f"{path}.") for other in owners) if path else False
        made = _torch_leaf(rows) if leaf else _attention(rows)
        if made is not None:
            parent, _, last = path.rpartition(".")
            _at(root, parent).add_module(last, made)
            continue
        module = _at(root, path)
        module.__class__ = type(next(iter(rows.values()))[0] or "Module", (nn.Module,), {})
        for own, (_, shape, *rest) in rows.items():
            frozen = any(isinstance(x, dict) and x.get("frozen") for x in rest)
            parameter = nn.Parameter(torch.zeros(shape), requires_grad=not frozen)
            module.register_parameter(own, parameter)
    _number_lists(root)
    return root


def _made_already(root: nn.Module, path: str) -> bool:
    """Tell whether the module came with the one above it, as MultiheadAttention's out_proj does."""
    try:
        return bool(path) and next(root.get_submodule(path).parameters(), None) is not None
    except AttributeError:
        return False


def _at(root: nn.Module, path: str) -> nn.Module:
    """Return the module at a path, with all above it, made where missing."""
    here = root
    for part in filter(None, path.split(".")):
        if part not in here._modules:
            here.add_module(part, nn.Module())
        here = here.get_submodule(part)
    return here


def _number_lists(module: nn.Module) -> None:
    """Make a list of every plain container whose children are numbered."""
    for name, child in list(module.named_children()):
        _number_lists(child)
        names = list(child._modules)
        if type(child) is nn.Module and names and all(n.isdigit() for n in names):
            top = max(map(int, names)) + 1
            parts = [child._modules.get(str(i)) or nn.Identity() for i in range(top)]
            module._modules[name] = nn.Sequential(*parts)


_SAME_AS = {
    "BatchLinear": "Linear",
    "MuReadout": "Linear",
    "NonDynamicallyQuantizableLinear": "Linear",
    "TextEmbedding": "Embedding",
    "WhisperPositionalEmbedding": "Embedding",
    "BartLearnedPositionalEmbedding": "Embedding",
    "BartScaledWordEmbedding": "Embedding",
    "OPTLearnedPositionalEmbedding": "Embedding",
    "Gemma3TextScaledWordEmbedding": "Embedding",
    "EfficientNetDepthwiseConv2d": "Conv2d",
    "GroupNorm32": "GroupNorm",
    "BatchNormAct2d": "BatchNorm2d",
    "LayerNorm2d": "LayerNorm",
    "ConvNextLayerNorm": "LayerNorm",
}


def _torch_leaf(rows: dict[str, Sequence[Any]]) -> nn.Module | None:
    """Return the torch module with these parameters, or None where torch has none."""
    kind = next(iter(rows.values()))[0]
    if kind in ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"):
        return _recurrent(kind, rows)
    if "weight" not in rows or set(rows) - {"weight", "bias"}:
        return None
    kind, shape, *rest = rows["weight"]
    more = next((x for x in rest if isinstance(x, dict)), {})
    same = _SAME_AS.get(kind, kind)
    module = _wide(same, shape, "bias" in rows, more) or _narrow(same, shape, "bias" in rows)
    if module is not None and type(module).__name__ != kind:
        module.__class__ = type(kind, (type(module),), {})
    return module


def _wide(kind: str, shape: list[int], bias: bool, more: dict[str, int]) -> nn.Module | None:
    """Return a module whose weight has two dimensions or more."""
    groups = more.get("groups", 1)
    match kind:
        case "Linear":
            return nn.Linear(shape[1], shape[0], bias=bias)
        case "Bilinear":
            return nn.Bilinear(shape[1], shape[2], shape[0], bias=bias)
        case "Conv1d" | "Conv2d" | "Conv3d":
            size = (shape[1] * groups, shape[0], tuple(shape[2:]))
        case "ConvTranspose1d" | "ConvTranspose2d":
            size = (shape[0], shape[1] * groups, tuple(shape[2:]))
        case "Embedding":
            return nn.Embedding(shape[0], shape[1], padding_idx=more.get("padding_idx"))
        case _:
            return None
    return getattr(nn, kind)(*size, groups=groups, bias=bias)


def _narrow(kind: str, shape: list[int], bias: bool) -> nn.Module | None:
    """Return a norm, or PReLU."""
    match kind:
        case "LayerNorm":
            return nn.LayerNorm(shape, bias=bias)
        case "RMSNorm":
            return nn.RMSNorm(shape)
        case "GroupNorm":
            return nn.GroupNorm(1, shape[0])
        case "InstanceNorm2d":
            return nn.InstanceNorm2d(shape[0], affine=True)
        case "BatchNorm1d" | "BatchNorm2d" | "PReLU":
            return getattr(nn, kind)(shape[0])
    return None


def _recurrent(kind: str, rows: dict[str, Sequence[Any]]) -> nn.Module:
    shapes = {name: row[1] for name, row in rows.items()}
    bias = any(name.startswith("bias") for name in shapes)
    width = next(shape for name, shape in shapes.items() if name.startswith("weight_ih"))[1]
    hidden = next(shape for name, shape in shapes.items() if name.startswith("weight_hh"))[1]
    make = getattr(nn, kind)
    if kind.endswith("Cell"):
        return make(width, hidden, bias=bias)
    layers = sum(name.startswith("weight_ih") for name in shapes)
    return make(width, hidden, num_layers=layers, bias=bias)


def _attention(rows: dict[str, Sequence[Any]]) -> nn.Module | None:
    """Return torch's attention, which brings its out_proj along."""
    if next(iter(rows.values()))[0] != "MultiheadAttention":
        return None
    shapes = {name: row[1] for name, row in rows.items()}
    packed = shapes.get("in_proj_weight")
    width = packed[1] if packed else shapes["q_proj_weight"][0]
    return nn.MultiheadAttention(
        width,
        1,
        bias="in_proj_bias" in shapes,
        add_bias_kv="bias_k" in shapes,
        kdim=None if packed else shapes["k_proj_weight"][1],
        vdim=None if packed else shapes["v_proj_weight"][1],
    )
