"""Rules of their own of the speech models and codecs of transformers."""

from __future__ import annotations

from typing import Any

from ._transformers import NORMAL, SPEECH_CONVS, XAVIER

UPSAMPLED = {
    "*.silence_embeds": 0,
    "in:Nemotron3DiarizationSubpixelUpsampler": {
        "conv.weight": "dirac(groups=shape[0]/shape[1])",
        "conv.bias": 0,
    },
}
"""A sub-pixel convolution that starts as nearest-neighbour upsampling, and silence at 0."""
_DAC_CONVS = {
    "type:ConvTranspose1d": {"*": "torch_default"},
    "type:Conv1d": {"bias": 0, "weight": "trunc_normal(std=0.02)"},
}
"""Convolutions of the Descript Audio Codec."""
TABLES: dict[str, list[Any]] = {
    "audio_spectrogram_transformer": [
        {
            "type:ASTEmbeddings": {
                "distillation_token": 0,
                "position_embeddings": 0,
                "cls_token": 0,
            },
        },
    ],
    "dac": [
        {
            "type:Snake1d": {"alpha": 1},
        },
        {
            "type:Embedding": {"weight": "normal(std=0.02)"},
            **_DAC_CONVS,
        },
    ],
    "encodec": [
        {"type:ParametrizedConv1d|ParametrizedConvTranspose1d": {"weight": "torch_default"}},
        {"type:ParametrizedConvTranspose1d": {"bias": 0}},
        {"type:Conv1d": {"weight": "kaiming_normal(fans='tensor')", "bias": "torch_default"}},
    ],
    "hubert": [
        {
            "*.pos_conv_embed.*weight": "torch_default",
            "*.layer_weights": "constant(1/shape[0])",
            "type:Conv1d": {"weight": "kaiming_normal(fans='tensor')", "bias": 0},
        },
    ],
    "kyutai_speech_to_text": [
        {"type:KyutaiSpeechToTextFlexibleLinear": {"weight": "normal(std=1)"}},
    ],
    "mimi": [
        {
            "type:MimiEuclideanCodebook": {"embed_sum": 0, "cluster_usage": 1, "initialized": 1},
            "type:MimiLayerScale": {"scale": "constant(config.layer_scale_initial_scale)"},
        },
        SPEECH_CONVS,
    ],
    "nemotron3_5_asr": [
        {
            "type:NemotronAsrStreamingEncoderAttention": {
                "bias_[uv]": NORMAL,
            },
        },
    ],
    "nemotron3_5_transcribe": [UPSAMPLED],
    "nemotron3_diarization": [UPSAMPLED],
    "nemotron_asr_streaming": [
        {
            "type:NemotronAsrStreamingEncoderAttention": {
                "bias_v": "normal(std=(config.initializer_range or 0.02))",
                "bias_u": "normal(std=(config.initializer_range or 0.02))",
            },
        },
    ],
    "parakeet": [
        {
            "type:ParakeetEncoderAttention": {
                "bias_v": "normal(std=(config.initializer_range or 0.02))",
                "bias_u": "normal(std=(config.initializer_range or 0.02))",
            },
        },
    ],
    "pe_audio": [
        {
            "type:Snake1d": {"alpha": 1},
            "*.text_audio_logit_*": 0,
            "type:PeAudioEncoderPatchEmbedder": {
                "class_embedding": "normal(std=shape[-1]**-0.5*(config.initializer_range or 0.02))"
            },
        },
        {
            "type:Embedding": {"weight": "normal(std=0.02)"},
            **_DAC_CONVS,
        },
    ],
    "pocket_tts_audio_tokenizer": [
        {
            "type:PocketTTSAudioTokenizerLayerScale": {
                "scale": "constant(config.layer_scale_initial_scale)"
            },
        },
        SPEECH_CONVS,
    ],
    "sew": [
        {
            "in:SEWPositionalConvEmbedding": {
                "conv.bias": 0,
                "conv.weight": "torch_default",
            },
        },
        {
            "type:Conv1d": {"weight": "kaiming_normal(fans='tensor')"},
        },
    ],
    "sew_d": [
        {
            "in:SEWDPositionalConvEmbedding": {
                "conv.bias": 0,
                "conv.weight": "torch_default",
            },
        },
        {
            "type:Conv1d": {"weight": "kaiming_normal(fans='tensor')"},
        },
    ],
    "unispeech": [
        {
            "in:UniSpeechFeatureProjection": {
                "projection.bias": "torch_default",
                "projection.weight": "torch_default",
            },
            "in:UniSpeechPositionalConvEmbedding": {
                "conv.bias": 0,
                "conv.weight": "torch_default",
            },
        },
        {
            "type:Conv1d": {"bias": "torch_default", "weight": "kaiming_normal(fans='tensor')"},
        },
    ],
    "unispeech_sat": [
        {
            "in:UniSpeechSatFeatureProjection": {
                "projection.bias": "torch_default",
                "projection.weight": "torch_default",
            },
            "in:UniSpeechSatPositionalConvEmbedding": {
                "conv.bias": 0,
                "conv.weight": "torch_default",
            },
            "type:UniSpeechSatForPreTraining": {"label_embeddings_concat": 0},
        },
        {
            "type:Conv1d": {"bias": "torch_default", "weight": "kaiming_normal(fans='tensor')"},
        },
    ],
    "wav2vec2_bert": [
        {
            "in:Wav2Vec2BertFeatureProjection": {
                "projection.bias": "torch_default",
                "projection.weight": "torch_default",
            },
            "*.layer_weights": "constant(1/shape[0])",
            "type:Wav2Vec2BertSelfAttention": {
                "pos_bias_v": XAVIER,
                "pos_bias_u": XAVIER,
            },
        },
        {
            "type:Conv1d": {"bias": "torch_default", "weight": "kaiming_normal(fans='tensor')"},
        },
    ],
    "wav2vec2_conformer": [
        {
            "in:Wav2Vec2ConformerFeatureProjection": {
                "projection.bias": "torch_default",
                "projection.weight": "torch_default",
            },
            "in:Wav2Vec2ConformerPositionalConvEmbedding": {
                "conv.bias": 0,
                "conv.weight": "torch_default",
            },
            "in:Wav2Vec2ConformerForPreTraining": {
                "project_q.*": "torch_default",
                "project_hid.*": "torch_default",
            },
            "type:Wav2Vec2ConformerSelfAttention": {
                "pos_bias_v": XAVIER,
                "pos_bias_u": XAVIER,
            },
        },
        {
            "type:Conv1d": {"bias": "torch_default", "weight": "kaiming_normal(fans='tensor')"},
        },
    ],
    "wavlm": [
        {
            "in:WavLMFeatureProjection": {
                "projection.bias": "torch_default",
                "projection.weight": "torch_default",
            },
            "in:WavLMPositionalConvEmbedding": {
                "conv.bias": 0,
                "conv.weight": "torch_default",
            },
            "type:WavLMAttention": {"gru_rel_pos_const": 1},
        },
        {
            "type:Conv1d": {"bias": "torch_default", "weight": "kaiming_normal(fans='tensor')"},
        },
    ],
    "data2vec": [
        {
            "in:Data2VecAudioFeatureProjection": {"projection.*": "torch_default"},
            "in:Data2VecAudioPositionalConvLayer": {"conv.bias": 0},
            "in:Data2VecAudioPreTrainedModel": [SPEECH_CONVS],
            "type:Data2VecVisionEmbeddings": {"*": 0},
            "type:Data2VecVisionRelativePositionBias": {"relative_position_bias_table": 0},
            "type:Data2VecVisionLayer": {"lambda_[12]": "constant(config.layer_scale_init_value)"},
        },
    ],
    "neucodec": [{"type:NeuCodecSnakeBeta": {"alpha": 0, "beta": 0}}],
    "xcodec": [
        {
            "type:Snake1d": {"alpha": 1},
            "type:XcodecEuclideanCodebook": {"embed": 0, "embed_avg": 0, "cluster_size": 0},
            "in:DacEncoder|DacDecoder": _DAC_CONVS,
        },
        {
            "type:Conv1d": {"weight": "kaiming_normal(fans='tensor')", "bias": "torch_default"},
            "type:ConvTranspose1d": {"*": "torch_default"},
            "type:Embedding": {"weight": "normal(std=0.02)"},
        },
    ],
    "xcodec2": [{"type:Xcodec2SnakeBeta": {"alpha": 0, "beta": 0}}],
}
