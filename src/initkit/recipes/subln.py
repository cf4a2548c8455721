"""Sub-LN (Magneto)."""

from __future__ import annotations

from ..rules import Recipe
from ._shared import RESIDUAL
from .deepnorm import torchscale

_N = "(around.encoder.layers or around.encoder)"
_M = "(around.decoder.layers or around.decoder)"
_FACTORS = (
    f"sqrt(log(3*{_M})*log(2*{_N})/3)",
    "sqrt(log(3*n_layers))",
    "sqrt(log(2*n_layers))",
)

RECIPES = (
    Recipe(
        "subln/torchscale",
        rules=[
            {r"re:(.*\.)?encoder_attn\..*_proj\.(weight|bias)": "torch_default"},
            *torchscale(_FACTORS),
        ],
        marks=(RESIDUAL,),
        summary="torch's default times sqrt(log(2 N)) for values, outputs and feed-forward, biases "
        "too; embeddings N(0, 1/sqrt(d)).",
        source="microsoft/torchscale: torchscale/architecture/encoder.py, decoder.py",
        paper="Wang et al. 2022, Foundation Transformers (arXiv:2210.06423)",
        fits=("torchscale",),
        notes="with N encoder and M decoder layers: sqrt(log(3 M) log(2 N)/3) and sqrt(log(3 M)); "
        "attention over the encoder is not scaled",
    ),
)
ALIASES = {"subln": "subln/torchscale", "sub-ln": "subln/torchscale"}
