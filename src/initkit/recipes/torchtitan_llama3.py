"""torchtitan's Llama 3."""

from __future__ import annotations

from ..rules import REST, Recipe, Rule
from ._shared import tied_to_linear

_DEPTH = r"re:(.*\.)?(wo|o_proj|w2|w3|up_proj|down_proj)\.weight"
_HEAD = r"re:(.*\.)?(lm_head|output)\.weight"
_OF_HEAD = "trunc_normal(std=shape[1]**-0.5, cutoff=3)"

RECIPES = (
    Recipe(
        "torchtitan_llama3/original",
        rules=[
            Rule(_OF_HEAD, type="Embedding", where=tied_to_linear),
            {
                "type:*LayerNorm*|*RMSNorm*": {"weight": 1, "bias": 0},
                _DEPTH: "trunc_normal(std=0.02/sqrt(2*(layer+1)))",
                _HEAD: _OF_HEAD,
                "type:Linear": {"weight": "trunc_normal(std=0.02)", "bias": 0},
                "type:Embedding": {"weight": "normal(std=1)"},
            },
            REST,
        ],
        marks=(r"re:(.*\.)?(wo|o_proj|w2|w3|up_proj|down_proj)\.weight",),
        summary="wo, w2, w3 0.02/sqrt(2 (layer + 1)), head 1/sqrt(d) cut at 3 sigma, the rest "
        "0.02; embedding N(0, 1).",
        source="pytorch/torchtitan: torchtitan/models/llama3/__init__.py",
        paper="Liang et al. 2024, TorchTitan (arXiv:2410.06511)",
        fits=("torchtitan", "transformers"),
        notes="w3 (up) is scaled like w2 (down), not only what writes into the residual stream. "
        "Bounds are -2 and 2 absolutely but for the head, and so cut nothing there. A tied "
        "embedding starts as the head does",
        padding=False,
    ),
)
ALIASES = {"torchtitan_llama3": "torchtitan_llama3/original"}
