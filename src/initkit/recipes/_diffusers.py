"""The models of diffusers, which keep torch's defaults but for a few parameters of their own."""

from __future__ import annotations

from ..rules import REST, Recipe

_BY_WIDTH = "normal(std=shape[-1]**-0.5)"
_ZERO = r"re:(.*\.)?controlnet_(\w*blocks?|x_embedder|cond_embedding\.conv_out)\b.*\.(weight|bias)"
_XS = r"re:(.*\.)?(base_to_ctrl|ctrl_to_base|control_to_base_for_conv_in)\b.*\.(weight|bias)"

_ZEROED = {
    "in:SparseControlNetModel": "controlnet_cond_embedding.*",
    "in:SD3ControlNetModel": "pos_embed_input.*",
    "in:SanaControlNetModel|HunyuanDiT2DControlNetModel": "input_block.*",
    "in:ZImageControlTransformerBlock": "before_proj.* after_proj.*",
    "in:ControlNetUnionModel": "spatial_ch_projs.*",
    "in:ErnieImageTransformer2DModel": "adaLN_modulation.1.* final_linear.*",
    "in:PRX*": "*.modulation.lin.*",
    "in:Kandinsky5Modulation": "out_layer.*",
    "type:JoyImage*": "modulate_table",
    "in:SanaWM*": "plucker_embedder.proj.*",
    "in:StableAudio3DiT*": "preprocess_conv.weight postprocess_conv.weight to_local_embed.2.* "
    "prompt_padding_embedding",
    "in:AudioDiT*": "adaln_mlp.mlp.1.* adaln_global_mlp.mlp.1.* norm_out.linear.* proj_out.*",
    "in:TemporalConvLayer": "conv4.*",
    "in:SAMEAttention": "to_out.weight",
    "in:SAMETransformerResamplingBlock": "*ff.proj_out.*",
    "in:Kandinsky3ConditionalGroupNorm": "context_mlp.1.*",
    "type:PriorTransformer|Mochi*|Lumina*": "positional_embedding prd_embedding clip_* "
    "pos_frequencies gate",
    "type:CosmosLearnablePositionalEmbed": "pos_emb_*",
    "type:*ImageEmbedding": "pos_embed",
    "type:GLIGEN*": "null_*",
    "type:GatedSelfAttentionDense": "alpha_*",
    "type:ZImage*": "*_pad_token",
    "type:WanAnimateFaceEncoder": "padding_tokens",
    "type:RAEDecoder": "trainable_cls_token",
    "type:Krea2*": "scale_shift_table",
    "type:LTX2VideoVaeDiffusionNABlock": "scale_shift_table",
    "type:LTX*ResnetBlock3d": "per_channel_scale*",
    "type:MMAudio*": "learnable_gain",
    "type:MiniMaxH3AudioCausalAttention": "q_bias v_bias",
}
"""What the library's own code zeroes: the class that does -> names in it."""
_NORMS = {
    "type:GlobalResponseNorm|AudioDiTGRN": {"gamma": 0, "beta": 0},
    "type:Krea2RMSNorm|*ZeroCenterRMSNorm": {"weight": 0},  # they multiply by 1 + weight
    "type:*RMS_norm|*RMSNorm": {"gamma": 1},
    "type:*RMS_norm": {"bias": 0},
    "type:DynamicTanh": {"alpha": 4, "gamma": 1, "beta": 0},
    "type:SoftNormBottleneck": {"scale": 1},
    "type:*Norm*": {"weight": 1, "bias": 0},
}
_ACTIVATIONS = {
    "type:Snake1d|*SnakeBeta": {"alpha": 0, "beta": 0},  # as logarithms
    "type:*Snake1d": {"alpha": 1},
    "type:FusedLeakyReLU": {"bias": 0},
}

RECIPES = (
    Recipe(
        "diffusion_model/diffusers",
        rules=[
            {
                _ZERO: 0,
                _XS: 0,  # the exits of ControlNet-XS
                **{key: dict.fromkeys(names.split(), 0) for key, names in _ZEROED.items()},
                "type:MiniMaxMusic3ConditionEncoder": {"layer_weight_logits": 0, "layer_scale": 1},
                "*prompt_scale_shift_table": "normal",
                "*a2v_cross_attn_scale_shift_table": "normal",
                "*scale_shift_table": _BY_WIDTH,
                "type:WanAnimate2*": {"modulation": _BY_WIDTH},
                # Six of the model's width, in one row.
                "type:AudioDiTBlock": {"adaln_scale_shift": "normal(std=(shape[-1]/6)**-0.5)"},
                "type:StableAudio3DiTBlock": {
                    "to_scale_shift_gate": "normal(std=(shape[-1]/6)**-0.5)"
                },
                "in:TemporalDecoder": {"*mix_factor": 0},
                "type:AlphaBlender": {"mix_factor": 0.5},
                "type:VidTok*sample3D": {"mix_factor": 2},
                "*register_tokens": "normal(std=0.02)",
                "type:StableAudio3*": {"memory_tokens": "normal(std=0.02)"},
                "type:SAMETransformerResamplingBlock": {"new_tokens": "normal(std=1e-5)"},
                "type:AceStepAudio*|*Pooler": {"special_token*": "normal(std=0.02)"},
                "type:AceStep*": {"special_token": "normal", "null_condition_emb": "normal"},
                "*text_embedding_padding": "normal",
                "type:AuraFlowPatchEmbed": {"pos_embed": "normal(std=0.1)"},
                "type:HunyuanDiTAttentionPool|AttentionPooling": {
                    "positional_embedding": _BY_WIDTH
                },
                "type:IPAdapter*ImageProjection": {"latents": _BY_WIDTH},
                "type:ControlNetUnionModel": {"task_embedding": "normal(std=shape[-1]**0.5)"},
                "type:MotionConv2d|MotionLinear": {"weight": "normal", "bias": 0},
                "type:WanAnimateMotionEncoder": {"motion_synthesis_weight": "normal"},
                "in:VectorQuantizer": {"embedding.weight": "uniform(-1/shape[0], 1/shape[0])"},
                "in:UNet2DModel": {"type:GaussianFourierProjection": {"weight": "normal(std=16)"}},
                "type:*GaussianFourierProjection|*FourierEmbedding": {"weight": "normal"},
                **_ACTIVATIONS,
                **_NORMS,
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
