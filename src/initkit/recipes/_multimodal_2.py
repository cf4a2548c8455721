"""Rules of their own of models of transformers of images or sound with text, from L to Z."""

from __future__ import annotations

from typing import Any

from ._transformers import LECUN, NORMAL, SPEECH_CONVS, TRUNC, XAVIER, cut
from .clip import HF as CLIP
from .t5 import HF as T5

_RANGE = "(config.initializer_range or 0.02)"
_FACTOR = "config.initializer_cutoff_factor or 2"
CUT_OUT_2 = cut(f"{_RANGE}/sqrt(2*config.text_config.num_hidden_layers)", _FACTOR)
CUT_FINAL_2 = cut(f"{_RANGE}/sqrt(config.text_config.hidden_size)", _FACTOR)

TABLES: dict[str, list[Any]] = {
    "llama4": [
        {
            "type:Llama4VisionModel": {
                "positional_embedding_vlm": "normal(std=owner.scale)",
                "class_embedding": "normal(std=owner.scale)",
            },
            "type:Llama4TextExperts": {
                "down_proj": "normal(std=config.initializer_range or "
                "config.text_config.initializer_range)",
                "gate_up_proj": "normal(std=config.initializer_range or "
                "config.text_config.initializer_range)",
            },
        },
    ],
    "metaclip_2": [
        *CLIP,
        {
            "*.logit_scale": "constant(config.logit_scale_init_value)",
        },
    ],
    "minimax_m3_vl": [
        {
            "type:MiniMaxM3VLRMSNorm": {"weight": 0},
            "type:MiniMaxM3VLTopKRouter": {
                "weight": "normal(std=(config.initializer_range or 0.02))"
            },
            "type:MiniMaxM3VLExperts": {
                "down_proj": "normal(std=(config.initializer_range or 0.02))",
                "gate_up_proj": "normal(std=(config.initializer_range or 0.02))",
            },
        },
    ],
    "mistral_large4": [
        {
            "type:MistralLarge4TextSoftmaxScaling": {"bias": 1, "scale": 0},
            "type:MistralLarge4TextRotaryEmbedding": {"alpha": 0},
        },
    ],
    "molmo2": [
        {
            "type:Molmo2VisionModel": {"positional_embedding": NORMAL},
        },
    ],
    "moshi": [
        {
            "type:MoshiFlexibleLinear": {"weight": "normal(std=1)"},
        },
    ],
    "muse_spark": [
        {
            "type:MuseSparkResidualGate": {"gate": NORMAL},
            "type:MuseSparkTextCenteredRMSNorm|MuseSparkTextInputScaledRMSNorm": {"weight": 0},
        },
    ],
    "pocket_tts": [
        {
            "type:PocketTTSForConditionalGeneration": {
                "latent_stats_num_updates": 0,
                "latent_std": 1,
                "latent_mean": 0,
            },
            "type:PocketTTSModel": {"bos_latent": 0},
        },
    ],
    "qianfan_ocr": [
        {
            "type:QianfanOCRVisionLayer": {
                "lambda_2": "constant(config.layer_scale_init_value)",
                "lambda_1": "constant(config.layer_scale_init_value)",
            },
            "type:QianfanOCRVisionEmbeddings": {"position_embeddings": 0, "cls_token": 0},
        },
    ],
    "mllama": [
        {
            "type:MllamaVisionModel": {"class_embedding": NORMAL},
            "type:MllamaPrecomputedPositionEmbedding": {"embedding": NORMAL, "gate": 0},
            "type:MllamaPrecomputedAspectRatioEmbedding": {"gate": 0},
            "type:MllamaVisionEncoderLayer": {"gate_*": NORMAL},
            "type:MllamaCrossAttentionDecoderLayer": {"cross_attn_*_gate": 0},
        },
    ],
    "modernvbert": [
        {
            "in:ModernVBertConnector": {"modality_projection.weight": CUT_OUT_2},
            "*.lm_head.weight": CUT_OUT_2,
            "*.classifier.weight": CUT_FINAL_2,
        },
    ],
    "qwen3_5": [
        {
            "type:Qwen3_5GatedDeltaNet": {"A_log": "log_of(uniform(0.01, 16))", "dt_bias": 1},
            "type:Qwen3_5RMSNorm": {"weight": 0},
        },
    ],
    "qwen3_5_moe": [
        {
            "type:Qwen3_5MoeGatedDeltaNet": {"A_log": "log_of(uniform(0.01, 16))", "dt_bias": 1},
            "type:Qwen3_5MoeRMSNorm": {"weight": 0},
        },
    ],
    "qwen3_omni_moe": [
        {
            "in:Qwen3OmniMoeThinkerTextSparseMoeBlock": {
                "gate.weight": "normal(std=(config.initializer_range or 0.02))",
                "experts.down_proj": "normal(std=(config.initializer_range or 0.02))",
                "experts.gate_up_proj": "normal(std=(config.initializer_range or 0.02))",
            },
        },
    ],
    "qwen3_vl_moe": [
        {
            "type:Qwen3VLMoeTextTopKRouter": {"weight": NORMAL},
            "type:Qwen3VLMoeTextExperts": {
                "down_proj": NORMAL,
                "gate_up_proj": NORMAL,
            },
        },
    ],
    "qwen4_exp": [
        {
            "in:Qwen4ExpTextPLELayer": {"conv1d.weight": 0},
            "in:Qwen4ExpTextSparseMoeBlock": {"gate.weight": NORMAL},
            "type:Qwen4ExpTextRMSNorm": {"weight": 0},
            "type:Qwen4ExpTextGatedDeltaNet": {"A_log": "log_of(uniform(0.01, 16))", "dt_bias": 1},
        },
    ],
    "sam3_lite_text": [
        {
            "in:Sam3LiteTextTextModel": {
                "projection.weight": "normal(std=config.hidden_size**-0.5)"
            },
            "type:Sam3LiteTextRepMixerBlock|Sam3LiteTextRepMixer": {
                "layer_scale": "constant(config.layer_scale_init_value or 1e-5)"
            },
            "type:Sam3LiteTextTextPositionEmbedding": {
                "position_embedding": "normal(std=shape[-1]**-0.5)"
            },
        },
    ],
    "seamless_m4t": [
        {
            "type:SeamlessM4TConformerSelfAttention": {"pos_bias_[uv]": XAVIER},
            "in:SeamlessM4TConformerPositionalConvEmbedding": {
                "conv.weight": "normal(std=2*sqrt(1/(owner.kernel_size*owner.in_channels)))",
                "conv.bias": 0,
            },
            "in:SeamlessM4TConformerFeatureProjection": {"projection.*": "torch_default"},
        },
        SPEECH_CONVS,
    ],
    "seamless_m4t_v2": [
        {
            "type:SeamlessM4Tv2ConformerSelfAttention": {"pos_bias_[uv]": XAVIER},
            "in:SeamlessM4Tv2ConformerFeatureProjection": {"projection.*": "torch_default"},
            "type:SeamlessM4Tv2TextToUnitDecoder": {"pos_emb_alpha*": 1},
        },
        SPEECH_CONVS,
    ],
    "tvp": [
        {
            "type:TvpModel": {"text_prompt": "normal(std=1)"},
            "*.pad_up": "normal(std=1)",
            "*.pad_down": "normal(std=1)",
            "*.pad_left": "normal(std=1)",
            "*.pad_right": "normal(std=1)",
            "type:Conv2d": {
                "weight": "kaiming_normal(fans='tensor', mode='fan_out', nonlinearity='relu')",
                "bias": 0,
            },
        },
    ],
    "speecht5": [
        {
            "in:SpeechT5FeatureProjection": {
                "projection.bias": "torch_default",
                "projection.weight": "torch_default",
            },
            "in:SpeechT5PositionalConvEmbedding": {
                "conv.bias": 0,
                "conv.weight": "torch_default",
            },
            "type:SpeechT5HifiGan": {"scale": 1, "mean": 0},
            "type:SpeechT5ScaledPositionalEncoding": {"alpha": 1},
        },
        {
            "type:Conv1d": {"bias": "torch_default", "weight": "kaiming_normal(fans='tensor')"},
        },
    ],
    "step3p7": [
        {
            "type:Step3p7RMSNorm": {"weight": 0},
            "type:Step3p7TopKRouter": {"weight": "normal(std=(config.initializer_range or 0.02))"},
            "type:Step3p7Experts": {
                "down_proj": "normal(std=(config.initializer_range or 0.02))",
                "gate_up_proj": "normal(std=(config.initializer_range or 0.02))",
            },
            "type:Step3p7VisionEncoderLayer": {
                "lambda_2": "constant(config.layer_scale_init_value)",
                "lambda_1": "constant(config.layer_scale_init_value)",
            },
        },
    ],
    "t5gemma2": [
        {
            "in:T5Gemma2ClassificationHead": {
                "out_proj.bias": 0,
                "out_proj.weight": "normal(std=(config.initializer_range or 0.02) * shape[0]**"
                "-0.5)",
            },
            "type:*RMSNorm*": {"weight": 0},
            "type:T5Gemma2TextScaledWordEmbedding": {"eoi_embedding": 0},
            "type:T5Gemma2MultiModalProjector": {"mm_input_projection_weight": 0},
        },
    ],
    "tipsv2": [
        {
            "type:Tipsv2VisionEmbeddings": {
                "register_tokens": 0,
                "cls_token": TRUNC,
                "position_embeddings": TRUNC,
            },
            "type:Tipsv2Model": {"temperature": "constant(config.temperature_init_value)"},
            "in:Tipsv2VisionPreTrainedModel": {"type:Linear|Conv2d": {"weight": TRUNC, "bias": 0}},
        },
    ],
    "udop": [
        T5,
        {
            "type:Conv2d": {"bias": 0, "weight": "trunc_normal(std=config.initializer_factor)"},
        },
    ],
    "ultravbert": [
        {
            "in:UltraVBertConnector": {"modality_projection.weight": CUT_OUT_2},
            "*.lm_head.weight": CUT_OUT_2,
            "*.classifier.weight": CUT_FINAL_2,
        },
    ],
    "unlimited_ocr": [
        {
            "in:UnlimitedOcrVisionEmbeddings": {
                "position_embedding.weight": "normal(std=(config.initializer_range or 0.02) * "
                "config.initializer_factor)"
            },
            "type:UnlimitedOcrVisionEmbeddings": {
                "class_embedding": "normal(std=owner.embed_dim**-0.5 * config.initializer_factor)"
            },
            "type:UnlimitedOcrModel": {
                "view_separator": "normal(std=1/sqrt(config.text_config.hidden_size))"
            },
            "type:UnlimitedOcrSamVisionEncoder": {"pos_embed": 0},
        },
    ],
    "video_llava": [
        {
            "*.class_embedding": "normal(std=config.initializer_range or "
            "config.text_config.initializer_range)",
        },
    ],
    "videoprism": [
        {
            "type:VideoPrismSpatialEmbeddings|VideoPrismTemporalEmbeddings": {
                "position_embeddings": "trunc_normal(std=1/sqrt(shape[1]*"
                "shape[2])/0.87962566103423978)"
            },
            "type:VideoPrismMultiheadAttentionPoolingHead": {
                "per_dim_scale": 0,
                "pooling_attention_query": "trunc_normal("
                "std=1/sqrt(shape[-1])/0.87962566103423978)",
            },
            "type:VideoPrismTextEmbeddings": {"cls_emb": "normal(std=config.hidden_size**-0.5)"},
            "in:VideoPrismTextEmbeddings": {
                "token_embedding.weight": "normal(std=config.hidden_size**-0.5)"
            },
            "type:VideoPrismLayerNorm": {"weight": 0, "bias": 0},
            "type:Linear|Conv3d": {"weight": LECUN, "bias": 0},
        },
    ],
    "x_clip": [
        *CLIP,
        {
            "*message_attn.[qkv]_proj.weight": "normal(std=shape[1]**-0.5*(2*"
            "(config.num_hidden_layers or n_layers))**-0.5*config.initializer_factor)",
            "*message_attn.out_proj.weight": "normal(std=shape[1]**-0.5*config.initializer_factor)",
            "*cross_attn.[qkv]_proj.weight": NORMAL,
            "type:XCLIPMultiframeIntegrationTransformer": {
                "position_embedding": "normal(std=config.initializer_factor)"
            },
            "type:XCLIPModel": {
                "prompts_visual_projection": "normal(std=owner.vision_embed_dim**-0.5*"
                "config.initializer_factor)"
            },
            "type:XCLIPPromptGenerator": {"alpha": "constant(config.prompt_alpha)"},
        },
    ],
    "vilt": [
        {"type:ViltEmbeddings": {"*": 0}},
    ],
    "layoutlmv3": [
        {"type:LayoutLMv3Model": {"*": 0}},
    ],
}
