"""Mixtral."""

from __future__ import annotations

from ._transformers import published

RECIPES = (
    published(
        "mixtral",
        summary="Every matrix N(0, initializer_range), experts and router too; RMSNorm 1.",
        paper="Jiang et al. 2024, Mixtral of Experts (arXiv:2401.04088)",
    ),
)
ALIASES = {"mixtral": "mixtral/transformers"}
