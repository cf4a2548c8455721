"""BLOOM."""

from __future__ import annotations

from ._transformers import published

RECIPES = (
    published(
        "bloom",
        summary="Every matrix N(0, initializer_range), padding row 0; biases 0.",
        paper="BigScience 2022, BLOOM (arXiv:2211.05100)",
        notes="Megatron-DeepSpeed, which trained it, scales output projections by "
        "1/sqrt(2 layers): see megatron",
    ),
)
ALIASES = {"bloom": "bloom/transformers"}
