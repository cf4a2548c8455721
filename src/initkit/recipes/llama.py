"""LLaMA."""

from __future__ import annotations

from ._transformers import published

RECIPES = (
    published(
        "llama",
        summary="Every matrix N(0, initializer_range), lm_head and residual projections too; "
        "RMSNorm 1.",
        paper="Touvron et al. 2023, LLaMA (arXiv:2302.13971)",
        notes="Meta published no initialisation; no depth scaling here. torchtitan_llama3 has one",
    ),
)
ALIASES = {"llama": "llama/transformers"}
