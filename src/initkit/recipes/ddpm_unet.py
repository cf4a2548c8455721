"""The U-Net of denoising diffusion."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._convnets import NORMS

_DRAWN = "type:Conv1d|Conv2d|Conv3d|Linear"
_TINY = "variance_scaling(scale=1e-10, mode='fan_avg', distribution='uniform', fans='tensor')"

RECIPES = (
    Recipe(
        "ddpm_unet/original",
        rules=[
            {
                r"re:(.*\.)?(conv2|proj_out|conv_out)\.weight": _TINY,
                _DRAWN: {"weight": "xavier_uniform(fans='tensor')", "bias": 0},
            },
            NORMS,
            REST,
        ],
        marks=(r"re:(.*\.)?(conv2|proj_out|conv_out)\.weight",),
        summary="Glorot's uniform; last layers of blocks, attention and network 1e-5 of it.",
        source="hojonathanho/diffusion: diffusion_tf/nn.py, diffusion_tf/models/unet.py",
        paper="Ho et al. 2020, Denoising Diffusion Probabilistic Models (arXiv:2006.11239)",
        fits=("plain torch, where those layers are called conv2, proj_out and conv_out",),
        notes="init_scale=0 asks for a variance of 1e-10 of Glorot's, not for zeros, which "
        "guided_diffusion_unet has",
    ),
)
ALIASES = {
    "ddpm_unet": "ddpm_unet/original",
    "ddpm_unet/hojonathanho": "ddpm_unet/original",
    "ddpm_unet/tensorflow": "ddpm_unet/original",
}
