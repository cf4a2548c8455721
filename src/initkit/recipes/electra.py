"""ELECTRA."""

from __future__ import annotations

from ..rules import Recipe
from ._transformers import published
from .bert import GOOGLE

_PAPER = "Clark et al. 2020, ELECTRA (arXiv:2003.10555)"

RECIPES = (
    Recipe(
        "electra/google",
        rules=GOOGLE,
        summary="Kernels and embeddings N(0, 0.02) cut at two sigma; biases 0.",
        source="google-research/electra: model/modeling.py (create_initializer)",
        paper=_PAPER,
        fits=("transformers", "plain torch"),
        notes="TensorFlow's truncated_normal is cut at two standard deviations and not corrected, "
        "so the values' std is 0.0176. The row of [PAD] is drawn like the others",
        padding=False,
    ),
    published(
        "electra",
        summary="Every matrix N(0, initializer_range), padding row 0; biases 0.",
        paper=_PAPER,
        notes="generator and discriminator alike; a plain normal where the original code cuts "
        "it at two sigma",
    ),
)
ALIASES = {"electra": "electra/google", "electra/google-research": "electra/google"}
