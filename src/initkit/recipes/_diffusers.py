"""The models of diffusers, which keep torch's defaults but for a few parameters of their own."""

from __future__ import annotations

from ..rules import REST, Recipe

_BY_WIDTH = "normal(std=shape[-1]**-0.5)"
_ZERO = r"re:(.*\.)?controlnet_(\w*blocks?|x_embedder|cond_embedding\.conv_out)\b.*\.(weight|bias)"

RECIPES = (
    Recipe(
        "diffusion_model/diffusers",
        rules=[
            {
                _ZERO: 0,
                "*scale_shift_table": _BY_WIDTH,
                "*register_tokens": "normal(std=0.02)",
                "*text_embedding_padding": "normal",
                "type:AuraFlowPatchEmbed": {"pos_embed": "normal(std=0.1)"},
                "type:HunyuanDiTAttentionPool": {"positional_embedding": _BY_WIDTH},
                "type:PriorTransformer|Mochi*|Lumina*": {
                    "positional_embedding": 0,
                    "prd_embedding": 0,
                    "clip_*": 0,
                    "pos_frequencies": 0,
                    "gate": 0,
                },
                "in:VectorQuantizer": {"embedding.weight": "uniform(-1/shape[0], 1/shape[0])"},
                "in:UNet2DModel": {"type:GaussianFourierProjection": {"weight": "normal(std=16)"}},
                "type:GaussianFourierProjection": {"weight": "normal"},
                "type:GlobalResponseNorm": {"gamma": 0, "beta": 0},
                "type:*Norm*": {"weight": 1, "bias": 0},
            },
            REST,
        ],
        summary="Torch's defaults; modulation tables N(0, 1/sqrt(width)), ControlNet's exits 0.",
        source="huggingface/diffusers 0.42: src/diffusers/models",
        paper="Rombach et al. 2022, Latent Diffusion, arXiv:2112.10752; Peebles & Xie 2023, DiT, "
        "arXiv:2212.09748; Chen et al. 2023, PixArt, arXiv:2310.00426; Esser et al. 2024, Stable "
        "Diffusion 3, arXiv:2403.03206",
        fits=("diffusers",),
        code=("diffusers.models",),
        marks=("type:Conv1d|Conv2d|Conv3d|Linear",),
        notes="no layer is zeroed as the published DiT and U-Nets zero theirs (the modulation, "
        "the last layers): those are dit/original, ddpm_unet and guided_diffusion_unet, for "
        "training from scratch",
    ),
)
ALIASES = {
    f"{family}/diffusers": "diffusion_model/diffusers"
    for family in (
        "unet2d",
        "unet2d_condition",
        "autoencoder_kl",
        "vq_model",
        "controlnet",
        "dit",
        "pixart",
        "sana",
        "flux",
        "sd3",
        "wan",
    )
}
