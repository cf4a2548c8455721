"""Megatron-LM."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe

_RESIDUAL = (
    r"re:(.*\.)?(c_proj|linear_proj|linear_fc2|attention\.dense|self_attention\.dense|"
    r"dense_4h_to_h|attn\.out_proj|self_attn\.out_proj|encoder_attn\.out_proj|fc2|o_proj|"
    r"down_proj|wo|w2)\.weight"
)
_FIRST = (
    r"re:.*(experts\.(weight1|gate_up_proj|linear_fc1\.weight\d+)|shared_experts\.gate_weight|"
    r"(router|gate)\.weight)"
)
_SECOND = r"re:.*experts\.(weight2|down_proj|linear_fc2\.weight\d+)"
"""Of mixtures of experts, whose matrices are one parameter each, and the router."""
_MATRICES = "type:Linear|Conv1D|Conv2d|*ParallelLinear|*ParallelEmbedding|Embedding"


def _rules(
    *,
    std: float = 0.02,
    n_layers: int | None = None,
    width_mult: float = 1.0,
    embedding_std: float | None = None,
) -> list[Any]:
    layers = n_layers or "(config.num_hidden_layers or config.num_layers or n_layers)"
    scaled = f"{std}/sqrt(2*{layers}*{width_mult})"
    hidden = f"{std}/sqrt({width_mult})"
    table = f"normal(std={std if embedding_std is None else embedding_std})"
    return [
        {
            "type:*LayerNorm*|*RMSNorm*|*Norm": {"weight": 1, "bias": 0},
            r"re:(.*\.)?(linear_qkv|linear_fc1)\.layer_norm_weight": 1,
            r"re:(.*\.)?(linear_qkv|linear_fc1)\.layer_norm_bias": 0,
            _RESIDUAL: f"normal(std={scaled})",
            r"re:(.*\.)?(lm_head|output_layer)\.weight": table,
            "type:*Embedding": {"weight": table},
            _MATRICES: {"weight": f"normal(std={hidden})", "bias": 0},
            _SECOND: f"normal(std={scaled})",
            _FIRST: f"normal(std={hidden})",
            r"re:.*experts\.linear_fc[12]\.bias\d+": 0,
        },
        REST,
    ]


RECIPES = (
    Recipe(
        "megatron/core",
        rules=_rules,
        summary="Every matrix N(0, sigma), attention output and second feed-forward layers "
        "N(0, sigma/sqrt(2 layers)); biases 0.",
        source="NVIDIA/Megatron-LM: megatron/core/utils.py, "
        "megatron/core/transformer/transformer_config.py",
        paper="Shoeybi et al. 2019, Megatron-LM (arXiv:1909.08053)",
        fits=("megatron-core", "transformers", "plain torch"),
        notes="muP: width_mult divides the hidden matrices' std by its root. n_layers is read from "
        "the configuration or counted, and need only be said where the model shows neither",
        padding=False,
    ),
)
ALIASES = {"megatron": "megatron/core", "megatron/scaled": "megatron/core"}
