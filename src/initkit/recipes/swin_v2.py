"""Swin Transformer V2."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._transformers import published
from .swin import HF_SWIN, LOGIT_SCALE, TORCHVISION
from .vit import LINEAR, NORMS, TRUNC

_PAPER = "Liu et al. 2022, Swin Transformer V2, arXiv:2111.09883"
_ORIGINAL: list[Any] = [
    {
        **LOGIT_SCALE,
        "*[qv]_bias": 0,
        "*blocks.*.norm[12].*": 0,
        "*absolute_pos_embed": TRUNC,
        "*mask_token": TRUNC,
        **NORMS,
        LINEAR: {"weight": TRUNC, "bias": 0},
    },
    REST,
]

RECIPES = (
    Recipe(
        "swin_v2/original",
        rules=_ORIGINAL,
        marks=("*logit_scale",),
        summary="Linear layers N(0, 0.02); the norms after each block's branches 0.",
        source="microsoft/Swin-Transformer: models/swin_transformer_v2.py",
        paper=_PAPER,
        fits=("original", "timm"),
        notes="the original authors' code, so `swin_v2` alone means this. Weight and bias of the "
        "norms that end the branches start at 0, so that every block starts as the identity; "
        "the paper does not say so, and torchvision and transformers start them at 1",
    ),
    Recipe(
        "swin_v2/timm",
        rules=_ORIGINAL,
        marks=("*logit_scale",),
        summary="Linear layers N(0, 0.02); the norms after each block's branches 0.",
        source="huggingface/pytorch-image-models: timm/models/swin_transformer_v2.py",
        paper=_PAPER,
        fits=("timm",),
        notes="as the original",
    ),
    Recipe(
        "swin_v2/torchvision",
        rules=TORCHVISION,
        marks=("*logit_scale",),
        summary="Linear layers N(0, 0.02), norms 1 and 0, logit scale log 10.",
        source="pytorch/vision: torchvision/models/swin_transformer.py",
        paper=_PAPER,
        fits=("torchvision",),
        notes="the original starts the norms of the blocks at 0",
    ),
    published(
        "swin_v2",
        HF_SWIN,
        marks=("*logit_scale",),
        summary="Everything N(0, config.initializer_range), norms 1 and 0, logit scale log 10.",
        paper=_PAPER,
        models="swinv2",
        notes="the original starts the norms of the blocks at 0 and leaves the patch convolution "
        "at torch's default",
    ),
)
ALIASES = {"swin_v2": "swin_v2/original"}
