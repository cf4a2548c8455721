"""BERT."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._transformers import NORMS, published

PAPER = "Devlin et al. 2019, BERT (arXiv:1810.04805)"
_CUT = "trunc_normal(std=config.initializer_range or 0.02, cutoff=2)"

GOOGLE: list[Any] = [NORMS, {"*.bias": 0, "type:Linear|Embedding": {"weight": _CUT}}, REST]
"""create_initializer of Google's code, which ALBERT and ELECTRA took over."""

RECIPES = (
    Recipe(
        "bert/google",
        rules=GOOGLE,
        summary="Kernels and embeddings N(0, 0.02) cut at two sigma; biases 0.",
        source="google-research/bert: modeling.py (create_initializer)",
        paper=PAPER,
        fits=("transformers", "plain torch"),
        notes="TensorFlow's truncated_normal is cut at two standard deviations and not corrected, "
        "so the values' std is 0.0176. The row of [PAD] is drawn like the others. Heads start "
        "alike (run_classifier.py)",
        padding=False,
    ),
    published(
        "bert",
        {"*.predictions.bias": 0},
        summary="Every matrix N(0, initializer_range), the row of [PAD] 0; biases 0.",
        paper=PAPER,
        notes="a plain normal where the paper's code cuts it at two sigma (bert/google)",
    ),
)
ALIASES = {"bert": "bert/google", "bert/google-research": "bert/google"}
