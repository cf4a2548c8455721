"""LoRA."""

from __future__ import annotations

from typing import Any

from ..rules import Recipe
from ._adapters import adapter

PAPER = "Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models (arXiv:2106.09685)"
MARK = r"re:(.*\.)?lora_(embedding_)?[AB]\..*"
ZERO: dict[str, Any] = {
    "*.lora_B.*": 0,
    "*.lora_embedding_A.*": 0,
    "*.lora_embedding_B.*": "normal(std=1)",
}
"""What every variant shares: one of the two factors is 0, so that the sum starts at the model."""
PLAIN: list[Any] = [
    {"*.lora_A.*.weight": "kaiming_uniform(a=sqrt(5), fans='tensor')", "*.lora_A.*.bias": 0},
    ZERO,
]


def _recipe(name: str, down: dict[str, Any], summary: str, notes: str = "") -> Recipe:
    file = "lora/layer.py (reset_lora_parameters)"
    return adapter(
        name, down, ZERO, summary=summary, file=file, paper=PAPER, marks=MARK, notes=notes
    )


RECIPES = (
    _recipe(
        "lora/peft",
        PLAIN[0],
        "lora_A as torch starts a Linear, U(-1/sqrt(fan_in), 1/sqrt(fan_in)); lora_B 0. Of "
        "embeddings lora_A 0, lora_B N(0, 1).",
        "the paper says a random Gaussian for A; its authors' code (microsoft/LoRA) and PEFT draw "
        "it uniformly, as torch starts a Linear. PiSSA, OLoRA, EVA, CorDA and LoftQ start from the "
        "wrapped weights and are no distributions",
    ),
    _recipe(
        "lora/gaussian",
        {"*.lora_A.*.weight": "normal(std=1/shape[0])", "*.lora_A.*.bias": 0},
        "lora_A N(0, 1/rank), lora_B 0: init_lora_weights='gaussian'.",
    ),
)
ALIASES = {"lora": "lora/peft"}
