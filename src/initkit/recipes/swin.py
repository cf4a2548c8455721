"""Swin Transformer."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._transformers import published
from .vit import LINEAR, NORMS, TRUNC

_PAPER = "Liu et al. 2021, Swin Transformer, arXiv:2103.14030"
_LINEAR = {LINEAR: {"weight": TRUNC, "bias": 0}}
_TABLES = {"*relative_position_bias_table": TRUNC, "*absolute_pos_embed": TRUNC}
LOGIT_SCALE = {"*logit_scale": "constant(log(10))"}
TORCHVISION: list[Any] = [LOGIT_SCALE, _TABLES, _LINEAR, REST]
"""Of both versions, which torchvision builds of one class."""
HF_SWIN = {
    **LOGIT_SCALE,
    "*relative_position_bias_table": 0,
    "*position_embeddings": 0,
    "*mask_token": 0,
}

RECIPES = (
    Recipe(
        "swin/original",
        rules=[_TABLES, {"*mask_token": TRUNC}, NORMS, _LINEAR, REST],
        marks=("*relative_position_bias_table",),
        summary="Linear layers and position biases N(0, 0.02), patches by torch's default.",
        source="microsoft/Swin-Transformer: models/swin_transformer.py, models/simmim.py",
        paper=_PAPER,
        fits=("original", "timm"),
        notes="the original authors' code, so `swin` alone means this. The paper says nothing of "
        "the start",
    ),
    Recipe(
        "swin/timm",
        rules=[_TABLES, NORMS, _LINEAR, REST],
        marks=("*relative_position_bias_table",),
        summary="Linear layers and position biases N(0, 0.02), patches by torch's default.",
        source="huggingface/pytorch-image-models: timm/models/swin_transformer.py",
        paper=_PAPER,
        fits=("timm",),
        notes="as the original",
    ),
    Recipe(
        "swin/torchvision",
        rules=TORCHVISION,
        marks=("*relative_position_bias_table",),
        summary="Linear layers and position biases N(0, 0.02), patches by torch's default.",
        source="pytorch/vision: torchvision/models/swin_transformer.py",
        paper=_PAPER,
        fits=("torchvision",),
        notes="as the original; the block's own start of its MLP (Xavier) is overwritten",
    ),
    published(
        "swin",
        HF_SWIN,
        marks=("*relative_position_bias_table",),
        summary="Everything N(0, config.initializer_range), position biases and mask token 0.",
        paper=_PAPER,
        notes="the original draws position biases from N(0, 0.02) and leaves the patch "
        "convolution at torch's default",
    ),
)
ALIASES = {"swin": "swin/original"}
