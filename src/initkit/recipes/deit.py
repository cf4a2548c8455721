"""DeiT and DeiT III."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._shared import VISION
from ._transformers import published
from .vit import LINEAR, NORMS, TIMM, TRUNC

_PAPER = (
    "Touvron et al. 2021, Training data-efficient image transformers, arXiv:2012.12877; "
    "Touvron et al. 2022, DeiT III, arXiv:2204.07118"
)


def _original(init_values: float = 1e-4) -> list[Any]:
    return [
        {
            "*cls_token": TRUNC,
            "*dist_token": TRUNC,
            "*pos_embed": TRUNC,
            r"re:.*\.gamma_\d(_\d)?": init_values,
            r"re:.*\.ls\d\.gamma": init_values,
            **NORMS,
            LINEAR: {"weight": TRUNC, "bias": 0},
        },
        REST,
    ]


RECIPES = (
    Recipe(
        "deit/original",
        rules=_original,
        marks=VISION,
        summary="Linear layers, tokens and positions N(0, 0.02); LayerScale 1e-4 (DeiT III).",
        source="facebookresearch/deit: models.py, models_v2.py (init_scale=1e-4)",
        paper=_PAPER,
        fits=("original", "timm"),
        notes="the original authors' code, so `deit` alone means this. timm's DeiT III starts "
        "LayerScale at 1e-6, and its class token at N(0, 1e-6)",
    ),
    Recipe(
        "deit/timm",
        rules=[{"*.gamma": "constant(owner.init_values or 1e-6)"}, *TIMM],
        marks=VISION,
        summary="As vit/timm, the distillation token N(0, 0.02); LayerScale as the model says.",
        source="huggingface/pytorch-image-models: timm/models/deit.py, "
        "timm/models/vision_transformer.py",
        paper=_PAPER,
        fits=("timm",),
        notes="fits DeiT III, too, whose LayerScale timm starts at 1e-6 (original: 1e-4)",
    ),
    published(
        "deit",
        {
            "*cls_token": 0,
            "*distillation_token": 0,
            "*position_embeddings": 0,
            "*mask_token": 0,
        },
        marks=VISION,
        summary="Everything N(0, config.initializer_range), tokens and positions 0.",
        paper=_PAPER,
        notes="the original draws tokens and positions from N(0, 0.02) and leaves the patch "
        "convolution at torch's default",
    ),
)
ALIASES = {"deit": "deit/original", "deit/timm-deit3": "deit/timm", "deit/deit3": "deit/timm"}
