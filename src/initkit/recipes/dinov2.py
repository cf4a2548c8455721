"""DINOv2."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._shared import VISION
from ._transformers import published
from .vit import CONFIG_TRUNC, LINEAR, NORMS, TRUNC

_PAPER = "Oquab et al. 2023, DINOv2, arXiv:2304.07193"
_BOUND = "1/sqrt(shape[1])"

RECIPES = (
    Recipe(
        "dinov2/original",
        rules=[
            {
                "*cls_token": "normal(std=1e-6)",
                "*register_tokens": "normal(std=1e-6)",
                "*pos_embed": TRUNC,
                "*mask_token": 0,
                "*ls[12].gamma": "constant(owner.init_values or 1e-5)",
                "*last_layer": {
                    "weight_g": 1,
                    "weight_v": f"uniform(low=-{_BOUND}, high={_BOUND})",
                },
                **NORMS,
                LINEAR: {"weight": TRUNC, "bias": 0},
            },
            REST,
        ],
        marks=(r"re:.*(att(n|ention)|last_layer).*",),
        summary="Linear layers and positions N(0, 0.02), tokens N(0, 1e-6), LayerScale 1e-5.",
        source="facebookresearch/dinov2: dinov2/models/vision_transformer.py "
        "(DinoVisionTransformer), "
        "dinov2/layers/dino_head.py (DINOHead), dinov2/layers/layer_scale.py",
        paper=_PAPER,
        fits=("original",),
        notes="the original authors' code, so `dinov2` alone means this; DINOHead is covered, its "
        "last layer with the magnitudes of weight_norm at 1. transformers starts LayerScale at 1",
    ),
    published(
        "dinov2",
        {
            "*cls_token": CONFIG_TRUNC,
            "*position_embeddings": CONFIG_TRUNC,
            "*mask_token": 0,
            "*register_tokens": 0,
            "*lambda1": "constant(config.layerscale_value or 1)",
            "type:Linear|Conv2d": {"weight": CONFIG_TRUNC, "bias": 0},
        },
        marks=VISION,
        summary="Everything N(0, config.initializer_range), LayerScale config.layerscale_value.",
        paper=_PAPER,
        notes="the original: class token N(0, 1e-6), LayerScale 1e-5 (here 1), patches by torch's "
        "default",
    ),
)
ALIASES = {
    "dinov2": "dinov2/original",
    "dinov2/head": "dinov2/original",
    "dinov2/original-head": "dinov2/original",
}
