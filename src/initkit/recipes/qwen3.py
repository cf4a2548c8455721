"""Qwen 3."""

from __future__ import annotations

from ._transformers import published

RECIPES = (
    published(
        "qwen3",
        models="qwen3 qwen3_moe",
        summary="Every matrix N(0, initializer_range), lm_head and residual projections too; "
        "RMSNorm 1.",
        paper="Yang et al. 2025, Qwen3 (arXiv:2505.09388)",
    ),
)
ALIASES = {"qwen3": "qwen3/transformers"}
