"""T5."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe, Rule
from ._shared import tied_to_embedding
from ._transformers import published

_PAPER = "Raffel et al. 2020, T5 (arXiv:1910.10683)"
_HEADS = "config.num_heads*config.d_kv"


def _scaled(std: str) -> str:
    return f"normal(std=(config.initializer_factor or 1)*{std})"


_OF_D = _scaled("config.d_model**-0.5")
HF: dict[str, Any] = {
    "*Attention.q.weight": _scaled("(config.d_model*config.d_kv)**-0.5"),
    "*Attention.k.weight": _OF_D,
    "*Attention.v.weight": _OF_D,
    "*Attention.o.weight": _scaled(f"({_HEADS})**-0.5"),
    "*relative_attention_bias.weight": _OF_D,
    "*.DenseReluDense.wi*.weight": _OF_D,
    "*.DenseReluDense.wo.weight": _scaled("config.d_ff**-0.5"),
    "*.qa_outputs.weight": _OF_D,
    "*.classification_head.dense.weight": _OF_D,
    "*.classification_head.out_proj.weight": _OF_D,
    "type:*T5LayerNorm": {"weight": "constant(value=config.initializer_factor or 1)"},
}


def _mesh() -> list[Any]:
    cut = "trunc_normal(std=shape[1]**-0.5, cutoff=2)"
    return [
        Rule("normal(std=1)", name="*.weight", type="Linear", where=tied_to_embedding),
        {
            "type:*LayerNorm*|*RMSNorm*": {"weight": 1},
            "*Attention.q.weight": "normal(std=(shape[1]*config.d_kv)**-0.5)",
            "*Attention.k.weight": "normal(std=shape[1]**-0.5)",
            "*Attention.v.weight": "normal(std=shape[1]**-0.5)",
            "*Attention.o.weight": "normal(std=shape[1]**-0.5)",
            "*.relative_attention_bias.weight": "xavier_uniform(fans='tensor')",
            "type:Linear": {"weight": cut, "bias": 0},
            "type:Embedding": {"weight": "normal(std=1)"},
        },
        REST,
    ]


RECIPES = (
    Recipe(
        "t5/mesh",
        rules=_mesh,
        marks=(
            "*Attention.q.weight",
            "*relative_attention_bias.weight",
        ),
        summary="q N(0, 1/sqrt(d d_kv)), k, v, o N(0, 1/sqrt(fan_in)), feed-forward the same, "
        "cut at two sigma; shared N(0, 1).",
        source="tensorflow/mesh: mesh_tensorflow/transformer/attention.py, layers.py, "
        "transformer_layers.py",
        paper=_PAPER,
        fits=("transformers",),
        notes="feed-forward and logits are TensorFlow's truncated_normal, not corrected: their std "
        "is 0.88 of the nominal one. relative_attention_bias takes TensorFlow's default, "
        "glorot_uniform. transformers draws all of these from plain normal distributions",
        padding=False,
    ),
    published(
        "t5",
        HF,
        marks=(
            "*Attention.q.weight",
            "*relative_attention_bias.weight",
        ),
        summary="initializer_factor times: q N(0, 1/sqrt(d d_kv)), k, v, wi N(0, 1/sqrt(d)), o and "
        "wo by their fan_in, shared and lm_head N(0, 1).",
        paper=_PAPER,
        notes="Mesh-TensorFlow cuts the feed-forward weights at two sigma: t5/mesh",
    ),
)
ALIASES = {"t5": "t5/mesh", "t5/mesh-tensorflow": "t5/mesh"}
