"""OPT."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe, Rule
from ._shared import tied_to_embedding
from ._transformers import NORMS, published

_PAPER = "Zhang et al. 2022, OPT (arXiv:2205.01068)"


def _metaseq(*, sigma: float = 0.006) -> list[Any]:
    layers = "(config.num_hidden_layers or n_layers)"
    return [
        NORMS,
        Rule(f"normal(std={sigma})", name="*.weight", type="Linear", where=tied_to_embedding),
        {
            r"re:(.*\.)?(lm_head|output_projection)\.weight": "normal(std=shape[1]**-0.5)",
            r"re:(.*\.)?(out_proj|fc2)\.weight": f"normal(std={sigma}/sqrt(2*{layers}))",
            r"re:(.*\.)?layers\..*weight": f"normal(std={sigma})",
            r"re:(.*\.)?layers\..*bias": 0,
            "type:Embedding|VocabParallelEmbedding": {"weight": f"normal(std={sigma})"},
        },
        REST,
    ]


RECIPES = (
    Recipe(
        "opt/metaseq",
        rules=_metaseq,
        marks=(r"re:(.*\.)?(out_proj|fc2)\.weight",),
        summary="Every matrix N(0, 0.006), out_proj and fc2 N(0, 0.006/sqrt(2 layers)); biases 0.",
        source="facebookresearch/metaseq: metaseq/models/transformer_lm.py, "
        "modules/transformer_decoder_layer.py, utils.py (full_megatron_init)",
        paper=_PAPER,
        fits=("metaseq", "transformers"),
        notes="as with full_megatron_init, which trained the published models; what stands outside "
        "of the layers (project_in, project_out) keeps torch's default",
    ),
    published(
        "opt",
        summary="Every matrix N(0, init_std), padding row 0; biases 0.",
        paper=_PAPER,
        notes="init_std is 0.02, and nothing is scaled by depth: opt/metaseq has what was trained",
    ),
)
ALIASES = {"opt": "opt/metaseq"}
