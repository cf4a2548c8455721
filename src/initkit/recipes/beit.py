"""BEiT."""

from __future__ import annotations

from typing import Any

from ..model import Slot
from ..rules import REST, Recipe, Rule
from ._shared import VISION
from ._transformers import published
from .vit import BY_DEPTH, LINEAR, NORMS, POOL, TRUNC

_PAPER = "Bao et al. 2021, BEiT: BERT Pre-Training of Image Transformers, arXiv:2106.08254"


def _has_scale(slot: Slot) -> bool:
    scales = [m.head_init_scale for m in slot.lineage if hasattr(m, "head_init_scale")]
    return any(scales) or not scales


_has_scale.__name__ = "head_init_scale is not 0"

BEIT_RULES: list[Any] = [
    POOL,
    {
        "*cls_token": TRUNC,
        "*reg_token": TRUNC,
        "*mask_token": TRUNC,
        "*pos_embed": TRUNC,
        "*relative_position_bias_table": 0,
        "*[qv]_bias": 0,
        r"re:.*\.gamma_\d": "constant(owner.init_values or 0.1)",
        **NORMS,
    },
    Rule(
        "scaled(trunc_normal(std=0.02), around.head_init_scale or 0.001)",
        name=r"re:(.*\.)?head\.weight",
        where=_has_scale,
    ),
    BY_DEPTH,
    {LINEAR: {"weight": TRUNC, "bias": 0}},
    REST,
]

RECIPES = (
    Recipe(
        "beit/timm",
        rules=BEIT_RULES,
        marks=VISION,
        summary="Linear layers N(0, 0.02), what each block adds / sqrt(2 (layer + 1)), small head.",
        source="huggingface/pytorch-image-models: timm/models/beit.py, which follows "
        "microsoft/unilm: beit/modeling_finetune.py",
        paper=_PAPER,
        fits=("timm",),
        notes="layers count from 0. The head is multiplied by the model's head_init_scale (0.001), "
        "which the paper does not mention. LayerScale starts at the model's init_values",
    ),
    published(
        "beit",
        {
            "*cls_token": 0,
            "*mask_token": 0,
            "*position_embeddings": 0,
            "*relative_position_bias_table": 0,
            "*lambda_[12]": "constant(config.layer_scale_init_value)",
        },
        marks=VISION,
        summary="Everything N(0, config.initializer_range), tokens and position biases 0.",
        paper=_PAPER,
        notes="does not divide what a block adds by its depth, as paper and original do, nor "
        "make the head smaller",
    ),
)
ALIASES = {"beit": "beit/timm"}
