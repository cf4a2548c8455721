"""wav2vec 2.0."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._transformers import published
from .roberta import BERT_PARAMS

_PAPER = "Baevski et al. 2020, wav2vec 2.0 (arXiv:2006.11477)"
_FIRST = [
    {
        "*.masked_spec_embed": "uniform(0, 1)",
        "*.mask_emb": "uniform(0, 1)",
        "*.codevectors": "uniform(0, 1)",
        "in:GumbelVectorQuantizer": {"vars": "uniform(0, 1)"},
        "*.weight_proj.weight": "normal(std=1)",
        "*.weight_proj.bias": 0,
        "*.layer_weights": "constant(value=1/shape[0])",
        "*.objective.weight": "normal(std=1)",
    },
]
_HF: list[Any] = [
    *_FIRST,
    {
        "*.pos_conv_embed.*weight": "torch_default",
        "*.pos_conv_embed.*bias": 0,
        "*.feature_projection.projection.*": "torch_default",
        "in:Wav2Vec2ForPreTraining": {
            "project_hid.*": "torch_default",
            "project_q.*": "torch_default",
        },
        "type:Conv1d": {"weight": "kaiming_normal(fans='tensor')", "bias": "torch_default"},
    },
]
_FAIRSEQ: list[Any] = [
    *_FIRST,
    {
        r"re:(.*\.)?pos_conv(_embed)?\..*weight": "normal(std=sqrt(4/(shape[0]*shape[2])))",
        r"re:(.*\.)?pos_conv(_embed)?\..*bias": 0,
        "type:Conv1d": {"weight": "kaiming_normal(fans='tensor')", "bias": "torch_default"},
        "*encoder": BERT_PARAMS,
    },
    REST,
]

RECIPES = (
    Recipe(
        "wav2vec2/fairseq",
        rules=_FAIRSEQ,
        marks=(r"re:(.*\.)?pos_conv(_embed)?\..*",),
        summary="Encoder N(0, 0.02); feature convolutions He; positional convolution "
        "N(0, 2/sqrt(k channels)); codevectors U(0, 1); projections torch's default.",
        source="facebookresearch/fairseq: fairseq/models/wav2vec/wav2vec2.py, "
        "modules/gumbel_vector_quantizer.py, modules/transformer_sentence_encoder.py",
        paper=_PAPER,
        fits=("fairseq", "transformers"),
        notes="weight_norm is put on the positional convolution afterwards and keeps its values. "
        "layer_weights and objective are of transformers' heads alone, and start as there",
    ),
    published(
        "wav2vec2",
        *_HF,
        marks=(r"re:(.*\.)?pos_conv(_embed)?\..*",),
        summary="Encoder N(0, initializer_range); feature convolutions He; codevectors U(0, 1).",
        paper=_PAPER,
        notes="the positional convolution is meant to start at N(0, 2/sqrt(k channels)), but that "
        "is written into a copy that weight_norm computes, and lost: it keeps torch's default, "
        "as here (transformers 5.23). wav2vec2/fairseq has what was meant",
    ),
)
ALIASES = {"wav2vec2": "wav2vec2/fairseq"}
