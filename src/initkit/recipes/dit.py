"""DiT."""

from __future__ import annotations

from ..rules import REST, Recipe
from .vit import LINEAR, XAVIER, XAVIER_VIEW

RECIPES = (
    Recipe(
        "dit/original",
        rules=[
            {
                "*pos_embed": "sincos_2d",
                "*x_embedder.proj.weight": XAVIER_VIEW,
                "*x_embedder.proj.bias": 0,
                "*embedding_table.weight": "normal(std=0.02)",
                "*t_embedder.mlp.*.weight": "normal(std=0.02)",
                "*adaLN_modulation.*": 0,
                "*final_layer.linear.*": 0,
                LINEAR: {"weight": XAVIER, "bias": 0},
            },
            REST,
        ],
        marks=("*adaLN_modulation.*",),
        summary="Linear layers and patches Xavier; what adaLN makes of the condition, and the "
        "output, 0; fixed sine-cosine positions.",
        source="facebookresearch/DiT: models.py (initialize_weights)",
        paper="Peebles & Xie 2023, Scalable Diffusion Models with Transformers, arXiv:2212.09748",
        fits=("original",),
        notes="adaLN-Zero, as in the paper: every block starts as the identity. Query, key and "
        "value are one matrix for Xavier",
    ),
)
ALIASES = {"dit": "dit/original"}
