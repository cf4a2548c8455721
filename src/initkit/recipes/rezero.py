"""ReZero."""

from __future__ import annotations

from ..rules import REST, Recipe
from .transformer_base import TORCH_ATTENTION

RECIPES = (
    Recipe(
        "rezero/original",
        rules=[
            {r"re:(.*\.)?(resweight|residual_weight|rezero_alpha|alpha)": 0},
            TORCH_ATTENTION,
            REST,
        ],
        marks=(r"re:(.*\.)?(resweight|residual_weight|rezero_alpha|alpha)",),
        summary="One residual weight of 0 per layer; the rest torch's default.",
        source="majumderb/rezero: rezero/transformer/rztx.py",
        paper="Bachlechner et al. 2020, ReZero is All You Need (arXiv:2003.04887)",
        fits=("rezero", "plain torch"),
        notes="there is no LayerNorm",
    ),
)
ALIASES = {"rezero": "rezero/original"}
