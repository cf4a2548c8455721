"""DLRM, the deep learning recommendation model."""

from __future__ import annotations

from ..rules import REST, Recipe

RECIPES = (
    Recipe(
        "dlrm/facebookresearch",
        rules=[
            {
                "type:Linear": {
                    "weight": "normal(std=sqrt(2/(shape[0] + shape[1])))",
                    "bias": "normal(std=sqrt(1/shape[0]))",
                },
                "type:EmbeddingBag|Embedding": {
                    "weight": "uniform(-sqrt(1/shape[0]), sqrt(1/shape[0]))"
                },
            },
            REST,
        ],
        summary="Linear N(0, 2/(m + n)), their biases N(0, 1/m) for m outputs; tables of n rows "
        "U(-sqrt(1/n), sqrt(1/n)).",
        source="facebookresearch/dlrm: dlrm_s_pytorch.py (DLRM_Net)",
        paper="Naumov et al. 2019, Deep Learning Recommendation Model (arXiv:1906.00091)",
        fits=("plain torch",),
        marks=("type:EmbeddingBag|Embedding",),
        notes="the more rows a table has, the smaller its start: 1/sqrt(n), whatever its width",
    ),
)
ALIASES = {"dlrm": "dlrm/facebookresearch"}
