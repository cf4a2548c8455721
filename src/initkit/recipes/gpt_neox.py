"""GPT-NeoX."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._transformers import NORMS, published

_PAPER = "Black et al. 2022, GPT-NeoX-20B (arXiv:2204.06745)"
_SMALL = "normal(std=sqrt(2/(5*shape[-1])))"
_WANG = "normal(std=2/((config.num_hidden_layers or config.num_layers or n_layers)*sqrt(shape[0])))"

RECIPES = (
    Recipe(
        "gpt_neox/original",
        rules=[
            NORMS,
            {
                r"re:.*(attention\.dense|dense_4h_to_h|linear2)\.weight": _WANG,
                "type:Linear|Embedding|ColumnParallelLinear|RowParallelLinear": {
                    "weight": _SMALL,
                    "bias": 0,
                },
                "type:*ParallelEmbedding": {"weight": _SMALL},
            },
            REST,
        ],
        marks=(r"re:.*(attention\.dense|dense_4h_to_h|linear2)\.weight",),
        summary="small_init sqrt(2/(5 d)); wang_init 2/(layers sqrt(d)) into the residual stream.",
        source="EleutherAI/gpt-neox: megatron/model/init_functions.py; configs/20B.yml",
        paper=f"{_PAPER}; Nguyen & Salazar 2019 (small init); Wang & Komatsuzaki 2021 (wang init)",
        fits=("gpt-neox", "transformers"),
        notes="d is the hidden size, for every matrix; what writes into the residual stream takes "
        "wang_init. init_method 'orthogonal' of that code always raises (shifted arguments). "
        "transformers starts everything at N(0, 0.02)",
        padding=False,
    ),
    published(
        "gpt_neox",
        summary="Every matrix N(0, initializer_range); biases 0.",
        paper=_PAPER,
        notes="EleutherAI trains with small_init and wang_init: gpt_neox/original",
    ),
)
ALIASES = {
    "gpt_neox": "gpt_neox/original",
    "gpt_neox/small_init": "gpt_neox/original",
    "gpt_neox/wang_init": "gpt_neox/original",
}
