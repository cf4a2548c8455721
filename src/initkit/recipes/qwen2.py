"""Qwen 2."""

from __future__ import annotations

from ._transformers import published

RECIPES = (
    published(
        "qwen2",
        models="qwen2 qwen2_moe",
        summary="Every matrix N(0, initializer_range), lm_head and residual projections too; "
        "RMSNorm 1.",
        paper="Yang et al. 2024, Qwen2 (arXiv:2407.10671)",
        notes="biases of q, k, v are 0",
    ),
)
ALIASES = {"qwen2": "qwen2/transformers"}
