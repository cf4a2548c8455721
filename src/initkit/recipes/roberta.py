"""RoBERTa."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._transformers import NORMS, published

_PAPER = "Liu et al. 2019, RoBERTa (arXiv:1907.11692)"

BERT_PARAMS = {
    "type:Linear": {"weight": "normal(std=0.02)", "bias": 0},
    "type:Embedding": {"weight": "normal(std=0.02)"},
}
"""fairseq's init_bert_params."""

RECIPES = (
    Recipe(
        "roberta/fairseq",
        rules=[
            NORMS,
            {"*.lm_head.bias": 0, "*.lm_head.weight": "normal(std=0.02)"},
            BERT_PARAMS,
            REST,
        ],
        summary="Every matrix N(0, 0.02), padding rows 0; biases 0.",
        source="facebookresearch/fairseq: fairseq/modules/transformer_sentence_encoder.py "
        "(init_bert_params)",
        paper=_PAPER,
        fits=("fairseq", "transformers", "plain torch"),
        notes="the same distribution as roberta/transformers at its default configuration",
    ),
    published(
        "roberta",
        {"*.lm_head.bias": 0},
        models="roberta xlm_roberta",
        summary="Every matrix N(0, initializer_range), padding rows 0; biases 0.",
        paper=_PAPER,
        notes="the padding rows of word and of position embeddings are both 0, as in fairseq",
    ),
)
ALIASES = {"roberta": "roberta/fairseq"}
