"""T-Fixup."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._shared import HEADS, RESIDUAL
from .transformer_base import FAIRSEQ_ATTENTION

_WHAT = r"(v_proj|out_proj|fc\d|linear\d)\.weight"

RECIPES = (
    Recipe(
        "tfixup/original",
        rules=[
            {
                HEADS: "torch_default",
                r"re:(.*\.)?decoder\..*" + _WHAT: "xavier_uniform(gain=(9*n_layers)**-0.25)",
                r"re:(.*\.)?" + _WHAT: "xavier_uniform(gain=0.67*n_layers**-0.25)",
                r"re:(.*\.)?fc\d\.bias": 0,
                r"re:(.*\.)?(output_projection\.weight|embed_out)": "normal(std=shape[1]**-0.5)",
                "type:Embedding": {
                    "weight": "normal(std=shape[1]**-0.5*(9*(around.layers or "
                    "around.encoder.layers or around.encoder))**-0.25)"
                },
            },
            *FAIRSEQ_ATTENTION,
            {"type:Linear": {"weight": "xavier_uniform", "bias": 0}},
            REST,
        ],
        marks=(RESIDUAL,),
        summary="Values, outputs and feed-forward: Glorot uniform times 0.67 N^-1/4 in the "
        "encoder, (9 N)^-1/4 in the decoder; q and k gain 1/sqrt(2); embeddings (9 "
        "N)^-1/4/sqrt(d).",
        source="layer6ai-labs/T-Fixup: fairseq/modules/transformer_layer.py, models/transformer.py",
        paper="Huang et al. 2020, Improving Transformer Optimization Through Better Initialization",
        fits=("fairseq",),
        notes="no LayerNorm, no warm-up. The code multiplies values by sqrt(2) besides, which "
        "undoes fairseq's 1/sqrt(2); the paper does not say so",
    ),
)
ALIASES = {"tfixup": "tfixup/original", "t-fixup": "tfixup/original"}
