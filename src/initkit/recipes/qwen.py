"""Qwen, whichever generation."""

from __future__ import annotations

from ._transformers import published

RECIPES = (
    published(
        "qwen",
        summary="Every matrix N(0, initializer_range), lm_head and residual projections too; "
        "RMSNorm 1.",
        paper="Yang et al. 2025, Qwen3 (arXiv:2505.09388)",
        notes="the same as qwen2/transformers and qwen3/transformers",
        models="qwen3",
    ),
)
ALIASES = {"qwen": "qwen/transformers"}
