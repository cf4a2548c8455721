"""nanoGPT."""

from __future__ import annotations

from ..rules import REST, Recipe

RECIPES = (
    Recipe(
        "nanogpt/original",
        rules=[
            {
                "*.c_proj.weight": "normal(std=0.02/sqrt(2*(config.n_layer or n_layers)))",
                "type:Linear": {"weight": "normal(std=0.02)", "bias": 0},
                "type:Embedding": {"weight": "normal(std=0.02)"},
                "type:*LayerNorm|*RMSNorm": {"weight": 1, "bias": 0},
            },
            REST,
        ],
        marks=("*.c_proj.weight",),
        summary="Every matrix N(0, 0.02), residual projections N(0, 0.02/sqrt(2 layers)).",
        source="karpathy/nanoGPT: model.py",
        paper="Radford et al. 2019, Language Models are Unsupervised Multitask Learners",
        fits=("nanoGPT", "plain torch"),
        notes="lm_head shares its weight with wte",
        padding=False,
    ),
)
ALIASES = {"nanogpt": "nanogpt/original"}
