"""SigLIP."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from .vit import CONV, LINEAR, NORMS, XAVIER

_TENSOR = "xavier_uniform(fans='tensor')"
_LECUN = "trunc_normal(std=sqrt(1/fan_in)/0.87962566103423978)"
_RULES: list[Any] = [
    {
        "*logit_scale": 0,
        "*logit_bias": 0,
        "*.probe": _TENSOR,
        "*.attention.in_proj_weight": _TENSOR,
        "*.attention.in_proj_bias": 0,
        "type:Embedding": "normal(std=shape[1]**-0.5)",
        "*self_attn.*.weight": XAVIER,
        "*mlp.fc[12].weight": XAVIER,
        "*mlp.fc[12].bias": "normal(std=1e-6)",
        r"re:(.*\.)?classifier\.weight": (
            "normal(std=shape[1]**-0.5*(config.initializer_factor or 1))"
        ),
        **NORMS,
        LINEAR: {"weight": _LECUN, "bias": 0},
        CONV: {"weight": _LECUN, "bias": 0},
    },
    REST,
]

RECIPES = (
    Recipe(
        "siglip/transformers",
        rules=_RULES,
        marks=(
            "*self_attn.*.weight",
            "*mlp.fc[12].weight",
        ),
        summary="Attention and MLPs Xavier, embeddings N(0, 1/sqrt(width)), the rest LeCun.",
        source="huggingface/transformers: models/siglip/modeling_siglip.py, initialization.py",
        paper="Zhai et al. 2023, Sigmoid Loss for Language Image Pre-Training, arXiv:2303.15343",
        code=("transformers.models.siglip2",),
        fits=("transformers",),
        notes="its lecun_normal corrects for a truncation at two sigma that does not happen (the "
        "bounds are -2 and 2 themselves), so that those layers start 13.7 % wider than in JAX. The "
        "logit scale and bias start at 0, in the paper at log 10 and -10. SigLIP 2 is the same",
    ),
)
ALIASES = {"siglip": "siglip/transformers"}
