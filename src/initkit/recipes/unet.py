"""U-Net."""

from __future__ import annotations

from ..rules import REST, Recipe
from ._convnets import NORMS

_TRANSPOSED = "ConvTranspose1d|ConvTranspose2d|ConvTranspose3d"

RECIPES = (
    Recipe(
        "unet/paper",
        rules=[
            {
                f"type:Conv1d|Conv2d|Conv3d|{_TRANSPOSED}": {
                    "weight": "kaiming_normal",
                    "bias": 0,
                },
            },
            NORMS,
            REST,
        ],
        summary="Convolutions N(0, sqrt(2/N)), N the incoming nodes of one neuron; biases 0.",
        source="arXiv:1505.04597, section 3",
        paper="Ronneberger et al. 2015, U-Net (arXiv:1505.04597)",
        fits=("plain torch",),
        notes="of a transposed convolution the incoming nodes are in_channels k k; torch.nn.init "
        "takes out_channels k k there. The paper says nothing of biases. The U-Nets of "
        "diffusion are ddpm_unet and guided_diffusion_unet",
    ),
)
ALIASES = {"unet": "unet/paper"}
