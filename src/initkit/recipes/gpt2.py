"""GPT-2."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._transformers import NORMAL, NORMS, STD, published

_PAPER = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners"
_SCALED = f"normal(std=({STD})/sqrt(2*(config.n_layer or n_layers)))"


def _openai(*, std: float = 0.02) -> list[Any]:
    matrix = f"normal(std={std})"
    return [
        NORMS,
        {
            "*.wpe.weight": f"normal(std={std}/2)",
            "type:Conv1D|Linear|Embedding": {"weight": matrix, "bias": 0},
        },
        REST,
    ]


RECIPES = (
    published(
        "gpt2",
        {
            "*.c_proj.weight": _SCALED,
            "type:Conv1D": {"weight": NORMAL, "bias": 0},
        },
        marks=("*.c_proj.weight",),
        summary="Every matrix N(0, 0.02), residual projections N(0, 0.02/sqrt(2 layers)).",
        paper=_PAPER,
        notes="the depth scaling is the paper's sentence (weights of residual layers by 1/sqrt(N)) "
        "as Megatron-LM read it; OpenAI released no training code, and their model code "
        "(gpt2/openai) does not scale and starts positions at 0.01. So the bare name is this one",
    ),
    Recipe(
        "gpt2/openai",
        rules=_openai,
        marks=("*.wpe.weight",),
        summary="Every matrix N(0, 0.02), position embeddings N(0, 0.01), nothing scaled by depth.",
        source="openai/gpt-2: src/model.py",
        paper=_PAPER,
        fits=("transformers", "nanoGPT", "plain torch"),
        notes="the code that was released for inference; the paper scales residual layers by "
        "1/sqrt(N), this code does not",
        padding=False,
    ),
)
ALIASES = {"gpt2": "gpt2/transformers"}
