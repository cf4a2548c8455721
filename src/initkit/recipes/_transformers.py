"""What the models of transformers share: ``PreTrainedModel._init_weights``, by module type."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe

# In PreTrainedModel._init_weights the std is the config's, under whichever name it has it.
STD = "config.initializer_range or config.init_std or config.initializer_factor or 0.02"
NORMAL = f"normal(std={STD})"
"""Every matrix of a model of transformers, unless its family says otherwise."""

MATRICES = {
    "type:Linear|Conv1d|Conv2d|Conv3d|ConvTranspose1d|ConvTranspose2d": {
        "weight": NORMAL,
        "bias": 0,
    },
    "type:LSTM": {"weight*": "xavier_uniform(fans='tensor')", "bias*": 0},
    "type:*Embedding": {"weight": NORMAL},
}
EXPERTS = {
    "type:*Experts": {"gate_up_proj": NORMAL, "down_proj": NORMAL},
    "type:*Router": {"weight": NORMAL},
}
"""Every mixture of experts of transformers, in its family's own code."""
NORMS = {"type:*LayerNorm*|*RMSNorm*": {"weight": 1, "bias": 0}}
GENERIC = [MATRICES, EXPERTS, NORMS, REST]

SOURCE = "huggingface/transformers 5.23: src/transformers/models/{0}/modeling_{0}.py"


def published(
    family: str,
    *own: Any,
    summary: str,
    paper: str = "",
    notes: str = "",
    models: str = "",
    reference: str = "transformers",
) -> Recipe:
    """Return the recipe of a family of transformers: its own rules, then what all share."""
    return Recipe(
        f"{family}/{reference}",
        rules=[*own, *GENERIC],
        summary=summary,
        source=f"{SOURCE.format(models or family)}, modeling_utils.py (PreTrainedModel)",
        paper=paper,
        fits=("transformers",),
        notes=notes,
    )
