"""Masked autoencoders."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._shared import VISION
from ._transformers import published
from .vit import LINEAR, NORMS, XAVIER, XAVIER_VIEW

_PAPER = "He et al. 2022, Masked Autoencoders Are Scalable Vision Learners, arXiv:2111.06377"

RECIPES = (
    Recipe(
        "mae/original",
        rules=[
            {
                "*pos_embed": "sincos_2d(blank=1)",
                "*cls_token": "normal(std=0.02)",
                "*mask_token": "normal(std=0.02)",
                "*patch_embed.proj.weight": XAVIER_VIEW,
                **NORMS,
                LINEAR: {"weight": XAVIER, "bias": 0},
            },
            REST,
        ],
        marks=VISION,
        summary="Linear layers and patches Xavier, tokens N(0, 0.02), fixed sine-cosine positions.",
        source="facebookresearch/mae: models_mae.py (MaskedAutoencoderViT), util/pos_embed.py",
        paper=_PAPER,
        fits=("original",),
        notes="the original authors' code, so `mae` alone means this. The bias of the patch "
        "convolution keeps torch's default. Fine-tuning starts a new head at N(0, 2e-5), linear "
        "probing at N(0, 0.01). The paper: Xavier, as in the ViT's official code",
    ),
    published(
        "mae",
        {
            "*cls_token": 0,
            "*mask_token": 0,
            "*pos_embed": 0,
            "*position_embeddings": 0,
        },
        marks=VISION,
        summary="Everything N(0, config.initializer_range); tokens and both position tables 0.",
        paper=_PAPER,
        models="vit_mae",
        notes="broken as of 5.23, and shown as it is: the function that should write sine and "
        "cosine positions, tokens and patches returns early, because the convolution in it counts "
        "as started; without a checkpoint the model knows no positions. Use mae/original's rules",
    ),
)
ALIASES = {"mae": "mae/original"}
