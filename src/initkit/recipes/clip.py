"""CLIP."""

from __future__ import annotations

from typing import Any

from ..rules import REST, Recipe
from ._transformers import STD, published
from .vit import NORMS

_PAPER = "Radford et al. 2021, Learning Transferable Visual Models, arXiv:2103.00020"
_WIDTH = "normal(std=shape[0]**-0.5)"
_WIDTH_1 = "normal(std=shape[1]**-0.5)"

_ORIGINAL: list[Any] = [
    {
        "*visual.class_embedding": _WIDTH,
        "*visual.positional_embedding": _WIDTH_1,
        "*visual.proj": _WIDTH,
        "*attnpool.positional_embedding": _WIDTH_1,
        "*attnpool.[qkvc]_proj.weight": _WIDTH_1,
        r"re:(.*\.)?visual\.layer\d\..*bn3\.weight": 0,
        "*visual.*in_proj_weight": "xavier_uniform(fans='tensor')",
        "*in_proj_bias": 0,
        "*out_proj.bias": 0,
        **NORMS,
        r"re:(.*\.)?visual\..*": "torch_default",
    },
    {
        "*token_embedding.weight": "normal(std=0.02)",
        "*positional_embedding": "normal(std=0.01)",
        "*text_projection": _WIDTH,
        "*logit_scale": "constant(log(1/0.07))",
        "*in_proj_weight": _WIDTH_1,
        "*attn.out_proj.weight": "normal(std=shape[0]**-0.5 * (2*n_layers)**-0.5)",
        "*mlp.c_fc.weight": "normal(std=(2*shape[1])**-0.5)",
        "*mlp.c_proj.weight": "normal(std=shape[0]**-0.5 * (2*n_layers)**-0.5)",
    },
    REST,
]

_FACTOR = "(config.initializer_factor or 1)"
_DEEP = "(2*(config.num_hidden_layers or n_layers))**-0.5"
HF: list[Any] = [
    {
        "*logit_scale": "constant(config.logit_scale_init_value or 2.6592)",
        "*class_embedding": f"normal(std=shape[0]**-0.5*{_FACTOR})",
    },
    {"in:*VisionEmbeddings": {"*_embedding.weight": f"normal(std=({STD})*{_FACTOR})"}},
    {
        "*_embedding.weight": f"normal(std=0.02*{_FACTOR})",
        "*self_attn.[qkv]_proj.weight": f"normal(std=shape[1]**-0.5*{_DEEP}*{_FACTOR})",
        "*self_attn.out_proj.weight": f"normal(std=shape[1]**-0.5*{_FACTOR})",
        "*mlp.fc1.weight": f"normal(std=(2*shape[1])**-0.5*{_FACTOR})",
        "*mlp.fc2.weight": f"normal(std=shape[0]**-0.5*{_DEEP}*{_FACTOR})",
        "*text_projection.weight": f"normal(std=shape[1]**-0.5*{_FACTOR})",
        "*visual_projection.weight": f"normal(std=shape[1]**-0.5*{_FACTOR})",
        "*classifier.weight": f"normal(std=shape[1]**-0.5*{_FACTOR})",
    },
]

RECIPES = (
    Recipe(
        "clip/original",
        rules=_ORIGINAL,
        marks=(r"re:(.*\.)?(text_projection|visual\..*|token_embedding\.weight)",),
        summary="Text tower by width and depth, as GPT-2; image tower mostly torch's default.",
        source="openai/CLIP: clip/model.py (initialize_parameters)",
        paper=_PAPER,
        fits=("original",),
        notes="the original authors' code, so `clip` alone means this, with either image tower. "
        "The Vision Transformer keeps torch's default but for its embeddings and projection; the "
        "ResNet's last batchnorm of each block starts at 0. MLP biases of the text tower keep "
        "torch's default",
    ),
    published(
        "clip",
        *HF,
        marks=(
            "*self_attn.[qkv]_proj.weight",
            "*mlp.fc[12].weight",
        ),
        summary="Both towers by width and depth; biases 0.",
        paper=_PAPER,
        notes="the two scales of the attention are swapped against the original: here query, key "
        "and value are divided by sqrt(2 layers), there the output. Text positions N(0, 0.02) "
        "instead of N(0, 0.01); the image tower is started, too, and the biases are 0",
    ),
)
ALIASES = {
    "clip": "clip/original",
    "clip/original-vit": "clip/original",
    "clip/original-rn": "clip/original",
}
