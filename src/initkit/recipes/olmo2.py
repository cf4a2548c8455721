"""OLMo 2."""

from __future__ import annotations

from ..rules import Recipe
from ._transformers import published
from .olmo import normal

_PAPER = "OLMo Team 2024, 2 OLMo 2 Furious (arXiv:2501.00656)"

RECIPES = (
    Recipe(
        "olmo2/original",
        rules=normal,
        summary="Every matrix and embedding N(0, 0.02) cut at 3 sigma; no depth scaling.",
        source="allenai/OLMo: olmo/model.py, configs/official-1124; allenai/OLMo-core",
        paper=_PAPER,
        fits=("OLMo", "transformers"),
        notes="the same as olmo/normal",
        padding=False,
    ),
    published(
        "olmo2",
        summary="Every matrix N(0, initializer_range), padding row 0; RMSNorm 1.",
        paper=_PAPER,
        notes="AI2's own code cuts at 3 sigma: olmo2/original",
    ),
)
ALIASES = {"olmo2": "olmo2/original"}
