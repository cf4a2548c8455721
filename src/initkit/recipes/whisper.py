"""Whisper."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._transformers import published

_PAPER = "Radford et al. 2022, Whisper (arXiv:2212.04356)"
_TABLE = "sinusoids(endpoint=True, single=True)"

RECIPES = (
    Recipe(
        "whisper/original",
        rules=[
            {
                "*.encoder.positional_embedding": _TABLE,
                "*.positional_embedding": "normal(std=0.02)",
            },
            REST,
        ],
        marks=("*positional_embedding",),
        summary="torch's defaults throughout; encoder positions are a sinusoid table.",
        source="openai/whisper: whisper/model.py",
        paper=_PAPER,
        fits=("openai-whisper",),
        notes="no initialisation was released: decoder positions are torch.empty there, whatever "
        "the memory held. Here they are N(0, 0.02), as in transformers. The table is a buffer "
        "(buffers=True writes it)",
    ),
    published(
        "whisper",
        {
            "in:WhisperEncoder": {"embed_positions.weight": _TABLE},
            "*.encoder.embed_positions.weight": _TABLE,
            "*.layer_weights": "constant(value=1/shape[0])",
        },
        marks=("*embed_positions.weight",),
        summary="Every matrix N(0, init_std), padding row 0; encoder positions a sinusoid table.",
        paper=_PAPER,
    ),
)
ALIASES = {"whisper": "whisper/transformers"}
