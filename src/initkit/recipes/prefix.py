"""Prefix tuning, and the other prompts that PEFT learns in front of a model."""

from __future__ import annotations

from ._adapters import adapter

RECIPES = (
    adapter(
        "prefix/peft",
        {"*prompt_encoder.*": "torch_default"},
        summary="The learned prefix N(0, 1), its projection as torch starts a Linear.",
        file="prefix_tuning/model.py (PrefixEncoder)",
        paper="Li & Liang 2021, Prefix-Tuning (arXiv:2101.00190)",
        marks="*prompt_encoder.*",
        notes="p-tuning's encoder starts so, too; a prompt that is taken from a text does not",
    ),
)
ALIASES = {"prefix": "prefix/peft"}
