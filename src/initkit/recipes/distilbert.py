"""DistilBERT."""

from __future__ import annotations

from ..rules import Rule
from ._shared import config_says
from ._transformers import published

_SINUSOIDAL = Rule(
    "sinusoids(interleaved=True)",
    name="*.position_embeddings.weight",
    where=config_says("sinusoidal_pos_embds", True),
)

RECIPES = (
    published(
        "distilbert",
        _SINUSOIDAL,
        summary="Every matrix N(0, initializer_range), padding row 0; biases 0.",
        paper="Sanh et al. 2019, DistilBERT (arXiv:1910.01108)",
        notes="where the configuration says sinusoidal_pos_embds the position table holds "
        "interleaved sines and cosines. The published weights start from BERT's",
    ),
)
ALIASES = {"distilbert": "distilbert/transformers"}
