"""The models of diffusers, which keep torch's defaults but for a few parameters of their own."""

from __future__ import annotations

from ..rules import REST, Recipe

_BY_WIDTH = "normal(std=shape[-1]**-0.5)"
_ZERO = r"re:(.*\.)?controlnet_(\w*blocks?|x_embedder|cond_embedding\.conv_out)\b.*\.(weight|bias)"
_XS = r"re:(.*\.)?(base_to_ctrl|ctrl_to_base|control_to_base_for_conv_in)\b.*\.(weight|bias)"

_STARTS_AT_ZERO = {
    _ZERO: 0,
    _XS: 0,  # the exits of ControlNet-XS
    "in:SparseControlNetModel": {"controlnet_cond_embedding.*": 0},
    "in:SD3ControlNetModel": {"pos_embed_input.*": 0},
    "in:SanaControlNetModel|HunyuanDiT2DControlNetModel": {"input_block.*": 0},
    "in:ZImageControlTransformerBlock": {"before_proj.*": 0, "after_proj.*": 0},
    "in:ControlNetUnionModel": {"spatial_ch_projs.*": 0},
    "in:ErnieImageTransformer2DModel": {"adaLN_modulation.1.*": 0, "final_linear.*": 0},
    "in:PRX*": {"*.modulation.lin.*": 0},
    "in:Kandinsky5Modulation": {"out_layer.*": 0},
    "type:JoyImage*": {"modulate_table": 0},
    "in:SanaWM*": {"plucker_embedder.proj.*": 0},
    "in:StableAudio3DiT*": {
        "preprocess_conv.weight": 0,
        "postprocess_conv.weight": 0,
        "to_local_embed.2.*": 0,
        "prompt_padding_embedding": 0,
    },
    "in:AudioDiT*": {
        "adaln_mlp.mlp.1.*": 0,
        "adaln_global_mlp.mlp.1.*": 0,
        "norm_out.linear.*": 0,
        "proj_out.*": 0,
    },
    "in:TemporalConvLayer": {"conv4.*": 0},
    "in:SAMEAttention": {"to_out.weight": 0},
    "in:SAMETransformerResamplingBlock": {"*ff.proj_out.*": 0},
    "in:Kandinsky3ConditionalGroupNorm": {"context_mlp.1.*": 0},
    "type:PriorTransformer|Mochi*|Lumina*": {
        "positional_embedding": 0,
        "prd_embedding": 0,
        "clip_*": 0,
        "pos_frequencies": 0,
        "gate": 0,
    },
    "type:CosmosLearnablePositionalEmbed": {"pos_emb_*": 0},
    "type:*ImageEmbedding": {"pos_embed": 0},
    "type:GLIGEN*": {"null_*": 0},
    "type:GatedSelfAttentionDense": {"alpha_*": 0},
    "type:ZImage*": {"*_pad_token": 0},
    "type:WanAnimateFaceEncoder": {"padding_tokens": 0},
    "type:RAEDecoder": {"trainable_cls_token": 0},
    "type:MiniMaxMusic3ConditionEncoder": {"layer_weight_logits": 0, "layer_scale": 1},
    "type:Krea2*": {"scale_shift_table": 0},
    "type:LTX2VideoVaeDiffusionNABlock": {"scale_shift_table": 0},
    "type:LTX*ResnetBlock3d": {"per_channel_scale*": 0},
    "type:MMAudio*": {"learnable_gain": 0},
    "type:MiniMaxH3AudioCausalAttention": {"q_bias": 0, "v_bias": 0},
}
"""What the library's own code zeroes, by the class that does."""
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
                **_STARTS_AT_ZERO,
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
