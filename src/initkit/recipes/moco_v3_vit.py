"""MoCo v3's Vision Transformer."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._shared import VISION
from .vit import LINEAR, NORMS, XAVIER, XAVIER_THIRD, XAVIER_VIEW

RECIPES = (
    Recipe(
        "moco_v3_vit/original",
        rules=[
            {
                "*cls_token": "normal(std=1e-6)",
                "*pos_embed": "sincos_2d(blank=1, rows_first=True)",
                "*patch_embed.proj.weight": XAVIER_VIEW,
                "*patch_embed.proj.bias": 0,
                **NORMS,
                r"re:(.*\.)?(head|predictor)\.\d+\.(weight|bias)": "torch_default",
                "*qkv*.weight": XAVIER_THIRD,
                LINEAR: {"weight": XAVIER, "bias": 0},
            },
            REST,
        ],
        marks=VISION,
        summary="Query, key, value, other linear layers and patches Xavier; sine-cosine positions.",
        source="facebookresearch/moco-v3: vits.py (VisionTransformerMoCo), moco/builder.py "
        "(MoCo_ViT)",
        paper="Chen et al. 2021, An Empirical Study of Training Self-Supervised Vision "
        "Transformers, arXiv:2104.02057",
        fits=("original",),
        notes="projector and predictor (head.0, predictor.0, ...) keep torch's default, and so do "
        "the convolutions of the convolutional stem",
    ),
)
ALIASES = {"moco_v3_vit": "moco_v3_vit/original"}
