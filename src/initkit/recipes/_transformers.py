"""What the models of transformers share: ``PreTrainedModel._init_weights``, by module type."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe, Shared

# In PreTrainedModel._init_weights the std is the config's, under whichever name it has it, or that
# of the text model's config, which stands in it under one of four names.
_TEXT = "text_config text_encoder decoder generator".split()
STD = " or ".join(
    ["config.initializer_range", "config.init_std", "config.initializer_factor"]
    + [f"nearest_config.{part}.initializer_range" for part in _TEXT]
    + ["0.02"]
)
STD_NAMES = {"std": "initializer_range"}
NORMAL = f"normal(std={STD})"
"""Every matrix of a model of transformers, unless its family says otherwise."""
TRUNC = f"trunc_normal(std={STD})"
"""The same where the family says trunc_normal: bounds of -2 and 2 cut nothing."""
XAVIER = "xavier_uniform(fans='tensor')"

LECUN = "trunc_normal(std=sqrt(1/fan_in)/0.87962566103423978)"
"""Its lecun_normal: corrected for a truncation at two sigma that does not happen."""
GAINED = "xavier_uniform(fans='tensor', gain=config.init_xavier_std)"
_PRIOR = "(config.initializer_bias_prior_prob or 1/(config.num_labels + 1))"
PRIOR = f"constant(-log((1 - {_PRIOR})/{_PRIOR}))"
"""The bias by which a detector starts with that probability for every class."""
_HE = "kaiming_normal(fans='tensor')"
SPEECH_CONVS = {
    "type:Conv1d": {"weight": _HE, "bias": "torch_default"},
    "type:ConvTranspose1d": {
        "weight": _HE,
        "bias": "scaled(torch_default, sqrt(owner.out_channels/owner.in_channels))",
    },
}
"""He's weights and torch's biases, of transposed convolutions with the fan of plain ones."""


def cut(std: str, cutoff: str) -> str:
    """Return a normal distribution that ends so many standard deviations away."""
    return f"trunc_normal(std={std}, low=-({cutoff})*({std}), high=({cutoff})*({std}))"


MATRICES = {
    "type:Linear|Conv1d|Conv2d|Conv3d|ConvTranspose1d|ConvTranspose2d": {
        "weight": NORMAL,
        "bias": 0,
    },
    "type:LSTM": {"weight*": XAVIER, "bias*": 0},
    "type:*Embedding": {"weight": NORMAL},
}
EXPERTS = {
    "type:*Experts": {"gate_up_proj": NORMAL, "down_proj": NORMAL},
    "type:*Router": {"weight": NORMAL},
}
"""Every mixture of experts of transformers, in its family's own code."""
PARTS = {
    "*.lm_head.bias": 0,
    "*.predictions.bias": 0,
    "type:*LMHead|*PredictionHead|*MLMHead": {"bias": 0},
    "*.logit_scale": "constant(config.logit_scale_init_value or 2.6592)",
    "*.e_score_correction_bias": 0,
    "*.mask_token": 0,
    "*.rel_pos_[hw]": 0,
    "*.masked_spec_embed": "uniform(0, 1)",
    "type:AMSoftmaxLoss": {"weight": "normal(std=1)"},
    "type:*LayerScale": {"lambda1": "constant(config.layerscale_value)"},
    "type:*GumbelVectorQuantizer": {"codevectors": "uniform(0, 1)"},
    "in:*GumbelVectorQuantizer": {"weight_proj.weight": "normal(std=1)", "weight_proj.bias": 0},
    "in:*LearnedPositionEmbedding": {
        "row_embeddings.weight": "uniform(0, 1)",
        "column_embeddings.weight": "uniform(0, 1)",
    },
    "in:*MultiscaleDeformableAttention": {
        "sampling_offsets.weight": 0,
        "sampling_offsets.bias": "radial_offsets(heads=around.n_heads, "
        "points=around.n_points or config.decoder_n_points)",
        "attention_weights.*": 0,
        "value_proj.weight": XAVIER,
        "output_proj.weight": XAVIER,
    },
    "type:*LearnableAffineBlock": {"scale": 1, "bias": 0},
    "*.image_newline": "normal(std=1/sqrt(config.text_config.hidden_size))",
}
"""Parts that start alike in every family that has them."""
NORMS = {"type:*LayerNorm*|*RMSNorm*": {"weight": 1, "bias": 0}}
GENERIC = Shared([PARTS, MATRICES, EXPERTS, NORMS, REST])

_SOURCE = "huggingface/transformers 5.23: {0}, modeling_utils.py (PreTrainedModel)"
_FILE = "src/transformers/models/{0}/modeling_{0}.py"


def published(
    family: str,
    *own: Any,
    summary: str,
    paper: str = "",
    notes: str = "",
    models: str = "",
    marks: tuple[str, ...] = (),
    reference: str = "transformers",
    padding: bool = True,
) -> Recipe:
    """Return the recipe of a family of transformers: its own rules, then what all share.

    ``models`` are the folders of transformers whose code it follows, in one text: the family's own
    where it is left out.
    """
    folders = (models or family).split()
    return Recipe(
        f"{family}/{reference}",
        rules=[*own, GENERIC],
        summary=summary,
        source=_SOURCE.format(", ".join(map(_FILE.format, folders))),
        paper=paper,
        fits=("transformers",),
        notes=notes,
        code=tuple(f"transformers.models.{folder}" for folder in folders),
        marks=marks,
        padding=padding,
        synonyms=STD_NAMES,
    )
