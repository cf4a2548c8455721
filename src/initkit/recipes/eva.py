"""EVA."""

from __future__ import annotations

from ..rules import Recipe
from ._shared import VISION
from .beit import BEIT_RULES

RECIPES = (
    Recipe(
        "eva/timm",
        rules=[
            {"*rope.freqs": "rotated_frequencies(base=owner.temperature or 10)"},
            *BEIT_RULES,
        ],
        marks=VISION,
        summary="Linear layers N(0, 0.02), what each block adds / sqrt(2 (layer + 1)), small head.",
        source="huggingface/pytorch-image-models: timm/models/eva.py",
        paper="Fang et al. 2022, EVA, arXiv:2211.07636; Fang et al. 2023, EVA-02, arXiv:2303.11331",
        fits=("timm",),
        notes="layers count from 0. The head is multiplied by the model's head_init_scale where "
        "it has one. Gates of SwiGLU start like other layers here, unlike in vit/timm",
    ),
)
ALIASES = {"eva": "eva/timm"}
