"""(IA)^3."""

from __future__ import annotations

from ._adapters import adapter

RECIPES = (
    adapter(
        "ia3/peft",
        {"*.ia3_l.*": 1},
        summary="Every scale 1.",
        file="ia3/layer.py (reset_ia3_parameters)",
        paper="Liu et al. 2022, Few-Shot Parameter-Efficient Fine-Tuning (arXiv:2205.05638)",
        marks="*.ia3_l.*",
    ),
)
ALIASES = {"ia3": "ia3/peft"}
