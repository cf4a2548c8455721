"""Graph networks of PyTorch Geometric: its own Linear says how it starts, its layers are Glorot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model import Slot
from ..rules import REST, Recipe, Rule

_GLOROT = "uniform(-sqrt(6/(shape[-2] + shape[-1])), sqrt(6/(shape[-2] + shape[-1])))"
_BY_WIDTH = "uniform(-1/sqrt(shape[-1]), 1/sqrt(shape[-1]))"
_BY_INPUTS = "uniform(-1/sqrt(owner.in_channels), 1/sqrt(owner.in_channels))"
_BY_GROUP = "uniform(-sqrt(owner.groups/owner.in_channels), sqrt(owner.groups/owner.in_channels))"


def _says(option: str, value: str) -> Callable[[Slot], bool]:
    """Return the predicate that the layer around was built with this initialiser."""

    def says(slot: Slot) -> bool:
        layer = slot.owner
        given = getattr(layer, "kwargs", {}).get(option) or getattr(layer, option, None)
        return bool(given == value)

    says.__name__ = f"{option} == {value!r}"
    return says


def _own(slot: Slot) -> bool:
    return hasattr(slot.owner, "in_channels")


_own.__name__ = "PyG's own Linear"

_LINEAR: list[Any] = [
    Rule(
        _GLOROT,
        type="Linear|HeteroLinear",
        name="*weight",
        where=_says("weight_initializer", "glorot"),
    ),
    Rule(0, type="Linear|HeteroLinear", name="*bias", where=_says("bias_initializer", "zeros")),
    Rule(_BY_INPUTS, type="Linear|HeteroLinear", where=_own),
]
_LAYERS: list[Any] = [
    {"in:TransE|DimeNet|DimeNetPlusPlus": {"*": "keep"}},
    {
        "type:GatedGraphConv|SelectTopK|DeepGraphInfomax": {"weight": _BY_WIDTH},
        "type:LPAttLayer": {"att": _GLOROT, "bias": 0},
        "type:PANConv": {"weight": 0.5},
        "type:FeaStConv": {"c": "normal(std=0.1)", "bias": "normal(std=0.1)"},
        "type:AntiSymmetricConv": {"W": "kaiming_uniform(a=sqrt(5), fans='tensor')"},
        "type:RGATConv": {"w": 1, "l1": 1, "l2": "constant(1/shape[1])", "b[12]": 0},
        "type:AGNNConv": {"beta": 1},
        "type:GINConv|GINEConv": {"eps": "constant(owner.initial_eps)"},
        "type:*Aggregation": {"t": 1, "p": 1},
        "type:MessageNorm": {"scale": 1},
        "type:GraphNorm": {"mean_scale": 1},
        "in:PDNConv": {"type:Linear": {"weight": _GLOROT, "bias": 0}},
        "in:GATEConv": {"lin[12].weight": _GLOROT},
        "in:DNAConv": {"type:Linear": {"*": _BY_GROUP}},
        "in:HGTConv": {"skip.*": 1, "p_rel.*": 1},
        "in:HANConv": {"lin_src.*": _GLOROT, "lin_dst.*": _GLOROT},
        "in:SchNet|ViSNet": {"type:Linear": {"weight": "xavier_uniform", "bias": 0}},
        "in:PMLP": {"lins.*.weight": "xavier_uniform(gain=1.414)", "lins.*.bias": 0},
        "type:RENet": {"ent": "xavier_uniform(gain=relu)", "rel": "xavier_uniform(gain=relu)"},
        "in:Atomref": {"atomref.weight": 0},
        "in:RECT_L": {"lin.weight": "xavier_uniform"},
        "in:LightGCN|DistMult|ComplEx": {"type:Embedding": {"weight": "xavier_uniform"}},
        "in:RotatE": {"rel_emb.weight": "uniform(0, 2*pi)", "node_emb*": "xavier_uniform"},
        "type:*Conv": {"*bias": 0, "*": _GLOROT},
        "type:*Norm": {"weight": 1, "bias": 0},
    },
]

RECIPES = (
    Recipe(
        "graph_network/pyg",
        rules=[*_LAYERS, *_LINEAR, REST],
        summary="Convolutions Glorot over the last two axes, biases 0; layers as they were built.",
        source="pyg-team/pytorch_geometric 2.8: torch_geometric/nn/inits.py, "
        "torch_geometric/nn/dense/linear.py, torch_geometric/nn/conv",
        paper="Kipf & Welling 2017, Graph Convolutional Networks, arXiv:1609.02907; Fey & Lenssen "
        "2019, PyTorch Geometric, arXiv:1903.02428",
        fits=("torch_geometric",),
        code=("torch_geometric.nn",),
        notes="PyG's Linear carries what it starts with (weight_initializer, bias_initializer): "
        "Glorot and 0, or torch's default. Layers of torch keep torch's default. The "
        "normed relations of TransE are no known distribution, and DimeNet names its layers one by "
        "one (glorot_orthogonal is their scheme): both models keep their values",
    ),
)
ALIASES = {
    f"{family}/pyg": "graph_network/pyg"
    for family in ("gcn", "gat", "graph_sage", "gin", "rgcn", "schnet")
}
