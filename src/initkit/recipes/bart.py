"""BART."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._transformers import NORMS, published
from .roberta import BERT_PARAMS

_PAPER = "Lewis et al. 2020, BART (arXiv:1910.13461)"

RECIPES = (
    Recipe(
        "bart/fairseq",
        rules=[NORMS, BERT_PARAMS, REST],
        summary="Every matrix N(0, 0.02), padding rows 0; biases 0.",
        source="facebookresearch/fairseq: fairseq/models/bart/model.py (init_bert_params)",
        paper=_PAPER,
        fits=("fairseq", "transformers"),
        notes="the same distribution as bart/transformers at its default configuration",
    ),
    published(
        "bart",
        summary="Every matrix N(0, init_std), padding row 0; biases 0.",
        paper=_PAPER,
    ),
)
ALIASES = {"bart": "bart/fairseq"}
