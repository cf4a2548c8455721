"""Rules of their own of models of transformers of images or sound with text, from A to L."""

from __future__ import annotations

from typing import Any

from ._transformers import NORMAL, TRUNC, XAVIER
from .clip import HF as CLIP

TABLES: dict[str, list[Any]] = {
    "aimv2": [
        {
            "type:Aimv2AttentionPoolingHead": {"cls_token": NORMAL},
            "*.logit_scale": "constant(log(1/0.07))",
        },
    ],
    "align": [
        {
            "in:AlignModel": {
                "text_projection.bias": 0,
                "text_projection.weight": XAVIER,
            },
            "type:AlignModel": {"temperature": "constant(config.temperature_init_value)"},
        },
    ],
    "altclip": [
        *CLIP,
    ],
    "aria": [
        {
            "type:AriaProjector": {"query": TRUNC},
        },
    ],
    "granite_speech": [{"type:GraniteSpeechEncoderProjector": {"query": "normal(std=1)"}}],
    "granite_speech_plus": [{"type:GraniteSpeechPlusEncoderProjector": {"query": "normal(std=1)"}}],
    "blip_2": [
        {
            "*.query_tokens": 0,
            "type:Blip2VisionEmbeddings": {"class_embedding": TRUNC, "position_embedding": TRUNC},
        },
    ],
    "clvp": [
        {
            "in:ClvpEncoderMLP": {
                "fc1.*weight": "normal(std=config.initializer_factor*(2*config.hidden_size)**-0.5)",
                "fc2.weight": "normal(std=config.initializer_factor*"
                "(2*config.num_hidden_layers*config.hidden_size)**-0.5)",
            },
            "in:ClvpDecoderMLP": {
                "c_proj.weight": "normal("
                "std=config.initializer_range/sqrt(2*config.num_hidden_layers))",
            },
            "in:ClvpEncoder": {
                "projection.weight": "normal(std=config.initializer_factor*shape[1]**-0.5)",
            },
            "in:ClvpConditioningEncoder": {
                "mel_conv.weight": "normal(std=config.initializer_factor)",
            },
            "type:Linear|Conv1D|Conv1d|Embedding": {
                "weight": "normal(std=0.02*config.initializer_factor)",
                "bias": 0,
            },
        },
    ],
    "bridgetower": [
        {
            "in:BridgeTowerVisionTransformer": {
                "embeddings.position_embedding.weight": "normal(std=config.hidden_size**-0.5 * "
                "config.initializer_factor)",
                "embeddings.class_embedding": "normal(std=config.hidden_size**-0.5 * "
                "config.initializer_factor)",
                "transformer.resblocks.*.mlp.c_proj.weight": "normal(std=(2*config.hidden_size*"
                "config.num_hidden_layers)**-0.5 * config.initializer_factor)",
                "transformer.resblocks.*.mlp.c_fc.weight": "normal(std=(2 * config.hidden_size)**"
                "-0.5 * config.initializer_factor)",
                "transformer.resblocks.*.attn.out_proj.weight": "normal(std=(2*"
                "config.hidden_size*config.num_hidden_layers)**-0.5 * config.initializer_factor)",
                "transformer.resblocks.*.attn.in_proj_bias": 0,
                "transformer.resblocks.*.attn.in_proj_weight": "normal(std=config.hidden_size**"
                "-0.5 * config.initializer_factor)",
            },
            "type:BridgeTowerMLMHead": {"bias": 0},
            "type:BridgeTowerForContrastiveLearning": {
                "logit_scale": "constant(config.logit_scale_init_value)"
            },
        },
        {
            "type:Linear|Conv2d|Embedding": {
                "weight": "normal(std=0.05 * config.initializer_factor)"
            },
        },
    ],
    "chinese_clip": [
        *CLIP,
        {
            "in:ChineseCLIPTextEmbeddings": {
                "token_type_embeddings.weight": NORMAL,
                "position_embeddings.weight": NORMAL,
                "word_embeddings.weight": NORMAL,
            },
        },
    ],
    "clap": [
        {
            "in:ClapTextEmbeddings": {
                "token_type_embeddings.weight": "normal(std=config.initializer_factor * 0.02)",
                "position_embeddings.weight": "normal(std=config.initializer_factor * 0.02)",
            },
            "type:ClapAudioSelfAttention": {"relative_position_bias_table": 0},
            "type:ClapModel": {
                "logit_scale_t": "constant(log(config.logit_scale_init_value))",
                "logit_scale_a": "constant(log(config.logit_scale_init_value))",
            },
        },
        {
            "type:Conv2d|Linear": {
                "bias": 0,
                "weight": "normal(std=(2*config.hidden_size*config.num_hidden_layers)**-0.5 * "
                "config.initializer_factor)",
            },
            "type:Embedding": {"weight": "normal(std=config.initializer_factor * 0.02)"},
        },
    ],
    "deepseek_vl_hybrid": [
        {
            "type:DeepseekVLHybridModel": {"high_res_vision_alpha": 0},
        },
        {
            "type:Conv2d": {"bias": 0, "weight": "kaiming_normal(fans='tensor', mode='fan_out')"},
        },
    ],
    "embedding_gemma2": [
        {
            "type:EmbeddingGemma2EncoderLayer": {"layer_scalar": 1},
        },
    ],
    "flava": [
        {
            "type:FlavaModel": {"logit_scale": "constant(config.logit_scale_init_value)"},
            "type:FlavaMultimodalModel": {"cls_token": 0},
            "type:FlavaImageEmbeddings": {"position_embeddings": 0, "cls_token": 0},
        },
    ],
    "gemma3": [
        {
            "type:*RMSNorm*": {"weight": 0},
            "type:Gemma3MultiModalProjector": {"mm_input_projection_weight": 0},
        },
    ],
    "gemma3n": [
        {
            "type:Gemma3nTextModel": {
                "per_layer_input_scale": "constant(1/sqrt(2.0))",
                "per_layer_projection_scale": "constant(config.hidden_size**-0.5)",
            },
            "type:Gemma3nTextAltUp": {
                "router_input_scale": "constant(config.hidden_size ** (-1.0))",
                "correct_output_scale": 0,
            },
            "type:Gemma3nAudioAttention": {"per_dim_scale": 0},
            "type:Gemma3nAudioCumulativeGroupNorm": {"weight": 1},
        },
    ],
    "gemma4": [
        {
            "type:Gemma4TextDecoderLayer": {"layer_scalar": 1},
            "type:Gemma4TextRouter": {"per_expert_scale": 1, "scale": 1},
            "type:Gemma4AudioAttention": {"per_dim_scale": 0},
            "type:Gemma4VisionPatchEmbedder": {"position_embedding_table": 1},
        },
    ],
    "gemma4_unified": [
        {
            "type:Gemma4UnifiedVisionEmbedder": {
                "pos_embedding": "normal(std=config.vision_config.initializer_range)"
            },
            "type:Gemma4UnifiedTextDecoderLayer": {"layer_scalar": 1},
        },
    ],
    "git": [
        {
            "in:GitVisionEmbeddings": {
                "position_embedding.weight": NORMAL,
                "patch_embedding.weight": NORMAL,
            },
            "type:GitVisionEmbeddings": {"class_embedding": NORMAL},
        },
    ],
    "got_ocr2": [
        {
            "type:GotOcr2VisionEncoder": {"pos_embed": 0},
        },
    ],
    "gradium_phonon_tts": [
        {
            "type:GradiumPhononTTSForConditionalGeneration": {
                "latent_stats_num_updates": 0,
                "latent_std": 1,
                "latent_mean": 0,
            },
            "type:GradiumPhononTTSModel": {"bos_latent": 0},
        },
    ],
    "hunyuan_vl": [
        {
            "type:HunYuanVLVisionPatchMerger": {
                "image_sep": "normal(std=config.text_hidden_size**-0.5)",
                "image_end": "normal(std=config.text_hidden_size**-0.5)",
                "image_begin": "normal(std=config.text_hidden_size**-0.5)",
                "image_newline": "normal(std=config.text_hidden_size**-0.5)",
            },
        },
    ],
    "idefics": [
        {
            "type:IdeficsPerceiverResampler": {"latents": "normal(std=1)"},
            "type:IdeficsGatedCrossAttentionLayer": {
                "alpha_dense": "normal(std=config.alphas_initializer_range)",
                "alpha_cross_attn": "normal(std=config.alphas_initializer_range)",
            },
            "type:IdeficsVisionEmbeddings": {"class_embedding": "normal(std=1)"},
        },
    ],
    "idefics2": [
        {
            "type:Idefics2PerceiverResampler": {"latents": 1},
            "type:Idefics2MultiheadAttentionPoolingHead": {"probe": "normal(std=1)"},
        },
    ],
    "imagegpt": [
        {
            "*.c_proj.weight": "normal(std=(config.initializer_range or 0.02)/sqrt(2*"
            "config.n_layer))",
            "type:ImageGPTLayerNorm": {"weight": 1},
        },
    ],
    "inkling": [
        {
            "type:InklingSharedExperts": {"up_proj": NORMAL, "gate_proj": NORMAL},
            "type:InklingTopkRouter": {"global_scale": 1},
            "type:InklingMLP": {"global_scale": 1},
            "type:InklingRelativeLogits": {"proj": NORMAL},
        },
    ],
    "inkling2": [
        {
            "type:Inkling2VisionEncoderLayer": {
                "lambda_2": "constant(config.layer_scale_init_value)",
                "lambda_1": "constant(config.layer_scale_init_value)",
            },
            "type:Inkling2VisionEmbeddings": {
                "cls_position_embedding": NORMAL,
                "class_embedding": NORMAL,
            },
            "type:Inkling2BlockAttentionResidual": {"query": 0},
            "type:Inkling2DynamicShortConvolution": {"static_weight": 0},
            "type:Inkling2ScaledL2Clip": {"scale": 1},
            "type:Inkling2RelativeLogits": {"proj": NORMAL},
        },
    ],
    "instructblip": [
        {
            "type:InstructBlipForConditionalGeneration|InstructBlipModel": {"query_tokens": 0},
            "type:InstructBlipVisionEmbeddings": {
                "class_embedding": TRUNC,
                "position_embedding": TRUNC,
            },
        },
    ],
    "instructblipvideo": [
        {
            "type:InstructBlipVideoForConditionalGeneration|InstructBlipVideoModel": {
                "query_tokens": 0
            },
            "type:InstructBlipVideoVisionEmbeddings": {
                "class_embedding": TRUNC,
                "position_embedding": TRUNC,
            },
        },
    ],
    "internvl": [
        {
            "type:InternVLVisionLayer": {
                "lambda_2": "constant(config.layer_scale_init_value)",
                "lambda_1": "constant(config.layer_scale_init_value)",
            },
            "type:InternVLVisionEmbeddings": {"position_embeddings": 0, "cls_token": 0},
        },
    ],
    "kimi_k25": [
        {
            "type:Kimi_K25VisionPositionEmbeddings": {"position_embeddings": "trunc_normal(std=1)"},
        },
    ],
    "kosmos2": [
        {
            "in:Kosmos2VisionTransformer": CLIP,
            "in:KosmosTextAttention": {
                "*_proj.weight": "normal(std=config.init_std or config.text_config.init_std)"
            },
            "in:Kosmos2TextFFN": {
                "fc[12].weight": "normal(std=config.init_std or config.text_config.init_std)"
            },
            "in:Kosmos2ImageToTextProjection": {
                "dense.weight": "normal(std=config.init_std or config.text_config.init_std)"
            },
            "*.lm_head.weight": "normal(std=config.init_std or config.text_config.init_std)",
            "type:Kosmos2ImageToTextProjection": {"latent_query": "normal(std=1)"},
        },
    ],
    "kosmos2_5": [
        {
            "type:Kosmos2_5ImageToTextProjection": {"latent_query": "normal(std=1.0)"},
        },
    ],
}
