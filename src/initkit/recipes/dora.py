"""DoRA."""

from __future__ import annotations

from ._adapters import adapter
from .lora import PLAIN

RECIPES = (
    adapter(
        "dora/peft",
        *PLAIN,
        {"*.lora_magnitude_vector.*": "keep"},
        summary="lora_A and lora_B as lora/peft; the magnitudes keep what PEFT computed.",
        file="lora/dora.py (DoraLinearLayer.update_layer)",
        paper="Liu et al. 2024, DoRA: Weight-Decomposed Low-Rank Adaptation (arXiv:2402.09353)",
        marks="*.lora_magnitude_vector.*",
        notes="a magnitude is the norm of the wrapped layer's own row, and no distribution. Where "
        "the wrapped layer is started anew, build the adapter afterwards",
    ),
)
ALIASES = {"dora": "dora/peft"}
