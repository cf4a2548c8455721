"""The U-Net of guided diffusion."""

from __future__ import annotations

from ..rules import REST, Recipe, Rule

_CONV = "Conv1d|Conv2d|Conv3d"

RECIPES = (
    Recipe(
        "guided_diffusion_unet/original",
        rules=[
            Rule(0, name="*out_layers.3.*", type=_CONV),
            Rule(0, name="*.proj_out.*", type=_CONV),
            Rule(0, name=r"re:(.*\.)?out\.[23]\.(weight|bias)", type=_CONV),
            {"type:AttentionPool2d": {"positional_embedding": "normal(std=1/sqrt(shape[0]))"}},
            REST,
        ],
        marks=("*out_layers.3.*",),
        summary="torch's defaults; last layers of blocks, of attention and of the network 0.",
        source="openai/guided-diffusion: guided_diffusion/unet.py (zero_module)",
        paper="Dhariwal & Nichol 2021, Diffusion Models Beat GANs (arXiv:2105.05233)",
        fits=("plain torch, with the names of that code",),
        notes="exact zeros, where ddpm_unet has a variance of 1e-10; the class embedding is N(0, "
        "1)",
    ),
)
ALIASES = {"guided_diffusion_unet": "guided_diffusion_unet/original"}
