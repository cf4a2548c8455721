"""Gemma, Gemma 2 and Gemma 3."""

from __future__ import annotations

from ._transformers import published
from .siglip import RECIPES as _SIGLIP

_VISION = next(r.table for r in _SIGLIP if r.name == "siglip/transformers")

RECIPES = (
    published(
        "gemma",
        {
            "*vision_tower": _VISION,
            "type:*RMSNorm*": {"weight": 0},
            "*.mm_input_projection_weight": 0,
        },
        marks=("type:GemmaRMSNorm|Gemma2RMSNorm|Gemma3RMSNorm",),
        summary="Every matrix N(0, initializer_range), padding row 0; RMSNorm weights 0.",
        paper="Gemma Team 2025, Gemma 3 (arXiv:2503.19786)",
        notes="RMSNorm multiplies by 1 + weight, so its weights start at 0. A vision tower starts "
        "like siglip/transformers",
        models="gemma",
    ),
)
ALIASES = {"gemma": "gemma/transformers"}
