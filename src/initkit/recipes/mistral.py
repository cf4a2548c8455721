"""Mistral."""

from __future__ import annotations

from ._transformers import published

RECIPES = (
    published(
        "mistral",
        summary="Every matrix N(0, initializer_range), lm_head and residual projections too; "
        "RMSNorm 1.",
        paper="Jiang et al. 2023, Mistral 7B (arXiv:2310.06825)",
    ),
)
ALIASES = {"mistral": "mistral/transformers"}
